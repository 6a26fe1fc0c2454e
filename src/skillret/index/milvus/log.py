"""The log of generations: which segments are current, and how a change becomes so.

A change writes new segments, then one entry of the log. Readers look at the newest entry of the
collection that the alias stands for, so they see all of a change or nothing, and a rebuild takes
effect when the alias is switched. Of two writers that start from one entry only one comes through:
each first makes a claim, looks who else has one, and gives up if there is anyone.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from skillret.encoders import Profile
from skillret.errors import IndexBusyError, StoreError
from skillret.files import parse_json
from skillret.index.milvus.segment import Lengths, Segment
from skillret.index.milvus.server import Server
from skillret.index.milvus.values import CLAIMS, LOG, Values

__all__ = ["Entry", "Log"]

_KEPT = 4  # entries that stay
_STALE = 60.0  # seconds after which a claim is of a writer that died
_QUICK = 20.0  # seconds in which a claim must lead to an entry


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log.

    Attributes:
        number: Of the entry; the largest of a collection is current.
        generation: Raised by every change of what is searched.
        token: Name of the generation.
        collection: Where the rows are; "" while there are none.
        index: How its vectors are searched.
        dim: Of its vectors.
        lexical: Version of the analyzer that made what is derived.
        next_key: The smallest key that no skill ever had.
        meta: `profile`, `sources` and `fingerprint`.
        segments: In the order of their keys.
        left: What can be deleted: a segment's number and collection, and when it was left.
    """

    number: int = 0
    generation: int = 0
    token: str = ""
    collection: str = ""
    index: str = ""
    dim: int = 0
    lexical: int = 0
    next_key: int = 1
    meta: Mapping[str, str] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    left: tuple[tuple[int, str, float], ...] = ()

    @property
    def skills(self) -> int:
        """How many skills there are."""
        return sum(s.skills for s in self.segments)

    @property
    def profile(self) -> Profile | None:
        """Of the encoder that made the vectors."""
        stored = self.meta.get("profile")
        return Profile.from_json(parse_json(stored), "it") if stored else None

    def to_bytes(self) -> bytes:
        """As it is stored."""
        return zlib.compress(json.dumps(asdict(self)).encode())

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """What `to_bytes` made.

        Raises:
            ValueError: If it is none.
        """
        try:
            known: dict[str, Any] = json.loads(zlib.decompress(data))
            rows = [{**s, "lengths": Lengths(*s["lengths"])} for s in known.pop("segments")]
            left = tuple((int(s), str(c), float(t)) for s, c, t in known.pop("left"))
            return cls(**known, segments=tuple(Segment(**s) for s in rows), left=left)
        except (zlib.error, TypeError, KeyError) as e:
            raise ValueError(str(e)) from None


class Log:
    """The log of one owner.

    Args:
        server: The connection.
        values: Where it is kept.
    """

    def __init__(self, server: Server, values: Values) -> None:
        self._server, self._values = server, values

    def newest(self, *, strong: bool) -> tuple[Entry, int]:
        """The current entry, and the largest number that any has.

        Args:
            strong: Whatever anyone has written before now; else what is known here, which may be
                a moment old.

        Raises:
            StoreError: If it cannot be read.
        """
        collection = self._server.current()
        entries = self._entries(strong=strong)
        own = [e for e in entries if e.collection in (collection, "")]
        newest = max(own, key=lambda e: (e.collection == collection, e.number), default=Entry())
        return newest, max((e.number for e in entries), default=0)

    def _entries(self, *, strong: bool) -> list[Entry]:
        try:
            return [Entry.from_bytes(d) for d in self._values.of([LOG], strong=strong).values()]
        except ValueError as e:
            name = self._server.address.name
            raise StoreError(f"{name}: its log is damaged ({e})") from None

    def append(self, entry: Entry, before: Entry) -> Entry:
        """Make an entry the current one; it, with its number.

        Args:
            entry: The entry.
            before: From which it was made.

        Raises:
            IndexBusyError: If another writer was faster, or is at it.
            StoreError: If it cannot be written.
        """
        start = time.monotonic()
        collection = self._server.current()
        newest, last = self.newest(strong=True)
        busy = IndexBusyError(f"{self._server.address.name} was changed meanwhile; try again")
        if (newest.number, newest.token) != (before.number, before.token):
            raise busy
        entry = replace(entry, number=last + 1)
        claim = f"claim/{entry.number}/{os.urandom(8).hex()}"
        self._values.put(CLAIMS, [(claim, str(time.time()).encode())])
        try:
            seen = self._values.of([LOG, CLAIMS], strong=True)
            taken = f"log/{entry.number}" in seen
            others = [n for n in seen if n.startswith("claim/") and n != claim]
            live = [n for n in others if time.time() - float(seen[n]) < _STALE]
            if taken or live or time.monotonic() - start > _QUICK:
                raise busy
            self._values.put(LOG, [(f"log/{entry.number}", entry.to_bytes())])
            if entry.collection not in ("", collection):
                self._server.switch(entry.collection, collection)
        finally:
            self._values.delete([claim])
        entries = self._entries(strong=False)
        old = [e.number for e in entries if e.number <= min(before.number, entry.number - _KEPT)]
        old = [number for number in old if number != before.number]
        self._values.delete([f"log/{number}" for number in old])
        return entry
