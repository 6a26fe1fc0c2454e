"""A corpus in Milvus: vectors are searched there, terms are scored from postings kept there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skillret.arrays import Float32, cosines
from skillret.encoders import Profile
from skillret.index.blocks import find_grams
from skillret.index.corpus import Moments, Neighbours, Record
from skillret.index.milvus.codec import unpack, unpack_moments
from skillret.index.milvus.log import Entry
from skillret.index.milvus.postings import Postings
from skillret.index.milvus.rows import Rows
from skillret.index.milvus.segment import SPAN, Lengths, Segment, gram_page, pair_code
from skillret.index.milvus.server import Server
from skillret.index.milvus.values import Cache, Values
from skillret.lexical.bm25 import Terms, idf
from skillret.lexical.grams import EXCLUDED, FIRST_NAME
from skillret.lexical.texts import metadata_pair
from skillret.types import Skill, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MilvusCorpus", "Removal"]

_COMMON = 0.6  # a gram of more skills than this share tells none apart
_FEW = 20
_MOST_HITS = 16_384  # of one search, a limit of Milvus
_SPARE = 8  # hits beyond those asked for: of nearly equal ones the server may prefer others


class Removal(NamedTuple):
    """Skills of a segment that are gone, and what they counted."""

    keys: NDArray[np.int64]
    codes: NDArray[np.uint32]
    counts: NDArray[np.uint32]
    vectors: NDArray[np.float16]


class MilvusCorpus:
    """See `Corpus`. Made from an entry of the log; keeps some bytes of each skill in memory.

    Args:
        server: The connection.
        values: Where what is derived is kept.
        cache: Of values and rows, which never change.
        entry: The generation.
    """

    def __init__(self, server: Server, values: Values, cache: Cache, entry: Entry) -> None:
        self.entry = entry
        self._server, self._values, self._cache = server, values, cache
        self._profile = entry.profile
        self.rows = Rows(server, values, cache, entry)
        segments = entry.segments
        loaded = self._loaded([f"{s.id}/skills" for s in segments])
        of_removed = self._loaded([s.removal for s in segments if s.removal])
        self._removals = {name: Removal(**arrays) for name, arrays in of_removed.items()}
        parts = [loaded[f"{s.id}/skills"] for s in segments]
        none = np.empty(0, dtype=np.int64)
        self._keys = np.concatenate([none, *(p["keys"] for p in parts)])
        norms = np.concatenate([np.empty((0, 4), np.uint8), *(p["norms"] for p in parts)])
        self._offsets = np.cumsum([0, *(s.rows for s in segments)])
        self._alive = np.ones(len(self._keys), dtype=np.bool_)
        for removal in self._removals.values():
            self._alive[np.searchsorted(self._keys, removal.keys)] = False
        self._postings = Postings(
            self._values, cache, segments, self._offsets, norms, self._alive, entry.skills
        )

    @property
    def generation(self) -> str:
        """See `Corpus.generation`."""
        return self.entry.token

    @property
    def profile(self) -> Profile | None:
        """See `Corpus.profile`."""
        return self._profile

    def __len__(self) -> int:
        return self.entry.skills

    def keys(self) -> NDArray[np.int64]:
        """Keys of all skills, ascending."""
        return self._keys[self._alive]

    def key_of(self, pk: int) -> int | None:
        """The key of a row; None if it is removed."""
        (place,) = self._places_of_rows(np.array([pk], dtype=np.int64)).tolist()
        return int(self._keys[place]) if self._alive[place] else None

    def number_of(self, key: int) -> int:
        """The number of a skill in its segment."""
        return self._known([key])[key] % SPAN

    def rows_of(self, keys: Sequence[int]) -> dict[int, list[int]]:
        """Those keys that are of this corpus, by the numbers of their segments."""
        found: dict[int, list[int]] = {}
        for key, pk in self._known(keys).items():
            found.setdefault(pk // SPAN, []).append(key)
        return found

    def removal(self, segment: Segment) -> Removal | None:
        """What is gone of a segment."""
        return self._removals.get(segment.removal)

    def lengths(self, keys: NDArray[np.int64]) -> list[Lengths]:
        """How many terms some skills have."""
        pks = self._row_keys(self._places(keys)).tolist()
        stored = self.rows.stored(pks)
        return [stored[pk].lengths for pk in pks]

    @cached_property
    def moments(self) -> Moments:
        """See `Corpus.moments`."""
        dim = self.entry.dim
        total = Moments(0, np.zeros(dim), np.zeros((dim, dim)))
        segments = self.entry.segments
        names = [f"{s.id}/moments" for s in segments]
        for data in self._values.need(names).values():
            total = total.plus(unpack_moments(data))
        for removal in self._removals.values():
            total = total.plus(Moments.of(removal.vectors.astype(np.float32)), -1)
        return total

    # --- vectors ---------------------------------------------------------------------------

    def nearest(
        self, vectors: Float32, counts: Sequence[int], where: Where | None = None
    ) -> list[Neighbours]:
        """See `Corpus.nearest`."""
        most = min(max(counts, default=0), len(self))
        if not most:
            none = Neighbours(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
            return [none] * len(counts)
        entry = self.entry
        limit = min(most + _SPARE, _MOST_HITS)
        found = self._server.search(
            entry.collection, vectors, limit, self._filter(where), entry.index
        )
        places = [
            self._places_of_rows(np.array(pks[: count + _SPARE], dtype=np.int64))
            for pks, count in zip(found, counts, strict=True)
        ]
        self.rows.fetch(self._row_keys(np.concatenate(places)))
        return [
            self._ordered(vector, own, count)
            for vector, own, count in zip(vectors, places, counts, strict=True)
        ]

    def _ordered(self, vector: Float32, places: NDArray[np.int64], count: int) -> Neighbours:
        """Skills by their exact cosines: the server may have compared rounded vectors."""
        places = np.sort(places)
        similar = cosines(vector[None], self._vectors(places))[0]
        order = np.argsort(-similar, kind="stable")[:count]
        return Neighbours(self._keys[places[order]], similar[order])

    def _filter(self, where: Where | None) -> str:
        conditions = [f"segment in {[s.id for s in self.entry.segments]}"]
        gone = np.flatnonzero(~self._alive)
        if len(gone):
            conditions.append(f"pk not in {self._row_keys(gone).tolist()}")
        return " and ".join([*conditions, *_conditions(where or {})])

    def _places_of_rows(self, pks: NDArray[np.int64]) -> NDArray[np.int64]:
        starts = {s.id: int(o) for s, o in zip(self.entry.segments, self._offsets, strict=False)}
        ids, rows = pks // SPAN, pks % SPAN
        return np.array([starts[i] for i in ids.tolist()], dtype=np.int64) + rows

    def _row_keys(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Primary keys of the rows of skills."""
        ids = np.array([s.id for s in self.entry.segments], dtype=np.int64)
        number = np.searchsorted(self._offsets, places, side="right") - 1
        return np.asarray(ids[number] * SPAN + places - self._offsets[number], dtype=np.int64)

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of keys of this corpus among all that were written."""
        return np.searchsorted(self._keys, keys)

    def _known(self, keys: Sequence[int]) -> dict[int, int]:
        """Primary keys of rows by those keys that are of this corpus."""
        wanted = np.array(keys, dtype=np.int64)
        if not len(self._keys) or not len(wanted):
            return {}
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        held = (self._keys[places] == wanted) & self._alive[places]
        return dict(zip(wanted[held].tolist(), self._row_keys(places[held]).tolist(), strict=True))

    def _vectors(self, places: NDArray[np.int64]) -> Float32:
        rows = self.rows.fetch(self._row_keys(places))
        if not rows:
            return np.empty((0, self.entry.dim), dtype=np.float32)
        return np.stack([row.vector for row in rows])

    def vectors(self, keys: NDArray[np.int64]) -> Float32:
        """See `Corpus.vectors`."""
        return self._vectors(self._places(keys))

    # --- terms -----------------------------------------------------------------------------

    def terms(self, text: str, factors: Mapping[str, float] | None = None) -> Terms:
        """See `Corpus.terms`."""
        return self._postings.terms(text, factors)

    def best(
        self, terms: Terms, k: int, where: Where | None = None
    ) -> tuple[NDArray[np.int64], Float32]:
        """See `Corpus.best`."""
        places, scores = self._postings.best(terms, k, where)
        return self._keys[places], scores

    def explain(self, terms: Terms, keys: Sequence[int]) -> dict[int, dict[str, float]]:
        """See `Corpus.explain`."""
        wanted = np.array(keys, dtype=np.int64)
        found = self._postings.explain(terms, self._places(wanted).tolist())
        return dict(zip(keys, found, strict=True))

    # --- grams -----------------------------------------------------------------------------

    def gram_weights(self, codes: NDArray[np.uint32]) -> Float32:
        """See `Corpus.gram_weights`."""
        held = np.zeros(len(codes), dtype=np.int64)
        pages: dict[str, NDArray[np.bool_]] = {}
        for segment in self.entry.segments:
            number = gram_page(codes, segment.gram_pages)
            for page in np.unique(number).tolist():
                pages[f"{segment.id}/g{page}"] = number == page
        for name, arrays in self._loaded(list(pages)).items():
            held[pages[name]] += _looked_up(arrays, codes[pages[name]])
        for removal in self._removals.values():
            held -= _looked_up(removal._asdict(), codes)
        common = held > max(_FEW, _COMMON * len(self))
        return np.where(common, 0.0, idf(held, len(self))).astype(np.float32)

    def held(self, codes: NDArray[np.uint32], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `Corpus.held`."""
        return find_grams(self.grams(keys), codes)

    def name_terms(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Corpus.name_terms`."""
        named = [((g >= FIRST_NAME) & (g < EXCLUDED)).sum() for g in self.grams(keys)]
        return np.array(named, dtype=np.int64)

    def grams(self, keys: NDArray[np.int64]) -> list[NDArray[np.uint32]]:
        """Grams of some skills of this corpus."""
        return [row.grams for row in self.rows.fetch(self._row_keys(self._places(keys)))]

    def _loaded(self, names: Sequence[str]) -> dict[str, dict[str, NDArray[Any]]]:
        """Values of arrays, kept once they are read."""
        found = {name: self._cache.get(name) for name in names}
        missing = [name for name, arrays in found.items() if arrays is None]
        for name, data in self._values.need(missing).items():
            arrays = found[name] = unpack(data)
            self._cache.put(name, arrays, sum(a.nbytes for a in arrays.values()) + 500)
        return found

    # --- what is shown ---------------------------------------------------------------------

    def tokens(self, keys: Sequence[int]) -> dict[int, NDArray[np.int8]]:
        """See `Corpus.tokens`."""
        dim = self._profile.token_dim if self._profile else 0
        if not dim:
            return {}
        known = self._known(keys)
        found = self.rows.tokens(list(known.values()))
        return {k: np.frombuffer(found[pk], np.int8).reshape(-1, dim) for k, pk in known.items()}

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """See `Corpus.records`."""
        known = self._known(keys)
        stored = self.rows.stored(list(known.values()))
        return {key: stored[pk].record(key) for key, pk in known.items() if pk in stored}

    def texts(self, keys: Sequence[int]) -> dict[int, Skill]:
        """See `Corpus.texts`."""
        known = self._known(keys)
        pks = list(known.values())
        stored, bodies = self.rows.stored(pks), self.rows.bodies(pks)
        return {
            key: stored[pk].skill(bodies[pk])
            for key, pk in known.items()
            if pk in stored and pk in bodies
        }


def _conditions(where: Where) -> list[str]:
    """A filter on metadata as conditions of Milvus: numbers alone, whatever it says."""
    conditions = []
    for name, value in where.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        codes = [pair_code(metadata_pair(name, v)) for v in values]
        conditions.append(f"array_contains_any(pairs, {json.dumps(codes)})")
    return conditions


def _looked_up(arrays: Mapping[str, Any], codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    known, counts = arrays["codes"], arrays["counts"]
    if not len(known):
        return np.zeros(len(codes), dtype=np.int64)
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[places] == codes, counts[places], 0).astype(np.int64)
