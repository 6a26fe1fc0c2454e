"""Requests that a skill's own instructions quote: `User: "chart last month's sales"`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from skillret.datasets.make.verbs import is_verb

__all__ = ["Example", "find_examples", "take_out"]

_MOST_LINE = 400  # characters of a line with an example
_QUOTED = re.compile(
    r"""^\s*(?:[-*+]|\d+[.)])?\s*                      # of a list
    (?:\**(?:user(?:\s+(?:says|asks|request|prompt))?|human|example(?:\s+(?:request|prompt))?
        |request|prompt)\s*\d*\**\s*:\**\s*)?          # who says it
    ["“](?P<text>[^"“”]{15,300})["”]\s*[.,]?\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_LABELLED = re.compile(r"^\s*(?:[-*+]|\d+[.)])?\s*\**(?:user|human|example)", re.IGNORECASE)
_HEADING = re.compile(
    r"^\s*(?:#+|\*\*)\s*.*\b(?:example|trigger|when to use|user (?:says|asks|requests)|prompts?"
    r"|requests|invocations?|activation)\b",
    re.IGNORECASE,
)
_ANY_HEADING = re.compile(r"^\s*#+\s")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_BEGINS = frozenset(
    "i i'm i've we we're my our can could please help how what why where which is are there this"
    " these the a let's need want".split()
)
_TEMPLATE = re.compile(r"[\[\]{}<>|]|\.\.\.|…|https?://")


class Example(NamedTuple):
    """A request that is quoted in a skill, and the line that it stands on."""

    text: str
    line: str


def find_examples(body: str) -> Iterator[Example]:
    """Requests of users in a skill's instructions, one a line, under a heading that says so.

    Neither templates (`"audit [URL]"`) nor lines of code are taken.
    """
    examples = code = False
    for line in body.splitlines():
        if len(line) > _MOST_LINE:
            continue
        if _FENCE.match(line):
            code = not code
        elif not code and _ANY_HEADING.match(line):
            examples = bool(_HEADING.match(line))
        elif not code and _HEADING.match(line):
            examples = True
        if code:
            continue
        found = _QUOTED.match(line)
        if found and (examples or _LABELLED.match(line)) and _is_request(found["text"]):
            yield Example(" ".join(found["text"].split()), line)


def _is_request(text: str) -> bool:
    words = text.split()
    first = words[0].lower().strip(",:")
    return (
        4 <= len(words) <= 60
        and not _TEMPLATE.search(text)
        and (first in _BEGINS or is_verb(first) or text.rstrip().endswith("?"))
    )


def take_out(body: str, lines: list[str]) -> str:
    """A skill's instructions without lines: whoever searches must not find a request by itself."""
    gone = set(lines)
    return "\n".join(line for line in body.splitlines() if line not in gone)
