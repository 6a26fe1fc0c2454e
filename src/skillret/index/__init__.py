"""Indexes: SQLite as the truth, exact vector search and BM25 as caches of it."""

from skillret.index.corpus import Corpus
from skillret.index.index import Index
from skillret.index.sources import Sources, default_index_path
from skillret.index.store import IndexInfo, Store

__all__ = ["Corpus", "Index", "IndexInfo", "Sources", "Store", "default_index_path"]
