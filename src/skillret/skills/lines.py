"""A description of several lines as one line that says the same.

Agents are shown one line, and where lines are merely put together a statement that ended with its
line runs into the next one: "Not for charts" takes "Use when ..." along.
"""

from __future__ import annotations

import re

from skillret.patterns import lazy_pattern

__all__ = ["fold_lines", "joined"]

_END = 20  # characters of a line that say how it ends

_ENDED = lazy_pattern(r"(?:[.!?:;,…。！？：；，、(\[{/&+|>\u2013\u2014-]|[.!?][\"'”’)\]*_`]+)$")
# A line that ends so goes on in the next one, however that begins.
_OPEN = lazy_pattern(
    r"\b(?:a|an|and|as|at|but|by|can|do|does|for|from|if|in|into|is|it|not|of|on|or|our|than|that"
    r"|the|this|to|use|using|via|when|which|with|without|your)$",
    re.IGNORECASE,
)
# How a line begins that is a statement of its own: with a sign, a word of these, or a label.
_BEGINS = lazy_pattern(
    r"(?P<number>\d{1,2}\.\s)|(?:[-*•+]\s+(?=[^:]*$|(?:Not|NOT|D[Oo])\b))?[*_`]*(?:"
    r"(?:Not|NOT|No|Never|NEVER|Do|DO|Don['’]t|DON['’]T|Does|Only|Use|USE|Used|Invoke|Trigger\w*|TRIGGER\w*"
    r"|Activate|Apply|When|WHEN|Covers?|Supports?|Handles?|Includes?|Keywords?|Examples?|Skip|SKIP|Avoid"
    r"|AVOID|Except|Unlike|Exclu\w+|Ideal|Perfect|Best|Requires?|Must|MUST|Should|Also|Out\s+of\s+scope)\b"
    r"|[A-Z][\w /&-]{1,40}:(?:\s|$|[*_`]))"
)
_ITEM = lazy_pattern(r"[-*•+]\s")


def fold_lines(text: str) -> str:
    """The lines of a text as one, those that are statements of their own parted by full stops."""
    if "\n" not in text:
        return " ".join(text.split())
    folded: list[str] = []
    stated = False  # whether the line before is an item of a list, and a statement of its own
    for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
        begins, item = _BEGINS().match(line), _ITEM().match(line) is not None
        if begins is not None and begins["number"] and folded:  # or its stop ends a sentence
            line = line.replace(".", ")", 1)
        elif folded and ((stated and item) or (begins and not _OPEN().search(folded[-1][-_END:]))):
            folded[-1] += _stop(folded[-1])
        stated = begins is not None and item
        folded.append(line)
    return " ".join(folded)


def joined(first: str, second: str) -> str:
    """Two statements as one line."""
    stop = _stop(first) if first and second else ""
    return f"{first}{stop} {second}".strip()


def _stop(statement: str) -> str:
    return "" if _ENDED().search(statement[-_END:]) else "."
