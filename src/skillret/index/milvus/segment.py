"""What is derived from the skills of a segment: postings of terms, counts of grams, lengths.

A segment is some skills that were written together, in the order of their keys; it never changes.
Terms are looked up by pages that hold many of them, so that a query reads a few kilobytes for each
of its words, however large the collection is. A skill's length is kept in one byte for each field,
as tantivy keeps it, so that BM25 comes out the same.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import count_distinct
from skillret.index.milvus.codec import pack, pack_moments, unpack
from skillret.index.store import Change
from skillret.lexical.analyzer import STOP_WORDS, make_analyzer, make_plain_analyzer

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FIELDS",
    "SPAN",
    "Lengths",
    "Page",
    "Segment",
    "SegmentWriter",
    "count_grams",
    "gram_page",
    "length_table",
    "pair_code",
    "pair_term",
    "term_page",
]

FIELDS = ("text", "name", "description", "stops")
SPAN = 1 << 20  # primary keys of a segment, of which it uses as many as it has skills
_PAGE = 8192  # bytes of a page of postings, about
_CODES = 4096  # distinct grams of a page, about
_CODE_BITS = 23
_EXACT = 24  # lengths that are kept as they are


class Lengths(NamedTuple):
    """Terms of a skill, or of many together, by field."""

    text: int
    name: int
    description: int
    stops: int

    def plus(self, other: Sequence[int], sign: int = 1) -> Lengths:
        """The sums, or with `sign` -1 the differences."""
        return Lengths(*(a + sign * b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Segment:
    """What the log of generations says of a segment.

    Attributes:
        id: Its number; its rows have the primary keys from `id * SPAN` on.
        rows: Skills that were written.
        first: Their smallest key.
        last: Their largest key.
        lengths: Of all skills that are not removed.
        pages: Of postings.
        gram_pages: Of counts of grams.
        removed: How many are removed.
        removal: Name of the value that says which, and what they counted; "" if none is.
        details: Name of the value that says what has changed beside texts; "" if nothing has.
    """

    id: int
    rows: int
    first: int
    last: int
    lengths: Lengths
    pages: int
    gram_pages: int
    removed: int = 0
    removal: str = ""
    details: str = ""

    @property
    def skills(self) -> int:
        """How many are not removed."""
        return self.rows - self.removed


@cache
def length_table() -> NDArray[np.int64]:
    """The lengths that one byte can stand for, int64 `(256,)`, ascending."""
    small = list(range(_EXACT))
    rest = range(256 - _EXACT)
    large = [i if i < 8 else ((i & 7) | 8) << ((i >> 3) - 1) for i in rest]
    return np.array([*small, *(_EXACT + n for n in large)], dtype=np.int64)


def pair_code(pair: str) -> int:
    """The number of an entry of metadata, 63 bits."""
    return int.from_bytes(hashlib.blake2b(pair.encode(), digest_size=8).digest(), "big") >> 1


def pair_term(pair: str) -> str:
    """An entry of metadata as a term; no other term begins so."""
    return f"\0{pair_code(pair):x}"


def term_page(term: str, pages: int) -> int:
    """The page of a term."""
    return zlib.crc32(term.encode()) & (pages - 1)


def gram_page(codes: NDArray[np.uint32], pages: int) -> NDArray[np.uint32]:
    """The page of each gram."""
    bits = np.uint32(_CODE_BITS - (pages.bit_length() - 1))
    return np.asarray(codes >> bits, dtype=np.uint32)


def count_grams(
    grams: Sequence[NDArray[np.uint32]],
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Distinct grams of many skills, ascending, and how many skills hold each."""
    if not grams:
        return np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64)
    return count_distinct(np.concatenate(grams))


def _read(change: Change) -> tuple[list[Counter[str]], Lengths]:
    """How often each term stands in each field of a skill, and the lengths of these."""
    texts, analyze, plain = change.texts, _analyzer().analyze, _plain().analyze
    words = [analyze(texts.text), analyze(texts.name), analyze(texts.description)]
    every = plain(texts.stops)
    stops = {f'"{word}"' for word in every if word.lower() in STOP_WORDS}
    counts = [Counter(w) for w in words]
    counts.append(Counter(stops))
    counts[-1].update({pair_term(pair): 1 for pair in set(texts.metadata)})
    return counts, Lengths(len(words[0]), len(words[1]), len(words[2]), len(every))


_analyzer = cache(make_analyzer)
_plain = cache(make_plain_analyzer)


class SegmentWriter:
    """Collects what is derived from skills, given in the order of their keys.

    Args:
        number: Of the segment.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.lengths = Lengths(0, 0, 0, 0)
        self._terms: dict[str, int] = {}
        self._keys = array("q")
        self._norms: list[bytes] = []
        self._postings = [array("I"), array("I"), array("H"), array("B"), array("B")]
        self._grams: list[NDArray[np.uint32]] = []
        self._vectors: list[bytes] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, change: Change) -> Lengths:
        """Add a skill; its lengths."""
        (text, name, description, stops), lengths = _read(change)
        document = len(self._keys)
        ids, documents, *frequencies = self._postings
        for term in dict.fromkeys([*text, *name, *description, *stops]):
            ids.append(self._terms.setdefault(term, len(self._terms)))
            documents.append(document)
            held = max(text[term], stops[term])
            for column, count, most in zip(
                frequencies, (held, name[term], description[term]), (65535, 255, 255), strict=True
            ):
                column.append(min(count, most))
        norms = np.searchsorted(length_table(), np.array(lengths), side="right") - 1
        self._norms.append(norms.astype(np.uint8).tobytes())
        self._keys.append(change.key)
        self._grams.append(change.grams)
        self._vectors.append(change.encoded.vector)
        self.lengths = self.lengths.plus(lengths)
        return lengths

    def segment(self) -> Segment:
        """What there is to be said of it, once all are added."""
        pages, gram_pages = self._pages(), self._gram_pages(len(self._counts()[0]))
        ends = self._keys[0], self._keys[-1]
        return Segment(self.number, len(self), *ends, self.lengths, pages, gram_pages)

    def _pages(self) -> int:
        size = len(self._postings[0]) * 4 + len(self._terms) * 10
        return _power(size // _PAGE)

    def _gram_pages(self, distinct: int) -> int:
        return _power(distinct // _CODES)

    def _counts(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        return count_grams(self._grams)

    def values(self) -> Iterator[tuple[str, bytes]]:
        """Names and bytes of all that is derived."""
        start = f"{self.number}"
        keys = np.array(self._keys, dtype=np.int64)
        norms = np.frombuffer(b"".join(self._norms), dtype=np.uint8).reshape(len(keys), -1)
        yield f"{start}/skills", pack(keys=keys, norms=norms)
        dim = len(self._vectors[0]) // 2
        vectors = np.frombuffer(b"".join(self._vectors), dtype=np.float16).reshape(-1, dim)
        yield f"{start}/moments", pack_moments(vectors)
        codes, counts = self._counts()
        pages = self._gram_pages(len(codes))
        starts = np.searchsorted(gram_page(codes, pages), np.arange(pages + 1))
        for page, (a, b) in enumerate(pairwise(starts.tolist())):
            own = pack(codes=codes[a:b], counts=counts[a:b].astype(np.uint32))
            yield f"{start}/g{page}", own
        yield from self._term_values(start)

    def _term_values(self, start: str) -> Iterator[tuple[str, bytes]]:
        terms = list(self._terms)
        plain = sorted(t for t in terms if t[0] not in '"\0')
        yield f"{start}/words", zlib.compress("\n".join(plain).encode(), 1)
        pages = self._pages()
        kinds = (np.uint32, np.uint32, np.uint16, np.uint8, np.uint8)
        columns = [np.array(c, dtype=k) for c, k in zip(self._postings, kinds, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        _, documents, *frequencies = (column[order] for column in columns)
        counts = np.bincount(columns[0], minlength=len(terms))
        ends = np.cumsum(counts)
        by_page: list[list[int]] = [[] for _ in range(pages)]
        for number, term in enumerate(terms):
            by_page[term_page(term, pages)].append(number)
        for page, numbers in enumerate(by_page):
            spans = [np.arange(ends[n] - counts[n], ends[n]) for n in numbers]
            rows = np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)
            names = "\n".join(terms[n] for n in numbers).encode()
            yield (
                f"{start}/t{page}",
                pack(
                    names=np.frombuffer(names, dtype=np.uint8),
                    counts=counts[numbers].astype(np.uint32),
                    documents=documents[rows],
                    text=frequencies[0][rows],
                    name=frequencies[1][rows],
                    description=frequencies[2][rows],
                ),
            )


def _power(count: int) -> int:
    """The next power of two, from 1 on."""
    return 1 << max(count - 1, 0).bit_length()


class Page:
    """Postings of some terms of a segment.

    Args:
        data: As `SegmentWriter` wrote it.
    """

    def __init__(self, data: bytes) -> None:
        arrays = unpack(data)
        names = arrays["names"].tobytes().decode()
        ends = np.cumsum(arrays["counts"]).tolist()
        starts = [0, *ends[:-1]]
        spans = zip(names.split("\n") if names else [], starts, ends, strict=False)
        self._spans = {name: slice(start, end) for name, start, end in spans}
        self._documents = arrays["documents"]
        self._frequencies = [arrays[name] for name in FIELDS[:3]]
        self.size = len(data) * 3 + 200 * len(self._spans)

    def get(self, term: str) -> tuple[NDArray[np.uint32], NDArray[np.uint16]] | None:
        """Numbers of the skills that hold a term, and how often by field `(3, m)`."""
        span = self._spans.get(term)
        if span is None:
            return None
        counts = [f[span].astype(np.uint16) for f in self._frequencies]
        return self._documents[span], np.stack(counts)
