"""One split of a data set, streamed: skills, queries with their gold skills, and their rules.

Evaluation holds a split in memory (`dataset.py`), training writes it to tables; both read it here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeVar

from skillret.datasets.columns import MAX_RELEVANCE, parse_label, parse_query, parse_skill
from skillret.datasets.layouts import choose_split, open_source
from skillret.datasets.source import RowSource
from skillret.errors import DatasetError
from skillret.messages import counted
from skillret.types import Query, Skill

__all__ = [
    "LabelledData",
    "LabelledQuery",
    "LabelledSplit",
    "missing_gold",
    "one_gold",
    "open_split",
    "whole_factor",
]

_Item = TypeVar("_Item", Skill, Query)
_FACTORS = (1, 2, 4, 5, 10, 100, 1000)


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A query with the ids of its gold skills.

    Attributes:
        id: Unique within its split.
        text: As a user typed it.
        gold: Ids of the skills it needs; none if it has no label.
        where: Tells a person where it was read.
        kind: As the data set calls it, if it does.
        made: It was made of other queries or of a skill: good to train on, not to judge by.
        also: Ids of skills that would do as well, where the data set says so (`also`).
    """

    id: str
    text: str
    gold: tuple[str, ...]
    where: str
    kind: str = ""
    made: bool = False
    also: tuple[str, ...] = ()


class LabelledData(Protocol):
    """Labelled queries and their skills that can be read more than once, one by one."""

    @property
    def name(self) -> str:
        """What cards and logs call the data."""
        ...

    @property
    def revision(self) -> str:
        """Commit on the hub, or start of a SHA-256."""
        ...

    def skills(self) -> Iterator[Skill]:
        """All skills, each id once."""
        ...

    def queries(self) -> Iterator[LabelledQuery]:
        """All queries with their gold skills, each id once."""
        ...


class LabelledSplit:
    """One split of a data set of any layout (a `LabelledData`). Memory holds ids, never texts.

    Args:
        source: The data set.
        split: One of its splits.
        name: What errors and results call it; the source's name by default.
    """

    def __init__(self, source: RowSource, split: str, name: str = "") -> None:
        self.source, self.split, self.name = source, split, name or source.name
        self.grading = 1
        self.nonrelevant: dict[str, set[str]] = {}

    @cached_property
    def revision(self) -> str:
        """See `RowSource.revision`."""
        return self.source.revision(self.split)

    def stamp(self) -> str:
        """See `RowSource.stamp`."""
        return self.source.stamp(self.split)

    def skills(self) -> Iterator[Skill]:
        """All skills, in file order.

        Raises:
            DatasetError: If there are none, a row is malformed or an id is there twice.
        """
        return (skill for skill, _ in self._parsed("skills", parse_skill))

    def queries(self) -> Iterator[LabelledQuery]:
        """All queries with their gold skills, in file order.

        Raises:
            DatasetError: As `bare_queries` and `labels`.
        """
        labels = self.labels()
        for query, where in self._parsed("queries", parse_query):
            kind = str(query.extra.get("kind") or "")
            gold = tuple(labels.get(query.id, ()))
            also = query.extra.get("also")
            others = tuple(map(str, also)) if isinstance(also, list | tuple) else ()
            yield LabelledQuery(query.id, query.text, gold, where, kind, also=others)

    def bare_queries(self, table: Literal["queries", "negatives"] = "queries") -> Iterator[Query]:
        """All queries with their other columns, or those that need no skill; in file order.

        Raises:
            DatasetError: If there are none (of `queries`), a row is malformed or an id is there
                twice.
        """
        return (query for query, _ in self._parsed(table, parse_query))

    def labels(self) -> dict[str, dict[str, int]]:
        """Relevance above 0 of skill ids, by query id.

        Where some are fractions, all are multiplied by one number (`grading`) that makes them
        whole, as trec_eval wants them; NDCG stays what it is. What is labelled 0 or less, judged
        and found wrong, is left in `nonrelevant`: skill ids by query id.

        Raises:
            DatasetError: If there is none, a row is malformed, or no number makes all whole.
        """
        found: dict[str, dict[str, float]] = {}
        for row, where in self.source.rows("qrels", self.split):
            query_id, skill_id, relevance = parse_label(row, where)
            if relevance > 0:
                found.setdefault(query_id, {})[skill_id] = relevance
            else:
                self.nonrelevant.setdefault(query_id, set()).add(skill_id)
        if not found:
            raise DatasetError(f"{self.name}: no query has a gold skill")
        relevances = {r for gold in found.values() for r in gold.values()}
        self.grading = whole_factor(self.name, relevances)
        return {
            query_id: {skill_id: round(r * self.grading) for skill_id, r in gold.items()}
            for query_id, gold in found.items()
        }

    def _parsed(
        self, table: str, parse: Callable[[Mapping[str, Any], str], _Item]
    ) -> Iterator[tuple[_Item, str]]:
        seen: set[str] = set()
        for row, where in self.source.rows(table, self.split):
            item = parse(row, where)
            if item.id in seen:
                raise DatasetError(f"{where}: the id {item.id!r} is there twice, also further up")
            seen.add(item.id)
            yield item, where
        if not seen and table != "negatives":
            what = "skill" if table == "skills" else "query"
            text = f"{self.name} holds no {what} of the split {self.split!r}"
            if table == "queries" and any(True for _ in self.source.rows("negatives", self.split)):
                text += " that needs a skill; at least one must"
            raise DatasetError(text)


def open_split(
    spec: str | os.PathLike[str],
    split: str | None = None,
    *,
    usual: str = "test",
    libraries: Sequence[str | os.PathLike[str]] = (),
    allow_missing: bool = False,
) -> LabelledSplit:
    """One split of a data set, to be streamed.

    Args:
        spec: As in `open_source`.
        split: Its name; without one `usual`, or the only split of own tests and files of queries.
        usual: What the caller's split is called by default.
        libraries: Folders of the skills that a file of queries names.
        allow_missing: As in `open_source`.

    Raises:
        DatasetError: If there is no such data set or no such split.
        InputError: As `open_source`.
    """
    source = open_source(
        spec, usual if split is None else split, libraries, allow_missing=allow_missing
    )
    name = os.fspath(spec) or source.name
    return LabelledSplit(source, choose_split(name, source, split, usual), name)


def one_gold(gold: Iterable[Iterable[str]]) -> str:
    """What is doubtful about labels of several queries that all name one skill; empty if not so."""
    count, skills = 0, set[str]()
    for ids in gold:
        count += 1
        skills.update(ids)
        if len(skills) > 1:
            return ""
    return f"all {count} queries have one gold skill, {min(skills)!r}" if count > 1 else ""


def whole_factor(name: str, relevances: Collection[float]) -> int:
    """The least of some factors that makes all relevances whole numbers.

    Raises:
        DatasetError: If none does.
    """
    most = max(relevances)
    for factor in _FACTORS:
        if factor * most <= MAX_RELEVANCE and all(
            abs(r * factor - round(r * factor)) < 1e-6 for r in relevances
        ):
            return factor
    odd = next(r for r in relevances if r != int(r))
    raise DatasetError(
        f"{name}: the relevance {odd:g} is too fine; give whole grades, or fractions of up to"
        " three digits and at most 1"
    )


def missing_gold(name: str, count: int, query_id: str, skill_id: str) -> str:
    """What is wrong with labels of skills that are not there; the ids are those of the first."""
    labels = f"{counted(count, 'gold label')} name{'s' * (count == 1)}"
    return (
        f"{name}: {labels} a skill that is not there, the first is {skill_id!r} of"
        f" query {query_id!r}"
    )
