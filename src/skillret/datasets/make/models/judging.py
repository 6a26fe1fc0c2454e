"""Whether a request needs its skills, and which others would do as well: by a second model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from skillret.datasets.make.models.asker import Question
from skillret.datasets.make.models.forms import Judged, read_form
from skillret.datasets.make.models.prompts import SYSTEMS, fenced, skill_text
from skillret.datasets.make.sampling import MISS, REQUEST
from skillret.datasets.make.step import Context, Result, drawn
from skillret.datasets.row_files import Row
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.types import Skill

__all__ = ["judge_question", "judge_requests"]

_SHOWN = 600  # characters of instructions
_DOES = 2


def judge_question(query: str, shown: Sequence[Row]) -> Question:
    """Which of some skills do what a request asks for."""
    texts = [query, *(skill_text(row, _SHOWN) for row in shown)]
    form = '{"grades": [{"number": 2, "grade": 0}]}'
    return Question(
        SYSTEMS["judge"],
        f"{fenced(texts)}\n\nNumber 1 is the request; grade each of the skills, numbers 2 to"
        f" {len(texts)}.\nForm: {form}",
    )


def judge_requests(checked: Result, context: Context) -> Result:
    """Drop requests whose skills do not do them; others that do go into `also`.

    A judge sees a request's skills among the next ones by BM25 over names, descriptions and
    instructions, in an order that says nothing. Near-misses that their skill does after all go too.
    """
    assert context.judge is not None
    skills = {row["id"]: row for row in context.rows("filter")}
    pools = _Pools(skills, {row["id"]: row["split"] for row in context.rows("split")})
    judged = [row for row in checked.rows if row["plan"] in (REQUEST, MISS)]
    shown: list[list[str]] = []
    for row in judged:
        others = pools.nearest(row["query"], row["split"], context.config.check.candidates)
        ids = list(dict.fromkeys([*row["skill_ids"], *others]))
        drawn(context.config.seed, "judge", row["id"]).shuffle(ids)
        shown.append(ids)
    questions = [
        judge_question(row["query"], [skills[i] for i in ids])
        for row, ids in zip(judged, shown, strict=True)
    ]

    def read(number: int, text: str) -> dict[str, int]:
        grades = {row.number: row.grade for row in read_form(Judged, text).grades}
        if grades.keys() != set(range(2, len(shown[number]) + 2)):
            raise ValueError("answer leaves skills out")
        return {id_: grades[n] for n, id_ in enumerate(shown[number], start=2)}

    answers = context.judge.ask(questions, read)
    grades = {row["id"]: answer for row, answer in zip(judged, answers, strict=True)}
    result = Result(unit="request", dropped=checked.dropped, facts=checked.facts)
    for row in checked.rows:
        answer = grades.get(row["id"])
        given = None if answer is None else answer.value
        if answer is None or given is None:
            if answer is not None:
                result.drop(row["id"], f"judge: {answer.reason}", query=row["query"])
            else:
                result.rows.append(row)
            continue
        mine = [given[i] for i in row["skill_ids"]]
        if row["plan"] == REQUEST and min(mine) < _DOES:
            result.drop(row["id"], "judge: its skills do not do it", query=row["query"])
        elif row["plan"] == MISS and max(mine) >= _DOES:
            result.drop(row["id"], "judge: its skill does it", query=row["query"])
        else:
            also = [i for i, g in given.items() if g >= _DOES and i not in row["skill_ids"]]
            more = {"also": also} if row["plan"] == REQUEST else {}
            result.rows.append({**row, **more, "judged": len(given)})
    found = sum(bool(row.get("also")) for row in result.rows)
    result.facts["with other skills that would do"] = found
    return result


class _Pools:
    """The skills of each split, by BM25."""

    def __init__(self, skills: Mapping[str, Row], split: Mapping[str, str]) -> None:
        members: dict[str, list[Row]] = defaultdict(list)
        for id_, row in skills.items():
            members[split[id_]].append(row)
        self._members = members
        self._indexes = {
            name: LexicalIndex(
                write_lexical(
                    None,
                    enumerate(
                        Skill(r["id"], r["name"], r["description"], r["skill_md"]) for r in rows
                    ),
                )
            )
            for name, rows in members.items()
        }

    def nearest(self, query: str, split: str, count: int) -> list[str]:
        """Ids of the skills of a split that a query finds first."""
        keys, _ = self._indexes[split].search(query, count)
        return [self._members[split][key]["id"] for key in keys]
