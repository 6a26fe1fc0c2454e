"""The application: routes, errors, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from fastapi import FastAPI
from starlette.middleware.authentication import AuthenticationMiddleware

from skillret._version import __version__
from skillret.serving.http import errors
from skillret.serving.http.auth import Bearer, Token
from skillret.serving.http.routes import search, skills
from skillret.serving.http.threads import Threads
from skillret.serving.service import Service

__all__ = ["Options", "create_app"]

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How a service is offered over HTTP.

    Attributes:
        tokens: Who may ask; everyone if there are none.
        page: Whether there is a page for people.
        max_body: Bytes of a request's body.
    """

    tokens: Sequence[Token] = ()
    page: bool = True
    max_body: int = 2 * _MB


def create_app(service: Service, options: Options | None = None) -> FastAPI:
    """An application that is ready to be served.

    Args:
        service: What it offers; closed when the application ends.
        options: How.
    """
    options = options or Options()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            service.close()

    app = FastAPI(
        title="skillret",
        version=__version__,
        summary="Finds the agent skills that fit a request.",
        lifespan=lifespan,
        max_body_size=options.max_body,
        redirect_slashes=False,
        redoc_url=None,
    )
    errors.install(app)
    app.add_middleware(AuthenticationMiddleware, backend=Bearer(options.tokens))
    threads = Threads()
    for module in (search, skills):
        app.include_router(module.router(service, threads))
    if options.page and find_spec("skillret.serving.page") is not None:
        from skillret.serving.page.routes import router as page

        app.include_router(page(service))
    return app
