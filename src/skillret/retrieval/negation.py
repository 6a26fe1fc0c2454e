"""What a query says is not asked for: "I don't need X, only Y", "skip X and do Y".

Its words fit a skill as those of the task do. It is left out where something else is asked for
beside it; a query that says nothing else stays whole.
"""

from __future__ import annotations

import re

from skillret.patterns import lazy_pattern

__all__ = ["without_negated"]

_NOT = (
    r"(?:do not|don['’]?t|no need to|need not|needn['’]?t|without having to)"
    r"(?!\s+(?:know|understand|see|get|remember|mind|care|worry|think)\b)"
)
_UP_TO = r"[^,.;:!?\n]{3,80}"
_NEGATED = (
    # "I don't need X, only Y", "don't do X, just do Y"
    lazy_pattern(
        rf"(?:\b(?:i|we|please|you)\s+)?\b{_NOT}\s+{_UP_TO}[,.;]\s*(?:but\s+)?"
        r"(?=(?:only|just|instead|rather|simply|merely)\b)",
        re.IGNORECASE,
    ),
    # "skip X and do Y", "forget about X, do Y"
    lazy_pattern(
        rf"^\W*(?:please\s+|let['’]?s\s+)?(?:skip|forget(?:\s+about)?|never\s?mind|ignore)\s+{_UP_TO}?"
        r"(?:[,.;]\s*(?:and\s+)?|\s+and\s+)(?:then\s+|now\s+|just\s+|instead\s+|only\s+)*(?=\w)",
        re.IGNORECASE,
    ),
    # "I already have X, now do Y"
    lazy_pattern(
        rf"(?:\b(?:i|we)(?:['’]ve)?\s+)already\s+{_UP_TO}[,.;]\s*(?:and\s+|so\s+|but\s+)?"
        r"(?=(?:now|just|only|next)\b)",
        re.IGNORECASE,
    ),
)
_LEAST = 3  # words that are left


def without_negated(text: str) -> str:
    """A query without what it says is not asked for."""
    for negated in _NEGATED:
        rest = negated().sub(" ", text)
        if rest != text and len(rest.split()) >= _LEAST:
            text = rest.strip()
    return text
