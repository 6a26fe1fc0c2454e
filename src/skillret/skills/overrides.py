"""What Claude Code's `skillOverrides` say of single skills: turned off, or left to the user."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skillret.skills.walk import Root
from skillret.types import Skill

__all__ = ["Overrides", "overrides_in", "own_paths"]

_OFF, _USER_ONLY = "off", "user-invocable-only"


class Overrides(NamedTuple):
    """What is said of the skills of some places, by their names or those of their folders.

    Attributes:
        places: The folders, links resolved, whose skills it concerns.
        off: Names of skills that are turned off.
        user_only: Names of those that only the user may start.
    """

    places: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    user_only: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return bool(self.places and (self.off or self.user_only))

    def names(self, skill: Skill, roots: Sequence[Root]) -> set[str]:
        """What the places call a skill; nothing if it also lies in a place of somebody else.

        Args:
            skill: Of a library.
            roots: The library's. What the settings add is nobody's place.
        """
        found: set[str] = set()
        for path, root in own_paths(skill, roots, self.places):
            for name in (skill.name, Path(path).parent.name):
                found |= {name, f"{root.namespace}:{name}"}
        return found


def overrides_in(settings: Mapping[str, Any], places: Iterable[str]) -> Overrides:
    """What settings of Claude Code say of the skills in its places.

    Args:
        settings: As they hold in a folder.
        places: The places, links resolved. Skills of plugins are not concerned.
    """
    named = settings.get("skillOverrides")
    said = named if isinstance(named, dict) else {}
    off, user_only = (
        tuple(sorted(name for name, how in said.items() if how == what and "\0" not in name))
        for what in (_OFF, _USER_ONLY)
    )
    # Without any, an index is the same as ever.
    return Overrides(tuple(places), off, user_only) if off or user_only else Overrides()


def own_paths(
    skill: Skill, roots: Sequence[Root], places: Container[str]
) -> list[tuple[str, Root]]:
    """The paths of a skill in some places; none if it also lies in a place of somebody else.

    Args:
        skill: Of a library.
        roots: The library's. What the settings add is nobody's place.
        places: Folders, links resolved.
    """
    inside = [
        (path, root)
        for path in filter(None, (skill.path, *skill.aliases))
        if (root := _innermost(path, roots)) is not None and root.scope != "settings"
    ]
    return inside if all(str(root.path) in places for _, root in inside) else []


def _innermost(path: str, roots: Sequence[Root]) -> Root | None:
    """The root in which a path lies; one root may lie inside another one."""
    inside = [root for root in roots if path.startswith(f"{root.path}{os.sep}")]
    return max(inside, key=lambda root: len(str(root.path)), default=None)
