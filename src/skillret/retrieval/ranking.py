"""What a search knows of the best skills for a query: the rows that every later step works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, holds
from skillret.lexical.bm25 import Terms
from skillret.types import Mode

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ranking", "extended", "nothing", "reordered", "unknown_parts", "without"]

_COLUMNS = ("keys", "dense", "lexical", "parts", "vectors", "excluded", "late")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ranking:
    """The best skills for one query, best first; of equal scores the smaller key.

    Attributes:
        text: The query.
        keys: int64 `(m,)`.
        scores: What they are ranked by, float32 `(m,)`: where a ranker is at work, the probability
            that a skill is needed. What is put first (called by name, or by a reranker that
            the ranker does not know) has the score of the place where it is put.
        dense: Cosines `(m,)`, where a dense search ran.
        lexical: BM25 scores `(m,)`, where a lexical search ran.
        parts: The part of the query that each fits best, int64 `(m,)`; -1 where none is known.
        vectors: float32 `(m, dim)`, where a dense search ran.
        need: Probability that any skill is needed, where a ranker is at work, or how much of the
            query the best skill holds if the encoder cannot read it; without a ranker the largest
            cosine; None in lexical mode.
        terms: Of the query, where a lexical search ran.
        excluded: How much of the query stands in what each skill is not for, 0 to 1, `(m,)`; it
            counted against it. None where no ranker is at work.
        late: Late interaction with each skill, as it counted, `(m,)`; NaN for those behind the
            candidates. None where it was not asked for.
        asks: Log odds that the query asks for something, whatever there is. None where no ranker
            is at work.
    """

    text: str
    keys: NDArray[np.int64]
    scores: Float32
    dense: Float32 | None
    lexical: Float32 | None
    parts: NDArray[np.int64]
    vectors: Float32 | None
    need: float | None
    terms: Terms | None
    excluded: Float32 | None = None
    late: Float32 | None = None
    asks: float | None = None

    def __len__(self) -> int:
        return len(self.keys)


def without(ranking: Ranking, keys: Sequence[int]) -> Ranking:
    """A ranking but for some keys; the very same if there are none."""
    if not keys:
        return ranking
    kept = ~holds(ranking.keys, np.array(sorted(keys), dtype=np.int64))
    return replace(_rows(ranking, kept), scores=ranking.scores[kept])


def extended(
    ranking: Ranking,
    keys: NDArray[np.int64],
    scores: Float32,
    dense: Float32,
    lexical: Float32,
    vectors: Float32,
) -> Ranking:
    """A ranking with further skills behind it, of which less is known."""
    assert ranking.dense is not None
    assert ranking.lexical is not None
    assert ranking.vectors is not None
    excluded, late = ranking.excluded, ranking.late
    if excluded is not None:
        excluded = np.concatenate([excluded, np.zeros(len(keys), dtype=np.float32)])
    if late is not None:
        late = np.concatenate([late, np.full(len(keys), np.nan, dtype=np.float32)])
    return replace(
        ranking,
        keys=np.concatenate([ranking.keys, keys]),
        scores=np.concatenate([ranking.scores, scores]),
        dense=np.concatenate([ranking.dense, dense]),
        lexical=np.concatenate([ranking.lexical, lexical]),
        parts=np.concatenate([ranking.parts, unknown_parts(keys)]),
        vectors=np.concatenate([ranking.vectors, vectors]),
        excluded=excluded,
        late=late,
    )


def reordered(ranking: Ranking, first: Sequence[int], k: int) -> Ranking:
    """The best `k` of a ranking in another order.

    Scores stay where they are, the largest for the first hit: they say how likely a skill is needed
    at each place.

    Args:
        ranking: The ranking.
        first: Keys of those that come first; the others keep their order.
        k: How many at most.
    """
    place = {key: i for i, key in enumerate(ranking.keys.tolist())}
    told = [place[key] for key in first]
    places = np.array([*told, *sorted({*place.values()}.difference(told))][:k], dtype=np.int64)
    return replace(_rows(ranking, places), scores=ranking.scores[:k])


def _rows(ranking: Ranking, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Ranking:
    columns = {name: getattr(ranking, name) for name in _COLUMNS}
    return replace(ranking, **{n: c[rows] for n, c in columns.items() if c is not None})


def unknown_parts(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The `parts` of a ranking where nothing is known of them."""
    return np.full(len(keys), -1, dtype=np.int64)


def nothing(text: str, mode: Mode) -> Ranking:
    """The ranking of an empty corpus."""
    keys, none = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    vectors = np.empty((0, 0), dtype=np.float32)
    need = None if mode == "lexical" else 0.0
    return Ranking(text, keys, none, none, none, keys, vectors, need, None)
