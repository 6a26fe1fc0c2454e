"""Judgements: grades of skills for queries that were given after the data set was made.

A grade says how well a skill does what a query asks for: 0 for a wrong one, and from 1 on the more
the better. A skill without any grade is unjudged, which is not the same as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skillret.datasets.beir import read_qrels
from skillret.datasets.columns import MAX_RELEVANCE, label_row
from skillret.datasets.dataset import Dataset
from skillret.datasets.row_files import SUFFIXES, numbered_rows
from skillret.errors import DatasetError, InputError
from skillret.messages import counted

__all__ = ["ALSO", "GRADE", "NOT_SKILLS", "Grades", "Judgements", "merge_labels", "read_judgements"]

GRADE = "grade"  # the column that a judge fills in
ALSO, NOT_SKILLS = "also", "not_skill_ids"  # columns of queries: would do as well, must not win


@dataclass(frozen=True, slots=True)
class Judgements:
    """What a file of judgements holds.

    Attributes:
        name: The file's.
        grades: Grade by skill id, by query id; 0 for a wrong skill.
        n_open: Rows that nobody has judged yet.
    """

    name: str
    grades: Mapping[str, Mapping[str, int]]
    n_open: int = 0


@dataclass(frozen=True, slots=True)
class Grades:
    """The labels of a data set together with what was judged since.

    Attributes:
        grades: Grade by skill id, by query id; 0 for a wrong skill. Of every query of the data set
            that has a label or a judgement.
        judged: The queries that a file of judgements has grades of; None without such a file.
        added: Whether there is more in it than the data set's own labels.
        notes: What a reader should know.
    """

    grades: Mapping[str, Mapping[str, int]]
    judged: frozenset[str] | None = None
    added: bool = False
    notes: tuple[str, ...] = field(default=(), hash=False)

    @property
    def counts(self) -> dict[int, int]:
        """How many labels there are of each grade, of the queries that count."""
        queries = self.grades if self.judged is None else self.judged
        found = Counter(g for query in queries for g in self.grades[query].values())
        return dict(sorted(found.items()))

    @property
    def relevant(self) -> dict[str, dict[str, int]]:
        """Grades above 0, of the queries that count and have any."""
        queries = self.grades if self.judged is None else self.judged
        above = {q: {s: g for s, g in self.grades[q].items() if g > 0} for q in queries}
        return {query: gold for query, gold in above.items() if gold}


def read_judgements(file: Path) -> Judgements:
    """Read a `.jsonl`, `.jsonl.gz` or `.parquet` file as `skillret data pool` writes it, or qrels.

    A row without a grade is one that is not judged yet. Qrels are tab-separated, or TREC's four
    columns.

    Raises:
        InputError: If the file is missing or malformed, a grade is no whole number from 0 on, or
            one skill has two grades for one query.
    """
    found: dict[str, dict[str, int]] = {}
    n_open = 0
    try:
        for row, where in _rows(file):
            query, skill = row.get("query_id"), row.get("skill_id")
            if not isinstance(query, str) or not isinstance(skill, str):
                raise DatasetError(f"{where}: needs query_id, skill_id and {GRADE}")
            if row.get("relevance") in (None, ""):
                n_open += 1
                continue
            grade = _grade(row["relevance"], where)
            known = found.setdefault(query, {}).setdefault(skill, grade)
            if known != grade:
                raise DatasetError(
                    f"{where}: the skill {skill!r} has the grades {known} and {grade} for query"
                    f" {query!r}; settle on one"
                )
    except DatasetError as e:
        raise InputError(str(e)) from None
    if not found:
        raise InputError(
            f"{file} holds no judgement: write a whole number from 0 (wrong) on into the column"
            f" {GRADE!r}"
        )
    return Judgements(file.name, found, n_open)


def _rows(file: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    if file.name.endswith(SUFFIXES):
        for row, where in numbered_rows(file):
            yield label_row({"relevance" if k == GRADE else k: v for k, v in row.items()}), where
    else:
        yield from read_qrels(file)


def _grade(value: object, where: str) -> int:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not number.is_integer() or not 0 <= number <= MAX_RELEVANCE:
        raise DatasetError(
            f"{where}: the grade {str(value)[:40]!r} is no whole number from 0 to {MAX_RELEVANCE}"
        )
    return int(number)


def merge_labels(
    dataset: Dataset, judgements: Judgements | None = None, *, also: bool = False
) -> Grades:
    """The labels of a data set, and what was judged since.

    A judgement stands over a label. Gold skills of a data set without grades of its own (all are 1)
    take the highest grade in use, so that a skill that would do as well is never above them.

    Args:
        dataset: Its gold skills, and those labelled 0.
        judgements: More labels.
        also: Count the skills of the queries' column `also`, which would do as well, with grade 1,
            and those of `not_skill_ids` as wrong.

    Raises:
        InputError: If no judgement is of this data set, or no query has the column `also`.
    """
    queries, skills = {q.id for q in dataset.queries}, {s.id for s in dataset.skills}
    grades: dict[str, dict[str, int]] = {query: {} for query in dataset.qrels}

    def add(query: str, skill: str, grade: int) -> bool:
        known = query in queries and skill in skills
        if known:
            grades.setdefault(query, {})[skill] = grade
        return known

    for query_id, wrong in dataset.nonrelevant.items():
        for skill in wrong:
            add(query_id, skill, 0)
    if also:
        _add_columns(dataset, add)
    given = judgements.grades if judgements is not None else {}
    own = {r for gold in dataset.qrels.values() for r in gold.values()}
    top = max([2 if also else 1, *(g for row in given.values() for g in row.values())])
    for query_id, gold in dataset.qrels.items():
        for skill, relevance in gold.items():
            add(query_id, skill, top if own == {1} else relevance)
    if judgements is None:
        return Grades(grades, None, also)
    outside = [
        (query, skill)
        for query, row in given.items()
        for skill, grade in row.items()
        if not add(query, skill, grade)
    ]
    judged = frozenset(given) & queries
    if not judged or all(skill not in skills for query in judged for skill in given[query]):
        raise InputError(
            f"{judgements.name} judges another data set: no query and skill of it are in"
            f" {dataset.name}, {dataset.split}"
        )
    notes = []
    if outside:
        pairs = counted(len(outside), "judgement")
        notes.append(
            f"{judgements.name}: left out {pairs} of queries or skills that are not in this split,"
            f" the first is of {outside[0][1]!r} for {outside[0][0]!r}"
        )
    if judgements.n_open:
        notes.append(f"{judgements.name}: {counted(judgements.n_open, 'row')} without a grade yet")
    return Grades(grades, judged, True, tuple(notes))


def _add_columns(dataset: Dataset, add: Any) -> None:
    """What the columns of queries say beside their labels."""
    if not any(ALSO in query.extra for query in dataset.queries):
        raise InputError(
            f"the queries of {dataset.name}, {dataset.split} have no column {ALSO!r} that names"
            " skills that would do as well"
        )
    for query in dataset.queries:
        for column, grade in ((NOT_SKILLS, 0), (ALSO, 1)):
            given = query.extra.get(column)
            for skill in given if isinstance(given, list | tuple) else ():
                add(query.id, str(skill), grade)
