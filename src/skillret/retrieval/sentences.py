"""Sentences of a request."""

from __future__ import annotations

import re

__all__ = ["split_sentences"]

# After a full stop, question or exclamation mark and white space, or at a line break; also
# after their full-width forms, which no white space follows.
_BOUNDARY = re.compile(r"(?<=[.!?])\s+|\s*\n\s*|(?<=[。！？])")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, without empty ones, each once, in order."""
    parts = (part.strip() for part in _BOUNDARY.split(text))
    return list(dict.fromkeys(part for part in parts if part))
