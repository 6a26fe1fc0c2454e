"""The routes of the page: its files, and what only it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from skillret.agents.log import logged, read_log
from skillret.serving.http.auth import Caller, check
from skillret.serving.http.errors import RefusedError, documented
from skillret.serving.http.json_route import StrictRoute
from skillret.serving.http.schemas import LibraryName
from skillret.serving.libraries import DEFAULT
from skillret.serving.page.background import Background
from skillret.serving.page.findings import findings
from skillret.serving.page.map import Drawn, draw
from skillret.serving.page.saved import load_map, save_map
from skillret.serving.security import PAGE_HEADERS
from skillret.serving.service import Service

__all__ = ["router"]

_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_MOST_DECISIONS = 500


class _File(NamedTuple):
    data: bytes
    kind: str


def router(service: Service) -> APIRouter:
    """The routes.

    Args:
        service: What the page shows.
    """
    routes = APIRouter(route_class=StrictRoute)
    static = _static()
    maps: Background[Drawn] = Background("map", lambda lib, old: _draw(service, lib, old))
    checks: Background[bytes] = Background("doctor", lambda lib, _: _examine(service, lib))

    @routes.get("/", include_in_schema=False)
    async def page() -> Response:
        return _sent(static["index.html"])

    @routes.get("/page/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in static:
            raise RefusedError(404, "the page has no such file")
        return _sent(static[name])

    @routes.get("/v1/map", tags=["page"], responses=_waiting("of the map"))
    async def map_(request: Request, library: LibraryName = DEFAULT) -> Response:
        """Where each skill of a library stands on its map; 202 while it is being drawn."""
        check(request, library)
        generation = await to_thread.run_sync(_generation, service, library)
        drawn = await to_thread.run_sync(maps.get, library, generation)
        if drawn is None:
            return _not_yet()
        headers = {"ETag": f'"{drawn.generation}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(drawn.document, media_type="application/json", headers=headers)

    @routes.get("/v1/doctor", tags=["page"], responses=_waiting("of the findings"))
    async def doctor(request: Request, library: LibraryName = DEFAULT) -> Response:
        """What is wrong with a library, and what to do; 202 while it is being looked at."""
        check(request, library)
        generation = await to_thread.run_sync(_generation, service, library)
        found = await to_thread.run_sync(checks.get, library, generation)
        return _not_yet() if found is None else Response(found, media_type="application/json")

    @routes.get("/v1/log", tags=["page"], responses=documented())
    async def log(
        request: Request, limit: int = Query(default=100, ge=1, le=_MOST_DECISIONS)
    ) -> dict[str, Any]:
        """What this machine's agents were told at their prompts, newest first."""
        check(request)
        if not (isinstance(request.user, Caller) and request.user.token.libraries is None):
            raise RefusedError(403, "the log is of all libraries: send a token that is for all")
        return await to_thread.run_sync(_log, limit)

    return routes


def _static() -> Mapping[str, _File]:
    """The page's files by name, read once."""
    found = {}
    for file in files("skillret.serving.page").joinpath("static").iterdir():
        kind = _KINDS.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = _File(file.read_bytes(), kind)
    return found


def _sent(file: _File) -> Response:
    return Response(file.data, media_type=file.kind, headers=PAGE_HEADERS)


def _waiting(what: str) -> dict[int | str, dict[str, Any]]:
    return {**documented(404), 202: {"description": f"The making {what} has begun; ask again."}}


def _not_yet() -> Response:
    return JSONResponse({"state": "working"}, 202, {"Retry-After": "1"})


def _generation(service: Service, library: str) -> str:
    with service.retriever(library) as retriever:
        return retriever.searcher().corpus.generation


def _draw(service: Service, library: str, before: Drawn | None) -> Drawn:
    with service.retriever(library) as retriever:
        known = load_map(retriever.searcher().corpus.generation)
        if known is not None:
            return known
        drawn = draw(retriever, before)
    save_map(drawn)
    return drawn


def _examine(service: Service, library: str) -> bytes:
    with service.retriever(library) as retriever:
        return json.dumps(findings(retriever, library)).encode()


def _log(limit: int) -> dict[str, Any]:
    entries = logged(read_log())
    named = [entry for entry in entries if entry.get("named")]
    followed = sum(any(skill["named"] for skill in entry["loaded"]) for entry in named)
    return {
        "entries": entries[::-1][:limit],
        "total": len(entries),
        "decisions_that_name": len(named),
        "followed": followed,
    }
