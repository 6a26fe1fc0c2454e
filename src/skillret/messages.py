"""Words for people: counted things, and untrusted text that a terminal may be shown."""

from __future__ import annotations

__all__ = ["counted", "printable"]

_PLURALS = {"query": "queries", "index": "indexes", "process": "processes"}


def counted(number: int, noun: str) -> str:
    """A number and what it counts, singular or plural: `1 skill`, `2 skills`, `1,000 queries`."""
    *before, last = noun.split(" ")
    plural = _PLURALS.get(last, f"{last}s")
    return " ".join([f"{number:,}", *before, last if number == 1 else plural])


def printable(text: str) -> str:
    """Untrusted text for a terminal: one line, no control characters, no hidden direction marks."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
