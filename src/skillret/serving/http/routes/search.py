"""Searches and selections."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request

from skillret.serving.batching import Batches
from skillret.serving.http.auth import check
from skillret.serving.http.errors import documented
from skillret.serving.http.schemas import (
    NearHit,
    QueryHits,
    SearchReply,
    SearchRequest,
    SelectReply,
    SelectRequest,
    hit_fields,
    hit_of,
)
from skillret.serving.http.threads import Threads
from skillret.serving.service import Found, Service
from skillret.types import Mode

__all__ = ["router"]


class _Kind(NamedTuple):
    """What queries have in common that are searched for together."""

    library: str
    mode: Mode
    k: int
    where: str
    explain: bool


def router(service: Service, threads: Threads) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["search"], responses=documented(404))

    async def search_all(kind: _Kind, queries: Sequence[str]) -> list[Found]:
        found = await threads.read(
            service.search,
            queries,
            kind.k,
            library=kind.library,
            mode=kind.mode,
            where=json.loads(kind.where),
            explain=kind.explain,
        )
        return [found._replace(hits=[hits]) for hits in found.hits]

    batches: Batches[_Kind, Found] = Batches(search_all)

    @routes.post("/search", response_model_exclude_none=False)
    async def search(request: Request, asked: SearchRequest) -> SearchReply:
        """The best skills for a query, best first."""
        start = time.perf_counter()
        check(request, asked.library)
        where = json.dumps(asked.where, sort_keys=True)
        kind = _Kind(asked.library, asked.mode, asked.k, where, asked.explain)
        if asked.query is not None:
            found = await batches.ask(kind, asked.query)
        else:
            found = await threads.read(
                service.search,
                asked.queries or (),
                asked.k,
                library=asked.library,
                mode=asked.mode,
                where=asked.where,
                explain=asked.explain,
            )
        reply = SearchReply(
            mode=asked.mode,
            model=found.model,
            library=asked.library,
            generation=found.generation,
            took_ms=_since(start),
        )
        hits = [[hit_of(hit) for hit in hits] for hits in found.hits]
        if asked.query is not None:
            reply.query, reply.hits = asked.query, hits[0]
        else:
            pairs = zip(asked.queries or (), hits, strict=True)
            reply.results = [QueryHits(query=query, hits=own) for query, own in pairs]
        return reply

    @routes.post("/select")
    async def select(request: Request, asked: SelectRequest) -> SelectReply:
        """The skills that an agent would be handed: as many as the query needs, or none."""
        start = time.perf_counter()
        check(request, asked.library)
        selected = await threads.read(
            service.select,
            asked.query,
            limit=asked.limit,
            library=asked.library,
            where=asked.where,
            explain=asked.explain,
            near=asked.near,
        )
        selection = selected.selection
        return SelectReply(
            query=asked.query,
            need=selection.need,
            threshold=selected.threshold,
            abstained=selection.abstained,
            hits=[hit_of(hit) for hit in selection],
            near=[
                NearHit(**hit_fields(near.hit), selected=near.selected, reason=near.reason)
                for near in selected.near
            ],
            model=selected.model,
            library=asked.library,
            generation=selected.generation,
            took_ms=_since(start),
        )

    return routes


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 3)
