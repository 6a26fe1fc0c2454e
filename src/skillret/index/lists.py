"""Lists of vectors that are near each other: a search among very many looks into few of them.

An inverted file (Jégou, Douze and Schmid 2011, section IV): k-means puts each vector into the list
of its nearest centre, and a query looks into the lists whose centres are nearest to it. There they
are int8, a quarter of what else would be in memory. Whoever asks computes the cosines of what is
found from the vectors themselves, so all that can be missed are vectors of other lists.

A graph (HNSW, by USearch) answers ten times as fast, but found .59 of the nearest 15 in a library
with hundreds of near copies of each skill, and its files cannot be checked before they are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, cosines, first_of_each, holds, top_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LISTS_FROM", "Lists", "find_lists", "rounded"]

LISTS_FROM = 50_000  # skills; of fewer, all vectors are compared in some ms
_LISTS = 8  # times the square root of the number of vectors
_SAMPLE = 20  # vectors for each list, by which centres are found
_ROUNDS = 5  # of k-means
_CHUNK = 1 << 13
_LEAST, _SHARE = 8000, 0.02  # vectors that are looked at: so many, and of all of them
_EACH = 8  # vectors that are looked at for each that is wanted, at least
_ROUNDED = 16  # that are given beyond what is wanted: int8 puts some before others
_TOO_MANY = 0.5  # of all vectors: then it is as fast to look at all


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lists:
    """The vectors of a block, list by list.

    Attributes:
        centres: float32 `(c, dim)`.
        bounds: int64 `(c + 1,)`; list `i` has the places `bounds[i]:bounds[i + 1]`.
        rows: The number of the row at each place, int64 `(n,)`, ascending within a list.
        vectors: The vector at each place in steps of its own, int8 `(n, dim)`.
        steps: How long these are, float32 `(n,)`.
    """

    centres: Float32
    bounds: NDArray[np.int64]
    rows: NDArray[np.int64]
    vectors: NDArray[np.int8]
    steps: Float32

    def nearest(
        self, vector: Float32, count: int, alive: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64] | None:
        """The rows nearest to a vector and some more, int64, ascending; None if that is too many.

        Args:
            vector: float32 `(dim,)`.
            count: How many.
            alive: Mask of the rows that count; all if None.
        """
        left = len(self.rows) if alive is None else int(alive.sum())
        budget = max(_LEAST + _SHARE * len(self.rows), _EACH * count)
        budget *= len(self.rows) / max(left, 1)  # a filter leaves fewer in each list
        if not count:
            return self.rows[:0]
        if budget > _TOO_MANY * len(self.rows):
            return None
        (near,) = cosines(vector[None], self.centres)
        order = np.argsort(-near, kind="stable")
        sizes = np.cumsum(self.bounds[order + 1] - self.bounds[order])
        looked_at = order[: int(np.searchsorted(sizes, budget)) + 1].tolist()
        spans = [slice(int(self.bounds[n]), int(self.bounds[n + 1])) for n in looked_at]
        line = np.concatenate([self._cosines(span, vector) for span in spans])
        rows = np.concatenate([self.rows[span] for span in spans])
        if alive is not None:
            kept = alive[rows]
            line, rows = line[kept], rows[kept]
        if len(rows) < min(count, left):
            return None
        return np.sort(rows[top_rows(line, count + count // 2 + _ROUNDED)])

    def _cosines(self, span: slice, vector: Float32) -> Float32:
        # Of one list at once: it stays in the processor's cache while it is widened.
        near = np.vecdot(self.vectors[span].astype(np.float32), vector)
        return np.asarray(near * self.steps[span])


def rounded(vectors: Float32) -> tuple[NDArray[np.int8], Float32]:
    """Vectors `(n, dim)` in steps of a 127th of their largest value, and how long these are."""
    steps = np.abs(vectors).max(axis=1, initial=0) / np.float32(127)
    steps[steps == 0] = 1
    return np.rint(vectors / steps[:, None]).astype(np.int8), steps


def find_lists(
    keys: NDArray[np.int64], vectors: Float32, known: tuple[NDArray[np.int64], Lists] | None = None
) -> tuple[Float32, NDArray[np.int64]]:
    """The centres of lists, float32 `(c, dim)`, and the list of each vector, int64 `(n,)`.

    Args:
        keys: int64 `(n,)`, ascending.
        vectors: float32 `(n, dim)`, perhaps mapped; read in slices.
        known: Lists of earlier and the keys of their vectors, ascending: while they are about as
            many as there should be, and hold half of the vectors, only what is new is looked at.
    """
    there = np.zeros(len(keys), dtype=np.bool_) if known is None else holds(keys, known[0])
    everything = np.arange(len(keys))
    if known is None or not _are_good(known[1], vectors, int(there.sum())):
        centres = _find_centres(vectors)
        return centres, _assign(vectors, everything, centres)
    before, lists = known
    owners = np.empty(len(before), dtype=np.int64)
    owners[lists.rows] = np.repeat(np.arange(len(lists.centres)), np.diff(lists.bounds))
    out = np.empty(len(keys), dtype=np.int64)
    out[there] = owners[np.searchsorted(before, keys[there])]
    out[~there] = _assign(vectors, everything[~there], lists.centres)
    return lists.centres, out


def _are_good(lists: Lists, vectors: Float32, kept: int) -> bool:
    """Whether lists of earlier do for vectors of which so many were in them."""
    number = len(lists.centres)
    as_many = number / 2 <= _number(len(vectors)) <= 2 * number
    return as_many and 2 * kept >= len(vectors) and lists.centres.shape[1] == vectors.shape[1]


def _number(vectors: int) -> int:
    """How many lists so many vectors have."""
    return min(vectors, math.ceil(_LISTS * math.sqrt(vectors)))


def _find_centres(vectors: Float32) -> Float32:
    draw = np.random.default_rng(0)
    number = _number(len(vectors))
    rows = draw.permutation(len(vectors))[: number * _SAMPLE]
    sample = vectors[np.sort(rows)]
    centres = sample[draw.permutation(len(sample))[:number]]
    for _ in range(_ROUNDS):
        nearest = _assign(sample, np.arange(len(sample)), centres)
        order = np.argsort(nearest, kind="stable")
        firsts = np.flatnonzero(first_of_each(nearest[order]))
        sums = np.add.reduceat(sample[order], firsts)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # A centre of no vectors stays where it is.
        centres[nearest[order][firsts]] = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
    return centres


def _assign(vectors: Float32, rows: NDArray[np.int64], centres: Float32) -> NDArray[np.int64]:
    """The number of the centre that is nearest to the vector of each row, int64 `(len(rows),)`."""
    out = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _CHUNK):
        own = slice(start, start + _CHUNK)
        out[own] = np.argmax(vectors[rows[own]] @ centres.T, axis=1)
    return out
