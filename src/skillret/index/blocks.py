"""Rows of skills as arrays: their vectors and grams, in memory or mapped from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import Float32, cosines, count_distinct, top_rows
from skillret.index.corpus import Moments, Neighbours
from skillret.index.lists import Lists
from skillret.lexical.grams import EXCLUDED, FIRST_NAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Block", "GramCounts", "find_grams", "grow", "search_blocks"]

_SIEVE = 1 << 16
_NOWHERE = np.float32(-2.0)  # below every cosine
_SMALL = 256  # rows up to which nothing is counted beforehand
_FEW = 20  # a filter that leaves one of so many rows leaves few enough to compare all of them
_JOINED = 2  # a block is joined with a new one unless it has more than so many times its rows


class GramCounts(NamedTuple):
    """How many skills hold each gram: codes uint32 `(g,)`, ascending, and counts int64 `(g,)`."""

    codes: NDArray[np.uint32]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, grams: NDArray[np.uint32]) -> GramCounts:
        """The counts of the grams of rows, each once a row."""
        return cls(*count_distinct(grams))

    def look_up(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The counts of some grams."""
        if not len(self.codes):
            return np.zeros(len(codes), dtype=np.int64)
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[places] == codes, self.counts[places], 0).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block:
    """Some skills of a library, in the order of their keys.

    Attributes:
        keys: int64 `(n,)`, ascending.
        vectors: float32 `(n, dim)`, rows of unit length.
        starts: int64 `(n + 1,)`; row `i` has the grams `starts[i]:starts[i + 1]`.
        grams: uint32, ascending within a row.
        names: How many of a row's grams are terms of its name, int64 `(n,)`.
        moments: Of the vectors.
        counts: Of the grams; None in a small block, whose grams are counted when asked for.
        lists: The vectors once more, near ones together, in a large block.
    """

    keys: NDArray[np.int64]
    vectors: Float32
    starts: NDArray[np.int64]
    grams: NDArray[np.uint32]
    names: NDArray[np.int64]
    moments: Moments
    counts: GramCounts | None
    lists: Lists | None = None

    @classmethod
    def of(
        cls, keys: Sequence[int], vectors: Float32, grams: Sequence[NDArray[np.uint32]]
    ) -> Block:
        """A block of rows in the order of their keys."""
        starts = np.zeros(len(keys) + 1, dtype=np.int64)
        np.cumsum([len(g) for g in grams], out=starts[1:])
        flat = np.concatenate(grams) if len(grams) else np.empty(0, dtype=np.uint32)
        return cls._counted(np.array(keys, dtype=np.int64), vectors, starts, flat)

    @classmethod
    def _counted(
        cls,
        keys: NDArray[np.int64],
        vectors: Float32,
        starts: NDArray[np.int64],
        grams: NDArray[np.uint32],
    ) -> Block:
        counts = GramCounts.of(grams) if len(keys) > _SMALL else None
        of_names = np.flatnonzero((grams >= FIRST_NAME) & (grams < EXCLUDED))
        named = np.searchsorted(starts, of_names, side="right") - 1
        names = np.bincount(named, minlength=len(keys)).astype(np.int64)
        return cls(keys, vectors, starts, grams, names, Moments.of(vectors), counts)

    def __len__(self) -> int:
        return len(self.keys)

    def plus(self, other: Block) -> Block:
        """The rows of two blocks, the other's keys being larger."""
        return self._counted(
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.starts, other.starts[1:] + self.starts[-1]]),
            np.concatenate([self.grams, other.grams]),
        )

    def count(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """How many rows hold each of some grams, int64 `(len(codes),)`."""
        if self.counts is not None:
            return self.counts.look_up(codes)
        return np.bincount(_find([self.grams], codes)[1], minlength=len(codes))


def grow(blocks: tuple[Block, ...], block: Block, kept: int = 0) -> tuple[Block, ...]:
    """Blocks with another one behind them; small neighbours are joined, so that they stay few.

    Args:
        blocks: In the order of their keys.
        block: Its keys are larger.
        kept: How many of the first are left as they are.
    """
    out = [*blocks]
    while len(out) > kept and len(out[-1]) <= _JOINED * len(block):
        block = out.pop().plus(block)
    return (*out, block)


def search_blocks(
    blocks: Sequence[Block],
    dead: Sequence[NDArray[np.int64]],
    vectors: Float32,
    counts: Sequence[int],
    keep: Sequence[NDArray[np.bool_]] | None = None,
) -> list[Neighbours]:
    """The nearest rows of all blocks for each vector; see `Corpus.nearest`.

    Args:
        blocks: In the order of their keys.
        dead: Numbers of the rows of each that do not count.
        vectors: float32 `(q, dim)`.
        counts: How many rows for each vector.
        keep: Masks of the rows that count; all if None.
    """
    parts: list[list[Neighbours]] = [[] for _ in counts]
    for number, block in enumerate(blocks):
        alive = _alive(block, dead[number], None if keep is None else keep[number])
        near = _by_lists(block, alive, vectors, counts)
        if near is None:
            near = _by_all(block, alive, vectors, counts)
        for part, own in zip(parts, near, strict=True):
            part.append(own)
    return [_merge(p, k) for p, k in zip(parts, counts, strict=True)]


def _alive(
    block: Block, dead: NDArray[np.int64], keep: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """Which rows count; None if all do."""
    if not len(dead):
        return keep
    alive = np.ones(len(block), dtype=np.bool_) if keep is None else keep.copy()
    alive[dead] = False
    return alive


def _by_all(
    block: Block, alive: NDArray[np.bool_] | None, vectors: Float32, counts: Sequence[int]
) -> list[Neighbours]:
    """The nearest rows, by the cosines of all."""
    near = []
    for line, k in zip(cosines(vectors, block.vectors), counts, strict=True):
        if alive is not None:
            line[~alive] = _NOWHERE
        rows = top_rows(line, k) if k else np.empty(0, dtype=np.int64)
        seen = int((line[rows] > _NOWHERE).sum())
        near.append(Neighbours(block.keys[rows[:seen]], line[rows[:seen]]))
    return near


def _by_lists(
    block: Block, alive: NDArray[np.bool_] | None, vectors: Float32, counts: Sequence[int]
) -> list[Neighbours] | None:
    """The nearest rows of those that a filter leaves, or that lists of near vectors tell.

    None if there are no lists, or so many would be looked at that it is as fast to look at all.
    """
    if block.lists is None:
        return None
    near = []
    rows: NDArray[np.int64] | None = None
    if alive is not None and int(alive.sum()) * _FEW <= len(block):
        rows = np.flatnonzero(alive)
    for vector, k in zip(vectors, counts, strict=True):
        own = rows if rows is not None else block.lists.nearest(vector, k, alive)
        if own is None:
            return None
        near.append(_best(block, own, vector, k))
    return near


def _best(block: Block, rows: NDArray[np.int64], vector: Float32, k: int) -> Neighbours:
    """The nearest of some rows, ascending."""
    (line,) = cosines(vector[None], block.vectors[rows])
    order = top_rows(line, k) if k else np.empty(0, dtype=np.int64)
    return Neighbours(block.keys[rows[order]], line[order])


def _merge(parts: Sequence[Neighbours], k: int) -> Neighbours:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Neighbours(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    keys = np.concatenate([p.keys for p in parts])
    near = np.concatenate([p.cosines for p in parts])
    # Blocks come in the order of their keys, and within a block ties do: a stable sort keeps that.
    order = np.argsort(-near, kind="stable")[:k]
    return Neighbours(keys[order], near[order])


def find_grams(rows: Sequence[NDArray[np.uint32]], codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which rows hold which of some codes, bool `(len(rows), len(codes))`."""
    held = np.zeros((len(rows), len(codes)), dtype=np.bool_)
    if len(rows) and len(codes):
        places, columns = _find(rows, codes)
        ends = np.cumsum([len(r) for r in rows])
        held[np.searchsorted(ends, places, side="right"), columns] = True
    return held


def _find(
    rows: Sequence[NDArray[np.uint32]], codes: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where in all rows together which of some codes stand, ascending codes.

    A query has some hundred codes and its candidates some hundred thousand: a table of 16 bits
    tells nearly all of the latter that they are none of the former.
    """
    flat = np.concatenate(rows)
    sieve = np.zeros(_SIEVE, dtype=np.bool_)
    sieve[codes.astype(np.uint16)] = True
    likely = np.flatnonzero(sieve.take(flat.astype(np.uint16)))  # twice as fast as by [...]
    values = flat[likely]
    columns = np.minimum(np.searchsorted(codes, values), len(codes) - 1)
    same = codes[columns] == values
    return likely[same], columns[same]
