"""How text becomes terms: one spelling, words without meaning left out, the others by their stems.

Queries are full of words that say nothing about the skill they need ("I", "want", "could you",
"please"); the usual stop list of 33 words leaves them in, and on dev they cost more than anything
else tried (benchmarks/fusion.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import tantivy

from skillret.lexical.spelling import normalize, spell, spell_sign, units

__all__ = [
    "ACRONYMS",
    "STOP_WORDS",
    "Word",
    "make_analyzer",
    "make_plain_analyzer",
    "read_stops",
    "read_terms",
    "read_words",
]

STOP_WORDS = frozenset(
    """
    a about above after again against all also am an and any are as at be because been before
    being below between both but by can cannot could did do does doing don down during each few
    for from further had has have having he her here hers herself him himself his how i if in
    into is it its itself just let lets like me more most my myself need no nor not now of off on
    once only or other our ours ourselves out over own please same she should so some such than
    that the their theirs them themselves then there these they this those through to too under
    until up us very want was we were what when where which while who whom why will with would
    you your yours yourself yourselves
    aren cant couldn couldnt didn didnt doesn doesnt dont id ill im isn ive thats wasn wont
    wouldn youre d ll m re s t ve
    """.split()
)
_LONGEST = 64  # characters of a word; longer ones are no words
_KNOWN_WORDS = 8192
_KNOWN_TEXTS = 256
_QUERY = 2000  # characters of a text that is no body of a skill
ACRONYMS = frozenset(("IT", "US", "WHO"))  # stop words that are none in capitals
_WORD = re.compile(r"\w+")
_PIECE = re.compile(r"\S+")


class Word(NamedTuple):
    """A word of a text: the characters `start:end`, and its terms; none if it is a stop word."""

    start: int
    end: int
    terms: Sequence[str]


def make_analyzer() -> tantivy.TextAnalyzer:
    """Words of a text as `spell` writes it, without stop words, by their English stems."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (
        tantivy.Filter.remove_long(_LONGEST),
        tantivy.Filter.lowercase(),
        tantivy.Filter.custom_stopword(sorted(STOP_WORDS)),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(part)
    return builder.build()


def make_plain_analyzer() -> tantivy.TextAnalyzer:
    """Words as they are written."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).build()


def read_terms(text: str) -> Sequence[str]:
    """The terms of a text in order."""
    return _terms_again(text) if len(text) <= _QUERY else _terms(text)


def _terms(text: str) -> Sequence[str]:
    return tuple(_analyzer().analyze(spell(text)))


# What is asked of a query or of its sentences is asked several times.
_terms_again = lru_cache(_KNOWN_TEXTS)(_terms)


def read_stops(text: str) -> list[str]:
    """The stop words of a text that mean something there, each once, as skills may write them.

    Where there is nothing else ("who", "IT?") that is all of them; else those in capitals that are
    words of their own.
    """
    words = [word for word in _WORD.findall(text) if word.lower() in STOP_WORDS]
    if not read_terms(text):
        return list(dict.fromkeys(form for w in words for form in (w.upper(), w.lower())))
    return [] if text.isupper() else [w for w in dict.fromkeys(words) if w in ACRONYMS]


def read_words(text: str) -> list[Word]:
    """The words of a text in order, with their terms: those of `read_terms`, in their order.

    Where a text is not in normal form, whatever white space surrounds is one word.
    """
    if normalize(text) != text:
        return [Word(*m.span(), _word_terms(m[0])) for m in _PIECE.finditer(text)]
    return [
        Word(*m.span(), _sign_terms(m[0]) if m.lastgroup else _word_terms(m[0]))
        for m in units(text)
    ]


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    return make_analyzer()


@lru_cache(_KNOWN_WORDS)
def _word_terms(word: str) -> Sequence[str]:
    return _terms(word)


@lru_cache(_KNOWN_WORDS)
def _sign_terms(name: str) -> Sequence[str]:
    return tuple(_analyzer().analyze(spell_sign(name)))
