"""Words, neighbouring words and names as numbers: what BM25 does not see.

Who asks for a skill often repeats words of its text, in their very form and order ("pull request",
"exit code 1"). So an index knows for each skill, beside the terms of BM25, its words as they are
written, its pairs of neighbours: of words, and of terms (stems without stop words; the ordered
pairs of the sequential dependence model, Metzler and Croft 2005), and the terms of its name; where
its description says what it is not for, the terms of that too, and those of the rest. Each is
stored as a number; two that share a number are rare, and a skill's numbers are read at once.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import distinct
from skillret.lexical.analyzer import lexical_text, make_analyzer
from skillret.lexical.spelling import spell
from skillret.skills.exclusions import read_purpose
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
_WORD = re.compile(r"[^\W_]+")
_STRANGE = re.compile(r"[^\x00-\x7f]+")
_PLAIN = str.maketrans({c: chr(c) if chr(c).isalnum() else " " for c in range(128)})
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
        words, pairs, term_pairs = self._read(text, limit)
        return Grams(distinct(words), distinct(pairs), distinct(term_pairs))

    def read_skill(self, skill: Skill) -> NDArray[np.uint32]:
        """The distinct grams of a skill, and the terms of its name and exclusion, ascending."""
        named = self._analyze(spell(skill.name))
        codes = [*self._read(lexical_text(skill), None), self.codes(named, FIRST_NAME)]
        purpose = read_purpose(skill.description, skill.name)
        if purpose.excluded:
            wanted = {*named, *self._analyze(spell(purpose.wanted))}
            codes.append(self.codes(set(self._analyze(spell(purpose.excluded))), EXCLUDED))
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

    def _read(self, text: str, limit: int | None) -> list[NDArray[np.uint32]]:
        words = _words(text)[:limit]
        codes = np.fromiter(map(self._codes.__getitem__, words), np.uint64, len(words))
        whole, stems = (codes >> np.uint64(32)).astype(np.uint32), codes.astype(np.uint32)
        # A pair of stop words ("of the") says nothing.
        said = (stems[:-1] > 0) | (stems[1:] > 0)
        return [
            whole >> _WORDS_SHIFT,
            _pairs(whole)[said] + _PAIRS,
            _pairs(stems[stems > 0]) + _TERM_PAIRS,
        ]


def _words(text: str) -> list[str]:
    """The words of a text as it is searched: runs of letters and digits."""
    lower = spell(text)
    if not lower.isascii():  # dashes and typographic quotes for the most part
        lower = _STRANGE.sub(_letters, lower)
    if lower.isascii():
        return lower.translate(_PLAIN).split()  # ten times as fast as a regular expression
    return _WORD.findall(lower)


def _letters(strange: re.Match[str]) -> str:
    """Some characters beyond ASCII, or white space if none of them is a letter or digit."""
    return strange[0] if any(map(str.isalnum, strange[0])) else " "


@cache
def gram_reader() -> GramReader:
    """The reader that a process shares: it remembers the words of skills and queries."""
    return GramReader(make_analyzer().analyze)


class _Codes(dict[str, int]):
    """A number for every word: 32 bits for the word, and 32 for its term, 0 for a stop word."""

    def __init__(self, analyze: Callable[[str], Sequence[str]]) -> None:
        self._analyze = analyze

    def __missing__(self, word: str) -> int:
        terms = self._analyze(word)
        code = zlib.crc32(word.encode()) << 32 | (zlib.crc32(terms[0].encode()) if terms else 0)
        if len(self) < _KNOWN_WORDS:
            self[word] = code
        return code


def _pairs(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.asarray((codes[:-1] * _FIRST ^ codes[1:]) >> _SHIFT, dtype=np.uint32)
