"""What a look at a library finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from skillret.skills import Library
from skillret.types import Skill

if TYPE_CHECKING:
    from skillret.retrieval import Retriever

__all__ = ["Examined", "Finding", "Level"]

# An `error` keeps a skill from working or may do harm, a `warning` makes it work worse.
Level: TypeAlias = Literal["error", "warning", "remark"]


class Finding(NamedTuple):
    """Something about a library that its owner should know. All texts may hold untrusted ones.

    Attributes:
        kind: What it is, as it is named to dismiss it: `overlap`, `attack-download`.
        level: How bad it is.
        skill: Name of the skill concerned; empty if it is about more than one.
        path: File or folder concerned, if there is one.
        line: In that file, from 1.
        message: What was found.
        remedy: What to do.
        dismissed: Why its owner has dismissed it; None if it counts.
    """

    kind: str
    level: Level
    skill: str
    path: str | None
    line: int | None
    message: str
    remedy: str
    dismissed: str | None = None


@dataclass(frozen=True)
class Examined:
    """What checks look at.

    Attributes:
        library: All skills.
        agents: By the name of an agent, the library as it sees it.
        retriever: On the same skills; None where nothing can be searched.
        cwd: The current folder.
        home: The home directory.
        progress: Called with the queries searched for so far and in all.
    """

    library: Library
    agents: Mapping[str, Library] = field(default_factory=dict)
    retriever: Retriever | None = None
    cwd: Path = field(default_factory=Path.cwd)
    home: Path = field(default_factory=Path.home)
    progress: Callable[[int, int], None] = lambda _, __: None

    @property
    def skills(self) -> list[Skill]:
        """The skills of the library."""
        return self.library.skills
