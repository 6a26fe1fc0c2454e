"""What a skill's instructions say it is not for: sections on when not to use it, and paragraphs.

Instructions are full of what not to do ("do not use tabs"), so only what speaks of the skill as a
whole is taken: headings, labels, "this skill", and paragraphs, but no items of lists, that begin
"Do not use for". Emphasis and numbers change nothing.
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
_NOT = r"(?:(?:is|does|do|will|should|can)\s+not|cannot|(?:is|does|do|wo|should|ca)n['’]t)"
# How such a heading begins, with emphasis anywhere in it. Most headings fail at their first letter.
_WHAT_NOT = rf"""(?=[acdefhnoqstw\u3000-\u9fff\uac00-\ud7a3])(?:
      when\s+(?:(?:not\s+to\s+(?:use|apply|trigger|invoke|activate|load|reach)|to\s+avoid)\b
        |to\s+skip(?:\s+(?:it|this(?:\s+skill)?))?[^\w\n]*$
        |(?:it|this(?:\s+skill)?)\s+{_NOT}\s+(?:apply|be\s+used)[^\w\n]*$
        |you\s+{_NOT}\s+use\s+(?:it|this)\b)
      |what\s+(?:(?:this(?:\s+skill)?|it|the\s+skill)\s+{_NOT}\b)
      |what(?:['’]s|\s+is)\s+(?:not\s+covered|(?:not\s+in|out\s+of)\s+scope)[^\w\n]*$
      |avoid\s+(?:when\b|(?:using\s+)?(?:it|this(?:\s+skill)?)\s+(?:for|when|if)\b)
      |(?:do\s+not|don['’]t|never)\s+(?:use|trigger|invoke|apply|activate)
       (?:\s+(?:this(?:\s+skill)?|it|skill))?(?:\s+(?:for|when|if|to)\b.*)?[^\w\n]*$
      |(?:constraints\s*(?:/|&|and)\s*)?non-?\s?goals?\b
      |out[-\s]of[-\s]scope\b | exclusions?[^\w\n]*$
      |not\s+(?:(?:for|suitable|ideal|intended|meant)\b|(?:covered|in\s+scope)[^\w\n]*$)
      |skip\s+(?:this\s+)?(?:skill\s+)?(?:when|if)\b
      |this\s+skill\s+(?:is\s+not|isn['’]t|does\s+not|doesn['’]t)\b
      |wann\s+nicht\b | nicht\s+(?:verwenden|nutzen|geeignet|gedacht|für)\b
      |(?:quand\s+)?ne\s+pas\s+(?:l['’])?utiliser\b
      |(?:cu[áa]ndo\s+)?no\s+(?:usar|utilizar)
      |(?:quando\s+)?(?:não\s+(?:usar|utilizar)|non\s+(?:usar|utilizzar))
      |(?:hors\s+(?:du\s+)?(?:périmètre|champ)|fuera\s+del?\s+(?:alcance|ámbito)|fora\s+d[eo]\s+escopo
        |fuori\s+(?:dall['’])?ambito)\b
      |(?:(?:何|什么)[时時]候?)?不(?:应|應|该|該|要)?(?:适|適|使)?用
      |(?:この)?スキルを(?:使わ|使用し)ない | 使(?:わ|用し|うべきで)ない(?:場合|とき|時|ケース)
      |(?:対象|適用|スコープ|範囲)外[^\w\n]*$
      |(?:이\s*스킬을\s*)?(?:언제\s*)?사용하지\s*(?:말아야|않(?:아야|는|을)|마세요|말\s*것)
      |범위\s*(?:밖|외)[^\w\n]*$ | (?:적용\s*)?제외\s*대상[^\w\n]*$)""".replace(r"\s+", r"[\s*_`]+")
_SECTION = lazy_pattern(rf"[\W\d_]*{_WHAT_NOT}", re.IGNORECASE | re.VERBOSE)
# How a paragraph or an item of a list begins that says it. "Do not use for", when it does not name
# the skill, does so in paragraphs only: items of lists say it of whatever the list is about.
_SAYS = r"""(?:(?:[-*+>][ ])*(?:\*\*|__)?(?=[ADINOSTW])(?:
        N(?:ot|OT)~(?:for|FOR)\b
      | O(?:ut|UT)[ -](?:[Oo]f|OF)[ -](?:[Ss]cope|SCOPE)(?:~)?:
      | N(?:ot|OT)~(?:covered|COVERED|(?:in|IN)~(?:scope|SCOPE))(?:~(?:here|by~this~skill))?(?:~)?:
      | (?:D[oO]~(?:not|NOT)|Don['’]t|N(?:ever|EVER))~(?:(?:use|invoke|trigger|apply|load)
        ~this~skill|activate(?:~(?:it|this(?:~skill)?))?)~(?:for|when|if|to)\b
      | (?:Avoid|Skip)~(?:using~)?this~skill~(?:for|when|if)\b
      | (?:This(?:~skill)?|It)~is~(?:not|NOT)~(?:for|meant|intended|suitable)\b
      | This~skill~(?:does~(?:not|NOT)|doesn['’]t)~(?:cover|handle|support|address)\b
      | It~(?:does~(?:not|NOT)|doesn['’]t)~cover(?:~)?:
      | W(?:hen|HEN)~(?:not|NOT)~(?:to|TO)~(?:use|USE)(?:~(?:it|this(?:~skill)?))?(?:~)?:)
      | (?:\*\*|__)?D(?:[oO]~(?:not|NOT)|(?:on|ON)['’][tT])~(?:use|USE)(?:~(?:it|this))?
        ~(?:for|when|if|FOR|WHEN|IF)\b)""".replace("~", "[ *_]+")
_STATEMENT = lazy_pattern(_SAYS, re.VERBOSE)
_ITEM = lazy_pattern(r"[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]")
# Such a heading or paragraph in a text whose lines end as usual: most texts have none.
_ANY_SECTION = lazy_pattern(
    rf"\n(?:\#{{1,6}}[ \t]+|\*\*)(?:[^\w\n]|[\d_])*{_WHAT_NOT}",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_ANY_UNDERLINE = lazy_pattern(r"\n[ ]{0,3}(?:---|=)")
_ANY_STATEMENT = lazy_pattern(rf"\n{_SAYS}", re.VERBOSE)


def without_exclusions(body: str) -> str:
    """A skill's instructions without what they say that it is not for."""
    text = f"\n{body}"
    if (
        any(map(body.__contains__, _LINE_ENDS))
        or _ANY_SECTION().search(text)
        or _ANY_STATEMENT().search(text)
        or any(_SECTION().match(line) for line in _underlined(text))
    ):
        return "".join(_kept(body.splitlines(keepends=True)))
    return body


def _underlined(text: str) -> Iterator[str]:
    """The lines that may be headings by what stands below them."""
    for found in _ANY_UNDERLINE().finditer(text):
        yield text[text.rfind("\n", 0, found.start()) + 1 : found.start()]


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
