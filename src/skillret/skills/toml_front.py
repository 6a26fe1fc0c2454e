"""Front matter that someone wrote in TOML, as the lines of YAML that say the same."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["from_toml", "is_toml"]

_PAIR = re.compile(r"""^["']?([A-Za-z][\w-]*)["']?[ \t]*=(?![=>])[ \t]*""")
_TABLE = re.compile(r"^\[\[?[ \t]*[\w.\"'-][\w. \t\"'-]*\]\]?[ \t]*(?:#.*)?$")
_TEXT = re.compile(
    r"""^["']?([A-Za-z][\w-]*)["']?[ \t]*=[ \t]*"""
    r"""(\"{3}(?:[^"\\]|\\.|"(?!""))*\"{3}|'{3}(?:[^']|'(?!''))*'{3})[ \t]*(?:#[^\n]*)?$""",
    re.MULTILINE | re.DOTALL,
)


def is_toml(lines: Sequence[str]) -> bool:
    """Whether the first line that says something is `key = value`, perhaps below a `[table]`."""
    said = (text for line in lines if (text := line.strip()) and not text.startswith("#"))
    first = next((text for text in said if not _TABLE.match(text)), "")
    return _PAIR.match(first) is not None


def from_toml(lines: Sequence[str]) -> list[str]:
    """Lines of TOML as YAML has them, as many as before; broken ones by what each line says."""
    try:
        fields = _loads("\n".join(lines))
    except (ValueError, RecursionError):
        text = _TEXT.sub(_one_line, "\n".join(lines))
        return [_PAIR.sub(r"\1: ", _TABLE.sub("", line)) for line in text.split("\n")]
    if "description" not in fields:  # all of it is below `[skill]`
        inner = (v for v in fields.values() if isinstance(v, Mapping) and "description" in v)
        fields = {**fields, **next(inner, {})}
    found = [f"{json.dumps(k)}: {json.dumps(v, default=str)}" for k, v in fields.items()]
    return [*found, *[""] * (len(lines) - len(found))]


def _loads(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    fields: dict[str, Any] = tomllib.loads(text)
    return fields


def _one_line(field: re.Match[str]) -> str:
    """A field whose text stands in three quotation marks, and empty lines for those it had."""
    try:
        text = _loads(f"text = {field[2]}")["text"]
    except ValueError:
        text = field[2][3:-3]
    return f"{field[1]}: {json.dumps(text, ensure_ascii=False)}" + "\n" * field[0].count("\n")
