"""What a person still reads off a SKILL.md that breaks the rules.

Where the front matter lies and what its fields are is only asked here where the specification's
own way of reading finds no description, so that no repair changes what a sound file means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from typing import NamedTuple

from skillret.charsets import (
    LATIN,
    is_escaped,
    is_mostly_utf8,
    legacy_encoding,
    may_be_older,
    name_of,
)
from skillret.skills.guises import from_comment, from_guise
from skillret.skills.lines import fold_lines, joined
from skillret.skills.marks import DISABLES_MODELS, means, stays
from skillret.skills.toml_front import from_toml, is_toml

__all__ = [
    "Parts",
    "decode",
    "drop_conflict",
    "drop_odd_characters",
    "entries_of",
    "find_parts",
    "first_paragraph",
    "flat",
    "is_sentence",
    "key_of",
    "listed_entries",
]

_ABOVE = 60  # lines that are neither empty nor comments, in which the front matter must begin
_FURTHEST = 1000  # of all lines
_LONGEST = 2000  # lines of it
_DEPTH = 4  # of lists and mappings that someone wrote for a text
_NEEDED = frozenset({"name", "description"})
_KNOWN = _NEEDED | {"whentouse", DISABLES_MODELS}
_SPECIFIED = frozenset({"license", "compatibility", "metadata", "allowedtools"})

_FENCE = re.compile(
    r"(?:(?:-{3,}|\+{3})[ \t]*(?:ya?ml|toml)?|[—–]-?|[—–]{2,3}|\.{3})\s*(?:#.*)?$", re.IGNORECASE
)  # some as a word processor has it, or with the name of its language
_CODE = re.compile(r"(?:`{3,}|~{3,})\s*\w*\s*$")
_MARKS = ("'", '"')
_FIELD = re.compile(r"""(\s*)["']?([A-Za-z][\w-]*)["']?[ \t]*([:：]|=(?![=>]))(.*)$""")
_UNDERLINED = re.compile(r"(?:={3,}|-{3,}|~{3,})\s*$")  # a heading, in its second line
_ANNOUNCED = 400  # characters of what a chat says before it hands a file over
_PROSE = 4000  # characters in which a body's first paragraph stands
_FEWEST_WORDS = 4  # of a sentence that says what a skill is for
_WORD = re.compile(r"[^\W\d_]{2,}")
_UNPARTED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{6}")  # in scripts without spaces
_STOPS = (".", "!", "?", ":", ";", ",", "。", "！", "？", "：", "…")  # end no title
_ITEM = re.compile(r"[-*+•>]\s|\d+[.)]")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_NO_PROSE = re.compile(r"<!--.*?-->|^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |$)")  # that git could not merge

_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_PAIR = re.compile(r"(?<!\\)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_ESCAPE = re.compile(r"(?<!\\)\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")


class Parts(NamedTuple):
    """A front matter, the body, and the line of the file on which the front matter starts."""

    front: str
    body: str
    line: int


def decode(data: bytes, notes: list[str]) -> str:
    """Text of bytes that are UTF-8, UTF-16 or in an older encoding."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        place = data.find("description".encode(encoding))
        if data.startswith(mark) or (place >= 0 and place % 2 == 0):
            notes.append("it is UTF-16; save it as UTF-8")
            return data.decode(encoding, "replace").removeprefix("\ufeff")
    if not is_escaped(data):
        with suppress(UnicodeDecodeError):
            return data.decode("utf-8").lstrip("\ufeff\u200b")
        if is_mostly_utf8(data):
            notes.append("it is not UTF-8; unreadable characters were replaced")
            return data.decode("utf-8", "replace").lstrip("\ufeff")
    legacy = legacy_encoding(data)
    if legacy is None:
        notes.append(
            "it is not UTF-8 nor in a known encoding: letters may be wrong; save it as UTF-8"
        )
        return data.decode(LATIN, "replace")
    older = may_be_older(data, legacy)
    doubt = f", but it may be {older}: letters may be wrong" if older else ""
    notes.append(f"it is not UTF-8 (read as {name_of(legacy)}{doubt}); save it as UTF-8")
    return data.decode(legacy, "replace")


def drop_odd_characters(front: str, notes: list[str]) -> str:
    """Front matter without control characters, and without escapes of no or half a character.

    Of these libyaml makes an error, and PyYAML by itself what no UTF-8 can hold.
    """
    clean = _CONTROL.sub("", front)
    if clean != front:
        notes.append("it holds control characters; they were dropped")
    joined = _PAIR.sub(_character, clean)  # JSON writes a character in two halves; YAML does not
    whole = _ESCAPE.sub(_whole, joined)
    if whole != joined:
        notes.append("it holds an escape of no or half a character; it was replaced")
    return whole


def drop_conflict(front: str, line: int, notes: list[str]) -> str:
    """Front matter without the lines by which git marks what it could not merge.

    Args:
        front: The front matter.
        line: That of the file on which it starts.
        notes: Gets a remark if there are any.
    """
    lines = front.split("\n")
    marks = [number for number, text in enumerate(lines) if _CONFLICT.match(text)]
    if not any(lines[number].startswith("<") for number in marks):
        return front
    notes.append(
        f"git's conflict markers stand in its front matter, from line {line + marks[0]} on; it was"
        " read without them: resolve the conflict"
    )
    return "\n".join("" if number in marks else text for number, text in enumerate(lines))


def _character(pair: re.Match[str]) -> str:
    return chr(0x10000 + ((int(pair[1], 16) - 0xD800) << 10) + int(pair[2], 16) - 0xDC00)


def _whole(escape: re.Match[str]) -> str:
    code = int(escape[1] or escape[2], 16)
    return "\ufffd" if code > 0x10FFFF or 0xD800 <= code < 0xE000 else escape[0]


def first_paragraph(body: str) -> str:
    """The first paragraph of a body as one line, without headings, comments, code and pictures.

    One that is no sentence, as a title or a name, says less than the one below it.
    """
    found = ""
    for paragraph in _PARAGRAPH.split(_NO_PROSE.sub("", body[:_PROSE])):
        lines = _without_heading(paragraph.strip().split("\n"))
        text = " ".join(" ".join(lines).split())
        if text and text[0] not in "<|![" and not _FENCE.match(text) and not key_of(lines[0]):
            if found:
                return text if is_sentence(text) and not _ITEM.match(text) else found
            if len(lines) > 1 or is_sentence(text) or text.endswith(_STOPS):
                return text
            found = text
    return found


def is_sentence(text: str) -> bool:
    """Whether a text has the words of a sentence that says what something is for."""
    return len(_WORD.findall(text)) >= _FEWEST_WORDS or bool(_UNPARTED.search(text))


def _without_heading(lines: Sequence[str]) -> list[str]:
    """The lines of a paragraph without headings, also such as have a line below them, or around."""
    if len(lines) > 2 and _UNDERLINED.match(lines[0]) and lines[0][0] == lines[2][:1]:
        lines = lines[1:]
    if len(lines) > 1 and _UNDERLINED.match(lines[1]) and not lines[0].rstrip().endswith(_STOPS):
        lines = lines[2:]
    return [line for line in lines if not line.startswith("#")]


# --- where the front matter lies ---------------------------------------------------------------


def find_parts(text: str, notes: list[str]) -> Parts | None:
    """Front matter and body where they are not fenced as they should be; None if there is none."""
    as_written = text.replace("\ufeff", "").split("\n")  # a mark may stand below what was added
    lines = from_guise(_without_comments(as_written), notes)
    start = _start(lines)
    if start is None:
        lines = from_comment(as_written, notes)
        start = _start(lines)
    if start is None:
        return None
    opening = lines[start - 1].strip() if start else ""
    opened = bool(_FENCE.match(opening) or _CODE.match(opening))
    if opened and is_toml(lines[start : start + _ABOVE]):
        ends = (opening, opening[:3])
        close = next((n for n in range(start, len(lines)) if lines[n].strip() in ends), None)
        lines[start:close] = from_toml(lines[start:close])
    elif opened and (indent := lines[start - 1].partition(opening)[0]):
        lines = [line.removeprefix(indent) for line in lines]
    fence = _CODE if _CODE.match(opening) else _FENCE
    end, stray = _end(lines[: start + _LONGEST], start, fence)
    if end == start + _LONGEST:
        return None
    closed = end < len(lines) and bool(fence.match(lines[end]))
    above = lines[: start - opened]
    stray |= {number for number, line in enumerate(above) if _FENCE.match(line.strip())}
    if any(as_written[n].strip() for n in range(len(above)) if n not in stray):
        notes.append("something stands above its front matter; other clients may not find it")
    elif not opened:
        notes.append("its front matter is not opened by a line ---")
    if stray:
        notes.append(f"the stray line {lines[min(stray)].strip()[:20]!r} was passed over")
    if not closed:
        notes.append("its front matter is not closed by a line ---")
    front = ["" if number in stray else lines[number] for number in range(start, end)]
    kept = [ln for n, ln in enumerate(above) if n not in stray and not _CODE.match(ln.strip())]
    below = lines[end + closed :]
    if opened and above and _CODE.match(code := above[-1].strip()):  # around the whole file
        below = _without_last(below, code[:3])
    return Parts("\n".join(front), "\n".join([*kept, "", *below]), start + 1)


def _without_last(lines: list[str], fence: str) -> list[str]:
    """Lines without the last one that is nothing but a code fence."""
    fences = [n for n, text in enumerate(map(str.strip, lines)) if text and not text.strip(fence)]
    return [line for n, line in enumerate(lines) if n not in fences[-1:]]


def _without_comments(lines: Sequence[str]) -> list[str]:
    """The lines with those of comments above the front matter left empty: they hold no fields."""
    rest = list(lines)
    inside = False
    for number, line in enumerate(lines[:_FURTHEST]):
        text = line.strip()
        inside = inside or text.startswith("<!--")
        if not inside and text and not text.startswith("#"):
            break
        if inside:
            _, closed, behind = text.partition("-->")
            rest[number] = behind
            inside = not closed
    return list(lines) if inside else rest


def _start(lines: Sequence[str]) -> int | None:
    """The line on which the fields start: below a fence, however odd it is, or at the top."""
    filled = [number for number, line in enumerate(lines[:_FURTHEST]) if line.strip()][:_ABOVE]
    first: int | None = None
    headed = True  # nothing but headings stands above
    for place, number in enumerate(filled):
        line = lines[number].strip()
        below = lines[filled[place + 1]].strip() if place + 1 < len(filled) else ""
        named = key_of(below) in _NEEDED
        if _FENCE.match(line):  # or a rule, or the line below a heading
            if named:
                return number + 1
            first = number + 1 if place == 0 else first
        if key_of(line) in _NEEDED and (place == 0 or (headed and _describes(lines, number))):
            return number
        if _CODE.match(line):
            if place == 0 and named:  # a file that is one block of code from its first line on
                return number + 1
            if not _FENCE.match(below) or (place and not _is_answer(lines, number)):
                break  # what a block of code holds is an example
        underlined = _UNDERLINED.match(line) or _UNDERLINED.match(below)
        headed = headed and (line.startswith("#") or underlined is not None)
    return first


def _describes(lines: Sequence[str], start: int) -> bool:
    """Whether one of the fields that begin on a line is a description."""
    for line in lines[start : start + _ABOVE]:
        key = key_of(line)
        if key == "description":
            return True
        if line.strip() and not key and not line[0].isspace():
            return False
    return False


def _is_answer(lines: Sequence[str], number: int) -> bool:
    """Whether a block of code is a whole file as a chat hands it over: announced, and all there is.

    Args:
        lines: Of the file.
        number: The line on which the block begins.
    """
    above = "\n".join(lines[:number]).strip()
    if len(above) > _ANNOUNCED or "\n\n" in above or above.startswith("#") or "\n#" in above:
        return False
    fence = lines[number].strip()[:3]
    closing = (n for n in range(len(lines) - 1, number, -1) if lines[n].strip().startswith(fence))
    end = next(closing, len(lines))
    behind = [line for line in lines[end + 1 :] if line.strip()]
    described = "description" in map(key_of, lines[number + 2 : number + 2 + _ABOVE])
    headed = any(line.startswith("#") for line in behind)
    return described and not headed and 2 * len(behind) <= end - number


def _end(lines: Sequence[str], start: int, fence: re.Pattern[str]) -> tuple[int, set[int]]:
    """Where the fields end: at a fence or above the body; and fences that stand among them."""
    seen: set[str] = set()
    stray: set[int] = set()
    closed, quoted = -1, False  # above the fence on this line all is front matter
    for number in range(start, len(lines)):
        below = next((line for line in lines[number + 1 : number + 5] if line.strip()), "")
        if fence.match(lines[number]):
            key = key_of(below)
            goes_on = key in _NEEDED - seen or means(key, DISABLES_MODELS)
            if not key or ("description" in seen and not goes_on):
                return number, stray
            stray.add(number)
        elif "description" in seen and number > closed and _is_body(lines, number):
            closed = _closed_below(lines, number, fence, quoted=quoted)
            if closed < number:
                return number, stray
        key = key_of(lines[number])
        quoted |= key == "description" and lines[number].partition(":")[2].lstrip()[:1] in _MARKS
        seen.add(key)
    return len(lines), stray


def _closed_below(
    lines: Sequence[str], number: int, fence: re.Pattern[str], *, quoted: bool
) -> int:
    """The line of the fence that closes a front matter with prose in it; -1 if that is the body.

    A body has rules too, but below more than one paragraph, and no field right above them, nor one
    that the specification knows; what a block of code holds is an example. Where the description is
    `quoted`, a paragraph is no part of it.
    """
    known, last, paragraphs = False, False, 0
    for place in range(number, len(lines)):
        line = lines[place]
        if fence.match(line):
            return place if known or last or (paragraphs == 1 and not quoted) else -1
        if _CODE.match(line):
            return -1
        key = key_of(line)
        if means(key, DISABLES_MODELS):
            return place  # whether a fence follows or not
        known = known or key in _KNOWN or key in _SPECIFIED
        if line.strip() and not line[0].isspace() and not line.startswith("- "):
            last = bool(key) and line[0].islower()  # in prose too a line may begin with "word: "
        if line.startswith("#") or (line.strip() and not lines[place - 1].strip()):
            paragraphs += 1
    return -1


def _is_body(lines: Sequence[str], number: int) -> bool:
    """Whether a heading or an empty line is followed by what is neither field nor comment."""
    if lines[number].strip() and not lines[number].startswith("#"):
        return False
    headed = False
    for line in lines[number : number + 10]:
        if line.startswith("#"):
            headed = True
        elif line.strip():
            key = key_of(line)
            field = key in _NEEDED or (key and line[0].islower())
            return not (field or line[0].isspace() or _FENCE.match(line)) and (
                headed or not line.startswith("- ")
            )
    return headed


# --- what its fields are -----------------------------------------------------------------------


def key_of(line: str) -> str:
    """The key of a line `key: value`, in one spelling; empty if it has none.

    Where the key is one that matters, the space behind the colon may be missing, or `=` be there.
    """
    field = _FIELD.match(line)
    if field is None:
        return ""
    key = re.sub("[-_]", "", field[2]).lower()
    if key in _KNOWN or means(key, DISABLES_MODELS):
        return key
    parted = field[3] != "=" and (not field[4].strip() or field[4][0].isspace())
    return key if parted else ""


def entries_of(front: str) -> dict[str, str]:
    """The fields of the top level as they are written, by their keys; of several the last.

    One that is empty says nothing, so that an earlier one of its key stays.
    """
    found: dict[str, str] = {}
    for key, entry in listed_entries(front):
        if key not in found or (entry.strip() and not stays(key, found[key])):
            found[key] = entry
    return found


def listed_entries(front: str) -> list[tuple[str, str]]:
    """The fields of the top level as they are written, each key as often as it stands there.

    What belongs to a field is all that stands between its key and the next one. A description or
    name of whatever indentation is taken where there is none of the top level.
    """
    entries = _entries(front, deep=False)
    known = any(key_of(f"{key}:") == "description" for key, _ in entries)
    return entries if known else _entries(front, deep=True)


def _entries(front: str, *, deep: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, list[str]]] = []
    current: list[str] = []
    indent: str | None = None
    for line in front.split("\n"):
        key, field = key_of(line), _FIELD.match(line)
        # Who may start a skill is no part of another field, however its line is indented.
        mark = means(key, DISABLES_MODELS)
        top = field is not None and indent in (None, field[1])
        if key and field and (top or mark or (deep and key in _NEEDED)):
            indent = field[1] if indent is None and not mark else indent
            current = [field[4]]
            found.append((field[2], current))
        elif not line.startswith("#") and not _CONFLICT.match(line):
            current.append(line)
    return [(key, "\n".join(lines)) for key, lines in found]


def flat(value: object, depth: int = _DEPTH) -> str:
    """A field as one line of text, whatever its author made of it."""
    if not depth or value is None or value in ("null", "~"):
        return ""
    if isinstance(value, Mapping):
        return reduce(joined, (f"{k}: {flat(v, depth - 1)}" for k, v in value.items()), "")
    if isinstance(value, list):
        return "; ".join(flat(v, depth - 1).rstrip(".;, ") for v in value)
    return fold_lines(str(value).replace("\0", ""))
