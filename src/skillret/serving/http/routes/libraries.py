"""Libraries: many teams, one server."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from skillret.serving.http.auth import check, may_see
from skillret.serving.http.errors import documented
from skillret.serving.http.json_route import StrictRoute
from skillret.serving.http.schemas import Library, LibraryList, LibraryName
from skillret.serving.http.threads import Threads
from skillret.serving.service import Service

__all__ = ["router"]


def router(service: Service, threads: Threads) -> APIRouter:
    """The routes."""
    routes = APIRouter(
        route_class=StrictRoute, prefix="/v1/libraries", tags=["libraries"], responses=documented()
    )

    async def counts(name: str) -> Library:
        return Library(**(await threads.read(service.counts, name))._asdict())

    @routes.get("")
    async def libraries(request: Request) -> LibraryList:
        """The libraries that the caller's token is for."""
        names = await threads.read(service.libraries.names)
        return LibraryList(libraries=[name for name in names if may_see(request, name)])

    @routes.get("/{name}", responses=documented(404))
    async def library(request: Request, name: LibraryName) -> Library:
        """What a library holds."""
        check(request, name)
        return await counts(name)

    @routes.put("/{name}", responses={**documented(), 201: {"model": Library}})
    async def create(request: Request, response: Response, name: LibraryName) -> Library:
        """Make an empty library: 201; 200 if it is there already, and as it is."""
        check(request, name, "write")
        made = await threads.write(name, service.libraries.create, name)
        response.status_code = 201 if made else 200
        return await counts(name)

    @routes.delete("/{name}", status_code=204, responses=documented(404, 409))
    async def delete(request: Request, name: LibraryName) -> None:
        """Delete a library and all its skills."""
        check(request, name, "write")
        await threads.write(name, service.libraries.delete, name)

    return routes
