"""The sets that a search would select, from outputs of rankers that never saw the query.

`skillret.retrieval.selection` chooses them, here as in a search. Only what it looks at comes from
elsewhere: the rankings of a query and of its parts are known already, out of fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, Float64
from skillret.calibration.examples import Example, Pool
from skillret.retrieval.query import clean_query
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.selection import SelectionPolicy, select
from skillret.retrieval.sentences import tasks
from skillret.types import Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Judged", "RankedRows", "Selector", "judge", "part_folds", "parts_of", "rank_rows"]


@dataclass(frozen=True, slots=True)
class RankedRows:
    """The best rows of a pool for one text, as `skillret.retrieval.selection.Ranked` has them."""

    text: str
    keys: NDArray[np.int64]
    scores: Float32
    parts: NDArray[np.int64]
    vectors: Float32
    need: float
    asks: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A query with what a ranker that never saw it says.

    Attributes:
        query: The query.
        gold: Rows of the skills that it needs; none where it needs none.
        fold: 0 to `FOLDS` - 1.
        weight: By its kind.
        whole: Its ranking.
        parts: The rankings of its parts, where they are searched by themselves, by their text.
    """

    query: Query
    gold: frozenset[int]
    fold: int
    weight: float
    whole: RankedRows
    parts: Mapping[str, RankedRows]

    @property
    def need(self) -> float:
        """Probability that it needs a skill."""
        return self.whole.need


def parts_of(pool: Pool, most: int) -> Pool:
    """The same library with the parts of its queries, those that are searched by themselves.

    Args:
        pool: The library with its queries.
        most: Parts that a query has at most which lists none; of more none is searched.
    """
    queries = []
    for query in pool.queries:
        text = clean_query(query.text)
        for number, (start, end) in enumerate(tasks(text, most)):
            extra = {"kind": "part", "of": query.id}
            queries.append(Query(f"\0part-{number}-{query.id}", text[start:end], extra))
    return replace(pool, queries=queries, gold={})


def part_folds(parts: Pool, folds: Mapping[str, int]) -> dict[str, int]:
    """Each part is of its query's fold."""
    return {q.id: folds[str(q.extra["of"])] for q in parts.queries}


def rank_rows(pool: Pool, example: Example, outputs: Float64, ranker: Ranker, k: int) -> RankedRows:
    """The best `k` rows for a query, as a `Searcher` ranks them.

    Args:
        pool: The library.
        example: The query with its candidates.
        outputs: Of the candidates, `(m,)`.
        ranker: Makes probabilities of them.
        k: How many at most.
    """
    need = ranker.need(outputs, example.evidence, example.skills)
    scores = (need * ranker.probabilities(outputs)).astype(np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    rows, text = example.rows[order], clean_query(example.query.text)
    parts, vectors = example.parts[order], pool.vectors[rows]
    return RankedRows(text, rows, scores[order], parts, vectors, need, example.evidence)


def judge(
    pool: Pool,
    ranker: Ranker,
    found: Iterable[tuple[Example, Float64]],
    parts: Iterable[tuple[Example, Float64]],
    policy: SelectionPolicy,
) -> Iterator[Judged]:
    """Every query with its rankings.

    Args:
        pool: The library.
        ranker: Makes probabilities of outputs, and judges need.
        found: Queries with the outputs of their candidates.
        parts: The same of their parts.
        policy: Says how deep it looks.
    """
    spoken: dict[str, dict[str, RankedRows]] = {}
    for e, outputs in parts:
        # By the part as it was cut out: by itself it may be read otherwise ("..., not a chemist").
        ranked = rank_rows(pool, e, outputs, ranker, policy.depth)
        spoken.setdefault(str(e.query.extra["of"]), {})[e.query.text] = ranked
    for e, outputs in found:
        whole = rank_rows(pool, e, outputs, ranker, policy.depth)
        gold = pool.gold.get(e.query.id, frozenset())
        yield Judged(e.query, gold, e.fold, e.weight, whole, spoken.get(e.query.id, {}))


class Selector:
    """Selects sets by policies that differ in threshold and share; each set is chosen once.

    Args:
        pool: The library; a query's id names it for as long as the selector lives.
    """

    def __init__(self, pool: Pool) -> None:
        self._skills = pool.skills
        self._known: dict[tuple[str, float, tuple[bool, ...]], tuple[int, ...]] = {}

    def rows(self, judged: Judged, policy: SelectionPolicy) -> tuple[int, ...]:
        """The rows that a search would select, best first."""
        # Two thresholds that nothing lies between select the same.
        needs = (judged.need, *(part.need for part in judged.parts.values()))
        sure = tuple(need >= policy.threshold for need in needs)
        key = (judged.query.id, policy.share, sure)
        if key not in self._known:
            chosen = select(judged.whole, lambda text, _: judged.parts[text], self._names, policy)
            self._known[key] = tuple(p.key for p in chosen.picked)
        return self._known[key]

    def _names(self, rows: Sequence[int]) -> dict[int, tuple[str]]:
        return {row: (self._skills[row].name,) for row in rows}
