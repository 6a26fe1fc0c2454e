"""Connections to one SQLite file, shared by the threads of a process and renewed after a fork."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skillret.errors import EncoderError, IndexBusyError, IndexCorruptError, StoreError
from skillret.index.forks import before_fork, undivided
from skillret.index.schema import check_tables, corrupt, create_tables, no_index
from skillret.index.sqlite_files import has_log, is_empty, is_truncated, is_writable

__all__ = ["Connections"]

_inherited: list[object] = []  # what a forked process must neither use nor close


class Connections:
    """A pool: each is lent to one thread at a time, and none is closed while it is lent.

    Args:
        path: The file, absolute.
        create: Make it if it is missing.

    Attributes:
        read_only: Whether nothing can be written here.
        refusal: What to say to someone who wants to, as `StoreError` takes it.

    Raises:
        StoreError: If the file is missing or cannot be opened.
        IndexCorruptError: If it is no skillret index, or damaged.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self.read_only = False
        self.refusal: tuple[str, ...] = _read_only(path)
        self.closed = False
        self._epoch = 0
        # Its operations are atomic.
        self._idle: deque[tuple[int, sqlite3.Connection]] = deque()
        try:
            if path.is_dir():
                raise StoreError(f"{path} is a folder; an index is a file")
            if path.exists() and not path.is_file():
                raise StoreError(f"{path} is no regular file", "give another --index")
            empty = not path.is_file() or is_empty(path)
            if empty and not create:
                raise no_index(path)
            if is_truncated(path):
                raise corrupt(path, "its end is missing")
            str(path).encode("utf-8")  # SQLite could take it, the BM25 index could not
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            with undivided():
                self._idle.append((0, self._first(create, empty)))
            self._file = self._stamp()
        except OSError as e:
            raise StoreError(
                f"cannot open the index {path}: {e.strerror}", "give another --index"
            ) from None
        except UnicodeEncodeError:
            raise StoreError(f"the path {path} is not UTF-8", "give another --index") from None
        before_fork(self._close_idle)

    def _first(self, create: bool, empty: bool) -> sqlite3.Connection:
        """Connect for writing; where that is not permitted, for reading only."""
        with self.errors():
            db = self._connect("rwc" if create else "rw")
        try:
            with self.errors():
                if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and create:
                    create_tables(db)
                check_tables(db, self.path)
                return db
        except StoreError as e:
            db.close()
            # WAL wants files beside the index even to read. Where they cannot be made, on a full
            # disk or in a folder of someone else's, `immutable` is safe unless a log lies there.
            refused = isinstance(e, (IndexCorruptError, IndexBusyError))
            if refused or empty or has_log(self.path):
                raise
            if is_writable(self.path):
                self.refusal = e.args
        self.read_only = True
        with self.errors():
            db = self._connect("ro", immutable=True)
            check_tables(db, self.path)
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

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """A connection for one thread, with errors of SQLite turned into ours."""
        with self.errors(), undivided():
            process = os.getpid()
            epoch, db = self._borrow()
            try:
                yield db
            except BaseException:
                if db.in_transaction and process == os.getpid():
                    db.execute("ROLLBACK")
                raise
            finally:
                if process != os.getpid():
                    _inherited.append(db)
                else:
                    self._idle.append((epoch, db))
                    if self.closed:  # whoever closed it could not see this one
                        self._close_idle()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; what can be no value of an index is an error of ours."""
        with self.values(), self.lent() as db:
            yield db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection to write with, all or nothing."""
        with self.lent() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def _borrow(self) -> tuple[int, sqlite3.Connection]:
        while not self.closed:
            try:
                epoch, db = self._idle.pop()
            except IndexError:
                if self.read_only:
                    return self._epoch, self._connect("ro", immutable=True)
                return self._epoch, self._connect("rw")
            if epoch == self._epoch:
                return epoch, db
            db.close()
        raise StoreError(f"the index {self.path} is closed; open it again")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn SQLite's exceptions into ours, each with its remedy.

        Raises:
            StoreError: If the file cannot be opened, read or written.
            IndexBusyError: If another process has it.
            IndexCorruptError: If it is no skillret index, or damaged.
        """
        try:
            yield
        except sqlite3.Error as e:
            raise self._error(str(e)) from None
        except UnicodeDecodeError:  # SQLite's message quotes the damage
            raise corrupt(self.path, "unreadable content") from None

    def _error(self, text: str) -> StoreError:
        if "locked" in text or "busy" in text:
            return IndexBusyError(
                f"{self.path} is in use by another process; try again in a moment"
            )
        if "full" in text or "disk I/O" in text:
            return StoreError(
                f"cannot write {self.path}: the disk is full or failing ({text}); what was"
                " stored before is intact, free some space and run the command again"
            )
        if "not a database" in text:
            return IndexCorruptError(f"{self.path} is no skillret index", "give another --index")
        if "readonly" in text:
            return StoreError(*_read_only(self.path))
        if "unable to open" in text:
            return StoreError(f"cannot open {self.path}: {text}; check its permissions")
        return corrupt(self.path, text)

    @contextmanager
    def values(self) -> Iterator[None]:
        """Turn errors over values that no skillret ever wrote into ours.

        Raises:
            IndexCorruptError: If there is one.
        """
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError, EncoderError) as e:
            raise corrupt(self.path, f"unexpected content: {e}") from None

    def replaced(self) -> bool:
        """Whether another file lies at the path now, or other content in the same file.

        A deleted file can still be read. Writers of the same index change its size or time as well;
        looking once more costs no more than a connection.
        """
        try:
            return self._stamp() != self._file
        except OSError:
            return False

    def renew(self) -> None:
        """Drop the connections to what lay there before, and check what lies there now.

        Raises:
            StoreError: As the constructor does.
        """
        if is_truncated(self.path):
            raise corrupt(self.path, "its end is missing")
        try:
            stamp = self._stamp()
        except OSError:  # it is just being replaced
            raise no_index(self.path) from None
        self._epoch += 1
        with self.lent() as db:
            check_tables(db, self.path)
        self._file = stamp

    def settle(self) -> None:
        """Leave no log behind, which would outlive a file that is replaced by another one.

        And take the file as it lies there for known: this process has written it.
        """
        with self.reading() as db, suppress(sqlite3.Error):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(OSError):
            self._file = self._stamp()

    def _stamp(self) -> tuple[int, ...]:
        status = self.path.stat()
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

    def close(self) -> None:
        """Close what nobody uses now; the others are closed when they are given back."""
        self.closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            # Another thread may be faster.
            with suppress(IndexError, sqlite3.Error):
                self._idle.pop()[1].close()


def _read_only(path: Path) -> tuple[str, str]:
    return f"cannot write {path}: it is read-only", "give another --index"
