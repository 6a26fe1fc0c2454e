"""What stands beside a SKILL.md for Codex (`agents/openai.yaml`) on who may start the skill."""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillret.skills.frontmatter import BROKEN_YAML, parse_yaml
from skillret.skills.marks import ALLOWS_IMPLICIT, is_or_unclear, means, said_in
from skillret.skills.repair import decode, drop_odd_characters, flat

__all__ = ["forbids_implicit_use"]

_KEY = "allow_implicit_invocation"
_DOCUMENT = re.compile(r"^(?:---|\.\.\.)(?=\s|$)", re.MULTILINE)
_FIELD = re.compile(r"""\b([A-Za-z][\w-]*)["']?[ \t]*[:=][ \t]*([^\s,;{}#]*)""")
_LONGEST = 500  # characters of a line; more would take long


def forbids_implicit_use(data: bytes, notes: list[str]) -> bool:
    """Whether an `agents/openai.yaml` keeps models from starting the skill beside it.

    Args:
        data: The file's content.
        notes: Gets what has to be corrected.
    """
    text = drop_odd_characters(decode(data, []).replace("\0", ""), [])
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    forbidden = False
    for document in _DOCUMENT.split(text):
        for key, value in _said(document):
            if not value:
                continue
            if key != _KEY:
                notes.append(f"`{key}` was taken for `{_KEY}`; correct it")
            forbidden |= is_or_unclear(f"{_KEY}: {value}", value, False, notes)
    return forbidden


def _said(document: str) -> Iterator[tuple[str, str]]:
    """Keys that are `allow_implicit_invocation`, or meant for it, with their values."""
    try:
        yield from ((k, flat(v)) for k, v in said_in(parse_yaml(document), ALLOWS_IMPLICIT))
    except BROKEN_YAML:  # a tab, mostly: a line says the same to a person
        for line in document.split("\n"):
            for key, value in _FIELD.findall(line[:_LONGEST].partition("#")[0]):
                if means(key, ALLOWS_IMPLICIT):
                    yield key, flat(value)
