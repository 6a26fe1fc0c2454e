"""What a user or a project has set: nothing, until there are settings to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings", "load_settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set.

    Attributes:
        roots: Folders with skills, besides the usual places.
        hide: Names of skills, or glob patterns of names, that are left out of the usual places.
        agents: Only the places of these agents count; all if empty.
    """

    roots: tuple[Path, ...] = ()
    hide: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


def load_settings(cwd: Path | None = None, home: Path | None = None) -> Settings:
    """The settings that hold in a folder."""
    return Settings()
