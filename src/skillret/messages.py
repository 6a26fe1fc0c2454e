"""Words for people: counted things, and untrusted text that a terminal may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["counted", "meant", "printable", "reveal"]

# What a terminal obeys, what turns the direction of text round, and the invisible tag characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
_PLURALS = {"query": "queries", "index": "indexes", "process": "processes", "miss": "misses"}


def counted(number: int, noun: str) -> str:
    """A number and what it counts, singular or plural: `1 skill`, `2 skills`, `1,000 queries`."""
    *before, last = noun.split(" ")
    plural = _PLURALS.get(last, f"{last}s")
    return " ".join([f"{number:,}", *before, last if number == 1 else plural])


def meant(word: str, known: Iterable[str]) -> str:
    """What was likely meant by a word that is not known, behind an error; perhaps empty."""
    from difflib import get_close_matches  # seldom needed

    return "".join(f"; did you mean {k}?" for k in get_close_matches(word, known, 1))


def printable(text: str) -> str:
    """Untrusted text for a terminal: one line, no control characters, no hidden direction marks."""
    line = " ".join(text.split())
    if line.isprintable():  # nearly always, and twenty times as quick
        return line
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def reveal(text: str) -> str:
    """Untrusted text for a model, lines kept: every hidden character is one that is seen."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
