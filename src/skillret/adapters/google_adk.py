"""Google ADK: a registry for its `SkillToolset`, which gives an agent a tool `search_skills`."""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from skillret.adapters.source import SkillSource
from skillret.extras import require
from skillret.types import Where

if TYPE_CHECKING:
    from skillret import types
    from skillret.adapters.source import Source

try:
    from google.adk.skills import Frontmatter, Resources, Script, Skill, SkillRegistry
except ImportError:
    require("google-adk", "the adapter for Google ADK", ("google.adk",))
    raise

__all__ = ["SkillretRegistry"]

_MOST_NAME = 64  # characters that ADK takes
_MOST_DESCRIPTION = 1024


class SkillretRegistry(SkillRegistry):
    """Skills by search: `SkillToolset(registry=SkillretRegistry(retriever))`.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many skills a search returns at most.
        where: What their metadata must hold; see `Retriever.search`.
    """

    def __init__(self, source: Source, *, k: int = 5, where: Where | None = None) -> None:
        self._skills = SkillSource(source, k=k, where=where, name=_name)

    async def search_skills(self, *, query: str) -> list[Frontmatter]:
        """The skills that fit a request, then those that are merely near."""
        hits, _ = await asyncio.to_thread(self._skills.look_up, query)
        by_name = {hit.name: hit for hit in reversed(hits)}  # of equal names the best one counts
        return [_front(hit) for hit in hits if by_name[hit.name] is hit]

    async def get_skill(self, *, name: str) -> Skill:
        """A skill with its instructions and files."""
        return await asyncio.to_thread(self._read, name)

    def search_tool_description(self) -> str:
        """What a model is told of the search."""
        return (
            "Finds the skills (folders of instructions) that fit a request, best first. Call it"
            " with the user's whole request before a task that may have one. Load a skill only if"
            " its description says that it does what is asked; if none does, go on without."
        )

    def _read(self, name: str) -> Skill:
        skill = self._skills.named(name)
        folders: dict[str, dict[str, str | bytes]] = {"references": {}, "assets": {}, "scripts": {}}
        for file in self._skills.files(skill):
            folder, _, rest = file.partition("/")
            if rest and folder in folders:
                folders[folder][rest] = _text(self._skills.file(skill, file))
        scripts = folders.pop("scripts").items()
        return Skill(
            frontmatter=_front(skill),
            instructions=skill.body,
            resources=Resources(
                references=folders["references"],
                assets=folders["assets"],
                scripts={file: Script(src=src) for file, src in scripts if isinstance(src, str)},
            ),
        )


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _front(found: types.Hit | types.Skill) -> Frontmatter:
    # By keys of its own ADK gives a skill more tools, and the session's state. Authors may not.
    metadata = {k: v for k, v in found.metadata.items() if not k.startswith("adk_")}
    description = found.description[:_MOST_DESCRIPTION] or found.name
    return Frontmatter(name=found.name, description=description, metadata=metadata)


def _name(name: str) -> str:
    """A name as ADK takes it: a-z, 0-9 and single hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    kebab = "-".join(re.findall("[a-z0-9]+", plain))[:_MOST_NAME].strip("-")
    return kebab or f"skill-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
