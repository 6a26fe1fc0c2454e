"""Skills that a query calls: by their name, their folder's, or either with a plugin's before it.

Nobody writes "csv-cleaning" or "/sea:deploy" by chance. A name of one word is a word, unless it is
all that a query says, stands behind a sign, or is said to be a skill's. Chinese, Japanese and
Korean put no blank between a name and what is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from skillret.lexical.analyzer import STOP_WORDS
from skillret.patterns import lazy_pattern
from skillret.retrieval.negation import denied_before

__all__ = ["CALLS", "Calls", "calls_in", "plain_name"]

CALLS = ("/", "$")  # before the name of a skill, in agents
_LONGEST = 100  # characters of a name
_EARLY = 4000  # characters of a query in which a name in such a script is looked for
_DENIAL = 12  # characters before it that may deny it
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
_EAST = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_IN_EAST = lazy_pattern(rf"[{_EAST}]")
_CHINESE_VERB = (
    r"(?:使用|利用|[调調]用|[运運]行|[执執]行|[启啟][动動用]|加[载載]|[试試][试試]"
    r"|(?<![使利调調启啟])用|\buse\s|\brun\s)"
)
_DENIES_EAST = lazy_pattern(
    r"(?:[不别別勿]|禁止|[无無]需|(?:不|别|別)(?:要|想|必|需要?))(?:再|去)?"
    rf"(?:{_CHINESE_VERB}|\s){{0,2}}[\"“‘「『《]?$"
)
_NAME_EAST = r"\s?[\"'`“‘「『《]?(\w[\w:.-]{0,59}?)[\"'`”’」』》]?\s?"
_JAPANESE_USE = r"(?:を|で)?\s?(?:使って|使用して|利用して|[実起][行動]して|呼び出して|使い|お願い)"
_KOREAN_USE = r"(?:을|를|로|으로)?\s?(?:사용|이용|실행|호출)(?!\s?하지)"
# What `_SPELLED` finds, where such a script stands before or behind it.
_LATIN = r"([a-z0-9]+(?:-[a-z0-9]+)+)(?![a-z0-9_/:-]|\.\w|\s?[をは]?\s?使わ)"
_SPELLED_EAST = (
    lazy_pattern(rf"(?<=[{_EAST}]){_LATIN}"),
    lazy_pattern(rf"(?<![a-z0-9_./:-]){_LATIN}(?=[{_EAST}])"),
)
# A skill by a name in such a script: all that is said beside "use", or said to be a skill's.
_EASTERN = (
    lazy_pattern(rf"{_CHINESE_VERB}{_NAME_EAST}(?:[这這][个個])?\s?(?:技能|skill\b)"),
    lazy_pattern(rf"(?<!\w){_NAME_EAST}(?:という|(?:이)?라는\s)?スキル{_JAPANESE_USE}"),
    lazy_pattern(rf"(?<!\w){_NAME_EAST}(?:(?:이)?라는\s)?스킬{_KOREAN_USE}"),
    lazy_pattern(
        rf"\A\W{{0,5}}(?:[请請]|[帮幫]我|麻[烦煩](?:你)?|我想|我要|直接){{0,3}}\s?{_CHINESE_VERB}"
        rf"{_NAME_EAST}(?:吧|一下)?\W{{0,5}}\Z"
    ),
    lazy_pattern(rf"\A{_NAME_EAST}{_JAPANESE_USE}(?:ください|下さい|ほしい)?\W{{0,5}}\Z"),
    lazy_pattern(
        rf"\A{_NAME_EAST}{_KOREAN_USE}(?:하세요|해|하여|해서)?\s?(?:줘|주세요|줘요|요)?\W{{0,5}}\Z"
    ),
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
    eastern = not text.isascii() and _IN_EAST().search(text) is not None
    named = {
        (m[1] or m[2]).rstrip(".:-")
        for m in _SKILL().finditer(text)
        if not denied_before(text, m.start())
    } - STOP_WORDS  # "use this skill to"
    if eastern:
        said |= _eastern(text, _SPELLED_EAST)
        named |= _eastern(text, _EASTERN)
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


def _eastern(text: str, patterns: Sequence[Callable[[], re.Pattern[str]]]) -> set[str]:
    """The names that a query in Chinese, Japanese or Korean says, but for those that it denies."""
    text = text[:_EARLY]
    return {
        found[1].rstrip(".:-")
        for east in patterns
        for found in east().finditer(text)
        if not _DENIES_EAST().search(text, max(0, found.start(1) - _DENIAL), found.start(1))
    }


def plain_name(name: str) -> str:
    """Letters and digits of a name, however it is written."""
    words = name.casefold().translate(_USUAL).split()
    if "".join(words).isalnum():  # as nearly all are; the rest takes longer
        return " ".join(words)
    return _JOINTS.sub(" ", name).strip().casefold()
