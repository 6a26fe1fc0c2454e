"""Who may write an index: one thread of one process on a machine, as often as it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from skillret.errors import IndexBusyError, StoreError
from skillret.index.forks import after_fork

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["WriteLock"]

_inherited: list[object] = []


class WriteLock:
    """A lock of threads and processes that whoever holds it may take again.

    The operating system releases it when its process dies, however it dies. A child of a fork has
    one that nobody holds.

    Args:
        file: Is locked, and made with its folder if it is missing.
        name: What errors call the index.
        timeout: Seconds to wait, where nobody says otherwise.
    """

    def __init__(self, file: Path, name: str, timeout: float) -> None:
        self._path, self._name, self._timeout = file, name, timeout
        self._file: BaseFileLock | None = None
        self._renew()
        after_fork(self._renew)

    def _renew(self) -> None:
        _inherited.append(self._file)  # which would be released if it were forgotten
        self._threads = threading.RLock()
        self._depth = 0

    @property
    def held(self) -> bool:
        """Whether a thread of this process holds it."""
        return self._depth > 0

    @contextmanager
    def taken(self, timeout: float | None = None) -> Iterator[bool]:
        """Hold it; yields whether this thread did not before.

        Raises:
            IndexBusyError: If someone else holds it for longer than the timeout.
            StoreError: If its file cannot be written.
        """
        timeout = self._timeout if timeout is None else timeout
        busy = IndexBusyError(
            f"another writer is at work on {self._name}; waited {timeout:g} s, try again when it is"
            " done"
        )
        if not self._threads.acquire(timeout=timeout):
            raise busy
        try:
            outermost = not self._depth
            if outermost:
                self._lock(timeout, busy)
            self._depth += 1
            try:
                yield outermost
            finally:
                self._depth -= 1
                if outermost and self._file is not None:
                    self._file.release()
        finally:
            self._threads.release()

    def _lock(self, timeout: float, busy: IndexBusyError) -> None:
        from filelock import FileLock, Timeout  # 15 ms that a mere search need not pay

        self._file = FileLock(self._path, timeout=timeout)
        try:
            self._file.acquire()
        except Timeout:
            raise busy from None
        except OSError as e:
            raise StoreError(f"cannot write {self._path}: {e.strerror}") from None
