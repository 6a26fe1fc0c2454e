"""The model itself, in the shapes of OpenAI and of text-embeddings-inference.

Fields of theirs that mean nothing here are passed over, so that existing clients work unchanged.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from skillret.arrays import Float32
from skillret.retrieval.rerank import rerank_scores
from skillret.serving.batching import Batches
from skillret.serving.http.errors import RefusedError, documented
from skillret.serving.http.json_route import JsonRoute
from skillret.serving.http.metrics import Metrics
from skillret.serving.http.threads import Threads
from skillret.serving.http.values import MOST_TEXTS, Text, Texts
from skillret.serving.service import Service

__all__ = ["router"]

_Kind: TypeAlias = Literal["query", "document"]
_SLICE = 16  # texts of one request that wait at once


class EmbeddingsRequest(BaseModel):
    """Texts to be encoded."""

    input: Texts
    model: str = Field(default="", description="Passed over: there is one model.")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, description="None but the model's own.")
    input_type: _Kind = Field(default="document", description="Queries have another prompt.")


class Embedding(BaseModel):
    """The unit vector of a text."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="base64: float32, little-endian.")


class Usage(BaseModel):
    """Counted in words, for clients that want to see something."""

    prompt_tokens: int = Field(description="Words of the texts, not tokens of the model.")
    total_tokens: int = Field(description="The same.")


class EmbeddingsReply(BaseModel):
    """The vectors of texts, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class RerankRequest(BaseModel):
    """Texts to be ordered."""

    query: Text
    texts: list[Text] = Field(min_length=1, max_length=MOST_TEXTS)
    raw_scores: bool = Field(
        default=False, description="Cosines, or a reranker's own numbers, instead of 0 to 1."
    )
    return_text: bool = False
    truncate: bool = Field(default=True, description="Texts that are too long are always cut.")


class Ranked(BaseModel):
    """A text and how near it is."""

    index: int
    text: str | None = None
    score: float


def router(service: Service, threads: Threads, metrics: Metrics) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=JsonRoute, tags=["model"], responses=documented())

    def encode_together(kind: _Kind, texts: Sequence[str]) -> list[Float32]:
        encoder = service.encoder
        encode = encoder.encode_queries if kind == "query" else encoder.encode_documents
        return list(encode(list(texts)))

    async def encode_all(kind: _Kind, texts: Sequence[str]) -> list[Float32]:
        metrics.batches.observe(len(texts))
        return await threads.read(encode_together, kind, texts)

    batches: Batches[_Kind, Float32] = Batches(encode_all)
    opening = asyncio.Lock()

    async def encode(kind: _Kind, texts: Sequence[str]) -> Sequence[Float32]:
        vectors: list[Float32] = []
        for start in range(0, len(texts), _SLICE):  # between two of them others have their turn
            some = texts[start : start + _SLICE]
            vectors += await asyncio.gather(*(batches.ask(kind, text) for text in some))
        return vectors

    @routes.post("/v1/embeddings")
    async def embeddings(asked: EmbeddingsRequest) -> EmbeddingsReply:
        """Encode texts (as OpenAI does)."""
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        async with opening:  # while it waits for the library, one thread is enough
            profile = (await threads.read(lambda: service.encoder)).profile
        if asked.dimensions not in (None, profile.dim):
            raise RefusedError(422, f"dimensions: this model has {profile.dim}; leave it out")
        vectors = await encode(asked.input_type, texts)
        words = sum(len(text.split()) for text in texts)
        return EmbeddingsReply(
            data=[
                Embedding(index=n, embedding=_packed(vector, asked.encoding_format))
                for n, vector in enumerate(vectors)
            ],
            model=profile.name,
            usage=Usage(prompt_tokens=words, total_tokens=words),
        )

    @routes.post("/rerank", response_model_exclude_none=True)
    async def rerank(_: Request, asked: RerankRequest) -> list[Ranked]:
        """Order texts by how well they fit a query (as text-embeddings-inference does).

        By the service's reranker, or else by how near their vectors are.
        """
        reranker = service.libraries.reranker
        if reranker is not None:
            read = await threads.read(rerank_scores, reranker, asked.query, asked.texts)
            scores: Any = read if asked.raw_scores else 1 / (1 + np.exp(-read.clip(-60, 60)))
        else:
            (query,), texts = await asyncio.gather(
                encode("query", [asked.query]), encode("document", asked.texts)
            )
            cosines = np.stack(list(texts)) @ query
            scores = cosines if asked.raw_scores else (1 + cosines) / 2
        return [
            Ranked(
                index=int(place),
                score=float(scores[place]),
                text=asked.texts[place] if asked.return_text else None,
            )
            for place in np.argsort(-scores, kind="stable")
        ]

    return routes


def _packed(vector: Float32, form: str) -> Any:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()
