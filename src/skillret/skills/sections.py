"""What a skill's instructions say it is not for: sections on when not to use it, and paragraphs.

Instructions are full of what not to do ("do not use tabs"), so only what speaks of the skill as a
whole is taken: headings, labels, and "this skill".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillret.patterns import lazy_pattern

__all__ = ["without_exclusions"]

_HEADING = lazy_pattern(
    r"(?:(?P<signs>#{1,6})[ \t]+(?P<title>.*)|\*\*(?P<bold>[^*]{3,80})\*\*[ \t]*:?[ \t]*$)",
)
_UNDERLINE = lazy_pattern(r"[ ]{0,3}(?:(=)+|-{3,})[ \t]*$")  # makes a heading of the line above
_LINE_ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # beside the usual one
_FENCE = lazy_pattern(r"[ ]{0,3}(`{3,}|~{3,})")
_WHAT_NOT = r"""(?:when\s+(?:not\s+to\s+(?:use|apply|trigger|invoke)|to\s+avoid)\b | avoid\s+when\b
      |when\s+to\s+skip(?:\s+(?:it|this(?:\s+skill)?))?[^\w\n]*$
      |(?:(?:何|什么)[时時]候?)?不(?:应|應|该|該|要)?(?:适|適|使)?用 | wann\s+nicht\b
      |nicht\s+(?:verwenden|nutzen|geeignet|gedacht|für)\b
      |(?:do\s+not|don['’]t|never)\s+(?:use|trigger|invoke|apply)(?:\s+(?:this(?:\s+skill)?|it))?
       (?:\s+(?:for|when|if|to)\b.*)?[^\w\n]*$
      |(?:constraints\s*/\s*)?non-?\s?goals?\b | out[-\s]of[-\s]scope\b | exclusions?[^\w\n]*$
      |not\s+(?:for|suitable|ideal|intended|meant)\b | skip\s+(?:this\s+)?(?:skill\s+)?(?:when|if)\b
      |what\s+this(?:\s+skill)?\s+(?:is\s+not|isn['’]t|does\s+not|doesn['’]t|will\s+not
        |cannot|can['’]t)\b
      |this\s+skill\s+(?:is\s+not|isn['’]t|does\s+not|doesn['’]t)\b)"""
_SECTION = lazy_pattern(rf"[\W_]*{_WHAT_NOT}", re.IGNORECASE | re.VERBOSE)
# How a paragraph or an item of a list begins that says it.
_SAYS = r"""(?:[-*+>][ ])*(?:\*\*|__)?(?:
        N(?:ot|OT)[ ](?:for|FOR)\b
      | O(?:ut|UT)[ -](?:[Oo]f|OF)[ -](?:[Ss]cope|SCOPE)[ ]?(?:\*\*|__)?:
      | (?:D[oO][ ](?:not|NOT)|Don['’]t|N(?:ever|EVER))[ ](?:use|invoke|trigger|apply)
        [ ]this[ ]skill[ ](?:for|when|if|to)\b
      | This[ ]skill[ ]is[ ](?:not|NOT)[ ](?:for|meant|intended|suitable)\b
      | When[ ](?:not|NOT)[ ]to[ ]use(?:[ ](?:it|this(?:[ ]skill)?))?[ ]?(?:\*\*|__)?:)"""
_STATEMENT = lazy_pattern(_SAYS, re.VERBOSE)
_ITEM = lazy_pattern(r"[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]")
# Such a heading or paragraph in a text whose lines end as usual: most texts have none.
_ANY_SECTION = lazy_pattern(
    rf"\n(?:\#{{1,6}}[ \t]+|\*\*)(?:[^\w\n]|_)*{_WHAT_NOT}",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_ANY_UNDERLINED = lazy_pattern(
    rf"\n{_WHAT_NOT}[^\n]*\n[ ]{{0,3}}(?:---|=)", re.IGNORECASE | re.VERBOSE | re.MULTILINE
)
_ANY_STATEMENT = lazy_pattern(rf"\n{_SAYS}", re.VERBOSE)


def without_exclusions(body: str) -> str:
    """A skill's instructions without what they say that it is not for."""
    text = f"\n{body}"
    if (
        any(map(body.__contains__, _LINE_ENDS))
        or _ANY_SECTION().search(text)
        or _ANY_STATEMENT().search(text)
        or (("\n---" in text or "\n=" in text) and _ANY_UNDERLINED().search(text))
    ):
        return "".join(_kept(body.splitlines(keepends=True)))
    return body


def _kept(lines: list[str]) -> Iterator[str]:
    """The lines that stand in no section and no paragraph on what the skill is not for."""
    below = 0  # the level of the heading whose section is left out
    fence, before = "", ""
    said = ""  # what is left out of: a `paragraph`, the `list` that it leads in, or nothing
    for number, line in enumerate(lines):
        mark = _FENCE().match(line) if line.lstrip(" ")[:1] in ("`", "~") else None
        if mark is not None:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        code = bool(fence or mark)
        heading = None if code else _heading(line, lines[number + 1 : number + 2])
        if heading is not None:
            level, title = heading
            if not below or level <= below:
                below = level if _SECTION().match(title) else 0
        said = "" if code or heading is not None else _goes_on(said, line, before)
        if not below and not said:
            yield line
        before = line


def _heading(line: str, after: list[str]) -> tuple[int, str] | None:
    """The level and the title of a heading, bold text alone on its line being the lowest."""
    if line[:1] in ("#", "*") and (found := _HEADING().match(line)):
        return len(found["signs"] or "#######"), found["title"] or found["bold"] or ""
    if after and after[0].lstrip(" ")[:1] in ("=", "-") and line[:1].isalpha():
        found = _UNDERLINE().match(after[0])
        return (1 if found[1] else 2, line) if found else None
    return None


def _goes_on(said: str, line: str, before: str) -> str:
    """What of an exclusion a line belongs to, given what the line before it did."""
    item = _ITEM().match(line) is not None
    if (item or not before.strip()) and _STATEMENT().match(line):
        return "paragraph"
    if said == "paragraph":
        if before.rstrip(" \t\r\n*_").endswith(":"):
            return "list" if item or not line.strip() else said
        return said if line.strip() and not item else ""
    if said == "list":
        return said if item or not line.strip() or line[:1] in " \t" else ""
    return ""
