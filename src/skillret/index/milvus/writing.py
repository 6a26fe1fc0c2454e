"""A change, as it is written: new segments of rows, of what is derived from them, and what is gone.

A segment that a change hardly touches stays as it is, and a value says which of its skills are gone
and what they counted. Small segments at the end are written anew together with what is added, as
long as they are not much larger than it, so that there are few of them and a skill is written again
only a few times.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import numpy as np

from skillret.errors import StoreError
from skillret.index.milvus.codec import pack
from skillret.index.milvus.corpus import MilvusCorpus
from skillret.index.milvus.log import Entry
from skillret.index.milvus.rows import details_of, row_of, values_of
from skillret.index.milvus.segment import Segment, SegmentWriter, count_grams
from skillret.index.milvus.server import Server
from skillret.index.milvus.values import Values
from skillret.index.store import Change, Encoded
from skillret.lexical.bm25 import LEXICAL_VERSION
from skillret.lexical.grams import gram_reader
from skillret.lexical.texts import read_texts
from skillret.types import Skill

__all__ = ["Writer"]

_PEEKED = 256  # skills that are looked at to see whether they are few
_MOST_ROWS = 100_000  # of a segment
_NUMBER = 43  # bits of a segment's number, at random: two of a hundred thousand meet in 1 of 1,700
_SHARE = 8  # a segment is written anew once one of so many of its skills is gone ...
_FEW, _MANY = 64, 4096  # ... but not for so few, and always for so many
_LARGER = 2  # small segments are written anew up to so many times the size of what is behind them
_GRACE = 600.0  # seconds for which readers can go on with what is not current any more
_BATCH = 2 << 20  # bytes in one insert, about
_SETTLED = 500  # skills from which a change waits until they are indexed


class Writer:
    """Writes one change.

    Args:
        server: The connection.
        values: Where what is derived is kept.
        before: What is current.
    """

    def __init__(self, server: Server, values: Values, before: MilvusCorpus) -> None:
        self._server, self._values, self._before = server, values, before
        self._started: list[int] = []
        self._collection, self._fresh = before.entry.collection, False
        self._written = 0
        self._purged: set[int] = set()

    def write(
        self,
        added: Iterable[Change],
        removed: Sequence[int],
        details: Sequence[tuple[int, Skill, str]],
        meta: Mapping[str, str],
    ) -> Entry:
        """Write a change; the entry that makes it current, of the number before. See `Store.apply`.

        Raises:
            StoreError: If it cannot be written.
        """
        entry = replace(self._before.entry, meta={**self._before.entry.meta, **meta})
        stream = iter(added)
        some = list(islice(stream, _PEEKED))
        left_over = entry.skills - len(removed)
        anew = self._anew(entry, some, left_over)
        gone = self._before.rows_of(removed)
        kept = [] if anew else self._kept(entry.segments, gone, len(some))
        self._purge(entry)
        if anew and (some or left_over):
            self._begin(entry)
        other = {key: (skill, hashed) for key, skill, hashed in details}
        segments: list[Segment] = []
        open_: Iterator[Change] = iter(())
        for segment in entry.segments:
            if segment in kept:
                segments += self._segments(open_)
                open_ = iter(())
                segments.append(self._touched(segment, gone.get(segment.id, ()), other))
            else:
                lost = set(gone.get(segment.id, ()))
                open_ = chain(open_, self._changes(segment, lost, other))
        segments += self._segments(chain(open_, some, stream))
        if self._fresh:
            self._server.serve(self._collection, self._index(self._written), self._written)
        elif self._written >= _SETTLED:
            self._server.settle(self._collection)
        now = time.time()
        left = [(s.id, entry.collection, now) for s in entry.segments if s not in kept]
        last = max((s.last for s in segments), default=0)
        return replace(
            entry,
            collection=self._collection,
            index=entry.index if entry.index and not self._fresh else self._index(self._written),
            dim=entry_dim(meta, entry),
            lexical=LEXICAL_VERSION,
            next_key=max(entry.next_key, last + 1),
            segments=tuple(segments),
            left=(*(one for one in entry.left if one[0] not in self._purged), *left),
        )

    def _index(self, skills: int) -> str:
        return self._server.index_for(skills)

    def _anew(self, entry: Entry, some: Sequence[Change], left_over: int) -> bool:
        """Whether all goes into another collection: a rebuild, or one that is searched otherwise.

        Raises:
            StoreError: If tenants share a collection whose vectors have another dimension.
        """
        if not entry.segments:
            same = self._server.current() == entry.collection != ""
            dims = {len(c.encoded.vector) // 2 for c in some} - {entry.dim}
            if self._server.address.tenant:
                return self._joined(some)
            return not same or bool(dims)
        dims = {len(c.encoded.vector) // 2 for c in some} - {entry.dim}
        if self._server.address.tenant:
            if dims:
                raise _other_encoder(self._server.address.name, dims.pop(), entry.dim)
            return False
        size = left_over + len(some)
        grown = self._index(size) != entry.index and size > entry.skills
        return bool(dims) or grown or (not left_over and bool(some))

    def _joined(self, some: Sequence[Change]) -> bool:
        """The collection that the tenants share; whether it is to be made."""
        self._collection = self._server.current()
        if not self._collection or not some:
            return not self._collection
        dim, there = len(some[0].encoded.vector) // 2, self._server.dim_of(self._collection)
        if dim != there:
            raise _other_encoder(self._server.address.name, dim, there)
        return False

    def _kept(
        self, segments: Sequence[Segment], gone: Mapping[int, Sequence[int]], added: int
    ) -> list[Segment]:
        """The segments that stay as they are."""
        if self._before.entry.lexical != LEXICAL_VERSION:
            return []
        kept = []
        for segment in segments:
            lost = segment.removed + len(gone.get(segment.id, ()))
            many = min(max(_FEW, segment.rows // _SHARE), _MANY)
            if lost < segment.rows and lost <= many:
                kept.append(segment)
        behind = added
        for segment in reversed(segments):
            if segment in kept:
                if not added or segment.skills > _LARGER * behind:
                    break
                kept.remove(segment)
            behind += segment.skills
        return kept

    def _begin(self, entry: Entry) -> None:
        """Make the collection that all goes to."""
        self._fresh = True
        stamp = f"{int(time.time()):x}_{os.urandom(4).hex()}"
        self._collection = f"{self._server.address.collection}_{stamp}"

    def _segments(self, changes: Iterator[Change]) -> list[Segment]:
        """Write skills; the segments that they make."""
        segments = []
        for first in changes:
            some = islice(changes, _MOST_ROWS - 1)
            segments.append(self._segment(chain([first], some)))
        return segments

    def _segment(self, changes: Iterator[Change]) -> Segment:
        number = int.from_bytes(os.urandom(8), "big") >> (64 - _NUMBER) or 1
        self._started.append(number)
        derived = SegmentWriter(number)
        rows: list[dict[str, Any]] = []
        values: list[tuple[str, bytes]] = []
        size = 0
        for change in changes:
            if self._fresh and not self._written:
                self._server.create_rows(self._collection, len(change.encoded.vector) // 2)
            place, owner = len(derived), self._server.address.tenant
            row, own = row_of(change, number, place, owner, derived.add(change))
            rows.append(row)
            values += own
            self._written += 1
            size += len(row["record"]) + len(row["grams"]) + sum(len(v) for _, v in own) + 2000
            if size > _BATCH:
                self._flush(number, rows, values)
                rows, values, size = [], [], 0
        self._flush(number, rows, values)
        self._values.put(number, derived.values())
        return derived.segment()

    def _flush(
        self, number: int, rows: Sequence[dict[str, Any]], values: Sequence[tuple[str, bytes]]
    ) -> None:
        self._server.insert(self._collection, rows)
        self._values.put(number, values)

    def _changes(
        self, segment: Segment, lost: set[int], other: Mapping[int, tuple[Skill, str]]
    ) -> Iterator[Change]:
        """The skills of a segment that stay, to be written anew."""
        rows = self._before.rows
        reread = self._before.entry.lexical != LEXICAL_VERSION
        for page in rows.pages(segment):
            known = {int(row["pk"]): row for row in page}
            keys = {pk: key for pk in known if (key := self._before.key_of(pk)) is not None}
            pks = [pk for pk, key in keys.items() if key not in lost]
            bodies, tokens = rows.bodies(pks), rows.tokens_of(pks)
            for pk in pks:
                stored, key = rows.read(known[pk]), keys[pk]
                if pk not in bodies:
                    name = self._server.address.name
                    raise StoreError(
                        f"{name}: the text of the skill {stored.known['id']!r} is gone",
                        "make it again with `skillret index build`",
                    )
                hashed = stored.details[-1]
                skill = stored.skill(bodies[pk])
                if key in other:
                    skill, hashed = other[key]
                    skill = replace(skill, body=bodies[pk])
                texts = read_texts(skill)
                grams = gram_reader().read_skill(texts) if reread else rows.grams(known[pk])
                encoded = Encoded(values_of(known[pk]), tokens[pk])
                content = str(stored.known["content"])
                yield Change(key, skill, content, hashed, encoded, texts, grams)

    def _touched(
        self, segment: Segment, lost: Sequence[int], other: Mapping[int, tuple[Skill, str]]
    ) -> Segment:
        """A segment that stays, with what is gone of it, and what has changed beside texts."""
        if lost:
            segment = self._removed(segment, lost)
        own = {k: v for k, v in other.items() if segment.first <= k <= segment.last}
        if own:
            known = self._before.rows.details(segment) if segment.details else {}
            fresh = {
                self._before.number_of(key): details_of(skill, hashed)
                for key, (skill, hashed) in own.items()
            }
            name = f"{segment.id}/details/{os.urandom(8).hex()}"
            data = json.dumps({**known, **fresh}).encode()
            self._values.put(segment.id, [(name, zlib.compress(data))])
            segment = replace(segment, details=name)
        return segment

    def _removed(self, segment: Segment, lost: Sequence[int]) -> Segment:
        keys = np.sort(np.array(lost, dtype=np.int64))
        vectors = self._before.vectors(keys).astype(np.float16)
        grams = self._before.grams(keys)
        lengths = segment.lengths
        for length in self._before.lengths(keys):
            lengths = lengths.plus(length, -1)
        before = self._before.removal(segment)
        if before is not None:
            keys = np.sort(np.concatenate([before.keys, keys]))
            vectors = np.concatenate([before.vectors, vectors])
            # As often as it was held: the counts of those that are gone already.
            grams = [*grams, np.repeat(before.codes, before.counts)]
        codes, counts = count_grams(grams)
        name = f"{segment.id}/removed/{os.urandom(8).hex()}"
        data = pack(keys=keys, codes=codes, counts=counts, vectors=vectors)
        self._values.put(segment.id, [(name, data)])
        return replace(segment, lengths=lengths, removed=len(keys), removal=name)

    def _purge(self, entry: Entry) -> None:
        """Delete what has not been current for a while."""
        # Done beside the entry that says so: whoever is interrupted does it once more.
        now = time.time()
        recent = {collection for _, collection, since in entry.left if now - since <= _GRACE}
        for number, collection, since in entry.left:
            if now - since <= _GRACE:
                continue
            if collection == entry.collection:
                self._server.delete(collection, f"segment == {number}")
            elif collection in recent:  # which goes as a whole
                continue
            else:
                self._server.drop(collection)
            self._values.delete_all(number)
            self._purged.add(number)

    @contextmanager
    def discarding(self, failure: type[BaseException]) -> Iterator[None]:
        """Delete what was written if a failure of some kind comes up meanwhile."""
        try:
            yield
        except failure:
            with suppress(StoreError):
                self._discard()
            raise

    def _discard(self) -> None:
        if self._fresh:
            self._server.drop(self._collection)
        for number in self._started:
            if not self._fresh:
                self._server.delete(self._collection, f"segment == {number}")
            self._values.delete_all(number)


def entry_dim(meta: Mapping[str, str], entry: Entry) -> int:
    """Dimension of the vectors after a change."""
    profile = replace(entry, meta={**entry.meta, **meta}).profile
    return profile.dim if profile else entry.dim


def _other_encoder(name: str, dim: int, there: int) -> StoreError:
    return StoreError(
        f"the tenants of the collection of {name} share an encoder: its vectors have {there}"
        f" dimensions, not {dim}",
        "use that encoder (--model), or another collection",
    )
