"""Setting a damaged index aside, so that a new one can be made in its place."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from skillret.errors import StoreError
from skillret.index.write_lock import WriteLock

__all__ = ["identity", "kept_as", "set_aside"]

_LOGS = ("-wal", "-shm")
_LONGEST = 600.0  # seconds to wait for another writer


def kept_as(path: Path) -> Path:
    """Where a damaged index is kept: one for each, so that they do not pile up."""
    return path.with_name(f"{path.name}.damaged")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there, whatever it holds; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, seen: tuple[int, int] | None, timeout: float | None = None) -> bool:
    """Move an index and its log out of the way, unless it is not the file that was `seen`.

    The lock and the second look are for processes that find the same damage at once: the first
    one moves the file, and none moves what was made in its place.

    Args:
        path: The file, links resolved.
        seen: Its `identity` before it was found to be damaged.
        timeout: Seconds to wait for another writer, None for as long as an index does.

    Returns:
        Whether it was moved.

    Raises:
        IndexBusyError: If another writer is not done in time.
        StoreError: If it cannot be moved.
    """
    with WriteLock(Path(f"{path}.lock"), str(path), _LONGEST).taken(timeout):
        if seen is None or identity(path) != seen:
            return False
        kept = kept_as(path)
        try:
            for log in _LOGS:  # of what was kept there before
                kept.with_name(kept.name + log).unlink(missing_ok=True)
            # The logs first: once the file is gone, others make a new one, with logs of its own.
            # Killed in between, we leave a file that is still damaged, or an older state of it.
            for log in _LOGS:
                with suppress(FileNotFoundError):
                    path.with_name(path.name + log).replace(kept.with_name(kept.name + log))
            path.replace(kept)
        except OSError as e:
            raise StoreError(f"cannot move {path}: {e.strerror}") from None
    return True
