"""What can be said of an SQLite file before SQLite opens it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["has_log", "is_empty", "is_truncated", "is_writable"]


def is_writable(path: Path) -> bool:
    """Whether SQLite could make the files it needs beside `path`."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def has_log(path: Path) -> bool:
    """Whether a write-ahead log holds changes that are not in the file yet."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def is_empty(path: Path) -> bool:
    """Whether a file of SQLite is there and holds nothing, nor has a write-ahead log that does."""
    try:
        return path.stat().st_size == 0 and not has_log(path)
    except OSError:
        return False


def is_truncated(path: Path) -> bool:
    """Whether an SQLite file is shorter than its header says (file format, section 1.3.8).

    SQLite itself would only notice when it reads one of the missing pages. A file with a
    write-ahead log beside it may be short for a good reason, and SQLite mends it.
    """
    if has_log(path):
        return False
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
    except OSError:
        return False
    if not header.startswith(b"SQLite format 3\0"):
        return False
    page_size = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    return size < (65536 if page_size == 1 else page_size) * pages
