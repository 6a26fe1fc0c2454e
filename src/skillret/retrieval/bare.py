"""Queries that are but a name of few letters: "IT ticket", "R", "C#", "the WHO".

An encoder reads little in them, and stop words say nothing to it; but a skill that writes them as
the query does, when hardly another one does, is what is meant.
"""

from __future__ import annotations

import re

from skillret.lexical.analyzer import ACRONYMS, STOP_WORDS, read_terms
from skillret.patterns import lazy_pattern
from skillret.retrieval.talk import is_talk

__all__ = ["BareName"]

_MOST_WORDS = 3
_LONGEST = 40  # characters of such a query
_AROUND = ".,;:!?()\"'“”‘’"
_NAME = lazy_pattern(r"[A-Z]|[A-Z][A-Z0-9]{1,7}|\d[A-Z]{1,2}|[A-Z][A-Za-z]{0,7}(?:#|\+\+)")


class BareName:
    """A name that a query consists of, with no more than a word beside it.

    Args:
        query: In normal form.
    """

    def __init__(self, query: str) -> None:
        self._holds: re.Pattern[str] | None = None
        words = [w for word in query.split() if (w := word.strip(_AROUND))]
        if not 0 < len(words) <= _MOST_WORDS or len(query) > _LONGEST:
            return
        named = [w for w in words if _NAME().fullmatch(w) and (w in ACRONYMS or not is_talk(w))]
        others = [w for w in words if w not in named and w.lower() not in STOP_WORDS]
        if len(named) != 1 or len(others) > 1:
            return
        self._terms = frozenset(term for word in others for term in read_terms(word))
        name = re.escape(named[0])
        self._holds = re.compile(rf"(?<![\w&.+#-]){name}(?![\w&+#-])", re.ASCII)

    def __bool__(self) -> bool:
        """Whether the query is one."""
        return self._holds is not None

    def stands_in(self, text: str) -> bool:
        """Whether a text holds the name as it is written, and the word beside it."""
        if self._holds is None or not self._holds.search(text):
            return False
        return self._terms <= frozenset(read_terms(text))
