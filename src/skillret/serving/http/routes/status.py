"""How the server is; everyone may ask, nothing of any library's content is told."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from skillret._version import __version__
from skillret.serving.http.errors import refusal
from skillret.serving.http.lifecycle import Lifecycle
from skillret.serving.http.metrics import Metrics
from skillret.serving.http.schemas import MOST_HITS, Error
from skillret.serving.http.threads import Threads
from skillret.serving.service import Service

__all__ = ["router"]


class Info(BaseModel):
    """What the server is."""

    name: str = "skillret"
    version: str = __version__
    model_id: str
    dimension: int
    max_document_tokens: int
    max_k: int = MOST_HITS
    max_body: int
    uptime_s: float


def router(
    service: Service, threads: Threads, metrics: Metrics, state: Lifecycle, max_body: int
) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["status"])
    unready: dict[int | str, dict[str, Any]] = {503: {"model": Error}}

    @routes.get("/info", responses=unready)
    async def info() -> Info:
        """The server, its model and its limits."""
        profile = (await threads.read(lambda: service.encoder)).profile
        return Info(
            model_id=profile.name,
            dimension=profile.dim,
            max_document_tokens=profile.max_document_tokens,
            max_body=max_body,
            uptime_s=round(time.monotonic() - state.started, 1),
        )

    @routes.get("/health")
    @routes.get("/livez")
    async def health() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "ok"}

    @routes.get("/readyz", responses=unready, response_model=None)
    async def ready(_: Request) -> Response:
        """Whether requests are answered now: not yet, or not any more, is 503."""
        reason = state.unready() or await threads.look(state.unsearchable)
        if reason:
            return refusal(503, reason, "not_ready", {"Retry-After": "1"})
        return JSONResponse({"status": "ok"})

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def all_metrics() -> Response:
        """For Prometheus."""
        return Response(await threads.look(metrics.text), media_type=metrics.content_type)

    return routes
