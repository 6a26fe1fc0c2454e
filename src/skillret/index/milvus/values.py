"""Named bytes in a collection: statistics, texts and the log of generations.

A value is written once and never changed, so whoever has read it may keep it for ever.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from skillret.errors import StoreError
from skillret.index.milvus.codec import as_bytes, as_text
from skillret.index.milvus.server import Server

__all__ = ["CLAIMS", "LOG", "PENDING", "Cache", "Values"]

# Numbers of no segment.
LOG, PENDING, CLAIMS = -1, -2, -3
_PART = 48_000  # bytes in one row, before they are written as text
_ASKED = 256  # names in one question
_BATCH = 4 << 20  # bytes in one insert


class Cache:
    """What was used last, up to a size. May be shared by threads.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._known: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Any:
        """What was put there; None if it is not known any more."""
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key][0]

    def put(self, key: Any, value: Any, size: int) -> None:
        """Keep something."""
        with self._lock:
            if key not in self._known:
                self._known[key] = value, size
                self._size += size
            while self._size > self._most and len(self._known) > 1:
                _, (_, gone) = self._known.popitem(last=False)
                self._size -= gone


class Values:
    """The named bytes of one owner.

    Args:
        server: The connection.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._prefix = f"{server.address.tenant}/"

    def put(self, segment: int, values: Iterable[tuple[str, bytes]]) -> None:
        """Write values that are not there yet.

        Args:
            segment: What they belong to.
            values: Names and bytes.
        """
        batch: list[dict[str, Any]] = []
        size = 0
        for name, data in values:
            pieces = [data[i : i + _PART] for i in range(0, len(data), _PART)] or [b""]
            # The first one says how many there are, so it is written last.
            for number in reversed(range(len(pieces))):
                head = f"{len(pieces)}:" if not number else ""
                batch.append(self._row(name, number, segment, head + as_text(pieces[number])))
                size += len(pieces[number]) * 4 // 3 + 500
                if size > _BATCH:
                    self._server.insert(self._server.values, batch)
                    batch, size = [], 0
        if batch:
            self._server.insert(self._server.values, batch)

    def _row(self, name: str, part: int, segment: int, data: str) -> dict[str, Any]:
        return {
            "name": self._name(name, part),
            "owner": self._server.address.tenant,
            "segment": segment,
            "part": part,
            "data": data,
            "none": [0.0, 1.0],
        }

    def _name(self, name: str, part: int = 0) -> str:
        return f"{self._prefix}{name}" + (f"#{part}" if part else "")

    def get(self, names: Sequence[str]) -> dict[str, bytes]:
        """The values of names, of which those that are not there are left out."""
        found = self._ask([self._name(n) for n in names])
        more = {}
        for name in names:
            text = found.get(self._name(name))
            if text is not None:
                more[name] = int(text.partition(":")[0])
        rest = self._ask([self._name(n, p) for n, count in more.items() for p in range(1, count)])
        values = {}
        for name, count in more.items():
            texts = [found[self._name(name)].partition(":")[2]]
            texts += [rest.get(self._name(name, p), "") for p in range(1, count)]
            values[name] = b"".join(map(as_bytes, texts))
        return values

    def need(self, names: Sequence[str]) -> dict[str, bytes]:
        """The values of names.

        Raises:
            StoreError: If one is not there.
        """
        values = self.get(names)
        missing = [name for name in names if name not in values]
        if missing:
            values |= self.get(missing) if self._wait() else {}
        missing = [name for name in names if name not in values]
        if missing:
            raise StoreError(
                f"{self._server.address.name}: {len(missing)} values of this generation are gone,"
                f" {missing[0]!r} for one; the index was made anew meanwhile, or is damaged",
                "ask again, or make it again with `skillret index build`",
            )
        return values

    def _wait(self) -> bool:
        """See what others have written before now; a reader may be behind."""
        self._server.count(self._server.values, f"segment == {CLAIMS}", strong=True)
        return True

    def _ask(self, names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(names), _ASKED):
            asked, own = names[start : start + _ASKED], self._server.values
            rows = self._server.get(own, "name", asked, ["name", "data"])
            found |= {name: row["data"] for name, row in rows.items()}
        return found

    def of(self, segments: Sequence[int], *, strong: bool = False) -> dict[str, bytes]:
        """All values of some segments, each of one part, by their names."""
        where = f"part == 0 and segment in {list(segments)}"
        rows = self._server.query(self._server.values, where, ["name", "data"], strong=strong)
        values = {}
        for row in rows:
            name = str(row["name"]).removeprefix(self._prefix)
            count, _, text = row["data"].partition(":")
            values[name] = as_bytes(text) if count == "1" else self.need([name])[name]
        return values

    def count(self, segment: int, *, strong: bool = False) -> int:
        """How many values a segment has."""
        where = f"part == 0 and segment == {segment}"
        return self._server.count(self._server.values, where, strong=strong)

    def delete(self, names: Sequence[str]) -> None:
        """Delete values of one part."""
        for start in range(0, len(names), _ASKED):
            listed = json.dumps([self._name(n) for n in names[start : start + _ASKED]])
            self._server.delete(self._server.values, f"name in {listed}")

    def delete_all(self, segment: int) -> None:
        """Delete all values of a segment."""
        self._server.delete(self._server.values, f"segment == {segment}")
