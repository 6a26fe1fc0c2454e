"""Routes that read JSON as the rest of skillret does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from skillret.files import parse_json
from skillret.serving.http.errors import RefusedError
from skillret.serving.http.parameters import check_parameters

__all__ = ["JsonRoute", "StrictRoute"]


class _JsonRequest(Request):
    async def json(self) -> Any:
        """The body: neither nested without end, nor with NaN, nor with half a character."""
        try:
            return parse_json((await self.body()).decode("utf-8"))
        except ValueError as e:
            raise RefusedError(400, f"the body is no JSON: {e}", "invalid_json") from None


class JsonRoute(APIRoute):
    """A route whose requests are such."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's, with another way to read JSON."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle


class StrictRoute(JsonRoute):
    """One that refuses parameters which it does not know, too.

    Probes, and clients that were made for other services, may ask for more than there is.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As a `JsonRoute`'s, after a look at the parameters."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if self.include_in_schema:  # else a file of the page, linked to with more by anyone
                check_parameters(request, self)
            return await handler(request)

        return handle
