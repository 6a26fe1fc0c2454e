"""The text that a reader of a skill sees: what is hidden there must not be found either."""

from __future__ import annotations

import re

from skillret.patterns import lazy_pattern

__all__ = ["strip_hidden"]

_SIGNS = ("<!--", "]:", "display", "hidden")  # one of them is in whatever hides text
_COMMENT = lazy_pattern(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_REFERENCE = lazy_pattern(r"^[ \t]{0,3}\[[^\]\n]*\]:[ \t]*(?:#|<>)[ \t]*[\"'(].*$", re.MULTILINE)
_ELEMENT = lazy_pattern(
    r"<(\w+)\b[^<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|\shidden\b)[^<>]*>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def strip_hidden(text: str) -> str:
    """A text in Markdown without comments, comments in references, and elements that are hidden."""
    if not any(sign in text for sign in _SIGNS):
        return text
    for hidden in (_COMMENT, _REFERENCE, _ELEMENT):
        text = hidden().sub(" ", text)
    return text
