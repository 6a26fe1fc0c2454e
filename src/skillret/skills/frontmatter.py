"""One SKILL.md: front matter and body, read leniently as the Agent Skills specification asks.

A client warns about what breaks the rules and loads the skill all the same; only a skill with
no description or with front matter that is no YAML, even after one repair, is skipped.
Specification: https://agentskills.io/specification and /client-implementation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = [
    "MAX_DESCRIPTION",
    "MAX_FILE_BYTES",
    "MAX_FRONT_MATTER",
    "MAX_NAME",
    "ParsedSkill",
    "parse_skill",
]

MAX_NAME = 64
MAX_DESCRIPTION = 1024
MAX_FRONT_MATTER = 64 * 1024  # characters; real ones have a few hundred
MAX_FILE_BYTES = 1024 * 1024  # the rest of a longer file is not read

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)
# A top-level `key: value` with its continuation lines; not a block (| or >) or a comment.
_ENTRY = re.compile(r"^([A-Za-z][\w-]*):[ \t]+([^\s|>#].*(?:\n +.*)*)$", re.MULTILINE)

# The base loader makes nothing but strings, lists and mappings: stricter than the safe loader,
# and a name like 007 or a description like "yes" stays what its author wrote.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class ParsedSkill:
    """What one SKILL.md holds.

    Attributes:
        name: The front matter's name, or the folder's where it has none that is usable.
        description: Whitespace folded; never empty.
        body: The Markdown below the front matter, stripped.
        extra: The other front-matter fields.
    """

    name: str
    description: str
    body: str
    extra: Mapping[str, Any]


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
    front, body = _split(text)
    if front is None:
        return None, [*notes, body]
    try:
        fields = _load_yaml(front, notes)
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        return None, [*notes, f"the front matter is no valid YAML: {_one_line(e)}"]
    if fields is None:
        return None, [*notes, "the front matter is no list of `key: value` fields"]

    description = _text(fields.get("description"), "description", notes)
    if not description:
        return None, [*notes, "it has no description: add `description:` to the front matter"]
    if len(description) > MAX_DESCRIPTION:
        notes.append(
            f"the description has {len(description)} characters, the limit is {MAX_DESCRIPTION}"
        )
    name = _text(fields.get("name"), "name", notes)
    if not name:
        notes.append(f"it has no usable name; using that of its folder, {folder!r}")
        name = folder
    elif len(name) > MAX_NAME or not _NAME.fullmatch(name):
        notes.append(
            f"the name {name[:80]!r} breaks the rules (1-{MAX_NAME} of a-z, 0-9 and single hyphens)"
        )
    elif name != folder:
        notes.append(f"the name {name!r} differs from its folder's, {folder!r}")
    extra = {k: v for k, v in fields.items() if k not in ("name", "description")}
    return ParsedSkill(name[:1024], description, body.strip(), extra), notes


def _decode(data: bytes, notes: list[str]) -> str:
    """Text of any bytes: what is no UTF-8 is replaced and noted, NUL bytes are dropped."""
    if len(data) > MAX_FILE_BYTES:
        notes.append(f"only its first {MAX_FILE_BYTES // 1024} KiB are read")
        data = data[:MAX_FILE_BYTES]
        # A character cut in two at the limit is the limit's fault, not the file's.
        text = data.decode("utf-8", "ignore")
        if text.encode() not in (data, data[:-1], data[:-2], data[:-3]):
            text = data.decode("utf-8", "replace")
            notes.append("it is not UTF-8; unreadable characters were replaced")
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
        notes.append("it is UTF-16; save it as UTF-8")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("utf-8", "replace")
            notes.append("it is not UTF-8; unreadable characters were replaced")
    if "\0" in text:
        text = text.replace("\0", "")
        notes.append("it holds NUL bytes; they were dropped")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _split(text: str) -> tuple[str | None, str]:
    """Front matter and body; or None and the reason why there is no front matter."""
    if not text.strip():
        return None, "the file is empty"
    opening = _FENCE.match(text.lstrip("\n"))
    if opening is None:
        return None, "it has no front matter: the first line must be ---"
    rest = text.lstrip("\n")[opening.end() :]
    closing = _FENCE.search(rest)
    if closing is None:
        return None, "its front matter is not closed by a line ---"
    if closing.start() > MAX_FRONT_MATTER:
        return None, f"its front matter is longer than {MAX_FRONT_MATTER} characters"
    return rest[: closing.start()], rest[closing.end() :]


def _load_yaml(front: str, notes: list[str]) -> dict[str, Any] | None:
    try:
        data = _parse_yaml(front)
    except yaml.YAMLError:
        # The commonest fault by far: an unquoted value with a colon, or one that starts with a
        # character that means something to YAML. One repair, then give up.
        data = _parse_yaml(_ENTRY.sub(_quote, front))
        notes.append("a value that needs quotes had none; it was read as if it had")
    return data if isinstance(data, dict) else None


def _parse_yaml(text: str) -> Any:
    # Aliases let a few lines stand for billions; no front matter has a use for them.
    if "*" in text and any(
        isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, Loader=_Loader)
    ):
        raise ValueError("YAML aliases are not allowed in front matter")
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (the base loader builds only strings)


def _quote(entry: re.Match[str]) -> str:
    """One entry of the front matter, quoted if it is no YAML by itself."""
    try:
        yaml.load(entry[0], Loader=_Loader)  # noqa: S506
    except yaml.YAMLError:
        value = " ".join(entry[2].split()).replace("'", "''")
        return f"{entry[1]}: '{value}'"
    return entry[0]


def _text(value: object, key: str, notes: list[str]) -> str:
    """A field as one line of text; empty, with a note, if it is none."""
    if value is None or value in ("null", "~"):
        return ""
    if not isinstance(value, str):
        notes.append(
            f"`{key}` must be text, not a {'list' if isinstance(value, list) else 'mapping'}"
        )
        return ""
    return " ".join(value.replace("\0", "").split())


def _one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} (line {error.problem_mark.line + 2})"
    return " ".join(str(error).split())[:200] or type(error).__name__
