"""The default store: one SQLite file in WAL mode, and a folder beside it that can be rebuilt."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skillret.encoders import Profile
from skillret.errors import IndexBusyError, StoreError
from skillret.files import parse_json
from skillret.index.array_file import Base
from skillret.index.blocks import Block
from skillret.index.cache import Cache
from skillret.index.connections import Connections
from skillret.index.corpus import Record
from skillret.index.forks import after_fork
from skillret.index.local import LocalCorpus, Readers
from skillret.index.rows import (
    EVERYTHING,
    RECORDS,
    SKILLS,
    are_sound,
    base_tokens,
    digest,
    ends,
    insert,
    is_sound,
    read_meta,
    read_profile,
    read_record,
    read_skill,
    remove,
    select,
    set_details,
    set_meta,
    token_of,
)
from skillret.index.schema import corrupt
from skillret.index.sqlite_arrays import SqliteArrays, read_block
from skillret.index.store import Change, Encoded, IndexInfo, State
from skillret.index.write_lock import WriteLock
from skillret.lexical.bm25 import LEXICAL_VERSION, LexicalIndex, write_lexical
from skillret.lexical.grams import gram_reader
from skillret.lexical.texts import SkillTexts
from skillret.skills import content_hash
from skillret.types import Skill

__all__ = ["SqliteStore"]

_CHUNK = 500
_REWRITTEN = 500  # skills up to which every removal writes BM25 anew: half a second
_HISTORY = 32  # generations that a reader may be behind without reading all anew


class _Loaded(NamedTuple):
    """A corpus in memory and what of the store it knows: the last key and the last removal."""

    corpus: LocalCorpus
    last_key: int
    seq: int


class SqliteStore:
    """An index in one SQLite file. May be used by several threads, processes, and after a fork.

    Args:
        path: The file, absolute.
        create: Make it if it is missing.
        lock_timeout: Seconds to wait for another writer.

    Raises:
        StoreError: If the file is missing or cannot be opened.
        IndexCorruptError: If it is no skillret index, or damaged.
    """

    def __init__(self, path: Path, *, create: bool = False, lock_timeout: float = 600.0) -> None:
        self.path = path
        self._writer = WriteLock(Path(f"{path}.lock"), str(path), lock_timeout)
        self._db = Connections(path, create=create)
        self._cache = Cache(path.with_name(path.name + ".cache"))
        self._arrays = SqliteArrays(path, self._db, self._cache)
        self._loaded: _Loaded | None = None
        self._renew_loader()
        after_fork(self._renew_loader)

    def _renew_loader(self) -> None:
        """A lock that nobody holds, for a process that was just forked."""
        self._loader = threading.Lock()

    @contextmanager
    def writing(self, timeout: float | None = None) -> Iterator[None]:
        """See `Store.writing`."""
        with self._locked(timeout) as outermost:
            if outermost:
                self._derive()  # what is written next stands beside it
            yield
            if outermost:
                self._arrays.write()  # once, after however many changes

    @contextmanager
    def _locked(self, timeout: float | None = None) -> Iterator[bool]:
        """Hold the lock of writers; yields whether this thread did not before."""
        if self._db.read_only:
            raise StoreError(*self._db.refusal)
        if not self.path.parent.is_dir():  # it was deleted, and must not come back with a lock
            raise StoreError(f"the folder of {self.path} is gone", "make the index again")
        with self._writer.taken(timeout) as outermost:
            yield outermost

    # --- reading ---------------------------------------------------------------------------

    def info(self) -> IndexInfo:
        """See `Store.info`.

        Raises:
            IndexCorruptError: If that is not what a store says of itself.
        """
        with self._db.reading() as db:
            meta = read_meta(db)
            pending = db.execute("SELECT count(*) FROM pending").fetchone()[0]
            profile = read_profile(meta)
            if int(meta["skills"]) and not profile:
                raise ValueError("vectors of an unknown encoder")
            return IndexInfo(
                generation=int(meta["generation"]),
                profile=profile,
                sources=parse_json(meta.get("sources", "{}")),
                fingerprint=meta.get("fingerprint", ""),
                skills=int(meta["skills"]),
                pending=pending,
            )

    def states(self, ids: Sequence[str] | None = None) -> dict[str, State]:
        """See `Store.states`."""
        query = "SELECT id, key, content_hash, details_hash, metadata FROM skills"
        with self._db.reading() as db:
            if ids is None:
                rows: Iterable[Any] = db.execute(query)
            else:
                rows = select(db, query + " WHERE id IN ({})", ids)
            return {id_: State(*rest) for id_, *rest in rows}

    def damaged(self) -> set[str]:
        """See `Store.damaged`."""
        ids = set()
        with self._db.reading() as db:
            # Rows of a broken tree come and go by how they are asked for: nothing can mend that.
            (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":
                raise corrupt(self.path, " ".join(state.split())[:100])
            profile = read_profile(read_meta(db))
            dim, token_dim = (profile.dim, profile.token_dim) if profile else (-1, 0)
            for *row, stored, vector, grams, known, tokens, told in db.execute(EVERYTHING):
                missing = row[4] is None or vector is None
                if (
                    missing
                    or not is_sound(vector, grams, dim)
                    or digest(vector, grams) != known
                    or not are_sound(tokens, told, token_dim)
                    or content_hash(read_skill(row)[1]) != stored
                ):
                    ids.add(row[1])
        return ids

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """See `Store.records`."""
        with self._db.reading() as db:
            return {row[0]: read_record(row) for row in select(db, RECORDS, keys)}

    def skills(self, keys: Sequence[int] | None = None) -> Iterator[tuple[int, Skill]]:
        """See `Store.skills`."""
        if keys is not None:
            with self._db.reading() as db:
                rows = [read_skill(r) for r in select(db, SKILLS + " WHERE s.key IN ({})", keys)]
            yield from rows
            return
        last = -1  # chunk by chunk: whoever reads slowly holds neither a connection nor a snapshot
        while True:
            with self._db.reading() as db:
                page = f"{SKILLS} WHERE s.key > ? ORDER BY s.key LIMIT {_CHUNK}"
                rows = [read_skill(r) for r in db.execute(page, (last,))]
            if not rows:
                return
            yield from rows
            last = rows[-1][0]

    def _tokens(self, keys: Sequence[int], dim: int) -> dict[int, bytes]:
        """Tokens of some keys, int8 bytes, `dim` of each token; see `Corpus.tokens`."""
        query = "SELECT key, tokens, digest FROM tokens WHERE key IN ({})"
        with self._db.reading() as db:
            rows = list(select(db, query, keys))
        if not all(are_sound(tokens, known, dim) for _, tokens, known in rows):
            raise corrupt(self.path, "tokens that are not those that were stored")
        return {key: tokens for key, tokens, _ in rows}

    def known_vectors(self, profile: Profile, hashes: Iterable[str]) -> dict[str, Encoded]:
        """See `Store.known_vectors`."""
        wanted = list(dict.fromkeys(hashes))
        known: dict[str, Encoded] = {}
        dim, token_dim = profile.dim, profile.token_dim
        with self._db.reading() as db:
            stored = read_profile(read_meta(db))
            if stored is not None and stored.identity == profile.identity:
                query = (
                    "SELECT content_hash, vector, grams, v.digest, tokens, t.digest FROM skills s"
                    " JOIN vectors v ON v.key = s.key LEFT JOIN tokens t ON t.key = s.key"
                    " WHERE content_hash IN ({})"
                )
                for content, vector, grams, of_both, tokens, told in select(db, query, wanted):
                    whole = is_sound(vector, grams, dim) and are_sound(tokens, told, token_dim)
                    if whole and digest(vector, grams) == of_both:
                        known[content] = Encoded(vector, tokens)
            query = (
                "SELECT content_hash, vector, tokens FROM pending WHERE encoder = ?"
                " AND length(vector) = ? AND content_hash IN ({})"
            )
            rest = [h for h in wanted if h not in known]
            for content, vector, tokens in select(db, query, rest, profile.identity, 2 * dim):
                if not token_dim or (tokens is not None and len(tokens) % token_dim == 0):
                    known[content] = Encoded(vector, tokens)
        return known

    def corpus(self) -> LocalCorpus:
        """See `Store.corpus`."""
        if self._db.replaced():
            with self._loader:
                if self._db.replaced():
                    self._db.renew()
        with self._db.reading() as db:
            token = token_of(read_meta(db))
        loaded = self._loaded
        if loaded is not None and loaded.corpus.generation == token:
            return loaded.corpus
        with self._loader:
            loaded = self._loaded
            if loaded is None or loaded.corpus.generation != token:
                loaded = self._loaded = self._load(loaded)
            return loaded.corpus

    def _load(self, before: _Loaded | None) -> _Loaded:
        """The current generation, from the one before where that is possible."""
        self._derive()
        loaded = self._read(before)
        if loaded is None:
            with suppress(StoreError), self.writing(timeout=0):  # read-only or busy: all is read
                pass  # arrays are written after whatever is written
            loaded = self._read(None, whole=True)
        assert loaded is not None
        return loaded

    def _read(self, before: _Loaded | None, *, whole: bool = False) -> _Loaded | None:
        """The current generation; None if its arrays are lost, unless `whole` reads it all."""
        with self._db.reading() as db:
            db.execute("BEGIN")  # all that follows is of one generation, whoever writes meanwhile
            meta = read_meta(db)
            loaded = self._from(before, db, meta)
            if loaded is None:
                arrays = self._arrays.opened(meta)
                if arrays is not None or whole or not self._arrays.are_lost(meta):
                    loaded = self._whole(db, meta, arrays)
            db.execute("COMMIT")
        return loaded

    def _from(
        self, before: _Loaded | None, db: sqlite3.Connection, meta: Mapping[str, str]
    ) -> _Loaded | None:
        """The current generation by what has changed; None if too little is known of that."""
        profile = read_profile(meta)
        if before is None or profile is None or before.seq < int(meta.get("trimmed", "0")):
            return None
        # A backup or another file that was put there has other skills under the same keys.
        if before.corpus.generation not in meta.get("history", "").split():
            return None
        lexical = self._cache.open_lexical(token_of(meta), int(meta["skills"]))
        known = before.corpus.profile
        if lexical is None or known is None or known.dim != profile.dim:
            return None
        return self._since(before, db, meta, profile, lexical)

    def _since(
        self,
        before: _Loaded,
        db: sqlite3.Connection,
        meta: Mapping[str, str],
        profile: Profile,
        lexical: LexicalIndex,
    ) -> _Loaded | None:
        """What was known and what came and went since; None if that does not add up."""
        added = read_block(self.path, db, profile.dim, before.last_key)
        query = "SELECT key FROM removed WHERE seq > ?"
        removed = np.array([k for (k,) in db.execute(query, (before.seq,))], dtype=np.int64)
        removed = removed[before.corpus.holds(removed)]
        corpus = before.corpus.changed(token_of(meta), added, removed, lexical, profile)
        return _Loaded(corpus, *ends(db)) if len(corpus) == int(meta["skills"]) else None

    def _whole(
        self,
        db: sqlite3.Connection,
        meta: Mapping[str, str],
        arrays: tuple[Base, Block] | None,
    ) -> _Loaded:
        """The current generation from the cache and the store."""
        profile, skills = read_profile(meta), int(meta["skills"])
        cached = self._cache.open_lexical(token_of(meta), skills)
        lexical = cached or self._rebuild(db, meta)
        loaded = None
        if arrays is not None and profile is not None:
            base, block = arrays
            mapped = LocalCorpus.of("", profile, block, lexical, self._readers())
            before = _Loaded(mapped, base.last_key, base.seq)
            loaded = self._since(before, db, meta, profile, lexical)
        if loaded is None:
            block = read_block(self.path, db, profile.dim if profile else 0)
            corpus = LocalCorpus.of(token_of(meta), profile, block, lexical, self._readers())
            loaded = _Loaded(corpus, *ends(db))
        keys, token = loaded.corpus.keys(), token_of(meta)
        known = cached is not None and self._cache.is_checked(token, keys)
        same = known or np.array_equal(keys, lexical.keys())
        if cached is not None and not same:
            lexical = self._rebuild(db, meta)
            loaded = loaded._replace(corpus=replace(loaded.corpus, lexical=lexical))
            same = np.array_equal(keys, lexical.keys())
        if same and not known and lexical is cached and self._arrays.are_wanted(len(keys)):
            self._cache.note_checked(token, keys)
        if len(keys) != skills or not same:
            what = f"{skills} skills, the vectors of {len(keys)} and the texts of {len(lexical)}"
            raise corrupt(self.path, what)
        return loaded

    def _readers(self) -> Readers:
        """What a corpus reads of some skills when it is asked."""
        return self.records, self.skills, self._tokens

    def _rebuild(self, db: sqlite3.Connection, meta: Mapping[str, str]) -> LexicalIndex:
        """The BM25 index of a generation from its texts, where the cached one is no good."""
        query = f"{SKILLS} ORDER BY s.key"
        rebuilt = LexicalIndex(write_lexical(None, map(read_skill, db.execute(query))))
        # Read-only or busy: then the one in memory serves this process alone.
        with suppress(StoreError), self._locked(timeout=0):
            with self._db.reading() as current:
                same = token_of(read_meta(current)) == token_of(meta)
            if same and len(rebuilt) == int(meta["skills"]):
                self._cache.write_lexical(token_of(meta), map(read_skill, db.execute(query)))
        return rebuilt

    def _derive(self) -> None:
        """Read the grams of all skills anew where another version of this package read them."""
        with self._db.reading() as db:
            meta = read_meta(db)
        if meta.get("lexical") == str(LEXICAL_VERSION) or not int(meta["skills"]):
            return
        reader = gram_reader()
        with self.writing(), self._db.transaction() as db:
            query = "SELECT vector FROM vectors WHERE key = ?"
            skills = self.skills()
            while some := list(islice(skills, _CHUNK)):
                read = reader.read_skills([skill for _, skill in some])
                for (key, _), own in zip(some, read, strict=True):
                    grams = own.tobytes()
                    for (vector,) in db.execute(query, (key,)).fetchall():
                        row = (grams, digest(vector, grams), key)
                        db.execute("UPDATE vectors SET grams = ?, digest = ? WHERE key = ?", row)
            set_meta(db, {"lexical": str(LEXICAL_VERSION), "base": ""})

    # --- writing ---------------------------------------------------------------------------

    def add_pending(self, profile: Profile, vectors: Mapping[str, Encoded]) -> None:
        """See `Store.add_pending`."""
        rows = [(profile.identity, h, *encoded) for h, encoded in vectors.items()]
        with self._db.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?)", rows)

    def next_key(self) -> int:
        """See `Store.next_key`."""
        with self._db.reading() as db:
            return max(ends(db)[0], 0) + 1

    def set_meta(self, meta: Mapping[str, str]) -> None:
        """See `Store.set_meta`."""
        with self._db.transaction() as db:
            set_meta(db, meta)

    def apply(
        self,
        *,
        added: Iterable[Change],
        removed: Sequence[int],
        details: Sequence[tuple[int, Skill, str]],
        meta: Mapping[str, str],
    ) -> None:
        """See `Store.apply`."""
        with self._db.reading() as db:
            before = read_meta(db)
        old, skills = token_of(before), int(before["skills"])
        self._cache.clean({old, *base_tokens(before)})
        token = os.urandom(8).hex()
        keys: list[int] = []
        try:
            with self._db.transaction() as db:
                if read_meta(db)["generation"] != before["generation"]:
                    raise IndexBusyError(f"{self.path} was changed meanwhile; try again")
                db.execute("DELETE FROM pending")  # first: its pages are used again
                skills -= remove(db, removed)
                set_details(db, details)
                # BM25 goes on counting what was removed until its segments are merged, so in a
                # small library an update would score otherwise than a build.
                anew = bool(removed) and skills <= _REWRITTEN
                kept: list[tuple[int, Skill]] = []
                if anew or self._cache.open_lexical(old, int(before["skills"])) is None:
                    kept = [read_skill(row) for row in db.execute(f"{SKILLS} ORDER BY s.key")]
                    anew = True
                # While Python inserts rows, tantivy indexes their texts in a thread of its own.
                texts: Iterator[tuple[int, Skill | SkillTexts]]
                texts = chain(kept, insert(db, added, keys))
                if anew:
                    self._cache.write_lexical(token, texts)
                else:
                    self._cache.write_lexical(token, texts, removed, base=old)
                history = [token, *before.get("history", "").split()]
                own = {"cache": token, "history": " ".join(history[:_HISTORY])}
                own |= {"skills": str(skills + len(keys)), "lexical": str(LEXICAL_VERSION)}
                if before.get("base") and _encoder({**before, **meta}) != _encoder(before):
                    own["base"] = ""  # its vectors may have another dimension
                set_meta(db, {**meta, **own})
                db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
        except BaseException:
            self._cache.discard(token)
            raise
        self._db.settle()
        # The previous generation stays until the next change: a reader may be opening it.
        self._cache.clean({old, token, *base_tokens(before)})

    def close(self) -> None:
        """See `Store.close`."""
        self._db.close()
        self._loaded = None


def _encoder(meta: Mapping[str, str]) -> str:
    profile = read_profile(meta)
    return "" if profile is None else profile.identity
