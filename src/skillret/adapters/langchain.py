"""LangChain: a retriever of skills."""

from __future__ import annotations

from typing import Any

from skillret.adapters.source import SkillSource
from skillret.extras import require

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import PrivateAttr
except ImportError:
    require("langchain", "the adapter for LangChain", ("langchain_core",))
    raise

__all__ = ["SkillRetriever"]


class SkillRetriever(BaseRetriever):
    """Skills as documents: what a skill is for, or with `body` its instructions.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many at most.
        select: Only those that the query needs, perhaps none, instead of the nearest.
        where: What their metadata must hold; see `Retriever.search`.
        body: Hand over the instructions; of a service one more request for each skill.
    """

    source: Any
    k: int = 5
    select: bool = False
    where: dict[str, Any] | None = None
    body: bool = False
    _skills: SkillSource = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        """Called by pydantic."""
        self._skills = SkillSource(self.source, k=self.k, select=self.select, where=self.where)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [
            Document(self._skills.text(hit, self.body), id=hit.id, metadata=self._skills.facts(hit))
            for hit in self._skills.find(query)
        ]
