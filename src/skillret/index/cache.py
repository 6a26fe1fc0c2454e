"""What is derived from a store and kept beside it, safe to delete: BM25, vectors and grams.

A folder `FILE.cache` holds one folder per generation with its BM25 index, and one file with the
vectors and grams of most skills as arrays, which are mapped and not read. What the arrays must
be is written in the store, so that neither damage nor another index's file is taken for them.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
import stat
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from skillret.errors import SkillretError, StoreError
from skillret.files import parse_json, read_text, replacing, write_text
from skillret.index.array_file import Base, Extent, map_block, write_arrays
from skillret.index.blocks import Block
from skillret.lexical.bm25 import LEXICAL_VERSION, LexicalIndex, write_lexical
from skillret.lexical.texts import SkillTexts
from skillret.types import Skill

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TOKEN", "Cache"]

# What a cache holds, and nothing else in there is ever deleted.
TOKEN = re.compile(r"[0-9a-f]{16}")
_GENERATION = re.compile(rf"{TOKEN.pattern}|tmp-\w+")
_CHECKED = "checked.json"
_DERIVED = re.compile(r"bm25(-v\d+)?|(keys|vectors)\.npy|checked\.json|\.[0-9a-f]{16}\.tmp")
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.tmp")
_BASE = re.compile(r"rows-[0-9a-f]{16}\.(bin|json)")
_HUGE = 1 << 32  # bytes of a file of which not all should be in memory
_MOST_NOTED = 1000  # bytes of what is noted of a file's state


class Cache:
    """The derived files of an index. Tokens name generations and are never used twice.

    Args:
        folder: Where; made when there is first something to write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open_lexical(self, token: str, skills: int) -> LexicalIndex | None:
        """The BM25 index of a generation, if it opens and holds as many skills as the store."""
        folder = self._lexical(token)
        try:
            if not token or self._linked(folder) or not (folder / "meta.json").is_file():
                return None
            if not all(map(_is_regular, folder.iterdir())):  # who opens a pipe waits for ever
                return None
            lexical = LexicalIndex(folder)
        except (OSError, StoreError):  # damaged, or of someone else's: it can be made anew
            return None
        return lexical if len(lexical) == skills else None

    def write_lexical(
        self,
        token: str,
        upserts: Iterable[tuple[int, Skill | SkillTexts]],
        removed: Sequence[int] = (),
        base: str | None = None,
    ) -> None:
        """Write a generation's BM25 index, complete or not at all; see `write_lexical`.

        Raises:
            StoreError: If it cannot be written.
        """
        import tempfile

        target = self._lexical(token)
        self._refuse_links(target)
        try:
            for place in (self.folder, target.parent):  # but never the index's own folder anew
                place.mkdir(exist_ok=True)
            # Interrupted, tantivy's threads may still write there: `clean` takes what they leave.
            with tempfile.TemporaryDirectory(
                dir=self.folder, prefix="tmp-", ignore_cleanup_errors=True
            ) as scratch:
                written = Path(scratch) / "bm25"
                write_lexical(written, upserts, removed, self._lexical(base) if base else None)
                shutil.rmtree(target, ignore_errors=True)
                written.rename(target)
        except OSError as e:
            raise StoreError(f"cannot write the cache {self.folder}: {e.strerror}") from None

    def is_checked(self, token: str, keys: NDArray[np.int64]) -> bool:
        """Whether the BM25 index of a generation was seen to hold just these skills."""
        try:
            state = self._lexical_state(token, keys)
        except OSError:
            return False
        return self._is_noted(self.folder / token / _CHECKED, state)

    def note_checked(self, token: str, keys: NDArray[np.int64]) -> None:
        """Note that it does: to ask for all of its keys takes a microsecond for each."""
        with suppress(OSError):
            self._note(self.folder / token / _CHECKED, self._lexical_state(token, keys))

    def _lexical_state(self, token: str, keys: NDArray[np.int64]) -> list[int]:
        status = (self._lexical(token) / "meta.json").stat()
        own = [status.st_size, status.st_mtime_ns, status.st_ino]
        return [zlib.crc32(keys.tobytes()), len(keys), *own]

    def write_base(
        self,
        pages: Iterable[Block],
        extent: Extent,
        token: str,
        last_key: int,
        seq: int,
        before: Block | None = None,
    ) -> Base:
        """Write the arrays of all skills, complete or not at all.

        Args:
            pages: See `write_arrays`.
            extent: See `write_arrays`.
            token: See `Base`.
            last_key: See `Base`.
            seq: See `Base`.
            before: See `write_arrays`.

        Raises:
            StoreError: If it cannot be written.
            ValueError: If the pages hold something else.
        """
        self._clean_unfinished()
        file = self._base(token)
        self._refuse_links(file)
        with replacing(file) as out:
            written = write_arrays(out, pages, extent, before)
            if written.size > _HUGE and hasattr(os, "posix_fadvise"):
                out.flush()
                os.fsync(out.fileno())
                # So much pushes all else out of memory, and is mapped two megabytes at a time.
                os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        base = Base(token, last_key, seq, *written)
        self._remember(base)
        return base

    def open_base(self, base: Base) -> Block | None:
        """The arrays, mapped and not read; None if they are gone or are not what was written."""
        try:
            return self._map(base)
        except (OSError, ValueError, TypeError):
            return None

    def is_lost(self, base: Base) -> bool:
        """Whether arrays are gone or damaged, and not merely out of reach for now."""
        try:
            return self._map(base) is None
        except (FileNotFoundError, ValueError, TypeError):
            return True
        except OSError:
            return False

    def _map(self, base: Base) -> Block | None:
        file = self._base(base.token)
        if self._linked(file) or file.stat().st_size != base.size or not base.size:
            return None
        with file.open("rb") as opened:
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        if base.size > _HUGE and hasattr(mmap, "MADV_RANDOM"):
            # Rows are looked at here and there: what is beside them need not be in memory too.
            end = base.arrays["names"][0] // mmap.PAGESIZE * mmap.PAGESIZE
            mapped.madvise(mmap.MADV_RANDOM, 0, max(0, min(end, len(mapped))))
        known = self._is_remembered(base)
        block = map_block(mapped, base, known=known)
        if block is not None and not known:
            self._remember(base)
        return block

    def _remember(self, base: Base) -> None:
        """Note the state in which the file was known to be right."""
        with suppress(OSError):  # read-only or full: then it is read each time
            self._note(self._base(base.token, ".json"), self._state(base))

    def _is_remembered(self, base: Base) -> bool:
        try:
            return self._is_noted(self._base(base.token, ".json"), self._state(base))
        except OSError:
            return False

    def _note(self, file: Path, state: list[int]) -> None:
        with suppress(SkillretError):
            if not self._linked(file):
                write_text(file, json.dumps(state))

    def _is_noted(self, file: Path, state: list[int]) -> bool:
        try:
            text = "" if self._linked(file) else read_text(file, _MOST_NOTED)
            return bool(parse_json(text) == state)
        except (OSError, ValueError):
            return False

    def _state(self, base: Base) -> list[int]:
        status = self._base(base.token).stat()
        described = zlib.crc32(base.to_json().encode())
        return [described, status.st_size, status.st_mtime_ns, status.st_ino]

    def _clean_unfinished(self) -> None:
        """Delete what killed processes were about to write."""
        for entry in _entries(self.folder):
            if _UNFINISHED.fullmatch(entry.name):
                with suppress(OSError):
                    entry.unlink()

    def clean(self, keep: set[str]) -> None:
        """Delete all generations and arrays but some, and what killed processes left behind."""
        self._clean_unfinished()
        # An index is named by its user, and a folder of that name may have been there before.
        for entry in _entries(self.folder):
            if entry.is_symlink():
                continue
            if _BASE.fullmatch(entry.name):
                if entry.stem.removeprefix("rows-") not in keep:
                    with suppress(OSError):  # on Windows, while someone reads it
                        entry.unlink(missing_ok=True)
            elif (
                entry.name not in keep
                and _GENERATION.fullmatch(entry.name)
                and all(_DERIVED.fullmatch(child.name) for child in _entries(entry))
            ):
                shutil.rmtree(entry, ignore_errors=True)

    def discard(self, token: str) -> None:
        """Delete one generation, or some arrays."""
        shutil.rmtree(self.folder / token, ignore_errors=True)
        for file in (self._base(token), self._base(token, ".json")):
            with suppress(OSError):
                if not file.is_symlink():
                    file.unlink(missing_ok=True)

    def _lexical(self, token: str) -> Path:
        return self.folder / token / f"bm25-v{LEXICAL_VERSION}"

    def _base(self, token: str, suffix: str = ".bin") -> Path:
        return self.folder / f"rows-{token}{suffix}"

    def _linked(self, path: Path) -> bool:
        """Whether a link of someone's stands between the index and a file of its cache."""
        return any(p.is_symlink() for p in (self.folder, path.parent, path))

    def _refuse_links(self, path: Path) -> None:
        for place in (self.folder, path.parent):
            if place.is_symlink():  # not of our making, and leads anywhere
                raise StoreError(f"{place} is a link, and a cache is never kept behind one")


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _entries(folder: Path) -> list[Path]:
    """What a folder holds; nothing of one that is gone or cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
