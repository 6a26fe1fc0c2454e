"""The fields of a front matter that someone wrote in another guise, as lines of YAML.

A skill that went through a chat, a renderer or a program comes as Markdown (`**Name**: tide`), as
tags, as JSON or in a comment. All that makes a field is there, and so a person reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from skillret.skills.quotes import plain

__all__ = ["from_comment", "from_guise"]

_REGION = 400  # lines from the first field on, in which all of them stand
_HEADED = 20  # lines above it: headings, fences and empty ones
_MOST = 100  # fields
_LONGEST = 64 * 1024  # characters of them

_RULE = re.compile(r"(?:-{3,}|\+{3,}|={3,}|[—–]{1,3}|\.{3})[ \t]*(?:ya?ml|json|toml)?\s*$", re.I)
_BLOCK = re.compile(r"(?:`{3,}|~{3,})[ \t]*\w*\s*$")
_HEADING = re.compile(r"#{1,6}(?:\s|$)")
_MARK = r"(?:\*{1,3}|_{1,3}|`)"
_DRESSED = re.compile(
    rf"[ \t]*(?:(?P<item>[-*+>•])[ \t]+)?(?P<mark>{_MARK})?[\"']?(?P<key>[A-Za-z][\w-]*?)[\"']?"
    rf"(?:{_MARK}[ \t]*[:：]|[:：]{_MARK}|[:：])(?P<value>[ \t].*|)$"
)
_PLAIN = re.compile(r"""["']?([A-Za-z][\w-]*)["']?[ \t]*[:：](?:[ \t]|$)""")
_TAG = re.compile(r"\s*<([A-Za-z][\w-]*)>")
_OUTER = re.compile(r"\s*</[A-Za-z][\w-]*>")
_ROW = re.compile(r"[ \t]*\|(.*)\|[ \t]*$")
_LINED = re.compile(r"[\s|:-]+$")  # the row of a table that parts its head from it
# Where a field begins that matters, in what should be JSON and is not.
_FLOW = re.compile(
    r"(?:^|[,{])[ \t]*[\"']?(name|description|when[-_]?to[-_]?use|license|compatibility|metadata"
    r"|allowed-tools|version|author|model|tags|disable-model-invocation|argument-hint"
    r"|user-invocable)[\"']?[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = "---"
_NEEDED = ("name", "description")
_WRITTEN = "its fields are written as {}, which other clients may not read: write `key: value`"

_Found = tuple[list[str], int] | None  # lines of YAML, and the line behind those that they are of


def from_guise(lines: Sequence[str], notes: list[str]) -> list[str]:
    """Lines with the fields at their top as those of YAML; as they are where that is not so.

    Args:
        lines: Of a file, without comments above the front matter.
        notes: Gets a remark.
    """
    top = _top(lines)
    if top is None:
        return list(lines)
    start, fence = top
    first = lines[start].strip()
    end = _end(lines, start, fence)
    found: _Found
    if first.startswith("{"):
        found, guise = _of_json(lines, start, end), "JSON"
    elif first.startswith("<"):
        found, guise = _of_tags(lines, start, end), "tags"
    elif first.startswith("|"):
        found, guise = _of_table(lines, start, end), "a table"
    else:
        found, guise = _of_markdown(lines, start, end, fence), "Markdown"
    if found is None:
        return list(lines)
    fields, behind = found
    notes.append(_WRITTEN.format(guise))
    return [*lines[:start], *fields, *([] if fence else [_FENCE]), *lines[behind:]]


def from_comment(lines: Sequence[str], notes: list[str]) -> list[str]:
    """Lines without the marks of comments at the top that hold a description; else as they are."""
    bare = list(lines)
    described = inside = False
    behind = 0
    for number, line in enumerate(lines[:_REGION]):
        text = line.strip()
        if not inside and text and not text.startswith("<!--") and not _HEADING.match(text):
            break
        if not inside and text.startswith("<!--"):
            inside, text = True, text[4:].strip()
        if inside:
            within, closed, _ = text.partition("-->")
            opens = text != line.strip()  # else its indentation is that of YAML
            bare[number] = within.strip() if opens or closed else line
            described |= _key(text) == "description"
            inside, behind = not closed, number + 1
    if inside or not described:
        return list(lines)
    notes.append(_WRITTEN.format("a comment"))
    fenced = any(_RULE.match(line.strip()) for line in bare[:behind])
    return [*bare[:behind], *([] if fenced else [_FENCE]), *bare[behind:]]


def _top(lines: Sequence[str]) -> tuple[int, str] | None:
    """The first line below headings and fences, and the fence right above it, if there is one."""
    fence = ""
    underline = -1
    for number, line in enumerate(lines[:_HEADED]):
        text = line.strip()
        if not text or number == underline:
            continue
        if _RULE.match(text) or (_BLOCK.match(text) and not any(map(str.strip, lines[:number]))):
            fence = text
        elif not fence and _is_title(lines, number):
            underline = number + 1
        elif not _HEADING.match(text):
            return number, fence
    return None


def _is_title(lines: Sequence[str], number: int) -> bool:
    """Whether a line is a heading by the line below it."""
    below = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return len(below) >= 3 and not below.strip("=-") and lines[number].lstrip()[:1].isalnum()


def _end(lines: Sequence[str], start: int, fence: str) -> int:
    """The line behind those in which the fields may stand: that of the fence which ends them."""
    ends = _BLOCK if _BLOCK.match(fence) else _RULE
    for number in range(start, min(len(lines), start + _REGION)):
        if ends.match(lines[number].strip()):
            return number
    return min(len(lines), start + _REGION)


def _of_markdown(lines: Sequence[str], start: int, end: int, fence: str) -> _Found:
    """Fields whose keys are set in bold, as code, or as items of a list."""
    plain_keys: set[str] = set()
    found: dict[str, bool] = {}  # whether its key is set off, by the key
    said: list[str] = []
    for line in lines[start:end]:
        key, dressed = _key(line), _dressed(line)
        if _HEADING.match(line) or not (found or key or dressed):
            break
        if "description" in {*found, *plain_keys} and _is_body(line, said, key or dressed):
            break
        if key in found:  # of YAML, and what was found is an item in it
            return None
        if dressed is not None and (dressed["mark"] or dressed["key"].lower() in _NEEDED):
            if (name := dressed["key"].lower()) in {*found, *plain_keys}:
                break
            found[name] = bool(dressed["mark"])
            line = f"{dressed['key']}: {_undressed(dressed['value'].strip())}".rstrip()
        plain_keys.add(key)
        said.append(line)
    needed = [key for key in _NEEDED if key in found]
    if not needed or "description" not in {*found, *plain_keys}:
        return None
    if fence and not any(found[key] for key in needed):
        return None  # a list of YAML, each of whose items is a mapping
    return said, start + len(said)


def _dressed(line: str) -> re.Match[str] | None:
    """A line whose key has marks around it, or before it."""
    dressed = _DRESSED.match(line)
    return dressed if dressed is not None and (dressed["mark"] or dressed["item"]) else None


def _is_body(line: str, above: Sequence[str], key: object) -> bool:
    """Whether a line begins a paragraph that is no field."""
    return not key and bool(line.strip()) and bool(above) and not above[-1].strip()


def _key(line: str) -> str:
    field = _PLAIN.match(line)
    return field[1].lower() if field else ""


def _undressed(value: str) -> str:
    """A value without the marks of Markdown that stand around all of it."""
    marks = len(value) - len(value.lstrip("*`"))
    inner = value[marks:-marks] if marks else value
    around = value[-marks:] if marks else ""
    whole = marks and len(value) > 2 * marks and around == value[:marks]
    return inner if whole and value[0] not in inner else value


def _of_json(lines: Sequence[str], start: int, end: int) -> _Found:
    """Fields of a JSON object, or of what was meant for one."""
    text = "\n".join(lines[start:end])[:_LONGEST]
    try:
        data, length = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return _of_flow(lines, start, end)
    if isinstance(data, dict) and "description" not in data:  # all of it is below `skill`
        data = next((v for v in data.values() if isinstance(v, dict) and "description" in v), data)
    if not isinstance(data, dict) or not data.get("description"):
        return None
    behind = start + text[: len(text) - len(text.lstrip()) + length].count("\n") + 1
    return _lines(data), behind


def _of_flow(lines: Sequence[str], start: int, end: int) -> _Found:
    closed = (n for n in range(start, end) if lines[n].rstrip().endswith("}"))
    behind = next(closed, end - 1) + 1
    text = "\n".join(lines[start:behind])[:_LONGEST].strip().removesuffix("}").rstrip()
    starts = [*_FLOW.finditer(text)][:_MOST]
    fields: dict[str, str] = {}
    for field, until in zip(starts, [*[m.start() for m in starts[1:]], len(text)], strict=False):
        value = text[field.end() : until].strip().rstrip(",").rstrip()
        fields.setdefault(field[1], plain(value) if value[:1] not in "[{" else value)
    if not fields.get("description"):
        return None
    return _lines(fields), behind


def _of_tags(lines: Sequence[str], start: int, end: int) -> _Found:
    """Fields that stand between tags, perhaps in one around all."""
    text = "\n".join(lines[start:end])[:_LONGEST]
    fields: dict[str, str] = {}
    place = 0
    for _ in range(_MOST):
        tag = _TAG.match(text, place)
        close = f"</{tag[1]}>" if tag else ""
        until = text.find(close, tag.end()) if tag else -1
        if tag is None or until < 0:
            break
        if _TAG.match(text, tag.end()):
            place = tag.end()
            continue
        said = " ".join(text[tag.end() : until].split())
        fields.setdefault(tag[1].lower(), said)
        place = until + len(close)
    while outer := _OUTER.match(text, place):
        place = outer.end()
    if not fields.get("description"):
        return None
    return _lines(fields), start + text[:place].count("\n") + 1


def _of_table(lines: Sequence[str], start: int, end: int) -> _Found:
    """Fields of a table, as a renderer makes one of a front matter: keys above or beside values."""
    rows: list[list[str]] = []
    behind = start
    while behind < end and (row := _ROW.match(lines[behind])):
        rows.append([_undressed(cell.strip()) for cell in row[1].split("|")])
        behind += 1
    rows = [row for row in rows if not _LINED.match("|".join(row) or "-")]
    if len(rows) == 2 and {*_NEEDED} <= {cell.lower() for cell in rows[0]}:
        pairs = [*zip(rows[0], rows[1], strict=False)]
    else:
        pairs = [(row[0], "|".join(row[1:]).strip()) for row in rows]
    fields = {key.lower(): value for key, value in pairs if _PLAIN.match(f"{key}:")}
    if not all(fields.get(key) for key in _NEEDED):  # a table of other things
        return None
    return _lines(fields), behind


def _lines(fields: Mapping[str, Any]) -> list[str]:
    """Fields as lines of YAML, those first by which a front matter is known."""
    keys = sorted(fields, key=lambda key: key not in _NEEDED)
    return [f"{json.dumps(k)}: {json.dumps(fields[k], ensure_ascii=False)}" for k in keys]
