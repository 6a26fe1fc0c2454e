"""What is derived from a store and kept beside it: one folder per generation, safe to delete."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skillret.errors import StoreError
from skillret.index.store import VectorTable
from skillret.lexical.bm25 import LEXICAL_VERSION, LexicalIndex, write_lexical
from skillret.types import Skill

__all__ = ["Cache"]

# What a cache holds, and nothing else in there is ever deleted.
_GENERATION = re.compile(r"[0-9a-f]{16}|tmp-\w+")
_DERIVED = re.compile(r"(keys|vectors)\.npy|\w+\.tmp|bm25(-v\d+)?")

# Below this many skills, reading vectors from the store is as fast as mapping a file.
_MAP_FROM = 2048


class Cache:
    """The derived files of an index. `token` names a generation; tokens are never used twice.

    Args:
        folder: Where; made when there is first something to write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open_lexical(self, token: str, skills: int) -> LexicalIndex | None:
        """The BM25 index of a generation, if it opens and holds as many skills as the store."""
        folder = self._lexical(token)
        try:
            if not token or not (folder / "meta.json").is_file():
                return None
            lexical = LexicalIndex(folder)
        except (OSError, StoreError):  # damaged, or of someone else's: it can be made anew
            return None
        return lexical if len(lexical) == skills else None

    def write_lexical(
        self,
        token: str,
        upserts: Iterable[tuple[int, Skill]],
        removed: Sequence[int] = (),
        base: str | None = None,
    ) -> None:
        """Write a generation's BM25 index, complete or not at all; see `write_lexical`.

        Raises:
            StoreError: If it cannot be written.
        """
        import tempfile

        target = self._lexical(token)
        if target.parent.is_symlink():  # not of our making, and leads anywhere
            raise StoreError(f"{target.parent} is a link; delete it")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix="tmp-") as scratch:
                written = Path(scratch) / "bm25"
                write_lexical(written, upserts, removed, self._lexical(base) if base else None)
                shutil.rmtree(target, ignore_errors=True)
                written.rename(target)
        except OSError as e:
            raise StoreError(f"cannot write the cache {self.folder}: {e.strerror}") from None

    def load_vectors(self, token: str, shape: tuple[int, int]) -> VectorTable | None:
        """A generation's vectors, mapped and not read; None if there are none of that shape."""
        folder = self.folder / token
        try:
            keys = np.load(folder / "keys.npy")
            vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        except Exception:  # gone, or damaged: NumPy's reader raises all kinds of errors
            return None
        if (keys.shape, keys.dtype) != (shape[:1], np.int64) or (np.diff(keys) <= 0).any():
            return None
        if (vectors.shape, vectors.dtype) != (shape, np.float32):
            return None
        # A plain array over the same pages: the subclass costs time in every operation.
        return VectorTable(keys, np.asarray(vectors))

    def save_vectors(self, token: str, table: VectorTable) -> None:
        """Keep a generation's vectors for the next process, if there are many and it is allowed."""
        folder = self.folder / token
        if not token or len(table.keys) < _MAP_FROM or folder.is_symlink():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # keys.npy last: a reader that finds both finds them complete.
            _save(folder / "vectors.npy", table.vectors)
            _save(folder / "keys.npy", table.keys)
        except OSError:
            pass  # read-only or full: the next process reads the store again

    def clean(self, keep: set[str]) -> None:
        """Delete all generations but some, and what killed processes left behind."""
        # An index is named by its user, and a folder of that name may have been there before.
        for entry in _entries(self.folder):
            if (
                entry.name not in keep
                and not entry.is_symlink()
                and _GENERATION.fullmatch(entry.name)
                and all(_DERIVED.fullmatch(child.name) for child in _entries(entry))
            ):
                shutil.rmtree(entry, ignore_errors=True)

    def discard(self, token: str) -> None:
        """Delete one generation."""
        shutil.rmtree(self.folder / token, ignore_errors=True)

    def _lexical(self, token: str) -> Path:
        return self.folder / token / f"bm25-v{LEXICAL_VERSION}"


def _entries(folder: Path) -> list[Path]:
    """What a folder holds; nothing of one that is gone or cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _save(file: Path, array: np.ndarray[Any, Any]) -> None:
    """Write an array so that the file is complete or absent, also after a power cut."""
    import tempfile

    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".tmp", delete=False) as temporary:
        try:
            np.save(temporary, array)
            temporary.flush()
            os.fsync(temporary.fileno())
        except BaseException:
            temporary.close()
            Path(temporary.name).unlink(missing_ok=True)
            raise
    Path(temporary.name).replace(file)
