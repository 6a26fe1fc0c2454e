"""Pasted talk and lists of mails: lines that say who wrote and when, and what was written.

A talk between a user and an assistant that begins a query is no material: its last turn asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from skillret.patterns import lazy_pattern

__all__ = ["exchange", "last_turn"]

_WORDS = 25  # of a paragraph below that still belongs to what was written last
_NAME = r"[^\W\d_][\w.'’-]{0,30}(?: [\w.'’()-]{1,30}){0,3}"
_DAY = (
    r"(?:(?:\d{1,4}[./-]\d\d?[./-]\d{1,4}|today|yesterday"
    r"|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?)(?:,| at)? )?"
)
_TIME = rf"{_DAY}\d\d?:\d\d(?::\d\d)?(?: ?[ap]\.?m\.?)?"
# Who wrote, alone in a line ("bob  10:14 AM"), or before what was written ("[00:01] Ann: hi").
_SAID = lazy_pattern(
    rf"(?:{_NAME}(?: {{2,}}|\t| +[—–-] +| +(?=\[)){_TIME}\]?"
    rf"|{_NAME} +\[{_TIME}\]|\[{_TIME}\] +{_NAME})$",
    re.IGNORECASE,
)
_LINE = lazy_pattern(rf"\[{_TIME}\] *(?:[—–-] )?{_NAME}:(?:\s|$)", re.IGNORECASE)
# These are appointments as well, unless somebody comes twice.
_MAYBE_SAID = lazy_pattern(rf"(?P<name>{_NAME}) {_TIME}$", re.IGNORECASE)
_MAYBE_LINE = lazy_pattern(rf"{_TIME} (?:[—–-] )?(?P<name>{_NAME}):(?:\s|$)", re.IGNORECASE)
# The name and the time may be lines of their own.
_NAMED = lazy_pattern(rf"{_NAME}$")
_ALONE = lazy_pattern(rf"\[?{_TIME}\]?$", re.IGNORECASE)
_MAIL = lazy_pattern(
    r"(?:\(?\d{1,3}[.):] ?|[-*•] )?(?:e-?mail \d{1,3}: )?\W{0,2}"
    r"(?:from\W{1,4}[^\n]{1,120}?\bsubject\W{1,3}:?|subject\W{1,4}[^\n]{1,120}?\bfrom\W{1,3}:?)\S",
    re.IGNORECASE,
)
# The same in several lines.
_FROM = lazy_pattern(r"(?:\(?\d{1,3}[.):] ?|[-*•] )\W{0,2}from\W{1,3}\S", re.IGNORECASE)
_FIELD = lazy_pattern(r"\W{0,4}(?:subject|to|date|cc|sent)\W{1,3}\S", re.IGNORECASE)

_TURN = lazy_pattern(
    r"^[ \t]*\W{0,2}(?:(user|human|me)|(assistant|ai|bot|chatgpt|claude|gemini|copilot|model))"
    r"\W{0,2}:\W{0,2}(?=\s|\w)",
    re.IGNORECASE | re.MULTILINE,
)
_TURN_WORDS = 4  # fewer are about what was said before


def last_turn(text: str) -> str:
    """What a user says last in a talk with an assistant that begins the text; else all of it."""
    first = _TURN().match(text)
    if not first:
        return text
    turns = list(_TURN().finditer(text))
    said = text[turns[-1].end() :].strip()
    both = any(turn[1] for turn in turns) and any(turn[2] for turn in turns)
    return said if both and turns[-1][1] and len(said.split()) >= _TURN_WORDS else text


def exchange(lines: Sequence[str]) -> list[bool]:
    """Which lines are of a talk, or a list of mails, that has two entries or more."""
    marked = [False] * len(lines)
    if sum(":" in line for line in lines) < 2:  # as in every time and every "From:"
        return marked
    stripped = [line.strip() for line in lines]
    heads = _heads(stripped)
    if len(heads) < 2:
        return marked
    end = heads[-1] + 1
    while end < len(lines) and stripped[end]:
        end += 1
    marked[heads[0] : end] = [True] * (end - heads[0])
    for paragraph in _paragraphs(stripped, end):
        words = sum(len(stripped[n].split()) for n in paragraph)
        marked[paragraph.start : paragraph.stop] = [words > _WORDS] * len(paragraph)
    return marked


def _heads(lines: Sequence[str]) -> list[int]:
    """The lines that begin an entry."""
    mails = [
        n
        for n, (line, below) in enumerate(zip(lines, [*lines[1:], ""], strict=True))
        if _MAIL().match(line) or (_FROM().match(line) and _FIELD().match(below))
    ]
    if len(mails) > 1:
        return mails
    said = [n for n, line in enumerate(lines) if _SAID().match(line)]
    for heads, below in (
        (said or _repeated(lines, _MAYBE_SAID()), 1),
        (_named_above(lines), 2),
    ):
        # A name and a time without a word from them are an appointment.
        spoken = set(heads)
        if (
            sum(n + below not in spoken and any(lines[n + below : n + below + 1]) for n in heads)
            > 1
        ):
            return heads
    written = [n for n, line in enumerate(lines) if _LINE().match(line)]
    return written or _repeated(lines, _MAYBE_LINE())


def _named_above(lines: Sequence[str]) -> list[int]:
    """The lines with a name that have a time, and nothing else, below them."""
    return [
        n
        for n, (line, below) in enumerate(pairwise(lines))
        if _ALONE().match(below) and _NAMED().match(line)
    ]


def _repeated(lines: Sequence[str], pattern: re.Pattern[str]) -> list[int]:
    """The lines that match, if one and the same name is in two of them."""
    found = {n: match["name"] for n, line in enumerate(lines) if (match := pattern.match(line))}
    return list(found) if max(Counter(found.values()).values(), default=0) > 1 else []


def _paragraphs(lines: Sequence[str], start: int) -> list[range]:
    """The paragraphs from a line on, as the numbers of their lines."""
    empty = [n for n in range(start, len(lines)) if not lines[n]]
    bounds = [start - 1, *empty, len(lines)]
    return [range(left + 1, right) for left, right in pairwise(bounds) if right > left + 1]
