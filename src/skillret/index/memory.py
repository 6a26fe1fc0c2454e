"""A store in memory: for libraries that live no longer than their process, and for tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32
from skillret.encoders import Profile
from skillret.errors import IndexBusyError
from skillret.files import parse_json
from skillret.index.blocks import Block
from skillret.index.corpus import Record
from skillret.index.forks import after_fork
from skillret.index.local import LocalCorpus
from skillret.index.store import Change, Encoded, IndexInfo, State, metadata_json
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.lexical.grams import gram_reader
from skillret.types import Skill

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MemoryStore", "corpus_of"]


class MemoryStore:
    """See `Store`. A change makes the next corpus anew: for some thousand skills."""

    def __init__(self) -> None:
        self._renew_locks()
        self._rows: dict[int, Change] = {}
        self._meta: dict[str, str] = {}
        self._pending: dict[tuple[str, str], Encoded] = {}
        self._name = os.urandom(8).hex()
        self._generation = 0
        self._next = 1
        self._corpus: LocalCorpus | None = None
        after_fork(self._renew_locks)

    def _renew_locks(self) -> None:
        """Locks that nobody holds, for a process that was just forked."""
        self._writer = threading.RLock()
        self._loader = threading.Lock()  # never held while anything is encoded

    @contextmanager
    def writing(self, timeout: float | None = None) -> Iterator[None]:
        """See `Store.writing`."""
        if not self._writer.acquire(timeout=-1 if timeout is None else timeout):
            raise IndexBusyError("another thread is writing this index")
        try:
            yield
        finally:
            self._writer.release()

    def info(self) -> IndexInfo:
        """See `Store.info`."""
        return IndexInfo(
            generation=self._generation,
            profile=self._profile(),
            sources=parse_json(self._meta.get("sources", "{}")),
            fingerprint=self._meta.get("fingerprint", ""),
            skills=len(self._rows),
            pending=len(self._pending),
        )

    def _profile(self) -> Profile | None:
        stored = self._meta.get("profile")
        return Profile.from_json(parse_json(stored), "it") if stored else None

    def corpus(self) -> LocalCorpus:
        """See `Store.corpus`."""
        with self._loader:
            if self._corpus is None:
                rows, profile = list(self._rows.values()), self._profile()
                dim = profile.dim if profile else 0
                halves = np.frombuffer(b"".join(c.encoded.vector for c in rows), dtype=np.float16)
                vectors = halves.astype(np.float32).reshape(len(rows), dim)
                block = Block.of([c.key for c in rows], vectors, [c.grams for c in rows])
                texts = {c.key: c.skill for c in rows}
                lexical = LexicalIndex(write_lexical(None, ((c.key, c.texts) for c in rows)))
                records = {c.key: _record(c.key, c.skill) for c in rows}
                tokens = {c.key: t for c in rows if (t := c.encoded.tokens) is not None}
                readers = (_reader(records), _texts(texts), _tokens(tokens))
                generation = f"{self._name}-{self._generation}"
                self._corpus = LocalCorpus.of(generation, profile, block, lexical, readers)
            return self._corpus

    def states(self, ids: Sequence[str] | None = None) -> dict[str, State]:
        """See `Store.states`."""
        wanted = None if ids is None else set(ids)
        return {
            c.skill.id: State(key, c.content_hash, c.details_hash, metadata_json(c.skill))
            for key, c in self._rows.items()
            if wanted is None or c.skill.id in wanted
        }

    def damaged(self) -> set[str]:
        """See `Store.damaged`."""
        return set()

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """See `Store.records`."""
        return {k: _record(k, self._rows[k].skill) for k in keys if k in self._rows}

    def skills(self, keys: Sequence[int] | None = None) -> Iterator[tuple[int, Skill]]:
        """See `Store.skills`."""
        rows = dict(self._rows)
        for key in rows if keys is None else keys:
            if key in rows:
                yield key, _copy(rows[key].skill)

    def known_vectors(self, profile: Profile, hashes: Iterable[str]) -> dict[str, Encoded]:
        """See `Store.known_vectors`."""
        known, own = {}, self._profile()
        if own is not None and own.identity == profile.identity:
            known = {c.content_hash: c.encoded for c in self._rows.values()}
        pending = {h: v for (i, h), v in self._pending.items() if i == profile.identity}
        return {h: v for h in hashes if (v := known.get(h, pending.get(h))) is not None}

    def add_pending(self, profile: Profile, vectors: Mapping[str, Encoded]) -> None:
        """See `Store.add_pending`."""
        self._pending |= {(profile.identity, h): v for h, v in vectors.items()}

    def next_key(self) -> int:
        """See `Store.next_key`."""
        return self._next

    def apply(
        self,
        *,
        added: Iterable[Change],
        removed: Sequence[int],
        details: Sequence[tuple[int, Skill, str]],
        meta: Mapping[str, str],
    ) -> None:
        """See `Store.apply`."""
        gone = set(removed)
        rows = {key: c for key, c in self._rows.items() if key not in gone}
        for key, skill, hashed in details:
            rows[key] = rows[key]._replace(skill=_own(skill), details_hash=hashed)
        rows |= {c.key: c._replace(skill=_own(c.skill)) for c in added}
        with self._loader:
            self._rows, self._corpus = rows, None
            self._next = max([self._next - 1, *rows]) + 1
            self._meta |= meta
            self._pending.clear()
            self._generation += 1

    def set_meta(self, meta: Mapping[str, str]) -> None:
        """See `Store.set_meta`."""
        self._meta |= meta

    def close(self) -> None:
        """See `Store.close`."""


def corpus_of(
    skills: Sequence[Skill],
    vectors: Float32,
    profile: Profile | None = None,
    grams: Sequence[NDArray[np.uint32]] | None = None,
    tokens: Sequence[NDArray[np.int8]] | None = None,
) -> LocalCorpus:
    """A corpus of skills whose vectors are known; the key of each is its row number.

    Args:
        skills: The library.
        vectors: float32 `(n, dim)`; of no width where nothing is searched by vector.
        profile: Of the encoder that made them.
        grams: As `GramReader` read them, for whoever makes several corpora of the same skills.
        tokens: As the encoder showed them, if its profile has a `token_dim`.
    """
    if grams is None:
        grams = list(gram_reader().read_skills(skills))
    block = Block.of(range(len(skills)), vectors, grams)
    lexical = LexicalIndex(write_lexical(None, enumerate(skills)))
    records = {key: _record(key, skill) for key, skill in enumerate(skills)}
    texts = dict(enumerate(skills))
    held = {} if tokens is None else {key: t.tobytes() for key, t in enumerate(tokens)}
    readers = (_reader(records), _texts(texts), _tokens(held))
    return LocalCorpus.of("", profile, block, lexical, readers)


def _own(skill: Skill) -> Skill:
    """A skill whose metadata nobody else can change."""
    return replace(skill, metadata=parse_json(metadata_json(skill)))


def _copy(skill: Skill) -> Skill:
    """A skill whose metadata its reader may change."""
    return replace(skill, metadata=deepcopy(skill.metadata)) if skill.metadata else skill


def _record(key: int, s: Skill) -> Record:
    places = (s.path, s.aliases, s.shadowed_by)
    return Record(key, s.id, s.name, s.description, *places, s.metadata, s.user_only)


def _lent(record: Record) -> Record:
    """A record whose metadata its reader may change."""
    return record._replace(metadata=deepcopy(record.metadata)) if record.metadata else record


def _texts(
    skills: Mapping[int, Skill],
) -> Callable[[Sequence[int]], Iterable[tuple[int, Skill]]]:
    return lambda keys: [(key, _copy(skills[key])) for key in keys if key in skills]


def _tokens(tokens: Mapping[int, bytes]) -> Callable[[Sequence[int], int], dict[int, bytes]]:
    return lambda keys, _: {key: tokens[key] for key in keys if key in tokens}


def _reader(records: Mapping[int, Record]) -> Callable[[Sequence[int]], dict[int, Record]]:
    return lambda keys: {key: _lent(records[key]) for key in keys if key in records}
