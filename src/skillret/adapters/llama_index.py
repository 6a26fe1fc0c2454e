"""LlamaIndex: a retriever of skills."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from skillret.adapters.source import SkillSource
from skillret.extras import require
from skillret.types import Hit, Where

if TYPE_CHECKING:
    from skillret.adapters.source import Source

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError:
    require("llama-index", "the adapter for LlamaIndex", ("llama_index.core",))
    raise

__all__ = ["SkillRetriever"]


class SkillRetriever(BaseRetriever):
    """Skills as nodes: what a skill is for, or with `body` its instructions.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many at most.
        select: Only those that the query needs, perhaps none, instead of the nearest.
        where: What their metadata must hold; see `Retriever.search`.
        body: Hand over the instructions; of a service one more request for each skill.
    """

    def __init__(
        self,
        source: Source,
        *,
        k: int = 5,
        select: bool = False,
        where: Where | None = None,
        body: bool = False,
    ) -> None:
        super().__init__()
        self._skills = SkillSource(source, k=k, select=select, where=where)
        self._body = body

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [self._node(hit) for hit in self._skills.find(query_bundle.query_str)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def _node(self, hit: Hit) -> NodeWithScore:
        facts = self._skills.facts(hit)
        text = self._skills.text(hit, self._body)
        # A model reads the text; the facts are for programs.
        node = TextNode(
            id_=hit.id, text=text, metadata=facts, excluded_llm_metadata_keys=list(facts)
        )
        return NodeWithScore(node=node, score=hit.score)
