"""Requests by a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skillret.datasets.make.config import STYLES
from skillret.datasets.make.models.asker import Answered, Asker, Question
from skillret.datasets.make.models.forms import Written, read_form
from skillret.datasets.make.models.prompts import SYSTEMS, fenced, skill_text
from skillret.datasets.make.sampling import MISS, NEEDLESS
from skillret.datasets.make.step import Context, Result
from skillret.datasets.row_files import Row
from skillret.messages import printable

__all__ = ["is_test", "request_question", "write_by_model"]

_FORM = '{"request": "..."}'


def request_question(plan: Row, gold: Sequence[Row], characters: int) -> Question:
    """What a writer is asked for a plan."""
    style = STYLES[plan["style"]][0]
    least, most = plan["words"]
    system = {MISS: "near-miss", NEEDLESS: "needless"}.get(plan["kind"], "write")
    shown = f"{fenced([skill_text(row, characters) for row in gold])}\n\n" if gold else ""
    what = {
        MISS: "Write one request that only seems to need this skill.",
        NEEDLESS: f"Write one message that needs no skill. (Draft {plan['id']}: make it unlike"
        " others.)",
    }.get(plan["kind"], f"Write one request that needs {_all(len(gold))}.")
    turn = f" (Another one, number {plan['visit'] + 1}.)" if plan["visit"] else ""
    length = "" if plan["kind"] == NEEDLESS else f"Style: {style}.\n{least} to {most} words.\n"
    return Question(
        SYSTEMS[system],
        f"{shown}{what}{turn}\n{length}Language: {plan['language']}.\nForm: {_FORM}",
    )


def _all(count: int) -> str:
    return "this skill" if count == 1 else f"all {count} skills together, each for a part of it"


def write_by_model(plans: Sequence[Row], skills: Mapping[str, Row], context: Context) -> Result:
    """The `query` of every plan; what no answer of a model gives is dropped."""
    characters = context.config.write.characters
    result = Result(unit="request")
    made: dict[str, tuple[Asker, Answered[str]]] = {}
    for asker, mine in _shared(plans, context):
        questions = [
            request_question(plan, [skills[i] for i in plan["skill_ids"]], characters)
            for plan in mine
        ]
        answers = asker.ask(questions, lambda _, text: _read(text))
        made |= {p["id"]: (asker, answer) for p, answer in zip(mine, answers, strict=True)}
    for plan in plans:
        asker, answer = made[plan["id"]]
        if answer.value is None:
            result.drop(plan["id"], answer.reason, skill_ids=plan["skill_ids"])
            continue
        said = {"query": answer.value, "generator_model": asker.endpoint.name}
        kind = {MISS: "near-miss", NEEDLESS: "needless"}.get(plan["kind"], plan["style"])
        result.rows.append({**plan, **said, "kind": kind, "plan": plan["kind"]})
    return result


def is_test(plan: Row) -> bool:
    """Whether a plan is of a split that another model may write."""
    return str(plan["split"]).startswith("test")


def _shared(plans: Sequence[Row], context: Context) -> list[tuple[Asker, list[Row]]]:
    """The plans by who writes them."""
    assert context.model is not None
    if context.test_model is None:
        return [(context.model, list(plans))]
    own = [plan for plan in plans if not is_test(plan)]
    return [(context.model, own), (context.test_model, [p for p in plans if is_test(p)])]


def _read(text: str) -> str:
    """A request without hidden characters; lines stay."""
    request = read_form(Written, text).request
    lines = [printable(line) for line in request.replace("\r\n", "\n").split("\n")]
    clean = "\n".join(lines).strip()
    if not clean or "\N{REPLACEMENT CHARACTER}" in clean:
        raise ValueError("request is not plain text")
    return clean
