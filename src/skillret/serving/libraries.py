"""The libraries of a server: one that it is started with, and those that its callers make.

Each of the latter is an index in a folder of its own. Only some are open at once, all with one
encoder; several processes may serve one folder of libraries.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from skillret.encoders import DEFAULT_MODEL, Encoder, load_encoder
from skillret.errors import (
    IndexCorruptError,
    InputError,
    NoSkillsError,
    SkillretError,
    StoreError,
)
from skillret.index import Index, Sources
from skillret.index.sqlite_files import is_empty
from skillret.retrieval import Retriever
from skillret.retrieval.calibration import Calibration, load_calibration
from skillret.retrieval.rerank import Reranker, load_reranker

__all__ = [
    "DEFAULT",
    "DamagedLibraryError",
    "Libraries",
    "ReadOnlyError",
    "UnknownLibraryError",
    "check_name",
]

DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE = "index.db"
_NEW, _OLD = ".new-", ".old-"  # begin the names of folders of libraries that are made and deleted
_LONGEST_MAKING = 600  # seconds
_NO_DEFAULT = (
    "there is no library 'default' yet: no skill is found in the usual places of who runs the"
    " server, and it was started with no others (--library, --index); PUT /v1/libraries/NAME makes"
    " one"
)


class UnknownLibraryError(InputError):
    """There is no library of that name."""


class DamagedLibraryError(IndexCorruptError):
    """The index of a library is damaged: said to callers, who need not know where it lies.

    Args:
        library: Its name.
        fault: What is wrong with which file, for who runs the server.
    """

    def __init__(self, library: str, fault: str) -> None:
        remedy = (
            "move its file away and make it again with `skillret index build`"
            if library == DEFAULT
            else f"delete it with DELETE /v1/libraries/{library}, make it again with PUT, and store"
            " its skills again"
        )
        super().__init__(f"the index of the library {library!r} is damaged", remedy)
        self.fault = fault


class ReadOnlyError(InputError):
    """What is asked for would change a library that only its owner's folders change."""


def check_name(name: str) -> str:
    """The name of a library.

    Raises:
        InputError: If it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"no name of a library: {name[:80]!r}; it has 1 to 64 of the characters a-z, 0-9, '.',"
            " '_' and '-', and begins with a letter or a digit"
        )
    return name


@dataclass(slots=True)
class _Open:
    """A library that is open, and how many are using it."""

    inode: int
    retriever: Retriever | None = None
    users: int = 0
    stale: bool = False  # closed by the last user
    opening: threading.Lock = field(default_factory=threading.Lock)


class Libraries:
    """Opens libraries by name. Safe to share between threads.

    Args:
        folder: Where those that callers make live; made with the first of them.
        default: Opens the library `default`, which is read-only; None if there is none.
        optional: There is none either as long as no skill is found for it.
        model: The encoder of the libraries that callers make, where there is no default one that
            brings its own along; loaded when it is first needed.
        calibration: As in `Retriever`, of the libraries that callers make.
        reranker: As in `Retriever`, likewise; loaded at once.
        most_open: How many of these are open at once; more while more are in use.
        trust_remote_code: Run Python code that a model brings along.
    """

    def __init__(
        self,
        folder: Path,
        default: Callable[[], Retriever] | None = None,
        *,
        optional: bool = False,
        model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
        calibration: str | os.PathLike[str] | Calibration | None = None,
        reranker: str | os.PathLike[str] | Reranker | None = None,
        most_open: int = 64,
        trust_remote_code: bool = False,
    ) -> None:
        self.folder = folder
        self.most_open = most_open
        self.reranker = load_reranker(reranker)
        self._open_default, self._optional = default, optional
        self._absent = default is None
        self._default: Retriever | None = None
        self._model, self._trusted = model, trust_remote_code
        self._given = calibration
        self._loaded: tuple[Encoder, Calibration | None] | None = None
        self._opening = threading.RLock()  # the default one, and the encoder
        self._lock = threading.Lock()  # held for moments only
        self._entries: OrderedDict[str, _Open] = OrderedDict()
        self._sweep()

    def _sweep(self) -> None:
        """Delete what a process left that was killed while it made or deleted a library."""
        with suppress(OSError):
            for entry in list(self.folder.iterdir()):
                old = entry.name.startswith(_OLD)
                new = entry.name.startswith(_NEW)
                # Another process may be making one just now.
                if old or (new and time.time() - entry.stat().st_mtime > _LONGEST_MAKING):
                    shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def lent(self, name: str = DEFAULT) -> Iterator[Retriever]:
        """The retriever of a library, which stays open meanwhile.

        Raises:
            UnknownLibraryError: If there is none of that name.
            DamagedLibraryError: If its index is damaged; also when that is found meanwhile.
            SkillretError: If it cannot be opened.
        """
        try:
            if name == DEFAULT:
                yield self._of_default()
            else:
                with self._lent(name) as retriever:
                    yield retriever
        except DamagedLibraryError:
            raise
        except IndexCorruptError as e:
            raise DamagedLibraryError(name, e.what) from None
        except StoreError:
            if name != DEFAULT and not self._is_library(name):  # deleted meanwhile
                raise _unknown(name) from None
            raise

    @contextmanager
    def _lent(self, name: str) -> Iterator[Retriever]:
        """The same of one that callers have made."""
        entry = self._borrow(name)
        try:
            if entry.retriever is None:
                with entry.opening:
                    if entry.retriever is None:
                        entry.retriever = self._opened(name)
            yield entry.retriever
        finally:
            self._give_back(entry)

    def names(self) -> list[str]:
        """The names of all libraries, the default one first."""
        try:
            found = sorted(e.name for e in self.folder.iterdir() if self._is_library(e.name))
        except OSError:
            found = []
        return ([] if self._absent else [DEFAULT]) + found

    def create(self, name: str) -> bool:
        """Make an empty library; False if it is there already.

        Raises:
            InputError: If the name cannot be one.
            StoreError: If it cannot be written.
        """
        check_name(name)
        if name == DEFAULT and self._absent:
            raise InputError("'default' is what a server is started with: choose another name")
        if name == DEFAULT or self._is_library(name):
            return False
        encoder, _ = self._encoder()
        # Whoever looks meanwhile sees all of it or nothing.
        new = self.folder / f"{_NEW}{os.urandom(8).hex()}"
        try:
            with Index.open(new / _FILE, create=True, model=encoder) as index:
                index.update([], sources=Sources())
            try:
                new.rename(self.folder / name)
            except OSError:
                if self._is_library(name):  # another one was faster
                    return False
                # What a writer left who was at work while it was deleted is no library.
                self._put_away(name)
                new.rename(self.folder / name)
        except OSError as e:
            raise StoreError(f"cannot make the library {name}: {e.strerror}") from None
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return True

    def delete(self, name: str) -> None:
        """Delete a library. Searches under way come to their end.

        Raises:
            UnknownLibraryError: If there is none of that name.
            ReadOnlyError: If it is the default one.
            StoreError: If it cannot be deleted.
        """
        self.check_writable(name)
        try:
            self._put_away(check_name(name))
        except OSError as e:
            if not self._is_library(name):
                raise _unknown(name) from None
            raise StoreError(f"cannot delete the library {name}: {e.strerror}") from None

    def _put_away(self, name: str) -> None:
        """Delete the folder of a library: at once for whoever looks, then its files."""
        old = self.folder / f"{_OLD}{os.urandom(8).hex()}"
        (self.folder / name).rename(old)
        with self._lock:
            self._drop(name)
        shutil.rmtree(old, ignore_errors=True)

    def check_writable(self, name: str) -> None:
        """Make sure that callers may change a library.

        Raises:
            ReadOnlyError: If they may not.
        """
        if name == DEFAULT:
            raise ReadOnlyError(
                "the library 'default' is read-only: its skills are those of the folders or the"
                " index that the server was started with; change them there, or make a library of"
                " your own with PUT /v1/libraries/NAME"
            )

    @property
    def opened_default(self) -> Retriever | None:
        """The default library's retriever, if it is open."""
        return self._default

    @property
    def open_count(self) -> int:
        """How many of the libraries that callers made are open."""
        return len(self._entries)

    def encoder(self) -> Encoder:
        """The encoder of all libraries.

        Raises:
            EncoderError: If it cannot be loaded.
        """
        return self._encoder()[0]

    def close(self) -> None:
        """Close all libraries; searches under way come to their end."""
        with self._lock:
            for name in list(self._entries):
                self._drop(name)
        if self._default is not None:
            self._default.close()

    def _of_default(self) -> Retriever:
        if self._open_default is None:
            raise _unknown(DEFAULT)
        if self._default is None:
            with self._opening:
                if self._default is None:
                    try:
                        self._default = self._open_default()
                        self._absent = False
                    except InputError as e:
                        if self._optional and isinstance(e, NoSkillsError):
                            self._absent = True
                            raise UnknownLibraryError(_NO_DEFAULT) from None
                        # of who has started the server, not of who asks it
                        raise StoreError(f"the library 'default' cannot be opened: {e}") from None
        return self._default

    def _encoder(self) -> tuple[Encoder, Calibration | None]:
        if self._loaded is None:
            with self._opening:
                if self._loaded is None:
                    encoder = self._loaded_encoder()
                    self._loaded = encoder, load_calibration(encoder, self._given)
        return self._loaded

    def _loaded_encoder(self) -> Encoder:
        """That of the default library, so that there is one in memory; another one without it."""
        with suppress(SkillretError, OSError):
            return self._of_default().encoder
        return load_encoder(self._model, trust_remote_code=self._trusted)

    def _is_library(self, name: str) -> bool:
        named = _NAME.fullmatch(name) and name != DEFAULT
        return bool(named) and (self.folder / name / _FILE).is_file()

    def _borrow(self, name: str) -> _Open:
        check_name(name)
        try:
            inode = (self.folder / name / _FILE).stat().st_ino
        except OSError:
            with self._lock:
                self._drop(name)  # another process has deleted it
            raise _unknown(name) from None
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry.inode != inode:
                self._drop(name)  # deleted and made anew
                entry = None
            if entry is None:
                entry = self._entries[name] = _Open(inode)
            self._entries.move_to_end(name)
            entry.users += 1
            self._shrink()
        return entry

    def _give_back(self, entry: _Open) -> None:
        with self._lock:
            entry.users -= 1
            self._close_unused(entry)
            self._shrink()

    def _shrink(self) -> None:
        """Close what was not used for longest; what is in use stays."""
        for name in [n for n, e in self._entries.items() if not e.users]:
            if len(self._entries) <= self.most_open:
                return
            self._drop(name)

    def _drop(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            entry.stale = True
            self._close_unused(entry)

    def _close_unused(self, entry: _Open) -> None:
        if entry.stale and not entry.users and entry.retriever is not None:
            with suppress(SkillretError):
                entry.retriever.close()
            entry.retriever = None

    def _opened(self, name: str) -> Retriever:
        encoder, calibration = self._encoder()
        file = self.folder / name / _FILE
        if is_empty(file):  # none is made so
            raise DamagedLibraryError(name, f"{file} is empty")
        index = Index.open(file, model=encoder)
        try:
            return Retriever(index, calibration=calibration, reranker=self.reranker)
        except BaseException:
            index.close()
            raise


def _unknown(name: str) -> UnknownLibraryError:
    return UnknownLibraryError(
        f"there is no library {name[:80]!r}: GET /v1/libraries lists them, PUT /v1/libraries/NAME"
        " makes one"
    )
