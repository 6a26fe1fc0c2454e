"""Indexes in Milvus: one machine's server, a cluster, or a file of Milvus Lite.

Above the store nothing changes: the same `Index`, the same ranking. Importing this imports no
client of Milvus; opening a store does.
"""

from skillret.index.milvus.store import MilvusStore, open_milvus

__all__ = ["MilvusStore", "open_milvus"]
