"""From an index and a request to hits and a selection."""

from skillret.retrieval.retriever import Retriever

__all__ = ["Retriever"]
