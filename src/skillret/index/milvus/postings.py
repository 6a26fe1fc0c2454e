"""BM25 over postings that lie in Milvus, with the scores that tantivy gives to the same skills."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import Float32, top_rows
from skillret.index.milvus.segment import (
    FIELDS,
    Lengths,
    Page,
    Segment,
    length_table,
    pair_term,
    term_page,
)
from skillret.index.milvus.values import Cache, Values
from skillret.lexical.bm25 import (
    FIELD_WEIGHTS,
    Terms,
    guess_weight,
    idf,
    read_query_terms,
    stop_weight,
)
from skillret.lexical.texts import metadata_pair
from skillret.types import Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Postings"]

_K1, _B = 1.2, 0.75
_WEIGHTS = np.array([FIELD_WEIGHTS[name] for name in FIELDS[:3]], dtype=np.float32)
_STOPS = FIELDS.index("stops")
_MOST = 64 << 20  # bytes of terms that are kept


class _Held(NamedTuple):
    """Places of the skills that hold a term, ascending, and what it adds to the score of each."""

    places: NDArray[np.int64]
    scores: Float32
    weight: float


_NONE = _Held(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), 0.0)


class Postings:
    """The terms of one generation. May be shared by threads.

    Args:
        values: Where the pages are.
        cache: Of pages.
        segments: Of the generation.
        offsets: Place of the first skill of each segment, int64.
        norms: Length of each skill by field, as a number of `length_table`, uint8 `(n, 4)`.
        alive: Which are not removed, bool `(n,)`.
        skills: How many that are.
    """

    def __init__(
        self,
        values: Values,
        cache: Cache,
        segments: Sequence[Segment],
        offsets: NDArray[np.int64],
        norms: NDArray[np.uint8],
        alive: NDArray[np.bool_],
        skills: int,
    ) -> None:
        self._values, self._cache = values, cache
        self._segments, self._offsets = segments, offsets
        self._norms, self._alive, self._skills = norms, alive, skills
        self._known = Cache(_MOST)
        total = Lengths(0, 0, 0, 0)
        for segment in segments:
            total = total.plus(segment.lengths)
        means = np.maximum(np.array(total) / max(skills, 1), 1e-9)
        shares = length_table()[None, :] / means[:, None]
        self._slowing = (_K1 * (1 - _B + _B * shares)).astype(np.float32)

    def terms(self, text: str, factors: Mapping[str, float] | None = None) -> Terms:
        """See `Corpus.terms`."""
        return read_query_terms(text, factors, self._weights, self._guess_weights)

    def _weights(self, words: Sequence[str]) -> dict[str, float]:
        held = self._held(words)
        return {word: held[word].weight for word in words}

    def _guess_weights(self, words: Sequence[str]) -> dict[str, float]:
        return {word: self._guess(word).weight for word in words}

    def best(
        self, terms: Terms, k: int, where: Where | None = None
    ) -> tuple[NDArray[np.int64], Float32]:
        """Places and scores of the best skills; see `Corpus.best`."""
        scores = np.zeros(len(self._alive), dtype=np.float32)
        for held, factor in self._of(terms):
            scores[held.places] += np.float32(factor) * held.scores
        if where:
            scores[~self._where(where)] = 0
        found = np.flatnonzero(scores)
        places = found[top_rows(scores[found], k)] if k > 0 else found[:0]
        return places, scores[places]

    def _of(self, terms: Terms) -> list[tuple[_Held, float]]:
        plain = self._held([n for n in terms.names if n not in terms.guessed])
        return [
            (self._guess(name) if name in terms.guessed else plain[name], factor)
            for name, factor in zip(terms.names, terms.factors, strict=True)
        ]

    def _where(self, where: Where) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = self._alive.copy()
        for name, value in where.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            own = np.zeros(len(kept), dtype=np.bool_)
            for places, _ in self._read([pair_term(metadata_pair(name, v)) for v in values]):
                own[places] = True
            np.logical_and(kept, own, out=kept)
        return kept

    def explain(self, terms: Terms, places: Sequence[int]) -> list[dict[str, float]]:
        """What each term adds to the score of each skill; see `Corpus.explain`."""
        found: list[dict[str, float]] = [{} for _ in places]
        for name, (held, factor) in zip(terms.names, self._of(terms), strict=True):
            for place, own in zip(places, found, strict=True):
                row = int(np.searchsorted(held.places, place))
                if row < len(held.places) and held.places[row] == place:
                    score = factor * float(held.scores[row])
                    if score > 0:
                        own[name] = score
        return found

    # --- single terms ----------------------------------------------------------------------

    def _held(self, terms: Sequence[str]) -> dict[str, _Held]:
        found = {term: self._known.get(term) for term in terms}
        missing = [term for term, held in found.items() if held is None]
        for term, (places, counts) in zip(missing, self._read(missing), strict=True):
            held = found[term] = self._scored(term, places, counts)
            self._known.put(term, held, 12 * len(places) + 200)
        return found

    def _scored(self, term: str, places: NDArray[np.int64], counts: NDArray[np.uint16]) -> _Held:
        if not len(places):
            return _NONE
        if term.startswith('"'):
            sure = stop_weight(term)
            weight = sure * float(idf(len(places), self._skills))
            slowing = self._slowing[_STOPS][self._norms[places, _STOPS]]
            scores = np.float32(weight * (_K1 + 1)) / (1 + slowing)
            return _Held(places, scores.astype(np.float32), weight)
        scores = np.zeros(len(places), dtype=np.float32)
        found = (counts > 0).sum(axis=1)
        weights = (idf(found, self._skills) * (_K1 + 1)).astype(np.float32)
        for number, own in enumerate(counts):
            often = own.astype(np.float32)
            slowing = self._slowing[number][self._norms[places, number]]
            scores += _WEIGHTS[number] * weights[number] * (often / (often + slowing))
        return _Held(places, scores, float(idf(int(found[0]), self._skills)))

    def _read(self, terms: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.uint16]]]:
        """Places of the skills that hold each term, and how often by field `(3, m)`."""
        names = {}
        for segment in self._segments:
            for term in terms:
                names[segment.id, term] = f"{segment.id}/t{term_page(term, segment.pages)}"
        pages = self._pages(list(dict.fromkeys(names.values())))
        read = []
        for term in terms:
            places, counts = [], []
            for segment, offset in zip(self._segments, self._offsets.tolist(), strict=False):
                found = pages[names[segment.id, term]].get(term)
                if found is not None:
                    own = found[0].astype(np.int64) + offset
                    kept = self._alive[own]
                    places.append(own[kept])
                    counts.append(found[1][:, kept])
            if places:
                read.append((np.concatenate(places), np.concatenate(counts, axis=1)))
            else:
                read.append((_NONE.places, np.empty((3, 0), dtype=np.uint16)))
        return read

    def _pages(self, names: Sequence[str]) -> dict[str, Page]:
        found = {name: self._cache.get(name) for name in names}
        missing = [name for name, page in found.items() if page is None]
        for name, data in self._values.need(missing).items():
            page = found[name] = Page(data)
            self._cache.put(name, page, page.size)
        return found

    # --- typing errors ---------------------------------------------------------------------

    def _guess(self, word: str) -> _Held:
        """A word that no skill holds stands for those one letter away."""
        known = self._known.get(("guess", word))
        if known is not None:
            return known  # type: ignore[no-any-return]
        near = [n for n in self._neighbours(word) if n in self._words]
        places = [own[counts[0] > 0] for own, counts in self._read(near)]
        every = np.unique(np.concatenate([_NONE.places, *places]))
        weight = guess_weight(len(every), self._skills)
        held = _Held(every, np.full(len(every), weight, dtype=np.float32), weight)
        self._known.put(("guess", word), held, 12 * len(every) + 200)
        return held

    @cached_property
    def _words(self) -> frozenset[str]:
        names = [f"{s.id}/words" for s in self._segments]
        found = self._values.need(names).values()
        return frozenset(w for data in found for w in zlib.decompress(data).decode().split("\n"))

    @cached_property
    def _letters(self) -> list[str]:
        return sorted({letter for word in self._words for letter in word})

    def _neighbours(self, word: str) -> set[str]:
        """What is one letter more, less, other or changed with the next."""
        splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
        near = {a + b[1:] for a, b in splits if b}
        near |= {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
        for letter in self._letters:
            near |= {a + letter + b[1:] for a, b in splits if b}
            near |= {a + letter + b for a, b in splits}
        return near - {word}
