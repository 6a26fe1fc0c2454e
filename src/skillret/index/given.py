"""Skills as a caller gives them: checked, and known again by the hashes of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from skillret.errors import InputError
from skillret.skills import content_hash
from skillret.types import Skill

__all__ = ["details_hash", "skill_hash", "unique"]


def unique(skills: Iterable[Skill]) -> dict[str, Skill]:
    """The skills by id, without what no index keeps.

    Raises:
        InputError: If one is no skill, a field of it holds no text, or two have one id.
    """
    if isinstance(skills, str):
        raise InputError("skills are to be stored, not a text: give a list of Skill")
    wanted: dict[str, Skill] = {}
    for number, given in enumerate(skills, start=1):
        skill = _checked(given, number)
        if not skill.id:
            raise InputError(f"the skill {skill.name!r} has no id")
        if skill.id in wanted:
            raise InputError(f"two skills have the id {skill.id!r}; ids must be unique")
        wanted[skill.id] = replace(skill, extra={})
    return wanted


def _checked(given: object, number: int) -> Skill:
    """A skill whose fields are texts; a path may be a `Path`."""
    if not isinstance(given, Skill):
        kind = type(given).__name__
        raise InputError(f"number {number} of the skills is of type {kind}: make a Skill of it")
    if isinstance(given.path, os.PathLike):
        given = replace(given, path=os.fspath(given.path))
    for field in ("id", "name", "description", "body", "path", "shadowed_by"):
        value = getattr(given, field)
        optional = field in ("path", "shadowed_by") and value is None
        if not (optional or isinstance(value, str)):
            raise InputError(
                f"the {field} of the skill {given.id!r} (number {number}) is of type"
                f" {type(value).__name__}: it must be a text"
            )
    return given


def skill_hash(skill: Skill) -> str:
    """SHA-256 over what is encoded of a skill.

    Raises:
        InputError: If it holds half a character.
    """
    try:
        for text in (skill.id, skill.path or "", skill.shadowed_by or ""):
            text.encode("utf-8")
        return content_hash(skill)
    except UnicodeEncodeError:
        raise InputError(
            f"the skill {skill.id!r} holds half a character (a lone surrogate); clean its text"
        ) from None


def details_hash(skill: Skill) -> str:
    """SHA-256 over what is stored of a skill beside its text and its metadata."""
    parts: list[Any] = [skill.path, skill.aliases, skill.shadowed_by]
    if skill.user_only:  # all others have the hash that they had before this was known
        parts.append(True)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
