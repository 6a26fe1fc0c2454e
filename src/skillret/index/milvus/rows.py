"""Rows of skills in Milvus: as they are written, and as they are read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skillret.arrays import Float32
from skillret.errors import InputError, StoreError
from skillret.files import parse_json
from skillret.index.corpus import Record
from skillret.index.milvus.codec import as_bytes, as_text, pack, unpack
from skillret.index.milvus.log import Entry
from skillret.index.milvus.segment import SPAN, Lengths, Segment, pair_code
from skillret.index.milvus.server import Server
from skillret.index.milvus.values import Cache, Values
from skillret.index.store import Change, State, metadata_json
from skillret.types import Skill

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Details",
    "Row",
    "Rows",
    "Stored",
    "content_code",
    "details_of",
    "row_of",
    "skill_code",
    "values_of",
]

_ASKED = 256  # rows in one question
_LONGEST = 65_000  # bytes of a string in a row; longer ones are values of their own
_ELSEWHERE = "@"
_MOST_PAIRS = 4096
_ALL = ["pk", "record", "grams", "vector"]

# Path, aliases, what shadows it, whether it is the user's alone, and the hash of all this.
Details = tuple[str | None, Sequence[str], str | None, bool, str]


class Row(NamedTuple):
    """What ranking needs of a skill: float32 `(dim,)`, and uint32 `(g,)`, ascending."""

    vector: Float32
    grams: NDArray[np.uint32]


class Stored(NamedTuple):
    """What is stored of a skill beside its body, vector and grams.

    Attributes:
        known: As JSON holds it.
        details: What is not of its text, as it is now.
    """

    known: dict[str, Any]
    details: Details

    def skill(self, body: str) -> Skill:
        """The skill, with its body."""
        known = self.known
        path, aliases, shadowed_by, user_only, _ = self.details
        texts = (known["id"], known["name"], known["description"], body, path)
        metadata = parse_json(known["metadata"])
        return Skill(*texts, tuple(aliases), shadowed_by, metadata, user_only=user_only)

    def record(self, key: int) -> Record:
        """The skill without its body."""
        s = self.skill("")
        places = (s.path, s.aliases, s.shadowed_by)
        return Record(key, s.id, s.name, s.description, *places, s.metadata, s.user_only)

    def state(self, key: int) -> State:
        """Its key and hashes."""
        return State(key, self.known["content"], self.details[-1], self.known["metadata"])

    @property
    def lengths(self) -> Lengths:
        """How many terms it has."""
        return Lengths(*self.known["lengths"])


def skill_code(id_: str) -> int:
    """The number that an id is looked up by."""
    return pair_code(f"id\0{id_}")


def content_code(content_hash: str) -> int:
    """The number that a content hash is looked up by."""
    return int(content_hash[:15] or "0", 16)


def details_of(skill: Skill, hashed: str) -> Details:
    """What of a skill is not of its text."""
    return (skill.path, list(skill.aliases), skill.shadowed_by, skill.user_only, hashed)


def row_of(
    change: Change, segment: int, number: int, owner: str, lengths: Lengths
) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """A skill as a row, and the values that go with it.

    Args:
        change: The skill.
        segment: The segment that it is written to.
        number: Its number there.
        owner: The tenant.
        lengths: How many terms it has.

    Raises:
        InputError: If it has more metadata than a row can hold.
    """
    skill, texts = change.skill, change.texts
    pairs = sorted({pair_code(pair) for pair in texts.metadata})
    if len(pairs) > _MOST_PAIRS:
        raise InputError(
            f"the metadata of the skill {skill.id!r} has {len(pairs)} values; Milvus holds"
            f" {_MOST_PAIRS} of one skill"
        )
    vector, grams = change.encoded.vector, change.grams
    known = {
        "id": skill.id,
        "name": skill.name,
        "description": skill.description,
        "metadata": metadata_json(skill),
        "content": change.content_hash,
        "details": details_of(skill, change.details_hash),
        "lengths": lengths,
        "digest": zlib.crc32(grams.tobytes(), zlib.crc32(vector)),
    }
    values = [(f"{segment}/b{number}", zlib.compress(skill.body.encode()))]
    if change.encoded.tokens is not None:
        digest = zlib.crc32(change.encoded.tokens).to_bytes(4, "little")
        values.append((f"{segment}/k{number}", digest + change.encoded.tokens))
    texts_of_row = {
        "record": json.dumps(known),
        "grams": as_text(pack(steps=np.diff(grams, prepend=np.uint32(0)))),
    }
    for name, text in texts_of_row.items():
        if len(text) > _LONGEST:
            values.append((f"{segment}/{name}{number}", zlib.compress(text.encode())))
            texts_of_row[name] = _ELSEWHERE
    row = {
        "pk": segment * SPAN + number,
        "owner": owner,
        "segment": segment,
        "skill": skill_code(skill.id),
        "content": content_code(change.content_hash),
        "pairs": pairs,
        "vector": np.frombuffer(vector, dtype=np.float16),
        **texts_of_row,
    }
    return row, values


class Rows:
    """Reads the rows of one generation.

    Args:
        server: The connection.
        values: Where long texts are.
        cache: Of rows.
        entry: The generation.
    """

    def __init__(self, server: Server, values: Values, cache: Cache, entry: Entry) -> None:
        self._server, self._values, self._cache = server, values, cache
        self._collection, self._segments = entry.collection, entry.segments
        self._changed = {
            s.id * SPAN + row: tuple(details)
            for s in entry.segments
            if s.details
            for row, details in self.details(s).items()
        }

    def details(self, segment: Segment) -> dict[int, Sequence[Any]]:
        """What has changed beside texts, by the number of the row."""
        found = self._cache.get(segment.details)
        if found is None:
            data = self._values.need([segment.details])[segment.details]
            found = {int(k): v for k, v in json.loads(zlib.decompress(data)).items()}
            self._cache.put(segment.details, found, 3 * len(data))
        return found  # type: ignore[no-any-return]

    def fetch(self, pks: NDArray[np.int64]) -> list[Row]:
        """Vectors and grams of rows of this generation.

        Raises:
            StoreError: If one is gone.
        """
        wanted = pks.tolist()
        found: dict[int, Row] = {pk: self._cache.get(("row", pk)) for pk in wanted}
        missing = [pk for pk, row in found.items() if row is None]
        for row in self._query(missing, ["pk", "vector", "grams"]):
            pk = int(row["pk"])
            found[pk] = self._row(row)
            size = found[pk].vector.nbytes + found[pk].grams.nbytes + 300
            self._cache.put(("row", pk), found[pk], size)
        return [found[pk] for pk in wanted]

    def _row(self, row: dict[str, Any]) -> Row:
        return Row(_vector(row["vector"]).astype(np.float32), self.grams(row))

    def grams(self, row: dict[str, Any]) -> NDArray[np.uint32]:
        """The grams of a row."""
        data = as_bytes(self._text(row, "grams"))
        return np.cumsum(unpack(data)["steps"], dtype=np.uint32)

    def _text(self, row: dict[str, Any], name: str) -> str:
        text = str(row[name])
        if text != _ELSEWHERE:
            return text
        segment, number = divmod(int(row["pk"]), SPAN)
        value = f"{segment}/{name}{number}"
        return zlib.decompress(self._values.need([value])[value]).decode()

    def _query(
        self, pks: Sequence[int], fields: Sequence[str], *, all_of_them: bool = True
    ) -> Iterator[dict[str, Any]]:
        for start in range(0, len(pks), _ASKED):
            wanted = list(dict.fromkeys(pks[start : start + _ASKED]))
            found = self._server.get(self._collection, "pk", wanted, fields)
            rest = [pk for pk in wanted if pk not in found]
            if rest:  # a replica may be behind
                found |= self._server.get(self._collection, "pk", rest, fields, strong=True)
            if all_of_them and len(found) < len(wanted):
                raise StoreError(
                    f"{self._server.address.name}: {len(wanted) - len(found)} skills of this"
                    " generation are gone; the index was made anew meanwhile, or is damaged",
                    "ask again, or make it again with `skillret index build`",
                )
            yield from found.values()

    def stored(self, pks: Sequence[int]) -> dict[int, Stored]:
        """What is stored of some rows; of those that are gone nothing."""
        known = {pk: self._cache.get(("record", pk)) for pk in pks}
        missing = [pk for pk, record in known.items() if record is None]
        for row in self._query(missing, ["pk", "record"], all_of_them=False):
            pk, text = int(row["pk"]), self._text(row, "record")
            known[pk] = json.loads(text)
            self._cache.put(("record", pk), known[pk], 2 * len(text) + 500)
        return {pk: self._stored(pk, r) for pk, r in known.items() if r is not None}

    def read(self, row: dict[str, Any]) -> Stored:
        """What is stored of a row, but for its vector and grams."""
        return self._stored(int(row["pk"]), json.loads(self._text(row, "record")))

    def _stored(self, pk: int, known: dict[str, Any]) -> Stored:
        # A row never changes; what of its skill is not of its text may do so, by generation.
        return Stored(known, tuple(self._changed.get(pk) or known["details"]))

    def bodies(self, pks: Sequence[int]) -> dict[int, str]:
        """Bodies of some rows."""
        names = {_value("b", pk): pk for pk in pks}
        found = self._values.get(list(names))
        return {names[n]: zlib.decompress(data).decode() for n, data in found.items()}

    def tokens(self, pks: Sequence[int]) -> dict[int, bytes]:
        """Tokens of some rows, whole.

        Raises:
            StoreError: If some are missing, or not those that were stored.
        """
        known: dict[int, bytes] = {pk: self._cache.get(("tokens", pk)) for pk in pks}
        names = {_value("k", pk): pk for pk, tokens in known.items() if tokens is None}
        for name, data in self._values.need(list(names)).items():
            if not _is_whole(data):
                raise StoreError(
                    f"{self._server.address.name}: tokens that are not those that were stored",
                    "make it again with `skillret index build`",
                )
            known[names[name]] = data[4:]
            self._cache.put(("tokens", names[name]), data[4:], len(data) + 300)
        return known

    def tokens_of(self, pks: Sequence[int]) -> dict[int, bytes | None]:
        """Tokens of some rows, None where there are none or they are damaged."""
        found = self._values.get([_value("k", pk) for pk in pks])
        whole = {n: data[4:] for n, data in found.items() if _is_whole(data)}
        return {pk: whole.get(_value("k", pk)) for pk in pks}

    def pages(self, segment: Segment, fields: Sequence[str] = _ALL) -> Iterator[list[Any]]:
        """Rows of a segment in their order, some hundreds at a time, also those removed."""
        first = segment.id * SPAN
        for start in range(0, segment.rows, _ASKED):
            pks = range(first + start, first + min(start + _ASKED, segment.rows))
            rows = list(self._query(list(pks), fields, all_of_them=False))
            yield sorted(rows, key=lambda row: int(row["pk"]))

    def find(self, field: str, codes: Sequence[int], fields: Sequence[str]) -> Iterator[Any]:
        """Rows of this generation, also removed ones, in which a field has one of some numbers."""
        if not self._segments:
            return
        own = f"segment in {[s.id for s in self._segments]}"
        for start in range(0, len(codes), _ASKED):
            wanted = list(codes[start : start + _ASKED])
            where = f"{own} and {field} in {wanted}"
            yield from self._server.query(self._collection, where, fields)


def _value(kind: str, pk: int) -> str:
    segment, number = divmod(pk, SPAN)
    return f"{segment}/{kind}{number}"


def _is_whole(data: bytes) -> bool:
    return zlib.crc32(data[4:]) == int.from_bytes(data[:4], "little")


def _vector(value: Any) -> NDArray[np.float16]:
    """A vector as the server gives it: float16 bytes, or float32 numbers of the same values."""
    if len(value) == 1 and isinstance(value[0], bytes):
        return np.frombuffer(value[0], dtype=np.float16)
    return np.array(value, dtype=np.float32).astype(np.float16)


def values_of(row: dict[str, Any]) -> bytes:
    """The float16 bytes of a row's vector."""
    return _vector(row["vector"]).tobytes()
