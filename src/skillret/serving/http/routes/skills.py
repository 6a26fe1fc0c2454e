"""Skills: listed, read, and written where that is allowed."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from skillret.files import parse_json
from skillret.serving.http.auth import check
from skillret.serving.http.errors import RefusedError, documented
from skillret.serving.http.json_route import StrictRoute
from skillret.serving.http.schemas import (
    MOST_SKILLS,
    LibraryName,
    SkillBatch,
    SkillFields,
    SkillPage,
    SkillText,
    StoredReply,
    skill_of,
)
from skillret.serving.http.threads import Threads
from skillret.serving.http.values import WhereFilter
from skillret.serving.libraries import DEFAULT
from skillret.serving.service import Service
from skillret.types import Skill, UpdateReport, Where

__all__ = ["router"]

_WHERE: TypeAdapter[Where] = TypeAdapter(WhereFilter)


def router(service: Service, threads: Threads) -> APIRouter:
    """The routes."""
    routes = APIRouter(
        route_class=StrictRoute, prefix="/v1/skills", tags=["skills"], responses=documented(404)
    )

    @routes.get("")
    async def skills(
        request: Request,
        library: LibraryName = DEFAULT,
        limit: Annotated[int, Query(ge=1, le=MOST_SKILLS)] = 100,
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
        format: Literal["json", "html"] = "json",  # noqa: A002
    ) -> SkillText:
        """A skill with its text, with `format=html` also as HTML that is safe to show."""
        check(request, library)
        found = await threads.read(service.skill, id, library)
        html = None
        if format == "html":
            html = await threads.read(_rendered, found.body)
        return SkillText(**skill_of(found).model_dump(), body=found.body, html=html)

    @routes.put("/{id:path}", responses={**documented(404, 409), 201: {"model": StoredReply}})
    async def put_skill(
        request: Request,
        response: Response,
        id: str,  # noqa: A002
        asked: SkillFields,
        library: LibraryName = DEFAULT,
    ) -> StoredReply:
        """Store a skill, in the place of the one of its id if there is one: 200, or else 201."""
        check(request, library, "write")
        report = await threads.write(library, service.put_all, [_skill(id, asked)], library)
        response.status_code = 201 if report.added else 200
        return _stored(report)

    @routes.post("", responses=documented(404, 409))
    async def put_skills(
        request: Request, asked: SkillBatch, library: LibraryName | None = None
    ) -> StoredReply:
        """Store skills, each in the place of the one of its id: all of them or none."""
        if library and asked.library and library != asked.library:
            raise RefusedError(
                422, f"library: {library!r} as a parameter, {asked.library!r} in the body; send one"
            )
        into = library or asked.library or DEFAULT
        check(request, into, "write")
        skills = [_skill(skill.id, skill) for skill in asked.skills]
        return _stored(await threads.write(into, service.put_all, skills, into))

    @routes.delete("/{id:path}", status_code=204, responses=documented(404, 409))
    async def delete_skill(
        request: Request,
        id: str,  # noqa: A002
        library: LibraryName = DEFAULT,
    ) -> None:
        """Remove a skill."""
        check(request, library, "write")
        await threads.write(library, service.remove, id, library)

    return routes


def _rendered(body: str) -> str:
    return str(import_module("skillret.serving.page.render").render(body))


def _skill(id_: str, fields: SkillFields) -> Skill:
    return Skill(
        id_,
        fields.name,
        fields.description,
        fields.body,
        metadata=fields.metadata,
        user_only=fields.user_only,
    )


def _stored(report: UpdateReport) -> StoredReply:
    return StoredReply(
        total=report.total,
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
    )


def _where(text: str | None) -> Where | None:
    if text is None:
        return None
    try:
        return _WHERE.validate_python(parse_json(text))
    except ValidationError as e:
        said = f"where: {e.errors()[0]['msg']}"
    except ValueError as e:
        said = f'where is no JSON ({e}); send such as {{"team": "billing"}}, percent-encoded'
    raise RefusedError(422, said)
