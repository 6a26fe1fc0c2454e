"""Marks that leave a skill's start to its user, read as a person would: what is in doubt, forbids.

A mark that is read as none lets a model start what its author kept from it, so a misspelt key
counts, and a value that nobody can read takes the safe side with a remark.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["DISABLES_MODELS", "forbids_models", "is_or_unclear", "means", "truth_of"]

DISABLES_MODELS = "disablemodelinvocation"  # the key as `means` compares it

_TRUE = frozenset({"true", "yes", "on", "y", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "0"})
_JOINTS = re.compile(r"[-_\s]")
_AROUND = " \t,;.\"'`"  # what is left behind a value in JSON, or in prose
_LETTERS = 3  # that a misspelt key may have more or fewer


def means(key: str, meant: str) -> bool:
    """Whether a key is the one that is meant, in whatever spelling, or close to it.

    Its first letter must be right: `enable` is close to `disable`, and `disallow` to `allow`.

    Args:
        key: As someone wrote it.
        meant: Small letters, without joints.
    """
    plain = _JOINTS.sub("", key).lower()
    if plain == meant:
        return True
    if plain[:1] != meant[:1] or abs(len(plain) - len(meant)) > _LETTERS:
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
