"""Skills: listed, read, and written where that is allowed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from skillret.files import parse_json
from skillret.serving.http.auth import check
from skillret.serving.http.errors import RefusedError, documented
from skillret.serving.http.schemas import LibraryName, SkillPage, SkillText, skill_of
from skillret.serving.http.threads import Threads
from skillret.serving.libraries import DEFAULT
from skillret.serving.service import Service
from skillret.types import Where

__all__ = ["router"]


def router(service: Service, threads: Threads) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/skills", tags=["skills"], responses=documented(404))

    @routes.get("")
    async def skills(
        request: Request,
        library: LibraryName = DEFAULT,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
        name: Annotated[str, Query(description="What the names hold.", max_length=1024)] = "",
        where: Annotated[
            str | None, Query(description='JSON, as in /v1/search: {"tag": "x"}')
        ] = None,
    ) -> SkillPage:
        """The skills of a library, in the order in which they were added."""
        check(request, library)
        page = await threads.read(
            service.skills, library, limit=limit, after=after, name=name, where=_where(where)
        )
        return SkillPage(
            skills=[skill_of(skill) for skill in page.skills], next=page.next, total=page.total
        )

    @routes.get("/{id:path}")
    async def skill(
        request: Request,
        id: str,  # noqa: A002 (the name of the parameter)
        library: LibraryName = DEFAULT,
    ) -> SkillText:
        """A skill with its text."""
        check(request, library)
        found = await threads.read(service.skill, id, library)
        return SkillText(**skill_of(found).model_dump(), body=found.body)

    return routes


def _where(text: str | None) -> Where | None:
    if text is None:
        return None
    try:
        where = parse_json(text)
    except ValueError as e:
        raise RefusedError(422, f"where is no JSON: {e}") from None
    if not isinstance(where, dict):
        raise RefusedError(422, 'where takes an object, as {"tag": "x"}')
    return where
