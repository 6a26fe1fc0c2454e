"""Haystack: a component that retrieves skills, and a store for its `SkillToolset`."""

from __future__ import annotations

import base64
import mimetypes
from typing import TYPE_CHECKING, Any

from skillret.adapters.source import SkillSource
from skillret.errors import InputError
from skillret.extras import require
from skillret.messages import reveal
from skillret.skills.repair import decode
from skillret.types import Skill, Where

if TYPE_CHECKING:
    from skillret.adapters.source import Source

try:
    from haystack import Document, component
    from haystack.dataclasses import FileContent, ImageContent
    from haystack.dataclasses.skill_info import SkillInfo
except ImportError:
    require("haystack", "the adapter for Haystack", ("haystack",))
    raise

__all__ = ["SkillRetriever", "SkillretStore"]

_NOT_SAVED = (
    "what searches an open library or a service is not saved with a pipeline: add it again, in"
    " code, to the pipeline that was loaded"
)


@component
class SkillRetriever:
    """Skills as documents: what a skill is for, or with `body` its instructions.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        top_k: How many at most.
        select: Only those that the query needs, perhaps none, instead of the nearest.
        where: What their metadata must hold; see `Retriever.search`.
        body: Hand over the instructions; of a service one more request for each skill.
    """

    def __init__(
        self,
        source: Source,
        top_k: int = 5,
        *,
        select: bool = False,
        where: Where | None = None,
        body: bool = False,
    ) -> None:
        self._skills = SkillSource(source, k=top_k, select=select, where=where)
        self._body = body

    def to_dict(self) -> dict[str, Any]:
        """A pipeline with it cannot be saved."""
        raise InputError(_NOT_SAVED)

    @component.output_types(documents=list[Document])
    def run(self, query: str, top_k: int | None = None) -> dict[str, Any]:
        """The skills for a query, best first.

        Args:
            query: The request in the user's own words.
            top_k: How many at most.
        """
        documents = [
            Document(
                id=hit.id,
                content=self._skills.text(hit, self._body),
                meta=self._skills.facts(hit),
                score=hit.score,
            )
            for hit in self._skills.find(query, top_k)
        ]
        return {"documents": documents}


class SkillretStore:
    """A `SkillStore` for `SkillToolset`, which names all the skills of its store to the model.

    So a store is made for one request, and lists the skills for that alone.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        query: The request in the user's own words; without it all skills are listed.
        k: How many are listed at most.
        select: Only those that the query needs, perhaps none, instead of the nearest.
        where: What their metadata must hold; see `Retriever.search`.
    """

    def __init__(
        self,
        source: Source,
        query: str | None = None,
        *,
        k: int = 5,
        select: bool = True,
        where: Where | None = None,
    ) -> None:
        self._skills = SkillSource(source, k=k, select=select, where=where)
        self._query = query

    def to_dict(self) -> dict[str, Any]:
        """It cannot be saved."""
        raise InputError(_NOT_SAVED)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SkillretStore:
        """It cannot be saved."""
        raise InputError(_NOT_SAVED)

    def list_skills(self) -> dict[str, SkillInfo]:
        """The skills by name."""
        found = self._skills.all() if self._query is None else self._skills.find(self._query)
        # Of equal names the first one counts, as it does when one is loaded.
        return {one.name: SkillInfo(one.name, one.description) for one in [*found][::-1]}

    def load_skill(self, name: str) -> tuple[str, list[str]]:
        """The instructions of a skill, and the names of its further files."""
        skill = self._named(name)
        return skill.body, sorted(self._skills.files(skill))

    def read_skill_file(self, name: str, path: str) -> str | ImageContent | FileContent:
        """A file of a skill."""
        skill = self._named(name)
        try:
            data = self._skills.file(skill, path)
        except InputError as e:
            raise FileNotFoundError(str(e)) from None
        kind = mimetypes.guess_type(path)[0] or ""
        if kind.startswith("image/"):
            return ImageContent(base64.b64encode(data).decode(), kind)
        if kind == "application/pdf":
            return FileContent(base64.b64encode(data).decode(), kind, path)
        return reveal(decode(data, []))

    def _named(self, name: str) -> Skill:
        try:
            return self._skills.named(name)
        except InputError as e:
            raise KeyError(str(e)) from None
