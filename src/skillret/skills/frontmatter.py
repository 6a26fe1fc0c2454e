"""One SKILL.md: front matter and body, read leniently as the Agent Skills specification asks.

A client warns about what breaks the rules and loads the skill all the same; only a skill whose
description nobody could read off the file is skipped. Where there is none, Claude Code takes the
first paragraph of the body (code.claude.com/docs/en/skills).
Specification: https://agentskills.io/specification and /client-implementation.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from skillret.skills.exclusion_fields import not_for
from skillret.skills.fields import (
    described,
    field,
    named,
    stands_twice,
    whole_description,
    written_as,
)
from skillret.skills.lines import joined
from skillret.skills.marks import DISABLES_MODELS, forbids_elsewhere, forbids_models, means, stays
from skillret.skills.quotes import plain, unparted
from skillret.skills.repair import (
    Parts,
    decode,
    drop_conflict,
    drop_odd_characters,
    entries_of,
    find_parts,
    first_paragraph,
    flat,
    is_sentence,
    key_of,
    listed_entries,
)

__all__ = [
    "BROKEN_YAML",
    "MAX_DESCRIPTION",
    "MAX_FILE_BYTES",
    "MAX_FRONT_MATTER",
    "MAX_NAME",
    "ParsedSkill",
    "parse_skill",
    "parse_yaml",
]

MAX_NAME = 64
MAX_DESCRIPTION = 1024
MAX_FRONT_MATTER = 64 * 1024  # characters; real ones have a few hundred, of others parts are read
MAX_FILE_BYTES = 1024 * 1024  # the rest of a longer file is not read

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KEY = re.compile(r"[a-z][a-z_-]*")
_ANY_KEY = re.compile(r"""^[ \t]*["']?([A-Za-z][\w-]*)["']?[ \t]*:""", re.MULTILINE)
_NEXT_LINE = re.compile(r"\n(?=\S)")
_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_UNUSUAL = (
    "its front matter is not fenced by lines --- with fields `name:` and `description:` between"
    " them; other clients may not read it"
)
_NO_FRONT_MATTER = "it has no front matter: the first line must be ---"
_NO_DESCRIPTION = "it has no description: add `description:` to the front matter"
_PARAGRAPH = "its first paragraph stands in, as in Claude Code; other clients skip it"
_BRACKETS = 2000
_LONGEST_FIELD = 4 * MAX_DESCRIPTION  # characters, of a front matter that is too long as a whole
_OWN = frozenset({"name", "description", "whentouse", DISABLES_MODELS})
_FIELDS = 100  # looked at one by one where they are no YAML together

# The base loader makes nothing but strings, lists and mappings: stricter than the safe loader,
# and a name like 007 or a description like "yes" stays what its author wrote.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
BROKEN_YAML = (yaml.YAMLError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class ParsedSkill:
    """What one SKILL.md holds.

    Attributes:
        name: The front matter's name, or the folder's where it has none that is usable.
        description: With `when_to_use` behind it, as agents show it, and what other fields say the
            skill is not for; whitespace folded, never empty.
        body: The Markdown below the front matter, stripped.
        extra: The other front-matter fields.
        user_only: Whether it forbids models to start it (`disable-model-invocation`).
    """

    name: str
    description: str
    body: str
    extra: Mapping[str, Any]
    user_only: bool = False


class _Front(NamedTuple):
    """The fields of a front matter, the front matter as it is written, and the body."""

    fields: Mapping[str, Any]
    written: str
    body: str


def parse_skill(data: bytes, folder: str) -> tuple[ParsedSkill | None, list[str]]:
    """Read the bytes of a SKILL.md.

    Args:
        data: The file's content, or its first `MAX_FILE_BYTES` and more.
        folder: Name of the skill's folder, which its name should equal.

    Returns:
        The skill, or None if it has to be skipped, and what was wrong, one line each; if it is
        skipped the last line is the reason.
    """
    notes: list[str] = []
    text = _decode(data, notes)
    front = _read(text, notes, cut=len(data) > MAX_FILE_BYTES)
    if isinstance(front, str):
        return None, [*notes, front]
    description = described(front.fields, front.written, notes)
    if not description:
        empty = written_as(front.fields)
        why = f"its `{empty}` is empty" if empty else "it has no description"
        notes.append(f"{why}: {_PARAGRAPH}")
        description = first_paragraph(front.body)[:MAX_DESCRIPTION]
    if len(description) > MAX_DESCRIPTION:
        notes.append(
            f"the description has {len(description)} characters, the limit is {MAX_DESCRIPTION}"
        )
    description = joined(description, not_for(front.fields))
    name = named(front.fields, notes)
    if not name:
        notes.append(f"it has no usable name; using that of its folder, {folder!r}")
        name = folder
    elif len(name) > MAX_NAME or not _NAME.fullmatch(name):
        notes.append(
            f"the name {name[:80]!r} breaks the rules (1-{MAX_NAME} of a-z, 0-9 and single hyphens)"
        )
    elif name != folder:
        notes.append(f"the name {name!r} differs from its folder's, {folder!r}")
    own = ("name", "description")
    extra = {k: v for k, v in front.fields.items() if key_of(f"{k}:") not in own}
    marks = {k: flat(v) for k, v in front.fields.items() if means(str(k), DISABLES_MODELS)}
    user_only = forbids_models(marks, notes)
    user_only = user_only or forbids_elsewhere(front.fields, front.written, notes)
    return ParsedSkill(name[:1024], description, front.body.strip(), extra, user_only), notes


def _decode(data: bytes, notes: list[str]) -> str:
    """Text of any bytes, up to the limit; NUL bytes are dropped."""
    if len(data) > MAX_FILE_BYTES:
        notes.append(f"only its first {MAX_FILE_BYTES // 1024} KiB are read")
        # A character cut in two at the limit is the limit's fault, not the file's.
        data = re.sub(rb"[\xc0-\xff]?[\x80-\xbf]{0,3}\Z", b"", data[:MAX_FILE_BYTES])
    text = decode(data, notes)
    if "\0" in text:
        text = text.replace("\0", "")
        notes.append("it holds NUL bytes; they were dropped")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(text: str, notes: list[str], *, cut: bool) -> _Front | str:
    """Front matter and body, as the specification has them or else as a person reads them."""
    parts, reason = _split(text, cut=cut)
    long = parts is not None and len(parts.front) > MAX_FRONT_MATTER
    if parts is not None and long and not reason:
        return _read_long(parts, reason, notes)
    if parts is not None and not long:
        said: list[str] = []
        try:
            fields = parse_yaml(parts.front)
        except BROKEN_YAML as e:
            reason = f"the front matter is no valid YAML: {_one_line(e, parts.line)}"
        else:
            if not isinstance(fields, dict):
                reason = "the front matter is no list of `key: value` fields"
            else:
                fields = whole_description(_settled(parts.front, fields, said), said)
                if flat(fields.get("description")) and not _goes_on(fields, parts.body):
                    notes += said
                    return _Front(fields, parts.front, parts.body)
    repairs: list[str] = []
    found = find_parts(text, repairs)
    if found is None or len(found.front) > MAX_FRONT_MATTER:
        if parts is not None and long:
            return _read_long(parts, reason, notes)
        # Bytes that are no sure text make no sentence.
        if reason == _NO_FRONT_MATTER and not notes and is_sentence(first_paragraph(text)):
            notes.append(reason)
            return _Front({}, "", text)
        return reason or _NO_DESCRIPTION
    front = _lenient(found, repairs)
    said = []
    if described(front.fields, front.written, said):
        notes += repairs or ([] if said else [_UNUSUAL])
        return front
    # Claude Code needs neither name nor description. A page between two rules has no such keys.
    keys = [str(key) for key in front.fields]
    fielded = not reason and any(_KEY.fullmatch(key) or key_of(f"{key}:") == "name" for key in keys)
    return front if fielded and first_paragraph(front.body) else reason or _NO_DESCRIPTION


def _goes_on(fields: Mapping[str, Any], body: str) -> bool:
    """Whether a stray fence stands between the description and the name, or what forbids models."""
    key = key_of(body.lstrip().partition("\n")[0])
    return (key == "name" and "name" not in fields) or means(key, DISABLES_MODELS)


def _split(text: str, *, cut: bool) -> tuple[Parts | None, str]:
    """Front matter and body; or the reason why there is none.

    Of a file that is cut before its front matter ends there are both.
    """
    if not text.strip():
        return None, "the file is empty"
    start = text.lstrip("\n")
    opening = _FENCE.match(start)
    if opening is None:
        return None, _NO_FRONT_MATTER
    rest = start[opening.end() :]
    closing = _FENCE.search(rest)
    # It begins with the end of the line of the fence.
    line = len(text) - len(start) + 1
    if closing is None and cut:
        return Parts(rest, "", line), (
            f"its front matter does not end within the first {MAX_FILE_BYTES // 1024} KiB, no more"
            " of which is read, and there is no description in them: shorten it"
        )
    if closing is None:
        return None, "its front matter is not closed by a line ---"
    return Parts(rest[: closing.start()], rest[closing.end() :], line), ""


def _read_long(parts: Parts, reason: str, notes: list[str]) -> _Front | str:
    """The shorter fields of a front matter that is too long for a parser.

    Args:
        parts: With what is read of it.
        reason: What to say where it has no description, if it is not there as a whole.
        notes: Gets a remark.
    """
    # What is odd about a part is no fault of the file.
    front = _lenient(parts._replace(front=_shorter(parts.front)), [])
    length = f"has {len(parts.front)} characters, more than {MAX_FRONT_MATTER}"
    if not described(front.fields, front.written, []):
        return reason or f"its front matter {length}, and no description: add `description:` to it"
    if reason:
        length = f"does not end within the first {MAX_FILE_BYTES // 1024} KiB"
    notes.append(
        f"its front matter {length}: it was read in part, name and description first; move long"
        " texts into the body"
    )
    return front


def _shorter(front: str) -> str:
    """A front matter with its short fields, and the start of those that matter."""
    kept: list[str] = []
    room = MAX_FRONT_MATTER
    entries = [*entries_of(front).items()]
    entries.sort(key=lambda entry: key_of(f"{entry[0]}:") not in _OWN)
    for key, entry in entries:
        most = _LONGEST_FIELD if key_of(f"{key}:") in _OWN else len(entry)
        if len(entry) <= _LONGEST_FIELD or key_of(f"{key}:") in _OWN:
            written = f"{key}:{entry[:most]}"
            if (room := room - len(written)) < 0:
                break
            kept.append(written)
    return "\n".join(kept)


def _settled(text: str, fields: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Fields of which none stands twice: the last of a key that is not empty, with a remark.

    Args:
        text: The front matter, whose YAML is valid.
        fields: As a parser reads it, which of two takes the last.
        notes: Gets the remarks.
    """
    if max(Counter(_ANY_KEY.findall(text)).values(), default=1) == 1:
        return fields
    node = yaml.compose(text, Loader=_Loader)
    written: dict[str, list[Any]] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        scalar = value.value if isinstance(value, yaml.ScalarNode) else None
        written.setdefault(str(key.value), []).append(scalar)
    settled = dict(fields)
    for key, texts in written.items():
        if len(texts) < 2:
            continue
        if texts[-1] is not None and not flat(texts[-1]):
            settled[key] = next((t for t in reversed(texts) if flat(t)), fields.get(key))
        settled[key] = next((t for t in texts if t and stays(key, t)), settled.get(key))
        notes.append(stands_twice(key, len(texts), flat(settled.get(key))))
    return settled


def parse_yaml(text: str) -> Any:
    """The strings, lists and mappings of a YAML text that someone else wrote.

    Raises:
        BROKEN_YAML: If it is no valid YAML, or would take very long.
    """
    if text.count("[") + text.count("{") > _BRACKETS:  # for which PyYAML alone takes half a minute
        raise ValueError("it has too many brackets")
    if "*" in text:
        _check_aliases(text)
    data = yaml.load(text, Loader=_Loader)  # noqa: S506 (the base loader builds only strings)
    if "\\" in text:  # without libyaml an escape may be half a character
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    return data


def _check_aliases(text: str) -> None:
    """Refuse aliases of anything but texts: a few lines of lists in lists stand for billions."""
    texts: dict[str, int] = {}
    others: set[str] = set()
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        anchor = getattr(event, "anchor", None)
        if anchor is None:
            continue
        if isinstance(event, yaml.AliasEvent):
            total += texts.get(anchor, 0)  # one without an anchor is refused by the loader
            if anchor in others or total > MAX_FRONT_MATTER:
                raise ValueError("YAML aliases are not allowed in front matter, but of short texts")
        elif isinstance(event, yaml.ScalarEvent):
            texts[anchor] = len(event.value)
        else:
            others.add(anchor)


def _mapping(data: object) -> dict[str, Any] | None:
    """Fields; also where each is an item of a list, or all are those of a single field."""
    if isinstance(data, list) and data and all(isinstance(d, dict) for d in data):
        data = {key: value for d in data for key, value in d.items()}
    if not isinstance(data, dict):
        return None
    inner = next((v for v in data.values() if isinstance(v, dict) and "description" in v), {})
    return data if field(data, "description") is not None or len(data) > 1 else {**inner, **data}


def _lenient(parts: Parts, notes: list[str]) -> _Front:
    """The fields of a front matter, one by one where they are no YAML together."""
    written = drop_conflict(drop_odd_characters(parts.front, notes), parts.line, notes)
    why, fields = "", {}
    try:
        read = parse_yaml(written)
        fields = _mapping(_settled(written, read, notes) if isinstance(read, dict) else read) or {}
    except BROKEN_YAML as e:
        why = f" ({_one_line(e, parts.line)})"
    if flat(field(fields, "description")):
        return _Front(fields, written, parts.body)
    bad = []
    for key, entry in [*entries_of(written).items()][:_FIELDS]:
        if flat(fields.get(key)):
            continue
        if key_of(f"{key}:") == "name":  # is one line: what stands below it is something else
            entry = _NEXT_LINE.split(entry)[0]
        entry = unparted(entry)
        try:
            fields[key] = parse_yaml(f"{key}: {entry}")[key]
        except (*BROKEN_YAML, TypeError, KeyError):
            fields[key] = ""
        if fields[key] in ("", None) and (text := plain(entry)) and not text.startswith("#"):
            fields[key] = text
            bad.append(f"`{key}`")
    counts = Counter(key for key, _ in listed_entries(written)) if why else Counter[str]()
    for key, count in counts.items():
        if count > 1 and key in fields:
            notes.append(stands_twice(key, count, flat(fields[key])))
    if not why and not bad:
        return _Front(fields, written, parts.body)
    message = f"the front matter is no valid YAML{why}; it was read field by field"
    if bad:
        message += f", {', '.join(bad[:5])} as plain text: mend it, or put it in quotes"
    notes.append(message)
    return _Front(fields, written, parts.body)


def _one_line(error: Exception, line: int) -> str:
    """An error of the YAML parser, whose text began on a line of the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem}, line {error.problem_mark.line + line}"
    return " ".join(str(error).split())[:200] or type(error).__name__
