"""A store in Milvus: a cluster, a server, or a file of Milvus Lite."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from skillret.encoders import Profile
from skillret.errors import IndexBusyError, StoreError
from skillret.files import parse_json
from skillret.index.corpus import Record
from skillret.index.forks import after_fork
from skillret.index.milvus.address import Address, parse_address
from skillret.index.milvus.codec import pack, unpack
from skillret.index.milvus.corpus import MilvusCorpus
from skillret.index.milvus.log import Entry, Log
from skillret.index.milvus.rows import content_code, skill_code, values_of
from skillret.index.milvus.server import Server
from skillret.index.milvus.values import PENDING, Cache, Values
from skillret.index.milvus.writing import Writer
from skillret.index.rows import digest
from skillret.index.store import Change, Encoded, IndexInfo, State
from skillret.index.write_lock import WriteLock
from skillret.lexical.bm25 import LEXICAL_VERSION
from skillret.skills import content_hash
from skillret.types import Skill

__all__ = ["MilvusStore", "open_milvus"]

_LOOK = 1.0  # seconds between two looks at what others have written
_MEMORY = 256 << 20  # bytes of rows and pages that are kept
_PAGE = 256  # skills that are read at once


def open_milvus(name: str, *, create: bool = False) -> MilvusStore:
    """Open an index in Milvus.

    Args:
        name: `milvus://HOST:PORT/COLLECTION` or `milvus-lite:FILE.db`, perhaps `?tenant=NAME`.
        create: Make an empty one if it is missing.

    Raises:
        InputError: If the name is none.
        MissingExtraError: If the client of Milvus is not installed.
        StoreError: If the server does not answer, or there is no index of this version.
    """
    return MilvusStore(parse_address(name), create=create)


class MilvusStore:
    """See `Store`.

    Args:
        address: Where.
        create: Make an empty one if it is missing.
        lock_timeout: Seconds to wait for another writer on this machine.
    """

    def __init__(
        self, address: Address, *, create: bool = False, lock_timeout: float = 600.0
    ) -> None:
        self.address = address
        self._writer = WriteLock(_lock_file(address), address.name, lock_timeout)
        if address.file and not create and not Path(address.file).exists():
            raise _missing(address)
        self._server = Server(address)
        self._values = Values(self._server)
        self._log = Log(self._server, self._values)
        self._cache = Cache(_MEMORY)
        self._corpus: MilvusCorpus | None = None
        self._entry: Entry | None = None
        self._looked = self._cleared = 0.0
        self._renew_loader()
        after_fork(self._renew_loader)
        if not self._server.exists():
            if not create:
                raise _missing(address)
            with self.writing():
                if not self._server.exists():
                    self._server.create_values()

    def _renew_loader(self) -> None:
        """A lock that nobody holds, for a process that was just forked."""
        self._loader = threading.Lock()

    @contextmanager
    def writing(self, timeout: float | None = None) -> Iterator[None]:
        """See `Store.writing`. Writers of other machines are met when a change is stored."""
        with self._writer.taken(timeout) as outermost:
            if outermost:
                self._entry = None  # what is current is asked for once more
            yield

    # --- reading ---------------------------------------------------------------------------

    def _current(self) -> Entry:
        """The current entry of the log; what others have written is seen within a second."""
        known = self._entry
        if known is None:
            known, _ = self._log.newest(strong=True)
        elif not self._writer.held and time.monotonic() - self._looked > _LOOK:
            seen, _ = self._log.newest(strong=False)
            if seen.number > known.number:
                known = seen
        else:
            return known
        self._entry, self._looked = known, time.monotonic()
        return known

    def info(self) -> IndexInfo:
        """See `Store.info`."""
        entry = self._current()
        return IndexInfo(
            generation=entry.generation,
            profile=entry.profile,
            sources=parse_json(entry.meta.get("sources", "{}")),
            fingerprint=entry.meta.get("fingerprint", ""),
            skills=entry.skills,
            pending=self._values.count(PENDING, strong=time.monotonic() - self._cleared < _LOOK),
        )

    def corpus(self) -> MilvusCorpus:
        """See `Store.corpus`."""
        corpus = self._opened()
        if len(corpus) and corpus.entry.lexical != LEXICAL_VERSION:
            raise StoreError(
                f"the words of {self.address.name} were read by another version of skillret",
                "run `skillret index build` again",
            )
        return corpus

    def _opened(self) -> MilvusCorpus:
        """The current generation, whatever version of the analyzer has read it."""
        entry = self._current()
        corpus = self._corpus
        if corpus is not None and corpus.generation == entry.token:
            return corpus
        with self._loader:
            corpus = self._corpus
            if corpus is None or corpus.generation != entry.token:
                self._check(entry)
                corpus = MilvusCorpus(self._server, self._values, self._cache, entry)
                self._corpus = corpus
            return corpus

    def _check(self, entry: Entry) -> None:
        """Make sure that all of a generation is there, and wait until it can be seen."""
        if not entry.segments:
            return
        name, rows = self.address.name, sum(s.rows for s in entry.segments)
        own = f"segment in {[s.id for s in entry.segments]}"
        found = self._server.count(entry.collection, own, strong=True)
        if found < rows:  # more where the client has sent some twice
            raise StoreError(
                f"{name} is damaged: it should have {rows} rows and has {found}",
                "make it again with `skillret index build`",
            )

    def _every(
        self, corpus: MilvusCorpus, fields: Sequence[str] = ("pk", "record")
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Key and row of all skills in the order of their keys."""
        for segment in corpus.entry.segments:
            for page in corpus.rows.pages(segment, fields):
                for row in page:
                    key = corpus.key_of(int(row["pk"]))
                    if key is not None:
                        yield key, row

    def states(self, ids: Sequence[str] | None = None) -> dict[str, State]:
        """See `Store.states`."""
        corpus = self._opened()
        rows: Iterable[tuple[int, dict[str, Any]]] = self._every(corpus)
        if ids is not None:
            codes = sorted({skill_code(id_) for id_ in ids})
            hits = corpus.rows.find("skill", codes, ["pk", "record"])
            keyed = ((corpus.key_of(int(row["pk"])), row) for row in hits)
            rows = ((key, row) for key, row in keyed if key is not None)
        wanted = None if ids is None else set(ids)
        found = {}
        for key, row in rows:
            stored = corpus.rows.read(row)
            if wanted is None or stored.known["id"] in wanted:
                found[str(stored.known["id"])] = stored.state(key)
        return found

    def damaged(self) -> set[str]:
        """See `Store.damaged`."""
        corpus = self._opened()
        self._check(corpus.entry)
        rows, profile, broken = corpus.rows, corpus.profile, set()
        dim, token_dim = (profile.dim, profile.token_dim) if profile else (-1, 0)
        every = self._every(corpus, ["pk", "record", "grams", "vector"])
        while page := list(islice(every, _PAGE)):
            pks = [int(row["pk"]) for _, row in page]
            bodies, tokens = rows.bodies(pks), rows.tokens_of(pks) if token_dim else {}
            for (_, row), pk in zip(page, pks, strict=True):
                stored, encoded = rows.read(row), Encoded(values_of(row), tokens.get(pk))
                whole = pk in bodies and (not token_dim or encoded.tokens is not None)
                if (
                    not whole
                    or len(encoded.vector) != 2 * dim
                    or digest(encoded.vector, rows.grams(row).tobytes()) != stored.known["digest"]
                    or content_hash(stored.skill(bodies[pk])) != stored.known["content"]
                ):
                    broken.add(str(stored.known["id"]))
        return broken

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """See `Store.records`."""
        return self._opened().records(keys)

    def skills(self, keys: Sequence[int] | None = None) -> Iterator[tuple[int, Skill]]:
        """See `Store.skills`."""
        corpus = self._opened()
        if keys is not None:
            yield from corpus.texts(keys).items()
            return
        every = self._every(corpus)
        while page := list(islice(every, _PAGE)):
            bodies = corpus.rows.bodies([int(row["pk"]) for _, row in page])
            for key, row in page:
                body = bodies.get(int(row["pk"]))
                if body is not None:
                    yield key, corpus.rows.read(row).skill(body)

    def known_vectors(self, profile: Profile, hashes: Iterable[str]) -> dict[str, Encoded]:
        """See `Store.known_vectors`."""
        wanted = list(dict.fromkeys(hashes))
        known: dict[str, Encoded] = {}
        corpus = self._opened()
        stored = corpus.profile
        if stored is not None and stored.identity == profile.identity:
            known = self._vectors_of(corpus, profile, wanted)
        rest = [h for h in wanted if h not in known]
        names = {_pending(profile, h): h for h in rest}
        for name, data in self._values.get(list(names)).items():
            arrays = unpack(data)
            tokens = arrays["tokens"].tobytes() if "tokens" in arrays else None
            vector = arrays["vector"].tobytes()
            if len(vector) == 2 * profile.dim and (not profile.token_dim or tokens is not None):
                known[names[name]] = Encoded(vector, tokens)
        return known

    def _vectors_of(
        self, corpus: MilvusCorpus, profile: Profile, wanted: Sequence[str]
    ) -> dict[str, Encoded]:
        rows, asked = corpus.rows, set(wanted)
        codes = sorted({content_code(h) for h in asked})
        known: dict[str, Encoded] = {}
        hits = rows.find("content", codes, ["pk", "record", "grams", "vector"])
        while page := list(islice(hits, _PAGE)):
            pks = [int(row["pk"]) for row in page]
            tokens = rows.tokens_of(pks) if profile.token_dim else dict.fromkeys(pks)
            for row, pk in zip(page, pks, strict=True):
                told, vector = rows.read(row).known, values_of(row)
                sound = digest(vector, rows.grams(row).tobytes()) == told["digest"]
                whole = not profile.token_dim or tokens[pk] is not None
                if told["content"] in asked and sound and whole:
                    known[str(told["content"])] = Encoded(vector, tokens[pk])
        return known

    # --- writing ---------------------------------------------------------------------------

    def add_pending(self, profile: Profile, vectors: Mapping[str, Encoded]) -> None:
        """See `Store.add_pending`."""
        known = self._values.get([_pending(profile, h) for h in vectors])
        self._values.put(
            PENDING,
            (
                (name, _packed(encoded))
                for hashed, encoded in vectors.items()
                if (name := _pending(profile, hashed)) not in known
            ),
        )

    def next_key(self) -> int:
        """See `Store.next_key`."""
        return self._current().next_key

    def set_meta(self, meta: Mapping[str, str]) -> None:
        """See `Store.set_meta`."""
        before = self._current()
        entry = replace(before, meta={**before.meta, **meta})
        self._entry = self._log.append(entry, before)

    def apply(
        self,
        *,
        added: Iterable[Change],
        removed: Sequence[int],
        details: Sequence[tuple[int, Skill, str]],
        meta: Mapping[str, str],
    ) -> None:
        """See `Store.apply`."""
        corpus = self._opened()
        before = corpus.entry
        if before.number != self._current().number:  # its meta data has changed since
            before = self._current()
            corpus = MilvusCorpus(self._server, self._values, self._cache, before)
        writer = Writer(self._server, self._values, corpus)
        with writer.discarding(BaseException):
            entry = writer.write(added, removed, details, meta)
        entry = replace(entry, generation=before.generation + 1, token=os.urandom(8).hex())
        with writer.discarding(IndexBusyError):  # of other errors nobody knows what came through
            entry = self._log.append(entry, before)
        self._entry, self._looked = entry, time.monotonic()
        with suppress(StoreError):  # what is left over now is deleted by the next change
            self._values.delete_all(PENDING)
            self._cleared = time.monotonic()

    def close(self) -> None:
        """See `Store.close`."""
        self._server.close()
        self._corpus = None


def _missing(address: Address) -> StoreError:
    make = f"skillret index build --index {quote(address.name)}"
    return StoreError(f"no index at {address.name}", f"make one with `{make}`")


def _pending(profile: Profile, content_hash: str) -> str:
    encoder = hashlib.sha256(profile.identity.encode()).hexdigest()[:16]
    return f"pending/{encoder}/{content_hash}"


def _packed(encoded: Encoded) -> bytes:
    arrays = {"vector": np.frombuffer(encoded.vector, dtype=np.uint8)}
    if encoded.tokens is not None:
        arrays["tokens"] = np.frombuffer(encoded.tokens, dtype=np.uint8)
    return pack(**arrays)


def _lock_file(address: Address) -> Path:
    """What the writers of an index on this machine lock."""
    import platformdirs

    if address.file:
        return Path(f"{address.file}.lock")
    place = f"{address.uri}/{address.collection}?{address.tenant}"
    name = hashlib.sha256(place.encode()).hexdigest()[:32]
    return platformdirs.user_data_path("skillret", appauthor=False) / "milvus" / f"{name}.lock"
