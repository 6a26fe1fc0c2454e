"""A corpus on this machine: exact search over blocks of vectors, BM25 by tantivy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from skillret.arrays import Float32, distinct, holds
from skillret.encoders import Profile
from skillret.index.blocks import Block, find_grams, grow, search_blocks
from skillret.index.corpus import Moments, Neighbours, Record
from skillret.lexical.bm25 import LexicalIndex, Terms, idf
from skillret.types import Skill, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LocalCorpus", "Readers"]

# What gives records, keys with skills, and tokens of some keys: see `LocalCorpus`.
Readers: TypeAlias = tuple[
    Callable[[Sequence[int]], dict[int, Record]],
    Callable[[Sequence[int]], Iterable[tuple[int, Skill]]],
    Callable[[Sequence[int], int], dict[int, bytes]],
]

_COMMON = 0.6  # a gram of more skills than this share tells none apart
_FEW = 20
_FILTERS = 64  # whose skills are remembered


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocalCorpus:
    """A corpus in memory, its first block perhaps mapped from a file.

    Attributes:
        generation: See `Corpus.generation`.
        profile: See `Corpus.profile`.
        blocks: The skills in the order of their keys, also those that are gone.
        dead: For each block the numbers of the rows that are gone, int64.
        gone: Those rows once more.
        moments: See `Corpus.moments`.
        lexical: BM25 over the skills that are not gone.
        read: Gives the records of some keys.
        read_texts: Gives keys and skills of some keys.
        read_tokens: Gives the tokens of some keys, int8 bytes, so many of each token.
    """

    generation: str
    profile: Profile | None
    blocks: tuple[Block, ...]
    dead: tuple[NDArray[np.int64], ...]
    gone: tuple[Block, ...]
    moments: Moments
    lexical: LexicalIndex
    read: Callable[[Sequence[int]], dict[int, Record]]
    read_texts: Callable[[Sequence[int]], Iterable[tuple[int, Skill]]]
    read_tokens: Callable[[Sequence[int], int], dict[int, bytes]]
    _masks: dict[tuple[tuple[str, str], ...], list[NDArray[np.bool_]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        generation: str,
        profile: Profile | None,
        block: Block,
        lexical: LexicalIndex,
        readers: Readers,
    ) -> LocalCorpus:
        """A corpus of one block."""
        none, moments = np.empty(0, dtype=np.int64), block.moments
        return cls(generation, profile, (block,), (none,), (), moments, lexical, *readers)

    def changed(
        self,
        generation: str,
        added: Block,
        removed: NDArray[np.int64],
        lexical: LexicalIndex,
        profile: Profile | None,
    ) -> LocalCorpus:
        """The next generation; what has not changed is shared.

        Args:
            generation: Its name.
            added: Rows with larger keys.
            removed: Keys that are gone, of this corpus or of `added`.
            lexical: Its BM25 index.
            profile: Its encoder's profile.
        """
        blocks, dead = self.blocks, list(self.dead)
        if len(added):
            # The first block may be a file of gigabytes: it is left as it is.
            blocks = grow(blocks, added, kept=1)
            kept = len(blocks) - 1
            last = np.sort(_rows_of(blocks[-1], _keys_of(self.blocks[kept:], dead[kept:])))
            dead = [*dead[:kept], last]
        gone, moments = self.gone, self.moments.plus(added.moments)
        if len(removed):
            dead = [
                distinct(np.concatenate([d, _rows_of(b, removed)]))
                for b, d in zip(blocks, dead, strict=True)
            ]
            lost = _take(blocks, np.sort(removed))
            gone, moments = grow(gone, lost), moments.plus(lost.moments, -1)
        return LocalCorpus(
            generation,
            profile,
            blocks,
            tuple(dead),
            gone,
            moments,
            lexical,
            self.read,
            self.read_texts,
            self.read_tokens,
        )

    def __len__(self) -> int:
        return sum(map(len, self.blocks)) - sum(map(len, self.dead))

    def keys(self) -> NDArray[np.int64]:
        """Keys of all skills, ascending."""
        pairs = zip(self.blocks, self.dead, strict=True)
        return np.concatenate([np.delete(block.keys, dead) for block, dead in pairs])

    def holds(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which keys are of skills that are not gone, bool `(len(keys),)`."""
        alive = np.zeros(len(keys), dtype=np.bool_)
        for block, dead in zip(self.blocks, self.dead, strict=True):
            alive |= holds(keys, block.keys) & ~holds(keys, block.keys[dead])
        return alive

    def nearest(
        self, vectors: Float32, counts: Sequence[int], where: Where | None = None
    ) -> list[Neighbours]:
        """See `Corpus.nearest`."""
        keep = self._mask(where) if where else None
        return search_blocks(self.blocks, self.dead, vectors, counts, keep)

    def _mask(self, where: Where) -> list[NDArray[np.bool_]]:
        key = tuple(sorted((name, repr(value)) for name, value in where.items()))
        masks = self._masks.get(key)  # once: another thread may clear them
        if masks is None:
            kept = self.lexical.keys(where)
            if len(self._masks) >= _FILTERS:
                self._masks.clear()
            masks = self._masks[key] = [holds(block.keys, kept) for block in self.blocks]
        return masks

    def terms(self, text: str, factors: Mapping[str, float] | None = None) -> Terms:
        """See `Corpus.terms`."""
        return self.lexical.terms(text, factors)

    def best(
        self, terms: Terms, k: int, where: Where | None = None
    ) -> tuple[NDArray[np.int64], Float32]:
        """See `Corpus.best`."""
        return self.lexical.search(terms, k, where)

    def gram_weights(self, codes: NDArray[np.uint32]) -> Float32:
        """See `Corpus.gram_weights`."""
        held = np.zeros(len(codes), dtype=np.int64)
        for block in self.blocks:
            held += block.count(codes)
        for block in self.gone:
            held -= block.count(codes)
        common = held > max(_FEW, _COMMON * len(self))
        return np.where(common, 0.0, idf(held, len(self))).astype(np.float32)

    def held(self, codes: NDArray[np.uint32], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `Corpus.held`."""
        return find_grams(_grams(self.blocks, keys), codes)

    def name_terms(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Corpus.name_terms`."""
        out = np.empty(len(keys), dtype=np.int64)
        for block, own, rows in _places(self.blocks, keys):
            out[own] = block.names[rows]
        return out

    def vectors(self, keys: NDArray[np.int64]) -> Float32:
        """See `Corpus.vectors`."""
        return _vectors(self.blocks, keys)

    def tokens(self, keys: Sequence[int]) -> dict[int, NDArray[np.int8]]:
        """See `Corpus.tokens`."""
        dim = self.profile.token_dim if self.profile else 0
        if not dim:
            return {}
        read = self.read_tokens(keys, dim)
        return {k: np.frombuffer(data, np.int8).reshape(-1, dim) for k, data in read.items()}

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """See `Corpus.records`."""
        return self.read(keys)

    def texts(self, keys: Sequence[int]) -> dict[int, Skill]:
        """See `Corpus.texts`."""
        return dict(self.read_texts(keys))

    def explain(self, terms: Terms, keys: Sequence[int]) -> dict[int, dict[str, float]]:
        """See `Corpus.explain`."""
        return self.lexical.explain(terms, keys)


def _places(
    blocks: Sequence[Block], keys: NDArray[np.int64]
) -> list[tuple[Block, NDArray[np.int64], NDArray[np.int64]]]:
    """For each block that holds some of the keys: which of them, and in which rows."""
    if len(blocks) == 1:
        return [(blocks[0], np.arange(len(keys)), np.searchsorted(blocks[0].keys, keys))]
    firsts = [int(block.keys[0]) for block in blocks[1:]]  # the first one may be empty
    number = np.searchsorted(firsts, keys, side="right")
    places = []
    for n, block in enumerate(blocks):
        own = np.flatnonzero(number == n)
        if len(own):
            places.append((block, own, np.searchsorted(block.keys, keys[own])))
    return places


def _vectors(blocks: Sequence[Block], keys: NDArray[np.int64]) -> Float32:
    if len(blocks) == 1:
        return blocks[0].vectors[np.searchsorted(blocks[0].keys, keys)]
    out = np.empty((len(keys), blocks[0].vectors.shape[1]), dtype=np.float32)
    for block, own, rows in _places(blocks, keys):
        out[own] = block.vectors[rows]
    return out


def _grams(blocks: Sequence[Block], keys: NDArray[np.int64]) -> list[NDArray[np.uint32]]:
    out: list[NDArray[np.uint32]] = [np.empty(0, dtype=np.uint32)] * len(keys)
    for block, own, rows in _places(blocks, keys):
        starts, ends = block.starts[rows].tolist(), block.starts[rows + 1].tolist()
        for number, start, end in zip(own.tolist(), starts, ends, strict=True):
            out[number] = block.grams[start:end]
    return out


def _take(blocks: Sequence[Block], keys: NDArray[np.int64]) -> Block:
    """The rows of some keys, ascending, as a block of their own."""
    return Block.of(keys.tolist(), _vectors(blocks, keys), _grams(blocks, keys))


def _rows_of(block: Block, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the rows that hold some of the keys."""
    if not len(block):
        return np.empty(0, dtype=np.int64)
    rows = np.minimum(np.searchsorted(block.keys, keys), len(block) - 1)
    return np.asarray(rows[block.keys[rows] == keys], dtype=np.int64)


def _keys_of(blocks: Sequence[Block], dead: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Keys of the dead rows of some blocks."""
    none = np.empty(0, dtype=np.int64)
    return np.concatenate([none, *(b.keys[d] for b, d in zip(blocks, dead, strict=True))])
