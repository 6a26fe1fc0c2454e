"""Skills that a query calls: by their name, their folder's, or either with a plugin's before it.

Nobody writes "csv-cleaning" or "/sea:deploy" by chance. A name of one word is a word, unless it is
all that a query says, stands behind a sign, or is said to be a skill's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from skillret.lexical.analyzer import STOP_WORDS
from skillret.patterns import lazy_pattern
from skillret.retrieval.negation import denied_before

__all__ = ["CALLS", "Calls", "calls_in", "plain_name"]

CALLS = ("/", "$")  # before the name of a skill, in agents
_LONGEST = 100  # characters of a name
_JOINTS = re.compile(r"[\W_]+")
_USUAL = str.maketrans("-_:", "   ")
# No path, and no file.
_SPELLED = lazy_pattern(
    r"(?<![\w.-])(?<!\w/)(?:\w+(?:-\w+)+(?![\w/-]|\.\w)|(?<!//)[\w-]+:[\w-]+(?![\w/:@-]|\.\w))"
)
_SIGNED = lazy_pattern(r"[/$]\w[\w:.-]{0,99}")
_VERB = (
    r"\b(?:use|using|run|invoke|call|load|apply|start|try|with|via|through)\s"
    r"(?:the\s|my\s|our\s|your\s|this\s)?"
)
_NAME = r"[\"'`“”‘’]?(\w[\w:.-]{0,99})[\"'`“”‘’]?"
_SKILL = lazy_pattern(
    rf"{_VERB}(?:{_NAME}\sskill\b|skill\s(?:named\s|called\s)?{_NAME})", re.IGNORECASE
)


class Calls(NamedTuple):
    """What names a query says.

    Attributes:
        whole: The query as a name is compared, if it is as short as one; else empty.
        said: Names in its text, in small letters.
        outright: What is surely meant for a name, as names are compared; also without a plugin's.
        alone: A name, in small letters, beside which nothing is asked for: behind a sign at the
            beginning, or all that the query says, and no word.
    """

    whole: str
    said: frozenset[str]
    outright: frozenset[str]
    alone: str = ""

    def fit(self, names: Iterable[str]) -> bool:
        """Whether one of a skill's names is among them."""
        small = {name.strip().casefold() for name in names}
        return not small.isdisjoint(self.said) or (
            bool(self.whole) and any(plain_name(name) == self.whole for name in small)
        )


def calls_in(query: str) -> Calls:
    """What names a query says, but for those that it says are not asked for."""
    text = query.casefold()
    whole = plain_name(text)
    whole = whole if len(whole) <= _LONGEST else ""
    said = {m[0] for m in _SPELLED().finditer(text) if not denied_before(text, m.start())}
    named = {
        (m[1] or m[2]).rstrip(".:-")
        for m in _SKILL().finditer(text)
        if not denied_before(text, m.start())
    } - STOP_WORDS  # "use this skill to"
    words = text.split(maxsplit=1)
    first = words[0].rstrip(".,;:!?") if words else ""
    signed = first[1:] if _SIGNED().fullmatch(first) else ""
    # Without what stands before the colon as well: skills are looked up by either.
    surely = {*named, signed, first if len(words) == 1 and first in said else ""}
    outright = {plain_name(part) for name in surely for part in (name, name.rpartition(":")[2])}
    if whole and len(words) == 1:
        outright.add(whole)
    alone = signed or (first if len(words) == 1 and first in said else "")
    return Calls(
        whole, frozenset(said | named | {signed}) - {""}, frozenset(outright) - {""}, alone
    )


def plain_name(name: str) -> str:
    """Letters and digits of a name, however it is written."""
    words = name.casefold().translate(_USUAL).split()
    if "".join(words).isalnum():  # as nearly all are; the rest takes longer
        return " ".join(words)
    return _JOINTS.sub(" ", name).strip().casefold()
