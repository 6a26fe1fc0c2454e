"""Words, neighbouring words and names as numbers: what BM25 does not see.

Who asks for a skill often repeats words of its text, in their very form and order ("pull request",
"exit code 1"). So an index knows for each skill, beside the terms of BM25, its words as they are
written, its pairs of neighbours: of words, and of terms (stems without stop words; the ordered
pairs of the sequential dependence model, Metzler and Croft 2005), and the terms of its name; where
its description says what it is not for, the terms of that too, and those of the rest. Each is
stored as a number; two that share a number are rare, and a skill's numbers are read at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from skillret.arrays import distinct
from skillret.lexical.analyzer import make_analyzer
from skillret.lexical.spelling import spell
from skillret.lexical.texts import SkillTexts, read_texts
from skillret.lexical.word_codes import WordCodes, WordRows, plain_words
from skillret.types import Skill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # Numbers of what some texts hold, and the number of the text of each.
    _Owned: TypeAlias = tuple[NDArray[np.uint32], NDArray[np.int64]]

__all__ = [
    "EXCLUDED",
    "FIRST_NAME",
    "GRAMS",
    "MAX_CODE",
    "MAX_WORDS",
    "WANTED",
    "GramReader",
    "gram_reader",
    "kinds",
    "term_codes",
]

# Kinds of grams that queries are compared by, each with numbers of its own.
GRAMS = ("words", "pairs", "term_pairs")
MAX_WORDS = 2000  # of a query
_AT_ONCE = 64  # skills whose words are looked up together
_FEW = 8  # skills for which no rows are made
_BITS = 20
_SHIFT = np.uint32(32 - _BITS)  # leaves a million numbers
_WORDS_SHIFT = np.uint32(32 - _BITS - 1)  # and two million for words
_PAIRS, _TERM_PAIRS = (np.uint32(n << _BITS) for n in (2, 3))
# The first numbers of terms in a name, in an exclusion, and in a description that has one.
FIRST_NAME, EXCLUDED, WANTED = (np.uint32(n << _BITS) for n in (4, 5, 6))
MAX_CODE = (7 << _BITS) - 1
_ENDS = np.array([_PAIRS, _TERM_PAIRS, FIRST_NAME])  # of the numbers of each kind
_FIRST = np.uint32(0x9E3779B1)  # an odd factor, so that the order of a pair matters


class GramReader:
    """Reads grams; remembers the words that it met.

    Args:
        analyze: Gives the terms of a text, as BM25 counts them.
    """

    def __init__(self, analyze: Callable[[str], Sequence[str]]) -> None:
        self._analyze = analyze
        self._codes = WordCodes(analyze)

    def read(self, texts: Sequence[str], limit: int | None = None) -> _Owned:
        """The grams of some texts, as often as they are said: numbers uint32 `(g,)`, ascending.

        And the number of the text of each, int64 `(g,)`.

        Args:
            texts: The texts.
            limit: Words of each that are read at most.
        """
        plain = [plain_words(spell(text)) for text in texts]
        grams = list(_grams(*self._codes.look_up(plain, limit)))
        codes = np.concatenate([own for own, _ in grams])
        order = np.argsort(codes)
        return codes[order], np.concatenate([owners for _, owners in grams])[order]

    def read_skill(self, skill: Skill | SkillTexts) -> NDArray[np.uint32]:
        """The grams of a single skill; see `read_skills`."""
        (grams,) = self.read_skills([skill])
        return grams

    def read_skills(self, skills: Iterable[Skill | SkillTexts]) -> Iterator[NDArray[np.uint32]]:
        """The distinct grams of each skill, and the terms of its name and exclusion, ascending.

        Args:
            skills: Skills, or their texts where they have been read; some are taken ahead.
        """
        texts = (read_texts(skill) if isinstance(skill, Skill) else skill for skill in skills)
        some = list(islice(texts, _AT_ONCE))
        look_up = self._codes.look_up if len(some) <= _FEW else WordRows(self._codes).look_up
        while some:
            yield from self._read_skills(some, look_up)
            some = list(islice(texts, _AT_ONCE))

    def _read_skills(
        self, skills: Sequence[SkillTexts], look_up: Callable[[Sequence[bytes]], _Owned]
    ) -> list[NDArray[np.uint32]]:
        grams = list(_grams(*look_up([plain_words(texts.text) for texts in skills])))
        for number, texts in enumerate(skills):
            named = self._analyze(texts.name)
            terms = [term_codes(named, FIRST_NAME)]
            if texts.excluded:
                wanted = {*named, *self._analyze(texts.description)}
                terms.append(term_codes(set(self._analyze(texts.excluded)), EXCLUDED))
                terms.append(term_codes(wanted, WANTED))
            grams += [(own, np.full(len(own), number)) for own in terms]
        # One order for all: by skill, then by number.
        keys = [(owners.astype(np.uint64) << np.uint64(32)) | own for own, owners in grams]
        ordered = distinct(np.concatenate(keys))
        firsts = np.arange(1, len(skills), dtype=np.uint64) << np.uint64(32)
        return np.split(ordered.astype(np.uint32), np.searchsorted(ordered, firsts))


def term_codes(terms: Collection[str], first: np.uint32) -> NDArray[np.uint32]:
    """The number of each term, uint32 `(len(terms),)`.

    Args:
        terms: The terms.
        first: `FIRST_NAME`, `EXCLUDED` or `WANTED`.
    """
    crc = np.fromiter((zlib.crc32(t.encode()) for t in terms), np.uint32, len(terms))
    return np.asarray((crc >> _SHIFT) + first, dtype=np.uint32)


def kinds(codes: NDArray[np.uint32]) -> dict[str, slice]:
    """Where each kind stands among ascending grams."""
    ends = np.searchsorted(codes, _ENDS).tolist()
    return dict(zip(GRAMS, map(slice, [0, *ends], ends), strict=True))


@cache
def gram_reader() -> GramReader:
    """The reader that a process shares: it remembers the words of skills and queries."""
    return GramReader(make_analyzer().analyze)


def _grams(codes: NDArray[np.uint32], owners: NDArray[np.int64]) -> Iterator[_Owned]:
    """The grams of some texts, kind by kind, in the order of the texts.

    Args:
        codes: The two numbers of each word, `(w, 2)`.
        owners: The number of its text, ascending, `(w,)`.
    """
    whole, stems = codes[:, 0], codes[:, 1]
    yield whole >> _WORDS_SHIFT, owners
    # A pair of stop words ("of the") says nothing, and the end of a text has no neighbour.
    said = ((stems[:-1] > 0) | (stems[1:] > 0)) & (owners[:-1] == owners[1:])
    yield _pairs(whole)[said] + _PAIRS, owners[1:][said]
    terms = stems > 0
    stems, owners = stems[terms], owners[terms]
    said = owners[:-1] == owners[1:]
    yield _pairs(stems)[said] + _TERM_PAIRS, owners[1:][said]


def _pairs(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.asarray((codes[:-1] * _FIRST ^ codes[1:]) >> _SHIFT, dtype=np.uint32)
