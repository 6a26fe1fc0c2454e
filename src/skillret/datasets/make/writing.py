"""Step `write`: the requests themselves, by a model or out of what skills' authors wrote."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from skillret.datasets.make.library import TESTS
from skillret.datasets.make.sampling import MISS, NEEDLESS
from skillret.datasets.make.step import Context, Result, drawn
from skillret.datasets.make.tagging import terms_of
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
from skillret.lexical.analyzer import read_terms

__all__ = ["write_requests"]

_OFFLINE = "template"  # the generator's name
_COMMON = 0.03  # share of descriptions that a telling word is in at most
_TELLING = 2  # such words of a wish


def write_requests(context: Context) -> Result:
    """The `query` of every plan; what no model writes is of a `kind` that begins with `template`.

    Rows keep their plan. `quoted` are lines that the data set's skills must go without.
    """
    skills = {row["id"]: row for row in context.rows("filter")}
    plans = context.rows("sample")
    if context.model is not None:
        from skillret.datasets.make.models.requests import write_by_model

        return write_by_model(plans, skills, context)
    result = Result(unit="request")
    choice = _Choice(context, skills)
    needless = read_list("needless.txt")
    drawn(context.config.seed, NEEDLESS).shuffle(needless)
    for plan in plans:
        gold = [skills[i] for i in plan["skill_ids"]]
        if plan["kind"] == NEEDLESS:
            made = Wording(needless.pop(), "template-needless") if needless else None
            reason = "no more needless messages"
        elif plan["kind"] == MISS:
            made, reason = choice.miss(gold[0], plan), "its skill excludes nothing"
        elif len(gold) == 1:
            made, reason = choice.one(gold[0], plan), "no wording left of its skill"
        else:
            made, reason = choice.several(gold, plan), "description of a skill gives no wish"
        if made is None:
            result.drop(plan["id"], reason, skill_ids=plan["skill_ids"])
            continue
        row = {**plan, "query": made.text, "kind": made.kind, "generator_model": _OFFLINE}
        row["plan"] = plan["kind"]
        row["skill_ids"] = choice.wanted(made, plan)
        if made.kind != DESCRIPTION:
            row["style"] = "as written"
        if made.line:
            row["quoted"] = [made.line]
        result.rows.append(row)
    return result


class _Choice:
    """Chooses wordings for plans, none of a skill twice."""

    def __init__(self, context: Context, skills: Mapping[str, Row]) -> None:
        self._seed = context.config.seed
        self._given: set[tuple[str, str]] = set()
        self._held = Counter(t for row in skills.values() for t in set(terms_of(row)))
        self._most = max(2, _COMMON * len(skills))
        self._names = {row["name"].lower() for row in skills.values() if "-" in row["name"]}
        split = {row["id"]: row["split"] for row in context.rows("split")}
        self._owners: dict[tuple[str, str], list[str]] = defaultdict(list)
        for id_, row in skills.items():
            for test in row.get(TESTS, ()):
                if test["wanted"] and id_ not in self._owners[split[id_], test["query"]]:
                    self._owners[split[id_], test["query"]].append(id_)

    def one(self, skill: Row, plan: Row) -> Wording | None:
        """For a single skill: its own tests, what it quotes, then its description."""
        wished = self._wishes(skill)
        found = [w for w in wordings(skill) if w.kind != DESCRIPTION or w.text in wished]
        made = self._fresh(skill["id"], found)
        return self._dressed(made, plan) if made and made.kind == DESCRIPTION else made

    def miss(self, skill: Row, plan: Row) -> Wording | None:
        """What a skill is not for, as its author says; nothing that another one is tested by."""
        found = [w for w in near_misses(skill) if (plan["split"], w.text) not in self._owners]
        made = self._fresh(f"not {skill['id']}", found)
        if made is None or any(test["query"] == made.text for test in skill.get(TESTS, ())):
            return made
        return self._dressed(made, plan)

    def several(self, gold: list[Row], plan: Row) -> Wording | None:
        """For a set of skills: a wish of each."""
        draw = drawn(self._seed, "write", plan["id"])
        found = [self._wishes(skill) for skill in gold]
        if not all(found):
            return None
        parts = [draw.choice(some[:3]) for some in found]
        return Wording(joined(parts, plan["style"], draw), DESCRIPTION)

    def wanted(self, made: Wording, plan: Row) -> list[str]:
        """The skills that a request is for: all whose tests have it as one."""
        owners = self._owners.get((plan["split"], made.text), [])
        return list(dict.fromkeys([*plan["skill_ids"], *owners]))

    def _wishes(self, skill: Row) -> list[str]:
        """Wishes that say more than any skill of the library could do, and name none."""
        return [
            wish
            for wish in wishes(skill)
            if sum(self._held[t] <= self._most for t in set(read_terms(wish))) >= _TELLING
            and self._names.isdisjoint(wish.lower().split())
        ]

    def _fresh(self, whose: str, candidates: Sequence[Wording]) -> Wording | None:
        made = next((c for c in candidates if (whose, c.text) not in self._given), None)
        if made is not None:
            self._given.add((whose, made.text))
        return made

    def _dressed(self, made: Wording, plan: Row) -> Wording:
        draw = drawn(self._seed, "write", plan["id"])
        return made._replace(text=dressed(made.text, plan["style"], draw))
