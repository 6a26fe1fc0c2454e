"""A description of several lines as one line that says the same.

Agents are shown one line, and where lines are merely put together a statement that ended with its
line runs into the next one: "Not for charts" takes "Use when ..." along.
"""

from __future__ import annotations

import re

from skillret.patterns import lazy_pattern

__all__ = ["fold_lines", "joined"]

_ENDED = lazy_pattern(r"(?:[.!?:;,…。！？：；，、(\[{/&+|>\u2013\u2014-]|[.!?][\"'”’)\]*_`]+)$")
# A line that ends so goes on in the next one, however that begins.
_OPEN = lazy_pattern(
    r"\b(?:a|an|and|as|at|but|by|can|do|does|for|from|if|in|into|is|it|not|of|on|or|our|than|that"
    r"|the|this|to|use|using|via|when|which|with|without|your)$",
    re.IGNORECASE,
)
# How a line begins that is a statement of its own: with a sign, a word of these, or a label.
_BEGINS = lazy_pattern(
    r"(?P<number>\d{1,2}\.\s)|[*_`]*(?:"
    r"(?:Not|NOT|No|Never|NEVER|Do|DO|Don['’]t|DON['’]T|Does|Only|Use|USE|Used|Invoke|Trigger\w*|TRIGGER\w*"
    r"|Activate|Apply|When|WHEN|Covers?|Supports?|Handles?|Includes?|Keywords?|Examples?|Skip|SKIP|Avoid"
    r"|AVOID|Except|Unlike|Exclu\w+|Ideal|Perfect|Best|Requires?|Must|MUST|Should|Also|Out\s+of\s+scope)\b"
    r"|[A-Z][\w /&-]{1,40}:(?:\s|$|[*_`]))"
)


def fold_lines(text: str) -> str:
    """The lines of a text as one, those that are statements of their own parted by full stops."""
    if "\n" not in text:
        return " ".join(text.split())
    out = ""
    for line in text.splitlines():
        folded = " ".join(line.split())
        if folded:
            out = _joined(out, folded) if out else folded
    return out


def joined(first: str, second: str) -> str:
    """Two statements as one line."""
    stop = "" if not first or not second or _ENDED().search(first) else "."
    return f"{first}{stop} {second}".strip()


def _joined(before: str, line: str) -> str:
    begins = _BEGINS().match(line)
    if begins is not None and begins["number"]:  # or its stop would end a sentence
        return f"{before} {line.replace('.', ')', 1)}"
    if begins is None or _OPEN().search(before):
        return f"{before} {line}"
    return joined(before, line)
