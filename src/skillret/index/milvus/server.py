"""A connection to Milvus: what an index needs of it, with time-outs and errors of ours.

Everything is filtered by owner and by segment: rows of others, and rows that were written but never
became part of a generation, are as good as absent.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.errors import StoreError
from skillret.extras import require
from skillret.index.forks import after_fork
from skillret.index.milvus.address import Address

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymilvus import MilvusClient

__all__ = ["SCHEMA_VERSION", "Server"]

SCHEMA_VERSION = 1
_SCHEMA = "skillret.schema"
_TENANTS = "skillret.tenants"
_TIMEOUT = 10.0  # seconds of a search or a read
_WRITE = 30.0  # of one write
_LONG = 300.0  # of what is done once a build
_PARTITIONS = 16  # of tenants
_TEXT = 65_535  # bytes of a string
_LISTED = 4096  # values of a list
_NEW_VECTORS = (2, 4)  # version from which float16 is searched as it should be
_SEALED = 500  # skills from which they are written to segments that are indexed
_MOST_EXACT = 25_000  # skills up to which every vector is compared
_MOST_GRAPH = 1_000_000  # skills up to which a graph of their vectors is kept in memory
_AWAY = ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "Fail connecting")


class Server:
    """A connection, opened when it is first needed. May be shared by threads.

    Args:
        address: Where.
    """

    def __init__(self, address: Address) -> None:
        require("milvus", "an index in Milvus", ["pymilvus"])
        if address.file:
            require("milvus-lite", "an index in a file of Milvus Lite", ["milvus_lite"])
        self.address = address
        self._client: MilvusClient | None = None
        self._loaded: set[str] = set()
        self._kinds: dict[str, type[np.float16] | type[np.float32]] = {}
        self._forget()
        after_fork(self._forget)

    def _forget(self) -> None:
        """What a process that was just forked may not use."""
        self._client = None
        self._lock = threading.Lock()

    @property
    def client(self) -> MilvusClient:
        """The client of Milvus."""
        with self._lock:
            if self._client is None:
                from pymilvus import MilvusClient

                # They write tracebacks to stderr also of what is an answer.
                for name in ["milvus_lite", *logging.Logger.manager.loggerDict]:
                    if name.startswith(("pymilvus", "milvus_lite")):
                        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
                token = os.environ.get("SKILLRET_MILVUS_TOKEN", "")
                wrong = "cannot be reached"
                if self.address.file:
                    wrong = "cannot be opened; one process at a time can have it open"
                with self.errors(wrong):
                    # A connection that others share would be closed with them.
                    self._client = MilvusClient(
                        self.address.uri, token=token, timeout=_TIMEOUT, dedicated=True
                    )
            return self._client

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn errors of the client into ours.

        Args:
            what: What goes wrong then, of the server.

        Raises:
            StoreError: If the server does not answer, or refuses.
        """
        try:
            yield
        except StoreError:
            raise
        except Exception as e:
            if not type(e).__module__.startswith(("pymilvus", "grpc", "milvus_lite")):
                raise
            reason = " ".join(str(getattr(e, "message", "") or e).split())
            name = self.address.name
            if any(sign in reason for sign in _AWAY):
                raise StoreError(
                    f"the Milvus server of {name} does not answer",
                    "start it, or give another --index",
                ) from None
            raise StoreError(f"{name} {what}: {reason[:300]}") from None

    # --- collections -----------------------------------------------------------------------

    @property
    def values(self) -> str:
        """The collection of named values."""
        return f"{self.address.collection}_values"

    def exists(self) -> bool:
        """Whether there is an index, of this version.

        Raises:
            StoreError: If something else is there, or an index of another version.
        """
        with self.errors("cannot be read"):
            if not self.client.has_collection(self.values, timeout=_TIMEOUT):
                return False
            told = self.client.describe_collection(self.values, timeout=_TIMEOUT)
        properties = told.get("properties") or {}
        name, version = self.address.name, str(properties.get(_SCHEMA, ""))
        if not version.isdigit():
            raise StoreError(
                f"{name}: the collection {self.values} is not skillret's", "give another --index"
            )
        if int(version) != SCHEMA_VERSION:
            newer = "a newer" if int(version) > SCHEMA_VERSION else "an older"
            raise StoreError(
                f"{name} was made by {newer} skillret (format {version}, this one reads"
                f" {SCHEMA_VERSION})",
                "use that version, or give another --index",
            )
        if bool(self.address.tenant) != (str(properties.get(_TENANTS)) == "1"):
            has = "has tenants: add ?tenant=NAME" if not self.address.tenant else "has no tenants"
            raise StoreError(f"{name}: the collection {has}", "or give another --index")
        return True

    def create_values(self) -> None:
        """Make the collection of named values."""
        from pymilvus import DataType

        with self.errors("cannot be written"):
            schema = self._schema()
            schema.add_field("name", DataType.VARCHAR, max_length=256, is_primary=True)
            schema.add_field("owner", DataType.VARCHAR, max_length=64, **self._partition_key())
            schema.add_field("segment", DataType.INT64)
            schema.add_field("part", DataType.INT64)
            schema.add_field("data", DataType.VARCHAR, max_length=_TEXT)
            schema.add_field("none", DataType.FLOAT_VECTOR, dim=2)  # there must be one
            properties = {
                _SCHEMA: str(SCHEMA_VERSION),
                _TENANTS: "1" if self.address.tenant else "0",
            }
            self._create(self.values, schema, properties)
            self._index(self.values, "none", "FLAT")

    def create_rows(self, name: str, dim: int) -> None:
        """Make a collection of skills, which can be filled but not yet be searched.

        Args:
            name: Its name.
            dim: Of its vectors.
        """
        from pymilvus import DataType

        with self.errors("cannot be written"):
            schema = self._schema()
            kind = DataType.FLOAT16_VECTOR if self._halves() else DataType.FLOAT_VECTOR
            schema.add_field("pk", DataType.INT64, is_primary=True)
            schema.add_field("owner", DataType.VARCHAR, max_length=64, **self._partition_key())
            for field in ("segment", "skill", "content"):
                schema.add_field(field, DataType.INT64)
            schema.add_field(
                "pairs", DataType.ARRAY, element_type=DataType.INT64, max_capacity=_LISTED
            )
            for field in ("record", "grams"):
                schema.add_field(field, DataType.VARCHAR, max_length=_TEXT)
            schema.add_field("vector", kind, dim=dim)
            self._create(name, schema, {_SCHEMA: str(SCHEMA_VERSION)})

    def serve(self, name: str, index: str, skills: int) -> None:
        """Index a collection of skills, and let it be searched.

        Args:
            name: Its name.
            index: See `index_for`.
            skills: How many there are.
        """
        with self.errors("cannot be written"):
            if skills >= _SEALED:
                self.client.flush(name, timeout=_LONG)
            self._index(name, "vector", index)

    def _schema(self) -> Any:
        return self.client.create_schema(auto_id=False, enable_dynamic_field=False)

    def _partition_key(self) -> dict[str, Any]:
        return {"is_partition_key": True} if self.address.tenant else {}

    def _create(self, name: str, schema: Any, properties: Mapping[str, str]) -> None:
        more = {"num_partitions": _PARTITIONS} if self.address.tenant else {}
        self.client.create_collection(
            name,
            schema=schema,
            consistency_level="Session",
            properties=dict(properties),
            timeout=_LONG,
            **more,
        )

    def _index(self, name: str, field: str, index: str) -> None:
        build = {
            "HNSW": {"M": 16, "efConstruction": 200},
            "IVF_SQ8": {"nlist": 4096},
        }
        indexes = self.client.prepare_index_params()
        indexes.add_index(field, index_type=index, metric_type="IP", params=build.get(index, {}))
        # Until the server has built it, what is not indexed yet is compared vector by vector.
        self.client.create_index(name, indexes, timeout=_LONG, sync=False)
        self._load(name)

    def dim_of(self, name: str) -> int:
        """Dimension of the vectors of a collection."""
        return int(self._vector_field(name)["params"]["dim"])

    def _kind(self, name: str) -> type[np.float16] | type[np.float32]:
        """What vectors are in a collection; its server may be newer than it is."""
        if name not in self._kinds:
            from pymilvus import DataType

            half = self._vector_field(name)["type"] == DataType.FLOAT16_VECTOR
            self._kinds[name] = np.float16 if half else np.float32
        return self._kinds[name]

    def _vector_field(self, name: str) -> dict[str, Any]:
        with self.errors("cannot be read"):
            fields = self.client.describe_collection(name, timeout=_TIMEOUT)["fields"]
        return next(f for f in fields if f["name"] == "vector")

    def index_for(self, skills: int) -> str:
        """How vectors of so many skills are searched: all of them, by a graph, or int8 in lists.

        Those of a tenant are few in a large collection: a graph would hardly meet them.
        """
        if self.address.file or self.address.tenant or skills <= _MOST_EXACT:
            return "FLAT"
        return "HNSW" if skills <= _MOST_GRAPH else "IVF_SQ8"

    def _halves(self) -> bool:
        """Whether vectors are float16 on the server, or float32 of the same values."""
        if self.address.file:
            return False
        found = re.match(r"v?(\d+)\.(\d+)", str(self.client.get_server_version(timeout=_TIMEOUT)))
        return found is not None and tuple(map(int, found.groups())) >= _NEW_VECTORS

    def current(self) -> str:
        """The collection that the alias stands for; "" as long as there is none."""
        with self.errors("cannot be read"):
            from pymilvus import MilvusException

            try:
                told = self.client.describe_alias(self.address.collection, timeout=_TIMEOUT)
            except MilvusException as e:
                if "not found" in e.message or "not exist" in e.message:
                    return ""
                raise
            return str(told["collection_name"])

    def switch(self, collection: str, before: str) -> None:
        """Let the alias stand for another collection from now on, at once for everybody."""
        alias = self.address.collection
        with self.errors("cannot be written"):
            how = self.client.alter_alias if before else self.client.create_alias
            how(collection, alias, timeout=_TIMEOUT)

    def drop(self, collection: str) -> None:
        """Delete a collection, if it is there."""
        with self.errors("cannot be written"):
            if self.client.has_collection(collection, timeout=_TIMEOUT):
                self.client.drop_collection(collection, timeout=_LONG)

    def settle(self, collection: str) -> None:
        """Wait until what was inserted is written and indexed; not needed for it to be found."""
        with self.errors("cannot be written"):
            self.client.flush(collection, timeout=_LONG)

    def _load(self, collection: str) -> None:
        """Have a collection in memory: a file forgets that it was, a server does not."""
        if collection not in self._loaded:
            self.client.load_collection(collection, timeout=_LONG)
            self._loaded.add(collection)

    # --- rows ------------------------------------------------------------------------------

    def insert(self, collection: str, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows; when this returns the server has them in its log."""
        if rows and "vector" in rows[0]:
            kind = self._kind(collection)
            rows = [{**row, "vector": row["vector"].astype(kind)} for row in rows]
        with self.errors("cannot be written"):
            self.client.insert(collection, list(rows), timeout=_WRITE)

    def delete(self, collection: str, where: str) -> None:
        """Delete what holds a condition."""
        with self.errors("cannot be written"):
            self._load(collection)
            self.client.delete(collection, filter=self._own(where), timeout=_WRITE)

    def query(
        self, collection: str, where: str, fields: Sequence[str], *, strong: bool = False
    ) -> list[dict[str, Any]]:
        """Rows of a condition.

        Args:
            collection: Where.
            where: The condition.
            fields: What of them.
            strong: See what anyone has written before now; else what this process has.
        """
        with self.errors("cannot be read"):
            self._load(collection)
            rows = self.client.query(
                collection,
                filter=self._own(where),
                output_fields=list(fields),
                consistency_level="Strong" if strong else "Session",
                timeout=_TIMEOUT,
            )
        # A row that was sent twice, since an answer was lost, is there twice.
        own = next((field for field in ("pk", "name") if field in fields), None)
        return list(rows) if own is None else list({row[own]: row for row in rows}.values())

    def get(
        self,
        collection: str,
        own: str,
        wanted: Sequence[Any],
        fields: Sequence[str],
        *,
        strong: bool = False,
    ) -> dict[Any, dict[str, Any]]:
        """Rows by their primary keys; those that are not there are left out.

        Args:
            collection: Where.
            own: Field of the primary key.
            wanted: The keys, numbers or names of ours.
            fields: What of them, the primary key too.
            strong: As in `query`.
        """
        found: dict[Any, dict[str, Any]] = {}
        rest = list(wanted)
        while rest:
            # No more rows come back than keys were asked for, and one that is there twice counts
            # twice: then the others are asked for once more.
            rows = self.query(collection, f"{own} in {json.dumps(rest)}", fields, strong=strong)
            found |= {row[own]: row for row in rows}
            if not rows:
                break
            rest = [key for key in rest if key not in found]
        return found

    def count(self, collection: str, where: str, *, strong: bool = False) -> int:
        """How many rows hold a condition."""
        (row,) = self.query(collection, where, ["count(*)"], strong=strong)
        return int(row["count(*)"])

    def search(
        self, collection: str, vectors: NDArray[np.float32], count: int, where: str, index: str
    ) -> list[list[int]]:
        """Primary keys of the nearest rows of a condition to each vector, best first."""
        breadth = {"HNSW": {"ef": max(256, 2 * count)}, "IVF_SQ8": {"nprobe": 128}}
        data = vectors.astype(self._kind(collection))
        with self.errors("cannot be searched"):
            self._load(collection)
            found = self.client.search(
                collection,
                data=list(data),
                anns_field="vector",
                limit=count,
                filter=self._own(where),
                output_fields=["pk"],
                search_params={"metric_type": "IP", "params": breadth.get(index, {})},
                consistency_level="Session",
                timeout=_TIMEOUT,
            )
        return [list(dict.fromkeys(int(hit["entity"]["pk"]) for hit in hits)) for hits in found]

    def _own(self, where: str) -> str:
        """A condition, of the rows of the tenant alone."""
        return f'owner == "{self.address.tenant}" and ({where})'
