"""Marks that leave a skill's start to its user, read as a person would: what is in doubt, forbids.

A mark that is read as none lets a model start what its author kept from it, so a misspelt key
counts, and a value that nobody can read takes the safe side with a remark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "ALLOWS_IMPLICIT",
    "DISABLES_MODELS",
    "forbids_elsewhere",
    "forbids_models",
    "is_or_unclear",
    "means",
    "said_in",
    "stays",
    "truth_of",
]

DISABLES_MODELS = "disablemodelinvocation"  # the key as `means` compares it
ALLOWS_IMPLICIT = "allowimplicitinvocation"  # Codex's key, of a policy beside the SKILL.md

_TRUE = frozenset({"true", "yes", "on", "y", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "0"})
_JOINTS = re.compile(r"[-_\s]")
_AROUND = " \t,;.\"'`"  # what is left behind a value in JSON, or in prose
_LETTERS = 3  # that a misspelt key may have more or fewer
_DEEPEST = 3  # of mappings in one another
_LINE = re.compile(r"""^[ \t]*(?:-[ \t]+)?["']?([da][\w-]*)["']?[ \t]*[:：=](.*)$""", re.M | re.I)


def means(key: str, meant: str) -> bool:
    """Whether a key is the one that is meant, in whatever spelling, or close to it.

    Its first letter must be right: `enable` is close to `disable`, and `disallow` to `allow`. So is
    `explicit` to `implicit`.

    Args:
        key: As someone wrote it.
        meant: Small letters, without joints.
    """
    plain = _JOINTS.sub("", key).lower()
    if plain == meant:
        return True
    if plain[:1] != meant[:1] or abs(len(plain) - len(meant)) > _LETTERS:
        return False
    if "explicit" in plain and "implicit" in meant:
        return False
    from difflib import get_close_matches  # seldom needed

    return bool(get_close_matches(plain, [meant], 1, 0.85))


def truth_of(text: str) -> bool | None:
    """Yes or no, also with a comma, a comment or half a quote behind it; None if it is neither."""
    word = text.partition(" #")[0].strip(_AROUND).lower()
    return True if word in _TRUE else False if word in _FALSE else None


def forbids_models(fields: Mapping[str, str], notes: list[str]) -> bool:
    """Whether `disable-model-invocation` leaves a skill's start to its user.

    Args:
        fields: Texts of a front matter by their keys; empty ones say nothing.
        notes: Gets what has to be corrected.
    """
    forbidden = False
    for key, text in fields.items():
        if not text or not means(key, DISABLES_MODELS):
            continue
        if _JOINTS.sub("", key).lower() != DISABLES_MODELS:
            notes.append(f"`{key}` was taken for `disable-model-invocation`; correct it")
        forbidden |= is_or_unclear(f"disable-model-invocation: {text}", text, True, notes)
    return forbidden


def forbids_elsewhere(fields: Mapping[str, Any], written: str, notes: list[str]) -> bool:
    """Whether a mark plainly forbids where other clients may not look: in a field, or on a line.

    Validators that know few fields have authors put others under `metadata`, some keep Codex's
    policy in the same file, and whatever a parser makes of a line, a person reads it.

    Args:
        fields: Of the front matter.
        written: The front matter as it is written.
        notes: Gets what has to be corrected.
    """
    if _plainly(fields, written, DISABLES_MODELS, True):
        notes.append(
            "`disable-model-invocation` stands where other clients may not find it; models may not"
            " start the skill: make it one field of the front matter's top level, with a colon"
        )
        return True
    if _plainly(fields, written, ALLOWS_IMPLICIT, False):
        notes.append(
            "`allow_implicit_invocation` stands in the front matter, where no client looks for it;"
            " models may not start the skill: write `disable-model-invocation: true`, and for Codex"
            " a policy in agents/openai.yaml"
        )
        return True
    return False


def _plainly(fields: Mapping[str, Any], written: str, meant: str, forbids: bool) -> bool:
    """Whether a mark has the value that forbids, in any field or on a line."""
    deep = (value for _, value in said_in(fields, meant) if isinstance(value, str))
    lines = (line[2] for line in _LINE.finditer(written) if means(line[1], meant))
    return any(truth_of(text) is forbids for texts in (deep, lines) for text in texts)


def said_in(value: Any, meant: str, deep: int = 0) -> Iterator[tuple[str, Any]]:
    """The keys that are meant in a mapping, and in mappings and lists in it, with their values."""
    if isinstance(value, list) and deep < _DEEPEST:
        for item in value:
            yield from said_in(item, meant, deep + 1)
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if isinstance(key, str) and means(key, meant):
            yield key, inner
        elif deep < _DEEPEST:
            yield from said_in(inner, meant, deep + 1)


def stays(key: str, text: str) -> bool:
    """Whether of two texts of a key the first one counts: as of two keys, what forbids."""
    return bool(text.strip()) and means(key, DISABLES_MODELS) and truth_of(text) is not False


def is_or_unclear(written: str, text: str, forbids: bool, notes: list[str]) -> bool:
    """Whether a value is the one that forbids, or none that can be read.

    Args:
        written: What remarks show.
        text: The value.
        forbids: Which one leaves the start to the user.
        notes: Gets what has to be corrected.
    """
    said = truth_of(text)
    shown = f"`{written[:80]}`"
    if said is None:
        notes.append(
            f"{shown} is neither true nor false; models may not start the skill: correct it"
        )
        return True
    if text.lower() not in _TRUE | _FALSE and said is forbids:
        notes.append(f"{shown} was read as {str(said).lower()}; correct it")
    return said is forbids
