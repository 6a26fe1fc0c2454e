"""Words, neighbouring words and names as numbers: what BM25 does not see.

Who asks for a skill often repeats words of its text, in their very form and order ("pull request",
"exit code 1"). So an index knows for each skill, beside the terms of BM25, its words as they are
written, its pairs of neighbours: of words, and of terms (stems without stop words; the ordered
pairs of the sequential dependence model, Metzler and Croft 2005), and the terms of its name; where
its description says what it is not for, the terms of that too, and those of the rest. Each is
stored as a number; two that share a number are rare, and a skill's numbers are read at once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import distinct
from skillret.lexical.analyzer import make_analyzer
from skillret.lexical.spelling import spell
from skillret.lexical.texts import SkillTexts, read_texts
from skillret.types import Skill

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "EXCLUDED",
    "FIRST_NAME",
    "GRAMS",
    "MAX_CODE",
    "MAX_WORDS",
    "WANTED",
    "GramReader",
    "Grams",
    "gram_reader",
]

# Kinds of grams that queries are compared by, each with numbers of its own.
GRAMS = ("words", "pairs", "term_pairs")
MAX_WORDS = 2000  # of a query
_ASCII = bytes(range(128))
# White space for what is no letter or digit; bytes of other characters stay, ...
_PLAIN = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256))
_ONLY_ASCII = bytes(c if c < 128 else 32 for c in _PLAIN)  # ... or none of them is a letter
_FEW_SIGNS = 50  # up to so many it is faster to replace one after the other
_TWO = struct.Struct("=II")
_KNOWN_WORDS = 1 << 17  # some 15 MB
_AT_ONCE = 64  # skills whose words are looked up together
_ROW_BITS = 18  # 8 MB
_LONG_WORD = 16  # bytes; longer ones have no row
# What is kept of the first and of the second eight bytes that stand where a word begins.
_HALVES = np.array(
    [[(1 << 8 * min(max(n - after, 0), 8)) - 1 for n in range(_LONG_WORD + 1)] for after in (0, 8)],
    dtype=np.uint64,
)
_MIXED = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_BITS = 20
_SHIFT = np.uint32(32 - _BITS)  # leaves a million numbers
_WORDS_SHIFT = np.uint32(32 - _BITS - 1)  # and two million for words
_PAIRS, _TERM_PAIRS = (np.uint32(n << _BITS) for n in (2, 3))
# The first numbers of terms in a name, in an exclusion, and in a description that has one.
FIRST_NAME, EXCLUDED, WANTED = (np.uint32(n << _BITS) for n in (4, 5, 6))
MAX_CODE = (7 << _BITS) - 1
_FIRST = np.uint32(0x9E3779B1)  # an odd factor, so that the order of a pair matters


class Grams(NamedTuple):
    """The distinct grams of a text, uint32 `(g,)` each, ascending; no number is of two kinds."""

    words: NDArray[np.uint32]
    pairs: NDArray[np.uint32]
    term_pairs: NDArray[np.uint32]


class GramReader:
    """Reads grams; remembers the words that it met.

    Args:
        analyze: Gives the terms of a text, as BM25 counts them.
    """

    def __init__(self, analyze: Callable[[str], Sequence[str]]) -> None:
        self._analyze = analyze
        self._codes = _Codes(analyze)

    def read(self, text: str, limit: int | None = None) -> Grams:
        """The grams of a text, of its first `limit` words."""
        words, pairs, term_pairs = self._read(spell(text), limit)
        return Grams(distinct(words), distinct(pairs), distinct(term_pairs))

    def read_skill(self, skill: Skill | SkillTexts) -> NDArray[np.uint32]:
        """The grams of a single skill; see `read_skills`."""
        (grams,) = self.read_skills([skill])
        return grams

    def read_skills(self, skills: Iterable[Skill | SkillTexts]) -> Iterator[NDArray[np.uint32]]:
        """The distinct grams of each skill, and the terms of its name and exclusion, ascending.

        Args:
            skills: Skills, or their texts where they have been read; some are taken ahead.
        """
        rows = _Rows(self._codes)
        texts = (read_texts(skill) if isinstance(skill, Skill) else skill for skill in skills)
        while some := list(islice(texts, _AT_ONCE)):
            yield from self._read_skills(some, rows)

    def _read_skills(self, skills: Sequence[SkillTexts], rows: _Rows) -> list[NDArray[np.uint32]]:
        plain = [_plain(texts.text) for texts in skills]
        starts, codes = rows.look_up(b" ".join(plain))
        owners = np.searchsorted(np.cumsum([len(text) + 1 for text in plain]), starts, side="right")
        grams = list(_grams(codes, owners))
        for number, texts in enumerate(skills):
            named = self._analyze(texts.name)
            terms = [self.codes(named, FIRST_NAME)]
            if texts.excluded:
                wanted = {*named, *self._analyze(texts.description)}
                terms.append(self.codes(set(self._analyze(texts.excluded)), EXCLUDED))
                terms.append(self.codes(wanted, WANTED))
            grams += [(own, np.full(len(own), number)) for own in terms]
        # One order for all: by skill, then by number.
        keys = [(of.astype(np.uint64) << np.uint64(32)) | own for own, of in grams]
        ordered = distinct(np.concatenate(keys))
        ends = np.searchsorted(ordered, np.arange(1, len(skills), dtype=np.uint64) << np.uint64(32))
        return np.split(ordered.astype(np.uint32), ends)

    def terms(self, text: str) -> list[str]:
        """The distinct terms of a text, as BM25 counts them, of its first `MAX_WORDS`."""
        return list(dict.fromkeys(self._analyze(spell(text))))[:MAX_WORDS]

    def codes(self, terms: Collection[str], first: np.uint32) -> NDArray[np.uint32]:
        """The number of each term, uint32 `(len(terms),)`.

        Args:
            terms: The terms.
            first: `FIRST_NAME`, `EXCLUDED` or `WANTED`.
        """
        crc = np.fromiter((zlib.crc32(t.encode()) for t in terms), np.uint32, len(terms))
        return np.asarray((crc >> _SHIFT) + first, dtype=np.uint32)

    def _read(self, spelled: str, limit: int | None) -> list[NDArray[np.uint32]]:
        """The grams of a text as `spell` writes it, kind by kind, in the order of the text."""
        words = _words(spelled)[:limit]
        codes = np.frombuffer(b"".join(map(self._codes.__getitem__, words)), np.uint32)
        return [own for own, _ in _grams(codes.reshape(-1, 2), np.zeros(len(words), np.int64))]


def _grams(
    codes: NDArray[np.uint32], owners: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.int64]]]:
    """The grams of texts, kind by kind, in the order of the texts, and the text of each.

    Args:
        codes: The two numbers of each word, `(w, 2)`.
        owners: The number of each word's text, ascending, `(w,)`.
    """
    whole, stems = codes[:, 0], codes[:, 1]
    yield whole >> _WORDS_SHIFT, owners
    # A pair of stop words ("of the") says nothing, and neither do the ends of two texts.
    said = ((stems[:-1] > 0) | (stems[1:] > 0)) & (owners[:-1] == owners[1:])
    yield _pairs(whole)[said] + _PAIRS, owners[1:][said]
    terms = stems > 0
    stems, owners = stems[terms], owners[terms]
    said = owners[:-1] == owners[1:]
    yield _pairs(stems)[said] + _TERM_PAIRS, owners[1:][said]


def _words(spelled: str) -> list[bytes]:
    """The words of a text as `spell` writes it: runs of letters and digits."""
    return _plain(spelled).split()


def _plain(spelled: str) -> bytes:
    """A text as `spell` writes it with white space for what is no letter or digit.

    In UTF-8, whose bytes are searched faster than wide characters are.
    """
    text = spelled.encode()
    if len(text) == len(spelled):
        return text.translate(_PLAIN)
    strange = set(text.translate(None, _ASCII).decode())
    signs = {c for c in strange if not c.isalnum()}
    if len(signs) == len(strange):  # dashes and typographic quotes for the most part
        return text.translate(_ONLY_ASCII)
    if len(signs) > _FEW_SIGNS:
        text = spelled.translate(dict.fromkeys(map(ord, signs), " ")).encode()
    else:
        for sign in signs:
            text = text.replace(sign.encode(), b" ")
    return text.translate(_PLAIN)


@cache
def gram_reader() -> GramReader:
    """The reader that a process shares: it remembers the words of skills and queries."""
    return GramReader(make_analyzer().analyze)


class _Codes(dict[bytes, bytes]):
    """Two numbers for every word, of 32 bits each: of the word, and of its term or 0 if none."""

    def __init__(self, analyze: Callable[[str], Sequence[str]]) -> None:
        self._analyze = analyze

    def __missing__(self, word: bytes) -> bytes:
        terms = self._analyze(word.decode())
        code = _TWO.pack(zlib.crc32(word), zlib.crc32(terms[0].encode()) if terms else 0)
        if len(self) < _KNOWN_WORDS:
            self[word] = code
        return code


class _Rows:
    """What `_Codes` knows, as rows of an array: many words are looked up at once.

    Each costs a third of what it does one by one. A word is told by its bytes, two numbers of 64
    bits, and these say which row it may have; it takes the place of another one there. For one
    thread: another one could read a row that is half written.

    Args:
        codes: Asked for the words that have no row.
    """

    def __init__(self, codes: _Codes) -> None:
        self._codes = codes
        self._rows = np.zeros((1 << _ROW_BITS, 4), dtype=np.uint64)  # bytes, numbers, and nothing

    def look_up(self, plain: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Where each word of a text starts, `(w,)`, and its two numbers, `(w, 2)`.

        Args:
            plain: As `_plain` makes it.
        """
        text = b" %b%b" % (plain, b" " * _LONG_WORD)
        letters = np.frombuffer(text, np.uint8) != ord(" ")
        edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
        starts, sizes = edges[::2], edges[1::2] - edges[::2]
        short = np.minimum(sizes, _LONG_WORD)
        at = np.ndarray(len(text) - 7, np.dtype("<u8"), text, strides=(1,))  # eight bytes from each
        first, second = at[starts] & _HALVES[0, short], at[starts + 8] & _HALVES[1, short]
        places = (first * _MIXED[0] ^ second * _MIXED[1]) >> np.uint64(64 - _ROW_BITS)
        rows = self._rows[places]
        known = (rows[:, 0] == first) & (rows[:, 1] == second) & (sizes <= _LONG_WORD)
        codes = rows[:, 2].copy()
        new = np.flatnonzero(~known)
        if len(new):
            spans = zip(starts[new].tolist(), sizes[new].tolist(), strict=True)
            asked = [self._codes[text[start : start + size]] for start, size in spans]
            codes[new] = np.frombuffer(b"".join(asked), np.uint64)
            new = new[sizes[new] <= _LONG_WORD]
            self._rows[places[new], :3] = np.stack([first[new], second[new], codes[new]], axis=1)
        return starts - 1, codes.view(np.uint32).reshape(-1, 2)


def _pairs(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.asarray((codes[:-1] * _FIRST ^ codes[1:]) >> _SHIFT, dtype=np.uint32)
