"""The application: routes, errors, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from skillret._version import __version__
from skillret.serving.http import errors
from skillret.serving.http.auth import DOCS_FILES, Bearer, Token, is_public, unauthorized
from skillret.serving.http.gate import Gate, Heads, Observer
from skillret.serving.http.lifecycle import Lifecycle
from skillret.serving.http.mcp import add_mcp
from skillret.serving.http.metrics import Metrics
from skillret.serving.http.routes import libraries, models, search, skills, status
from skillret.serving.http.threads import Threads
from skillret.serving.page import routes as page
from skillret.serving.service import Service

__all__ = ["Options", "create_app"]

_MB = 1024 * 1024
_BEARER = "HTTPBearer"  # as FastAPI names it


@dataclass(frozen=True, slots=True)
class Options:
    """How a service is offered over HTTP.

    Attributes:
        tokens: Who may ask; everyone if there are none.
        allowed: Values of the headers Host and Origin, as `allowed_hosts` gives them; any if None.
        page: Whether there is a page for people.
        max_body: Bytes of a request's body.
        max_concurrent: Requests that are answered at once; the others are sent away.
        timeout: Seconds for a request to arrive and be answered.
        log_requests: Whether each request has a line in the log.
        log_queries: Whether it says what was asked.
    """

    tokens: Sequence[Token] = ()
    allowed: tuple[Sequence[str], Sequence[str]] | None = None
    page: bool = True
    max_body: int = 2 * _MB
    max_concurrent: int = 256
    timeout: float = 30.0
    log_requests: bool = True
    log_queries: bool = False


def create_app(service: Service, options: Options | None = None) -> FastAPI:
    """An application that is ready to be served.

    Args:
        service: What it offers; closed when the application ends.
        options: How.
    """
    options = options or Options()
    threads, metrics = Threads(), Metrics(service)
    state = Lifecycle(service, threads)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            stack.callback(service.close)
            await stack.enter_async_context(mcp.running())
            await stack.enter_async_context(state.running())
            yield {"skillret": state}

    app = FastAPIOffline(  # /docs loads nothing from elsewhere
        static_url=DOCS_FILES,
        title="skillret",
        version=__version__,
        summary="Finds the agent skills that fit a request.",
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        middleware=[
            Middleware(Observer, metrics=metrics, log=options.log_requests),
            Middleware(
                Gate,
                metrics=metrics,
                allowed=options.allowed,
                max_body=options.max_body,
                max_concurrent=options.max_concurrent,
                timeout=options.timeout,
                lifecycle=state,
            ),
            Middleware(
                AuthenticationMiddleware, backend=Bearer(options.tokens), on_error=unauthorized
            ),
            Middleware(RequestBodyLimitMiddleware, max_body_size=options.max_body),
            Middleware(Heads),
        ],
    )
    errors.install(app)
    routers = [
        search.router(service, threads, metrics, log_queries=options.log_queries),
        skills.router(service, threads),
        libraries.router(service, threads),
        models.router(service, threads, metrics),
        status.router(service, threads, metrics, state, options.max_body),
        *([page.router(service)] if options.page else ()),
    ]
    for routes in routers:
        app.include_router(routes)
    app.openapi = partial(_documented, app)  # type: ignore[method-assign]
    mcp = add_mcp(app, service)
    return app


def _documented(app: FastAPI) -> dict[str, Any]:
    """What `/openapi.json` says: as FastAPI's, and where a token is asked for.

    A dependency would say it too, and run before each request for nothing else.
    """
    known = app.openapi_schema is not None
    document = FastAPI.openapi(app)
    if not known:
        document["components"]["securitySchemes"] = {_BEARER: {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            for operation in () if is_public(path) else operations.values():
                operation["security"] = [{_BEARER: []}]
    return document
