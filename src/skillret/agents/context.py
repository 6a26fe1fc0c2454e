"""What an agent is told of a decision: facts, a line a skill, which no skill can break out of.

Whoever writes a skill writes into the prompt of everyone who has it. So what is theirs stands in
quotes, on one line, cut, and without what a model or a client takes for more than text.
"""

from __future__ import annotations

import re
import unicodedata

from skillret.agents.decision import Decision, Named
from skillret.messages import printable

__all__ = ["context_of", "inert"]

_HEAD = (
    "skillret found installed skills that may fit this request."
    " Ignore them if they do not fit. Descriptions are quoted from the skills."
)
_MOST_WORDS = 6  # of a folder's name: more may be meant for the agent
_LONGEST_NAME = 64  # characters of one that is quoted
_NAME = re.compile(r"[\w.:-]+(?: [\w.:-]+){0,3}")
_LENGTHS = (240, 120, 60, 0)  # characters of a description; the longest that there is room for
# They show as nothing, or hide what comes after them, and count as printable.
_HIDDEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef\N{REPLACEMENT CHARACTER}]"
)
_SPEAKER = re.compile(r"\b(system|assistant|human|user|developer|tool)(\s+\w+)?\s*:", re.IGNORECASE)
_PLAIN = str.maketrans(
    {"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", '"': "'", "`": "'", "\u201c": "'"}
    | {"\u201d": "'", "\u201e": "'", "{": "(", "}": ")", "|": "/", "*": "", "\\": "/"}
)


def inert(text: str) -> str:
    """Somebody's text on one line, as nothing but text.

    No control or hidden characters, no tags, links, code, quotes or templates, no heading, and
    nobody speaking in it.
    """
    line = _HIDDEN.sub("", printable(unicodedata.normalize("NFKC", text)))
    line = re.sub(r"#{2,}|={3,}|-{3,}|~{3,}", " ", line.translate(_PLAIN))
    line = re.sub(r"\)\s*\(", ") - (", line)  # what was a link
    return " ".join(_SPEAKER.sub(r"\1\2,", line).split())


def context_of(decision: Decision, limit: int, sign: str = "/") -> str:
    """What is handed to the agent; empty if nothing is named, or `limit` leaves no room for it.

    Args:
        decision: What to name.
        limit: UTF-8 bytes at most: some agents count these, and no text has fewer of them than
            characters.
        sign: What the user types before the name of a skill (`skillret.skills.agents.Agent`).
    """
    for count in range(len(decision.named), 0, -1):
        for length in _LENGTHS:
            lines = [_HEAD, *(_line(named, length, sign) for named in decision.named[:count])]
            text = "\n".join(lines)
            if len(text.encode()) <= limit:
                return text
    return ""


def _harmless(path: str) -> bool:
    """Whether a path may be written as it is; Windows has backslashes in it."""
    slashes = path.replace("\\", "/")
    short = all(len(part.split()) <= _MOST_WORDS for part in slashes.split("/"))
    return short and inert(slashes) == slashes


def _line(named: Named, length: int, sign: str) -> str:
    path = named.path if named.path and _harmless(named.path) else None
    # Names are a word or two; what reads like a sentence is shown as somebody's words.
    plain = _NAME.fullmatch(named.invocation) is not None
    invocation = named.invocation if plain else f'"{inert(named.invocation)[:_LONGEST_NAME]}"'
    if named.user_only:
        line = f"- the user can type {sign}{invocation} (it is left to the user, not to the agent)"
    else:
        line = f"- {invocation}" + (f" ({path})" if path and plain else "")
    line += f": {inert(named.reason)}" if named.reason else ""
    description = inert(named.description)
    if len(description) > length:
        description = description[: max(length - 1, 0)].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    return f'{line}; description: "{description}"' if length and description else line
