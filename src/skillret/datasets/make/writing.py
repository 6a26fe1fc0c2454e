"""Step `write`: the requests themselves, by a model or out of what skills' authors wrote."""

from __future__ import annotations

from skillret.datasets.make.library import TESTS
from skillret.datasets.make.sampling import MISS, NEEDLESS
from skillret.datasets.make.step import Context, Result, drawn
from skillret.datasets.make.templates import (
    DESCRIPTION,
    Wording,
    dressed,
    joined,
    near_misses,
    read_list,
    wishes,
    wordings,
)
from skillret.datasets.row_files import Row

__all__ = ["write_requests"]

_OFFLINE = "template"  # the generator's name


def write_requests(context: Context) -> Result:
    """The `query` of every plan; what no model writes is of a `kind` that begins with `template`.

    Rows keep their plan. `quoted` are lines that the data set's skills must go without.
    """
    skills = {row["id"]: row for row in context.rows("filter")}
    plans = context.rows("sample")
    if context.model is not None:
        from skillret.datasets.make.models.requests import write_by_model

        return write_by_model(plans, skills, context.model, context.config)
    result = Result(unit="request")
    needless = read_list("needless.txt")
    drawn(context.config.seed, NEEDLESS).shuffle(needless)
    given: dict[str, set[str]] = {}
    for plan in plans:
        gold = [skills[i] for i in plan["skill_ids"]]
        draw = drawn(context.config.seed, "write", plan["id"])
        if plan["kind"] == NEEDLESS:
            made = Wording(needless.pop(), "template-needless") if needless else None
            reason = "no more needless messages"
        elif plan["kind"] == MISS:
            made = _fresh(near_misses(gold[0]), given.setdefault(f"not {gold[0]['id']}", set()))
            if made is not None and len(made.text.split()) < 9 and not gold[0].get(TESTS):
                made = made._replace(text=dressed(made.text, plan["style"], draw))
            reason = "its skill excludes nothing"
        elif len(gold) == 1:
            made = _fresh(wordings(gold[0]), given.setdefault(gold[0]["id"], set()))
            if made is not None and made.kind == DESCRIPTION:
                made = made._replace(text=dressed(made.text, plan["style"], draw))
            reason = "no wording left of its skill"
        else:
            made = _set(gold, plan, context)
            reason = "description of a skill gives no wish"
        if made is None:
            result.drop(plan["id"], reason, skill_ids=plan["skill_ids"])
            continue
        row = {**plan, "query": made.text, "kind": made.kind, "generator_model": _OFFLINE}
        row["plan"] = plan["kind"]
        if made.line:
            row["quoted"] = [made.line]
        result.rows.append(row)
    return result


def _fresh(candidates: list[Wording], given: set[str]) -> Wording | None:
    """The first wording that no request has been given yet."""
    made = next((c for c in candidates if c.text not in given), None)
    if made is not None:
        given.add(made.text)
    return made


def _set(gold: list[Row], plan: Row, context: Context) -> Wording | None:
    draw = drawn(context.config.seed, "write", plan["id"])
    parts = []
    for skill in gold:
        found = wishes(skill)
        if not found:
            return None
        parts.append(draw.choice(found[:3]))
    return Wording(joined(parts, plan["style"], draw), DESCRIPTION)
