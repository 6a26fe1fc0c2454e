"""Errors as JSON: one sentence that says what to do, and a type for programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from skillret.errors import (
    IndexBusyError,
    IndexCorruptError,
    InputError,
    MissingExtraError,
    SkillretError,
    StoreError,
)
from skillret.messages import printable
from skillret.serving.http.parameters import body_fields
from skillret.serving.http.schemas import Error
from skillret.serving.libraries import DamagedLibraryError, ReadOnlyError, UnknownLibraryError
from skillret.serving.service import UnknownSkillError

__all__ = ["RefusedError", "documented", "full", "install", "refusal", "reported", "told"]

_log = logging.getLogger("skillret.serve")
_RETRY_SECONDS = "1"
_MOST = 500  # characters of a sentence
_TYPES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    422: "invalid_fields",
    429: "too_many_requests",
    500: "internal_error",
    501: "not_installed",
    503: "unavailable",
    504: "timeout",
}
# The first class that fits, with the status and the type of its errors.
_KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (UnknownLibraryError, 404, "library_not_found"),
    (UnknownSkillError, 404, "skill_not_found"),
    (ReadOnlyError, 409, "read_only"),
    (InputError, 400, "invalid_request"),
    (MissingExtraError, 501, "not_installed"),
    (IndexBusyError, 503, "index_busy"),
    (IndexCorruptError, 503, "index_damaged"),
    (SkillretError, 503, "index_unavailable"),
    (OSError, 503, "index_unavailable"),
)
# What is told of faults that are not the caller's: the log has them with their paths.
_OURS = {
    "not_installed": "the server lacks a package that this needs; its log names it",
    "index_busy": "another writer is at work on this library: try again in a moment",
    "index_damaged": "the index of this library is damaged; the server's log says what to do",
    "index_unavailable": "this library can be neither read nor written now; the server's log says"
    " why",
}


_UNWRITABLE = "this library cannot be written now, and is as it was; the server's log says why"


class RefusedError(HTTPException):
    """A request that is refused, with a sentence that says what to send instead."""

    def __init__(
        self, status: int, sentence: str, kind: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, sentence, dict(headers or {}))
        self.kind = kind


def refusal(
    status: int,
    sentence: str,
    kind: str = "",
    headers: Mapping[str, str] | None = None,
    details: list[dict[str, Any]] | None = None,
) -> JSONResponse:
    """The answer to a request that is refused."""
    body = {
        "error": printable(sentence)[:_MOST],
        "error_type": kind or _TYPES.get(status, "error"),
    }
    if details:
        return JSONResponse({**body, "details": details}, status, headers)
    return JSONResponse(body, status, headers)


async def full(scope: Scope, receive: Receive, send: Send) -> None:
    """The application in whose hands a request is when there are too many connections."""
    sentence = "too many connections: try again in a second"
    headers = {"Connection": "close", "Retry-After": _RETRY_SECONDS}
    await refusal(503, sentence, "too_many_connections", headers)(scope, receive, send)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: which errors it may answer, beside those of all routes."""
    every = (400, 401, 403, 408, 413, 422, 429, 500, 503, 504)
    return {status: {"model": Error} for status in sorted({*every, *statuses})}


def install(app: FastAPI) -> None:
    """Let an application answer all errors alike."""
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(StarletteHTTPException)(_refused)
    app.exception_handler(SkillretError)(_failed)
    app.exception_handler(OSError)(_failed)
    app.exception_handler(Exception)(_unexpected)


async def _invalid(request: Request, e: RequestValidationError) -> JSONResponse:
    details = []
    for error in e.errors()[:20]:
        place = ".".join(str(part) for part in error["loc"])
        message = str(error["msg"]).removeprefix("Value error, ")
        if error["type"] == "model_attributes_type":
            message = "send a JSON object"
        if error["type"] == "extra_forbidden" and len(error["loc"]) == 2:
            fields = body_fields(request.scope.get("route"))
            message = f"no such field; there are {', '.join(fields)}"
        details.append({"at": place[:200], "message": message[:300]})
    if request.method in ("POST", "PUT") and any(d["at"] == "body" for d in details):
        kind = request.headers.get("content-type", "")
        if "json" not in kind:
            return refusal(415, "send JSON, with the header Content-Type: application/json")
        if e.body is None:
            return refusal(422, "there is no body: send a JSON object (see /docs)")
    sentence = "; ".join(f"{d['at']}: {d['message']}" for d in details[:3])
    return refusal(422, f"{sentence} (see /docs)", details=details)


async def _refused(_: Request, e: StarletteHTTPException) -> JSONResponse:
    sentence = str(e.detail)
    if e.status_code == 404 and sentence == "Not Found":
        sentence = "there is nothing here: /docs lists what can be asked"
    if e.status_code == 405:
        sentence = "this path does not take this method: /docs lists what can be asked"
    if e.status_code == 413:
        sentence = "the body is too large: send less at once"
    return refusal(e.status_code, sentence, getattr(e, "kind", ""), e.headers)


def told(e: Exception) -> str:
    """What is told of an error of skillret's to who asks: nothing of the server's own paths."""
    _, kind = _kind(e)
    if isinstance(e, DamagedLibraryError):
        return f"{e}; the server's log names its file"
    return _OURS.get(kind) or str(e)


def reported(e: Exception) -> str:
    """The same; the log has it in full, but for what to do at a command line."""
    if _kind(e)[1] in _OURS:
        full = e.what if isinstance(e, StoreError) else str(e)
        _log.error("%s", f"{e} ({e.fault})" if isinstance(e, DamagedLibraryError) else full)
    return told(e)


def _kind(e: Exception) -> tuple[int, str]:
    return next((s, k) for known, s, k in _KINDS if isinstance(e, known))


async def _failed(request: Request, e: Exception) -> JSONResponse:
    status, kind = _kind(e)
    sentence = reported(e)
    writes = request.method in ("PUT", "DELETE") or request.url.path == "/v1/skills"
    if kind == "index_unavailable" and writes:
        return refusal(status, _UNWRITABLE, kind)
    # A damaged index is mended by its owner, not by time.
    passing = status == 503 and kind != "index_damaged"
    headers = {"Retry-After": _RETRY_SECONDS} if passing else None
    return refusal(status, sentence, kind, headers)


async def _unexpected(_: Request, e: Exception) -> JSONResponse:
    # The server logs it with its traceback; whoever asked learns nothing of its inside.
    return refusal(500, "the server met an error of its own; its log says more")
