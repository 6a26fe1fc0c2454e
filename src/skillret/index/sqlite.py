"""The default store: one SQLite file in WAL mode."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skillret.encoders import Profile
from skillret.errors import EncoderError, IndexBusyError, IndexCorruptError, StoreError
from skillret.files import parse_json
from skillret.index.sqlite_files import has_log, is_truncated, is_writable
from skillret.index.store import Change, IndexInfo, Record, VectorTable
from skillret.types import Skill

__all__ = ["SCHEMA_VERSION", "SqliteStore"]

# Raised with every change of the tables; a migration for each step goes into _MIGRATIONS.
SCHEMA_VERSION = 1
_APPLICATION_ID = 0x534B5254  # "SKRT": tells an index from any other SQLite file

# Bodies have a table of their own, so that reading all vectors does not page through them.
_SCHEMA = """
CREATE TABLE skills (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    path TEXT,
    aliases TEXT NOT NULL,
    shadowed_by TEXT,
    content_hash TEXT NOT NULL,
    details_hash TEXT NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE TABLE bodies (
    key INTEGER PRIMARY KEY REFERENCES skills(key) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE pending (
    encoder TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (encoder, content_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_MIGRATIONS: dict[int, str] = {}


def _squeezed(sql: str) -> str:
    """A statement without what SQLite or ALTER TABLE may write differently."""
    return "".join(sql.split()).replace('"', "")


_TABLES = frozenset(_squeezed(s) for s in _SCHEMA.split(";\n") if s.strip())
_TOKEN = re.compile(r"([0-9a-f]{16})?")
_CHUNK = 500  # SQLite's oldest limit on the parameters of a statement is 999


class SqliteStore:
    """An index in one SQLite file. One thread at a time may use it.

    Args:
        path: The file.
        create: Make it if it is missing.
        lock_timeout: Seconds to wait for another writer.

    Raises:
        StoreError: If the file is missing or cannot be opened.
        IndexCorruptError: If it is no skillret index, or damaged.
    """

    def __init__(self, path: Path, *, create: bool = False, lock_timeout: float = 600.0) -> None:
        self.path = path
        self._lock_timeout = lock_timeout
        self._depth = 0
        self.read_only = False
        self._refusal = f"cannot write {path}: it is read-only; give another --index"
        try:
            if path.is_dir():
                raise StoreError(f"{path} is a folder; an index is a file")
            if path.exists() and not path.is_file():
                raise StoreError(f"{path} is no regular file; give another --index")
            empty = not path.is_file() or not (path.stat().st_size or has_log(path))
            if empty and not create:
                raise StoreError(f"no index at {path}: make one with `skillret index build`")
            if is_truncated(path):
                raise self._corrupt("its end is missing")
            str(path).encode("utf-8")  # SQLite could take it, the BM25 index could not
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open(create, empty)
            self._file = self._stamp()
        except OSError as e:
            raise StoreError(
                f"cannot open the index {path}: {e.strerror}; give another --index"
            ) from None
        except UnicodeEncodeError:
            raise StoreError(f"the path {path} is not UTF-8; give another --index") from None

    def _open(self, create: bool, empty: bool) -> sqlite3.Connection:
        """Connect for writing; where that is not permitted, for reading only."""
        with self._errors():
            db = self._connect("rwc" if create else "rw")
        try:
            with self._errors():
                version = int(db.execute("PRAGMA user_version").fetchone()[0])
                tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if tables == 0 and create:
                    db.close()
                    return self._initialize()
                self._check_version(db, version)
                return db
        except StoreError as e:
            db.close()
            # WAL wants files beside the index even to read. Where they cannot be made, on a full
            # disk or in a folder of someone else's, `immutable` is safe unless a log lies there.
            refused = isinstance(e, (IndexCorruptError, IndexBusyError))
            if refused or empty or has_log(self.path):
                raise
            refusal = str(e) if is_writable(self.path) else None
        with self._errors():
            db = self._connect("ro", immutable=True)
            self._check_version(db, int(db.execute("PRAGMA user_version").fetchone()[0]))
            self.read_only = True
            if refusal is not None:
                self._refusal = refusal
            return db

    def _connect(self, mode: str, *, immutable: bool = False) -> sqlite3.Connection:
        # Quoted by hand: pathlib's as_uri imports 3 ms of URL handling into every search.
        path = Path(os.path.realpath(self.path)).as_posix()  # which a loop of links does not stop
        for character in "%?#":
            path = path.replace(character, f"%{ord(character):02x}")
        slash = "" if path.startswith("/") else "/"  # before a drive letter
        options = f"mode={mode}{'&immutable=1' if immutable else ''}"
        db = sqlite3.connect(
            f"file://{slash}{path}?{options}",
            uri=True,
            timeout=30.0,
            isolation_level=None,
            check_same_thread=False,
        )
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA trusted_schema = OFF")  # an index may come from anyone
        return db

    def _initialize(self) -> sqlite3.Connection:
        """Make the tables in one transaction; harmless if another process was first."""
        db = self._connect("rwc")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('generation', '0')")
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
        return db

    def _check_version(self, db: sqlite3.Connection, version: int) -> None:
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not (application or tables):
            raise StoreError(f"no index at {self.path}: make one with `skillret index build`")
        if application != _APPLICATION_ID:
            raise IndexCorruptError(
                f"{self.path} is an SQLite file but no skillret index; give another --index"
            )
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was made by a newer skillret (format {version}, this one reads"
                f" {SCHEMA_VERSION}): upgrade skillret, or delete the file and build it again"
            )
        if version < SCHEMA_VERSION and any(
            v not in _MIGRATIONS for v in range(version, SCHEMA_VERSION)
        ):
            raise StoreError(
                f"{self.path} has the format {version} of an older skillret; delete the file and"
                " build it again with `skillret index build`"
            )
        for step in range(version, SCHEMA_VERSION):
            db.executescript(
                f"BEGIN; {_MIGRATIONS[step]}; PRAGMA user_version = {step + 1}; COMMIT;"
            )
        # Nothing but our own tables: a view or a trigger of someone else's would run in here.
        rows = db.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
            " AND NOT (type = 'table' AND name GLOB 'sqlite_*')"
        )
        if {_squeezed(sql) for (sql,) in rows} != _TABLES:
            raise self._corrupt("its tables are not those that skillret makes")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn SQLite's exceptions into ours, each with its remedy."""
        try:
            yield
        except sqlite3.Error as e:
            text = str(e)
            if "locked" in text or "busy" in text:
                raise IndexBusyError(
                    f"{self.path} is in use by another process; try again in a moment"
                ) from None
            if "full" in text or "disk I/O" in text:
                raise StoreError(
                    f"cannot write {self.path}: the disk is full or failing ({text}); what was"
                    " stored before is intact, free some space and run the command again"
                ) from None
            if "closed database" in text:
                raise StoreError(f"the index {self.path} is closed; open it again") from None
            if "not a database" in text:
                raise IndexCorruptError(
                    f"{self.path} is no skillret index; give another --index"
                ) from None
            if "readonly" in text:
                raise StoreError(
                    f"cannot write {self.path}: it is read-only; give another --index"
                ) from None
            if "unable to open" in text:
                raise StoreError(
                    f"cannot open {self.path}: {text}; check its permissions"
                ) from None
            raise self._corrupt(text) from None
        except UnicodeDecodeError:  # SQLite's message quotes the damage
            raise self._corrupt("unreadable content") from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """The same, also for values that no skillret ever wrote."""
        try:
            with self._errors():
                yield
        except (ValueError, TypeError, KeyError, EncoderError) as e:
            raise self._corrupt(f"unexpected content: {e}") from None

    def _corrupt(self, reason: str) -> IndexCorruptError:
        return IndexCorruptError(
            f"{self.path} is no index or is damaged ({reason}): delete it and build it again"
            " with `skillret index build`"
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def writing(self, timeout: float | None = None) -> Iterator[None]:
        """See `Store.writing`. May be entered again by the process that holds it."""
        if timeout is None:
            timeout = self._lock_timeout
        if self._depth == 0:
            if self.read_only:
                raise StoreError(self._refusal)
            from filelock import FileLock, Timeout  # 15 ms that a mere search need not pay

            # The operating system releases the lock when its process dies, however it dies.
            self._lock = FileLock(f"{self.path}.lock", timeout=timeout)
            try:
                self._lock.acquire()
            except Timeout:
                raise IndexBusyError(
                    f"another process is writing {self.path}; waited {timeout:g} s,"
                    " try again when it is done"
                ) from None
            except OSError as e:
                raise StoreError(f"cannot write beside {self.path}: {e.strerror}") from None
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._lock.release()

    def generation(self) -> int:
        """See `Store.generation`."""
        with self._reading():
            row = self._db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            return int(row[0])

    def info(self) -> IndexInfo:
        """See `Store.info`."""
        with self._reading():
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            skills = self._db.execute("SELECT count(*) FROM skills").fetchone()[0]
            pending = self._db.execute("SELECT count(*) FROM pending").fetchone()[0]
            profile = meta.get("profile")
            cache = meta.get("cache", "")
            if not _TOKEN.fullmatch(cache):  # it becomes the name of a folder
                raise ValueError(f"the cache {cache[:40]!r}")
            if skills and not profile:
                raise ValueError("vectors of an unknown encoder")
            return IndexInfo(
                generation=int(meta["generation"]),
                profile=Profile.from_json(parse_json(profile), "it") if profile else None,
                sources=parse_json(meta.get("sources", "{}")),
                fingerprint=meta.get("fingerprint", ""),
                cache=cache,
                skills=skills,
                pending=pending,
            )

    def states(self) -> dict[str, tuple[int, str, str]]:
        """See `Store.states`."""
        with self._errors():
            rows = self._db.execute("SELECT id, key, content_hash, details_hash FROM skills")
            return {id_: (key, content, details) for id_, key, content, details in rows}

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """See `Store.records`."""
        out: dict[int, Record] = {}
        for row in self._select(
            "SELECT key, id, name, description, path, aliases, shadowed_by FROM skills"
            " WHERE key IN ({})",
            keys,
        ):
            key, id_, name, description, path, aliases, shadowed_by = row
            paths = self._paths(aliases)
            out[key] = Record(key, id_, name, description, path, paths, shadowed_by)
        return out

    def _paths(self, aliases: str) -> tuple[str, ...]:
        with self._reading():
            return tuple(map(str, parse_json(aliases)))

    def skills(self, keys: Sequence[int] | None = None) -> Iterator[tuple[int, Skill]]:
        """See `Store.skills`."""
        query = (
            "SELECT s.key, id, name, description, body, path, aliases, shadowed_by"
            " FROM skills s JOIN bodies b ON b.key = s.key"
        )
        if keys is None:
            rows: Iterable[Any] = self._stream(query + " ORDER BY s.key")
        else:
            rows = self._select(query + " WHERE s.key IN ({})", keys)
        for key, id_, name, description, body, path, aliases, shadowed_by in rows:
            paths = self._paths(aliases)
            yield key, Skill(id_, name, description, body, path, paths, shadowed_by)

    def _stream(self, query: str) -> Iterator[Any]:
        with self._errors():
            # Not `yield from`: that would close the cursor of a reader who stops early, which
            # fails if the store was closed by then.
            for row in self._db.execute(query):  # noqa: UP028
                yield row

    def _select(self, query: str, values: Sequence[Any], *first: Any) -> Iterator[Any]:
        """Rows of a query whose `{}` stands for a list of values, in chunks."""
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            with self._errors():
                rows = self._db.execute(query.format(marks), [*first, *chunk]).fetchall()
            yield from rows

    def vector_table(self) -> VectorTable:
        """See `Store.vector_table`."""
        with self._errors():
            rows = self._db.execute("SELECT key, vector FROM skills ORDER BY key").fetchall()
        keys = np.fromiter((r[0] for r in rows), dtype=np.int64, count=len(rows))
        if len({len(vector) for _, vector in rows}) > 1:
            raise self._corrupt("vectors of different lengths")
        with self._reading():
            halves = np.frombuffer(b"".join(r[1] for r in rows), dtype=np.float16)
            # NumPy multiplies float16 15 times slower than float32, so it is widened once.
            vectors = halves.astype(np.float32).reshape(len(rows), -1 if rows else 0)
        if not np.isfinite(vectors).all():
            raise self._corrupt("vectors with NaN or infinite values")
        return VectorTable(keys, vectors)

    def known_vectors(self, profile: Profile, hashes: Iterable[str]) -> dict[str, bytes]:
        """See `Store.known_vectors`."""
        wanted = list(dict.fromkeys(hashes))
        info = self.info()
        found: dict[str, bytes] = {}
        if info.profile is not None and info.profile.identity == profile.identity:
            query = "SELECT content_hash, vector FROM skills WHERE content_hash IN ({})"
            # No index on content_hash: one pass over the table beats keeping one.
            if len(wanted) > _CHUNK:
                every = dict(self._stream("SELECT content_hash, vector FROM skills"))
                found = {h: every[h] for h in wanted if h in every}
            else:
                found = dict(self._select(query, wanted))
        rest = [h for h in wanted if h not in found]
        query = (
            "SELECT content_hash, vector FROM pending WHERE encoder = ?"
            " AND length(vector) = ? AND content_hash IN ({})"
        )
        found.update(self._select(query, rest, profile.identity, 2 * profile.dim))
        return found

    def add_pending(self, profile: Profile, vectors: Mapping[str, bytes]) -> None:
        """See `Store.add_pending`."""
        rows = [(profile.identity, h, v) for h, v in vectors.items()]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO pending VALUES (?, ?, ?)", rows)

    def apply(
        self,
        *,
        upserts: Sequence[Change],
        removed: Sequence[int],
        meta: Mapping[str, str],
    ) -> None:
        """Change skills and meta data in one transaction, which ends the generation.

        Args:
            upserts: Skills to insert, or to replace where their key is known.
            removed: Keys to delete.
            meta: Entries to set: `profile`, `sources`, `fingerprint`, `cache`.
        """
        with self._transaction() as db:
            db.executemany("DELETE FROM skills WHERE key = ?", [(k,) for k in removed])
            # Not INSERT OR REPLACE: that would delete the row, and with it the body.
            db.executemany(
                "INSERT INTO skills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET name = excluded.name,"
                " description = excluded.description, path = excluded.path,"
                " aliases = excluded.aliases, shadowed_by = excluded.shadowed_by,"
                " content_hash = excluded.content_hash, details_hash = excluded.details_hash,"
                " vector = excluded.vector",
                (
                    (
                        c.key,
                        c.skill.id,
                        c.skill.name,
                        c.skill.description,
                        c.skill.path,
                        json.dumps(c.skill.aliases),
                        c.skill.shadowed_by,
                        c.content_hash,
                        c.details_hash,
                        c.vector,
                    )
                    for c in upserts
                ),
            )
            db.executemany(
                "INSERT OR REPLACE INTO bodies VALUES (?, ?)",
                ((c.key, c.skill.body) for c in upserts),
            )
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))
            db.execute("DELETE FROM pending")
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def set_meta(self, meta: Mapping[str, str]) -> None:
        """Set meta data that changes no result: the generation stays."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))

    def next_key(self) -> int:
        """A key that no skill has or ever had; reserve it by `writing`."""
        query = "SELECT seq FROM sqlite_sequence WHERE name = 'skills'"
        with self._reading():
            return int(next(self._stream(query), (0,))[0]) + 1

    def replaced(self) -> bool:
        """Whether another file lies at the path now; a deleted one can still be read."""
        try:
            return self._stamp() != self._file
        except OSError:
            return False

    def _stamp(self) -> tuple[int, ...]:
        status = self.path.stat()
        # Opened as immutable, SQLite itself does not notice that someone else writes the file.
        written = (status.st_mtime_ns, status.st_size) if self.read_only else ()
        return status.st_dev, status.st_ino, *written

    def close(self) -> None:
        """See `Store.close`."""
        self._db.close()
