"""Two functions for a model, which any framework that takes Python functions as tools can use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from skillret.adapters.source import SkillSource
from skillret.errors import InputError
from skillret.messages import reveal
from skillret.skills.repair import decode
from skillret.types import Where

if TYPE_CHECKING:
    from skillret.adapters.source import Source

__all__ = ["INSTRUCTIONS", "SkillTools"]

_MOST_TEXT = 50_000  # characters that one call hands over
INSTRUCTIONS = (
    "Skills are folders of instructions for special tasks. When a task may have one, call"
    " search_skills with the user's request; if a skill fits, call load_skill with its id and work"
    " by what it says. If none fits, go on without."
)


class SkillTools:
    """Tools by which a model searches skills and reads them.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many skills a search returns at most.
        where: What their metadata must hold; see `Retriever.search`.
    """

    def __init__(self, source: Source, *, k: int = 5, where: Where | None = None) -> None:
        self._skills = SkillSource(source, k=k, where=where)

    @property
    def functions(self) -> list[Callable[..., Any]]:
        """The tools."""
        return [self.search_skills, self.load_skill]

    def search_skills(self, query: str) -> list[dict[str, Any]]:
        """Find the skills (folders of instructions) that fit a request.

        Call it before a task that may have one. `fits` says whether a skill seems to do what is
        asked or is merely near.

        Args:
            query: What is to be done, in the user's own words; the whole request.
        """
        hits, fitting = self._skills.look_up(query)
        return [
            {
                "id": hit.id,
                "name": hit.name,
                "description": hit.description[:1024],
                "fits": hit.id in fitting,
            }
            for hit in hits
        ]

    def load_skill(self, id: str, file: str = "SKILL.md") -> str:  # noqa: A002
        """Read the instructions of a skill that search_skills has found, or another of its files.

        Args:
            id: The id of the skill.
            file: SKILL.md, or a file that the instructions name.
        """
        skill = self._skills.get(id)
        if file != "SKILL.md":
            text = decode(self._skills.file(skill, file), [])
            if "\0" in text:
                raise InputError(f"{file!r} is no text")
            return reveal(text)[:_MOST_TEXT]
        files = self._skills.files(skill)
        text = skill.body[:_MOST_TEXT]
        return text + ("\n\nFurther files: " + ", ".join(files) if files else "")
