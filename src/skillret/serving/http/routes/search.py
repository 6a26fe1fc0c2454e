"""Searches, selections and decisions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request

from skillret.serving.batching import Batches
from skillret.serving.http.auth import check
from skillret.serving.http.errors import documented
from skillret.serving.http.json_route import StrictRoute
from skillret.serving.http.logs import remark
from skillret.serving.http.metrics import Metrics
from skillret.serving.http.schemas import (
    BatchReply,
    NamedSkill,
    NearHit,
    QueryHits,
    RouteReply,
    RouteRequest,
    SearchReply,
    SearchRequest,
    SelectReply,
    SelectRequest,
    hit_fields,
    hit_of,
)
from skillret.serving.http.threads import Threads, is_left
from skillret.serving.service import Found, Selected, Service
from skillret.types import Mode

__all__ = ["router"]


class _Choice(NamedTuple):
    """What else than the query decides on a selection."""

    library: str
    limit: int | None
    where: str
    explain: bool
    near: int


class _Kind(NamedTuple):
    """What queries have in common that are searched for together."""

    library: str
    mode: Mode
    k: int
    where: str
    explain: bool


def router(
    service: Service, threads: Threads, metrics: Metrics, *, log_queries: bool = False
) -> APIRouter:
    """The routes."""
    routes = APIRouter(
        route_class=StrictRoute, prefix="/v1", tags=["search"], responses=documented(404)
    )

    def search_together(kind: _Kind, queries: Sequence[str]) -> Found:
        return service.search(
            queries,
            kind.k,
            library=kind.library,
            mode=kind.mode,
            where=json.loads(kind.where),
            explain=kind.explain,
            left=is_left,
        )

    async def search_all(kind: _Kind, queries: Sequence[str]) -> list[Found]:
        metrics.batches.observe(len(queries))
        found = await threads.read(search_together, kind, queries)
        return [found._replace(hits=[hits]) for hits in found.hits]

    def said(request: Request, query: str | list[str]) -> None:
        if log_queries:
            remark(request, query=query)

    # As many at once as there are processors: what follows the encoder runs on one of them.
    processors = os.cpu_count() or 1
    batches: Batches[_Kind, Found] = Batches(search_all, most=16, at_once=processors)

    async def select_all(kind: _Choice, queries: Sequence[str]) -> list[Selected]:
        where = json.loads(kind.where)
        return [
            await threads.read(service.select, query, **{**kind._asdict(), "where": where})
            for query in queries
        ]

    # One by one, as each is several searches; who asks the same gets the same.
    selections: Batches[_Choice, Selected] = Batches(select_all, most=1, at_once=processors)

    @routes.post("/search")
    async def search(request: Request, asked: SearchRequest) -> SearchReply | BatchReply:
        """The best skills for a query, best first; or for each of several."""
        start = time.perf_counter()
        check(request, asked.library)
        where = json.dumps(asked.where, sort_keys=True)
        kind = _Kind(asked.library, asked.mode, asked.k, where, asked.explain)
        if asked.query is not None:
            said(request, asked.query)
            found = await batches.ask(kind, asked.query)
            hits = [hit_of(hit) for hit in found.hits[0]]
            remark(request, hits=len(hits), empty=not hits)
            return SearchReply(
                query=asked.query,
                mode=asked.mode,
                model=found.model,
                library=asked.library,
                generation=found.generation,
                took_ms=_since(start),
                hits=hits,
            )
        queries = asked.queries or []
        said(request, queries)
        found = await threads.read(search_together, kind, queries)
        pairs = list(zip(queries, found.hits, strict=True))
        counts = list(map(len, found.hits))
        remark(request, hits=sum(counts), empty=counts.count(0))
        return BatchReply(
            mode=asked.mode,
            model=found.model,
            library=asked.library,
            generation=found.generation,
            took_ms=_since(start),
            results=[QueryHits(query=query, hits=list(map(hit_of, own))) for query, own in pairs],
        )

    @routes.post("/select")
    async def select(request: Request, asked: SelectRequest) -> SelectReply:
        """The skills that an agent would be handed: as many as the query needs, or none."""
        start = time.perf_counter()
        check(request, asked.library)
        said(request, asked.query)
        where = json.dumps(asked.where, sort_keys=True)
        kind = _Choice(asked.library, asked.limit, where, asked.explain, asked.near)
        selected = await selections.ask(kind, asked.query)
        selection = selected.selection
        remark(request, hits=len(selection), empty=selection.abstained)
        return SelectReply(
            query=asked.query,
            need=selection.need,
            threshold=selected.threshold,
            abstained=selection.abstained,
            missing=list(selection.missing),
            hits=[hit_of(hit) for hit in selection],
            for_user=[hit_of(hit) for hit in selection.for_user],
            near=[
                NearHit(**hit_fields(near.hit), selected=near.selected, reason=near.reason)
                for near in selected.near
            ],
            model=selected.model,
            library=asked.library,
            generation=selected.generation,
            took_ms=_since(start),
        )

    @routes.post("/route")
    async def route(request: Request, asked: RouteRequest) -> RouteReply:
        """Which skills to name at a prompt: few and sure ones, none twice in a session."""
        check(request, asked.library)
        said(request, asked.prompt)
        routed = await threads.read(
            service.route,
            asked.prompt,
            agent=asked.agent,
            session=asked.session,
            mode=asked.mode,
            library=asked.library,
        )
        decision = routed.decision
        named = [NamedSkill(**named._asdict()) for named in decision.named]
        remark(request, hits=len(named), empty=not named)
        return RouteReply(
            named=named, silent=decision.silent, need=decision.need, context=routed.context
        )

    return routes


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 3)
