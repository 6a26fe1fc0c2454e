"""MCP at `/mcp`, over the default library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from skillret.retrieval import Retriever
from skillret.serving.http.auth import check
from skillret.serving.http.errors import RefusedError, refusal, reported
from skillret.serving.libraries import DEFAULT
from skillret.serving.mcp import OpenLater, create_server
from skillret.serving.service import Service

__all__ = ["Mounted", "add_mcp"]


class Mounted:
    """An MCP server within an application.

    Args:
        service: Whose default library it serves.
    """

    def __init__(self, service: Service) -> None:
        def opened() -> Retriever:
            with service.retriever() as retriever:  # which is never closed before all ends
                return retriever

        self.app = create_server(OpenLater(opened), tell=reported).streamable_http_app(
            json_response=True,
            stateless_http=True,
            # Names, tokens and sizes have been looked at by then.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this lasts it answers."""
        async with self.app.router.lifespan_context(self.app):
            yield


class _Checked:
    """Lets those in whose token is for the default library."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        try:
            check(Request(scope), DEFAULT)
        except RefusedError as e:
            await refusal(e.status_code, e.detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def add_mcp(app: FastAPI, service: Service) -> Mounted:
    """Serve MCP at `/mcp` too."""
    mounted = Mounted(service)
    (route,) = mounted.app.routes
    assert isinstance(route, Route)
    app.router.routes.append(Route("/mcp", _Checked(route.endpoint), include_in_schema=False))
    return mounted
