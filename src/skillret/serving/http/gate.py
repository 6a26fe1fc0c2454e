"""What every request passes before the application: names, limits, time, its line in the log."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skillret.serving.http.auth import is_public
from skillret.serving.http.errors import refusal
from skillret.serving.http.lifecycle import Lifecycle
from skillret.serving.http.logs import remarks
from skillret.serving.http.metrics import Metrics
from skillret.serving.security import is_allowed

__all__ = ["Gate", "Heads", "Observer"]

_log = logging.getLogger("skillret.serve.access")
_PATIENCE = 2.0  # seconds
_MOST_PASSED_OVER = 32 * 1024 * 1024  # bytes
_CHANGED = ("/v1/libraries", "/v1/skills")
_QUIET = frozenset({"/health", "/livez", "/readyz", "/metrics"})  # asked for all the time


class _Body:
    """Receives the body of a request, and knows whether all of it has arrived.

    Args:
        receive: From the server.
        whole: Whether there is nothing to receive.
    """

    def __init__(self, receive: Receive, whole: bool = False) -> None:
        self._receive, self.whole = receive, whole

    async def __call__(self) -> Message:
        """The next message."""
        message = await self._receive()
        self.whole = not message.get("more_body", False)
        return message


class Observer:
    """Counts requests and logs them, whatever comes of them.

    Args:
        app: What answers.
        metrics: What counts.
        log: Whether to log.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log: bool = True) -> None:
        self._app, self._metrics, self._logged = app, metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500
        told = Headers(scope=scope)
        has_body = "transfer-encoding" in told or told.get("content-length", "0") != "0"
        body = _Body(receive, whole=not has_body)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if not body.whole:  # or else the server would wait for the rest, for ever
                    headers["Connection"] = "close"
            await send(message)

        self._metrics.under_way.inc()
        try:
            await self._app(scope, body, watched)
        finally:
            self._metrics.under_way.dec()
            self._note(scope, status, time.perf_counter() - start)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # Its pattern, not the path: that has ids in it, and anyone could make up more.
        route = getattr(scope.get("route"), "path", "other")
        said = remarks(scope)
        self._metrics.requests.labels(scope["method"][:10], route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if said.get("empty"):
            self._metrics.empty.labels(route).inc(int(said["empty"]))
        if self._logged and scope["path"] not in _QUIET:
            client = scope.get("client") or ("",)
            fields = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(seconds * 1000, 2),
                "client": client[0],
                **said,
            }
            _log.info("request", extra={"fields": fields})


class Gate:
    """Lets through what is called by one of its names, is small enough, and finds a place.

    Args:
        app: What answers.
        metrics: What counts who was refused.
        allowed: Values of Host and of Origin, as `allowed_hosts` gives them; any if None.
        max_body: Bytes of a body that says its length.
        max_concurrent: Requests at once.
        timeout: Seconds for a request to arrive and be answered. A stream of events, which has no
            end, need only begin by then; it takes no place from there on, and ends with the server.
        lifecycle: Ends these.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        allowed: tuple[Sequence[str], Sequence[str]] | None,
        max_body: int,
        max_concurrent: int,
        timeout: float,
        lifecycle: Lifecycle,
    ) -> None:
        self._app, self._metrics, self._allowed = app, metrics, allowed
        self._lifecycle = lifecycle
        self._max_body, self._most, self._timeout = max_body, max_concurrent, timeout
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused is not None:
            if refused.status_code == 413:
                await _pass_over(receive)
            await refused(scope, receive, send)
        elif is_public(scope["path"]):
            await self._app(scope, receive, send)
        elif self._inside >= self._most:
            self._metrics.refused.inc()
            sentence = f"{self._most} requests are being answered already: try again in a second"
            await refusal(429, sentence, headers={"Retry-After": "1"})(scope, receive, send)
        else:
            await self._in_time(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._allowed is not None:
            hosts, origins = self._allowed
            if not is_allowed(headers.get("host", ""), hosts):
                return refusal(421, "this server is not called by that Host (see --allow-host)")
            if "origin" in headers and not is_allowed(headers["origin"], origins):
                return refusal(403, "pages of other origins may not ask this server")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._max_body:
            # The rest of the body may not be read: the connection cannot be used again.
            sentence = f"the body has more than {self._max_body:,} bytes: send less at once"
            return refusal(413, sentence, headers={"Connection": "close"})
        return None

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        started = stream = ended = False

        async def sending(message: Message) -> None:
            nonlocal started, stream, ended
            started, ended = True, not message.get("more_body", False)
            if message["type"] == "http.response.start":
                ended, stream = False, _is_stream(message)
            if stream and limit.deadline < math.inf:
                limit.deadline = math.inf
                self._inside -= 1
                self._lifecycle.hold(limit)
            await send(message)

        self._inside += 1
        try:
            with anyio.move_on_after(self._timeout) as limit:
                await self._app(scope, body, sending)
        finally:
            self._inside -= not stream
            self._lifecycle.release(limit)
        if limit.cancelled_caught and not started:
            await self._late(scope, body.whole)(scope, receive, send)
        elif stream and not ended:  # the server ends
            await send({"type": "http.response.body", "body": b""})

    def _late(self, scope: Scope, whole: bool) -> Response:
        headers: dict[str, Any] = {"Connection": "close"}
        if whole:
            sentence = f"no answer within {self._timeout:g} s: ask for less, or try again"
            if scope["method"] != "GET" and scope["path"].startswith(_CHANGED):
                # What has begun goes on.
                sentence += "; it may be done all the same, and to send it again does no harm"
            return refusal(504, sentence, headers=headers)
        return refusal(408, f"the body did not arrive within {self._timeout:g} s", headers=headers)


class Heads:
    """Answers HEAD wherever GET is answered: as that, without the body.

    Args:
        app: What answers GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        # GET of MCP is a stream that does not end.
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == "/mcp":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            scope["method"] = "HEAD"  # by which the server and the log go
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        try:
            await self._app(scope, receive, sending)
        finally:
            scope["method"] = "HEAD"


def _is_stream(start: Message) -> bool:
    """Whether an answer that begins is a stream of events (of MCP), which has no end."""
    kind = Headers(raw=list(start.get("headers", ()))).get("content-type", "")
    return kind.partition(";")[0].strip().lower() == "text/event-stream"


async def _pass_over(receive: Receive) -> None:
    """Read some of a body that nobody wants: who is still sending would not see an answer."""
    seen = 0
    with anyio.move_on_after(_PATIENCE):
        while seen < _MOST_PASSED_OVER:
            message = await receive()
            seen += len(message.get("body", b""))
            if not message.get("more_body", False):
                return
