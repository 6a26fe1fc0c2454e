"""Indexes: SQLite as the truth, exact vector search and BM25 as caches of it."""

from skillret.index.index import Index, Sources, default_index_path
from skillret.index.store import IndexInfo, Store

__all__ = ["Index", "IndexInfo", "Sources", "Store", "default_index_path"]
