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
from collections.abc import Callable, Collection, Sequence
from functools import cache
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
# White space for what is no letter or digit; bytes of other characters stay.
_PLAIN = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256))
_FEW_SIGNS = 50  # up to so many it is faster to replace one after the other
_TWO = struct.Struct("=II")
_KNOWN_WORDS = 1 << 17  # some 15 MB
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
        """The distinct grams of a skill, and the terms of its name and exclusion, ascending.

        Args:
            skill: A skill, or its texts where they have been read.
        """
        texts = read_texts(skill) if isinstance(skill, Skill) else skill
        named = self._analyze(texts.name)
        codes = [*self._read(texts.text, None), self.codes(named, FIRST_NAME)]
        if texts.excluded:
            wanted = {*named, *self._analyze(texts.description)}
            codes.append(self.codes(set(self._analyze(texts.excluded)), EXCLUDED))
            codes.append(self.codes(wanted, WANTED))
        return distinct(np.concatenate(codes))

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
        whole, stems = codes[::2], codes[1::2]
        # A pair of stop words ("of the") says nothing.
        said = (stems[:-1] > 0) | (stems[1:] > 0)
        return [
            whole >> _WORDS_SHIFT,
            _pairs(whole)[said] + _PAIRS,
            _pairs(stems[stems > 0]) + _TERM_PAIRS,
        ]


def _words(spelled: str) -> list[bytes]:
    """The words of a text as `spell` writes it: runs of letters and digits.

    In UTF-8, whose bytes are searched faster than wide characters are.
    """
    text = spelled.encode()
    if len(text) > len(spelled):  # dashes and typographic quotes for the most part
        signs = {c for c in text.translate(None, _ASCII).decode() if not c.isalnum()}
        if len(signs) > _FEW_SIGNS:
            text = spelled.translate(dict.fromkeys(map(ord, signs), " ")).encode()
        else:
            for sign in signs:
                text = text.replace(sign.encode(), b" ")
    return text.translate(_PLAIN).split()


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


def _pairs(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.asarray((codes[:-1] * _FIRST ^ codes[1:]) >> _SHIFT, dtype=np.uint32)
