"""Marks that people set around a text they paste: tags within a line, BEGIN and END, rules.

A pair of marks says that what stands between is not the request. A rule alone says less, since it
separates two requests as well: `material` asks the words above it.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Sequence

from skillret.patterns import lazy_pattern
from skillret.retrieval.referents import MATERIAL

__all__ = ["between_marks", "holds_request", "is_rule", "split_at_rules", "tags_on_lines"]

_WORDS = 25  # between tags of any name within a line: fewer are a word in bold or the like
_CHARACTERS = 1000  # that are looked through for them: tags may stand in each other by thousands
_TAG = lazy_pattern(r"<(/?)([A-Za-z][\w-]*)(?:\s[^<>]*)?>")
# Who names a text by its tag has pasted it, however short it is.
_OF_TEXT = lazy_pattern(
    rf"(?:{MATERIAL}|(?:input|original|source|data|context|quote|paste|pasted)s?$)", re.IGNORECASE
)
_REST = lazy_pattern(r" [a-z][^<>\n]*")
# What a user asks may stand between tags as well.
_OF_REQUEST = lazy_pattern(
    r"(?:task|instruction|request|question|query|prompt|goal|command|objective|requirement|user)s?$",
    re.IGNORECASE,
)
_SIDE = r"[-=*_#~<>\[\](){}/|+.: ]*"
_BEGIN = lazy_pattern(
    rf"{_SIDE}(?:BEGIN(?:NING)?|START)(?: OF)?(?: [A-Z]{{1,20}}){{0,3}}{_SIDE}$"
    rf"|{_SIDE}(?:[A-Z]{{1,20}} ){{1,3}}(?:BEGINS?|STARTS?){_SIDE}$"
)
_END = lazy_pattern(
    rf"{_SIDE}(?:END|STOP|FINISH)(?: OF)?(?: [A-Z]{{1,20}}){{0,3}}{_SIDE}$"
    rf"|{_SIDE}(?:[A-Z]{{1,20}} ){{1,3}}ENDS?{_SIDE}$"
)
# A word with marks at both sides: "### TEXT ###".
_LABEL = lazy_pattern(
    r"(?:([-=*#~])\1+|\[+|\{+|<<+) ?/?[^\W\d_][^\W_]{0,20}(?: [^\W_]{1,20}){0,3} ?"
    r"(?:([-=*#~])\2+|\]+|\}+|>>+):?$"
)
_LABEL_OF_END = lazy_pattern(
    r"\W*(?:/|(?:end|stop|finish)\b|[^\W_][\w ]{0,60} end\W*$)", re.IGNORECASE
)
_RULE = lazy_pattern(r"([-=*_~#+─━═—–])(?: ?\1){2,}$")


def tags_on_lines(text: str) -> str:
    """The text with each pair of tags that encloses material on lines of their own."""
    if "</" not in text:
        return text
    tags = list(_TAG().finditer(text))
    closing = defaultdict(list)
    for number, tag in enumerate(tags):
        if tag[1]:
            closing[tag[2]].append(number)
    pieces, done, number = [], 0, 0
    while number < len(tags):
        tag = tags[number]
        ends = [] if tag[1] else closing[tag[2]]
        place = bisect(ends, number)
        number += 1
        if place == len(ends):
            continue
        end = tags[ends[place]]
        if not _encloses(tag[2], text[tag.end() : min(end.start(), tag.end() + _CHARACTERS)]):
            continue
        inside = text[tag.end() : end.start()]
        rest = _rest_of_sentence(text, end.end())
        opens, closes = f"<{tag[2]}>", f"</{tag[2]}>"
        pieces += [text[done : tag.start()], rest, f"\n{opens}\n{inside}\n{closes}\n"]
        done, number = end.end() + len(rest), ends[place] + 1
    return "".join([*pieces, text[done:]])


def _rest_of_sentence(text: str, start: int) -> str:
    """What goes on behind a closing tag: "translate <text>...</text> into German"."""
    found = _REST().match(text, start)
    return found[0] if found else ""


def holds_request(name: str) -> bool:
    """Whether a user says by tags of this name what to do, and not to what."""
    return _OF_REQUEST().match(name) is not None


def _encloses(name: str, inside: str) -> bool:
    """Whether what stands between tags of this name is material."""
    if holds_request(name):
        return False
    return bool(_OF_TEXT().match(name)) or len(inside.split(maxsplit=_WORDS)) > _WORDS


def between_marks(lines: Sequence[str]) -> list[bool]:
    """Which lines stand between BEGIN and END, or "### TEXT ###" and "### END ###"."""
    stripped = [line.strip() for line in lines]
    ends = [n for n, line in enumerate(stripped) if line and _is_end(line)]
    marked = [False] * len(lines)
    if not ends:
        return marked
    after = 0
    for number, line in enumerate(stripped):
        place = bisect(ends, number)
        if number < after or place == len(ends) or not _is_begin(line):
            continue
        after = ends[place] + 1
        marked[number:after] = [True] * (after - number)
    return marked


def _is_begin(line: str) -> bool:
    if _BEGIN().match(line):
        return True
    return bool(_LABEL().match(line)) and not _LABEL_OF_END().match(line)


def _is_end(line: str) -> bool:
    if _END().match(line):
        return True
    return bool(_LABEL().match(line) and _LABEL_OF_END().match(line))


def is_rule(line: str) -> bool:
    """Whether a line, stripped, is drawn and not written; it may have a word in its middle."""
    return bool(
        _RULE().match(line) or (line.startswith(("---", "===", "***")) and _LABEL().match(line))
    )


def split_at_rules(lines: Sequence[str], skipped: Sequence[bool]) -> list[range]:
    """The numbers of the lines before, between and after the rules, which may be none.

    Args:
        lines: Of the text.
        skipped: Which of them are known to be pasted: their rules are not the user's.
    """
    rules = [
        n
        for n, (line, skip) in enumerate(zip(lines, skipped, strict=True))
        if not skip and is_rule(line.strip())
    ]
    starts = [0, *(n + 1 for n in rules)]
    return [range(start, end) for start, end in zip(starts, [*rules, len(lines)], strict=True)]
