"""Words and neighbouring words of a text, as terms of an index: what BM25 does not see.

Who asks for a skill often repeats words of its text, in their very form and order ("pull request",
"exit code 1"). So an index holds for each skill, beside the terms of BM25, its words as they are
written, and its pairs of neighbours: of words, and of terms (stems without stop words; the ordered
pairs of the sequential dependence model, Metzler and Croft 2005). Pairs are stored as one of a
million numbers each, which keeps the dictionary small; two pairs that share a number are rare.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GRAMS", "GramReader", "Grams"]

# Kinds of grams, each with its field in the index.
GRAMS = ("words", "pairs", "term_pairs")
MAX_WORDS = 2000  # of a request
_WORD = re.compile(r"[^\W_]+")
_KNOWN_WORDS = 1 << 17  # some 15 MB
_SHIFT = np.uint32(12)  # leaves 20 bits: a million numbers
_FIRST = np.uint32(0x9E3779B1)  # an odd factor, so that the order of a pair matters


@dataclass(frozen=True, slots=True)
class Grams:
    """The distinct grams of a text."""

    words: Sequence[str]
    pairs: Sequence[str]
    term_pairs: Sequence[str]


class GramReader:
    """Reads grams; remembers the words that it met.

    Args:
        analyze: Gives the terms of a text, as BM25 counts them.
    """

    def __init__(self, analyze: Callable[[str], Sequence[str]]) -> None:
        self._codes = _Codes(analyze)

    def read(self, text: str, limit: int | None = None) -> Grams:
        """The grams of a text, of its first `limit` words."""
        words = _WORD.findall(text.lower())[:limit]
        codes = np.fromiter(map(self._codes.__getitem__, words), np.uint64, len(words))
        whole, stems = (codes >> np.uint64(32)).astype(np.uint32), codes.astype(np.uint32)
        # A pair of stop words ("of the") says nothing.
        said = (stems[:-1] > 0) | (stems[1:] > 0)
        return Grams(
            words=list(dict.fromkeys(words)),
            pairs=_numbers(_pairs(whole)[said]),
            term_pairs=_numbers(_pairs(stems[stems > 0])),
        )


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


def _numbers(codes: NDArray[np.uint32]) -> list[str]:
    return list(map(str, np.unique(codes).tolist()))
