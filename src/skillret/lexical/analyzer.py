"""How text becomes terms: words without meaning left out, the others by their stems.

Queries are full of words that say nothing about the skill they need ("I", "want", "could you",
"please"); the usual stop list of 33 words leaves them in, and on dev they cost more than anything
else tried (benchmarks/fusion.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import tantivy

from skillret.skills import document_text
from skillret.types import Skill

__all__ = ["STOP_WORDS", "Word", "lexical_text", "make_analyzer", "read_words"]

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
_WORD = re.compile(r"\w+")


class Word(NamedTuple):
    """A word of a text: the characters `start:end`, and its terms; none if it is a stop word."""

    start: int
    end: int
    terms: Sequence[str]


def make_analyzer() -> tantivy.TextAnalyzer:
    """Words in lower case, without stop words, by their English stems."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (
        tantivy.Filter.remove_long(_LONGEST),
        tantivy.Filter.lowercase(),
        tantivy.Filter.custom_stopword(sorted(STOP_WORDS)),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(part)
    return builder.build()


def lexical_text(skill: Skill) -> str:
    """The text of a skill that is searched word by word."""
    return document_text(skill, "{name} {purpose} {instructions}")


def read_words(text: str) -> list[Word]:
    """The words of a text in order, with their terms."""
    analyze = _remembering()
    return [Word(*m.span(), analyze(m.group())) for m in _WORD.finditer(text)]


@cache
def _remembering() -> Callable[[str], Sequence[str]]:
    return lru_cache(_KNOWN_WORDS)(make_analyzer().analyze)
