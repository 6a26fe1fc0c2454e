"""From an index and a query to hits and a selection."""

from skillret.retrieval.retriever import Retriever

__all__ = ["Retriever"]
