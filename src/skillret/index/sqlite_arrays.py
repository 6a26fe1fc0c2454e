"""The file of arrays beside an SQLite index: from what it is made, and when."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from skillret.errors import SkillretError
from skillret.index.array_file import Base, Extent
from skillret.index.blocks import Block
from skillret.index.cache import Cache
from skillret.index.connections import Connections
from skillret.index.lists import LISTS_FROM
from skillret.index.rows import digest, ends, read_meta, read_profile, set_meta
from skillret.index.schema import corrupt
from skillret.lexical.grams import MAX_CODE

__all__ = ["SqliteArrays", "read_block"]

MAP_FROM = 512  # below so many skills, reading the store is as fast as mapping a file
TAIL = 0.02  # of the skills, which may have come since the file of arrays was written
LEAST_TAIL = 256
_PAGE = 8192  # rows


class SqliteArrays:
    """Reads and writes it.

    Args:
        path: The index.
        db: Connections to it.
        cache: What is derived from it.
    """

    def __init__(self, path: Path, db: Connections, cache: Cache) -> None:
        self._path, self._db, self._cache = path, db, cache

    def are_wanted(self, skills: int) -> bool:
        """Whether an index of so many skills has the file."""
        return skills >= MAP_FROM

    def opened(self, meta: Mapping[str, str]) -> tuple[Base, Block] | None:
        """The file that belongs to what is stored, mapped; None if there is none, or it is lost.

        Raises:
            ValueError: If its description is malformed.
        """
        base, profile = Base.from_json(meta.get("base", "")), read_profile(meta)
        block = None if base is None else self._cache.open_base(base)
        if base is None or block is None or profile is None:
            return None
        return (base, block) if block.vectors.shape[1] == profile.dim else None

    def are_lost(self, meta: Mapping[str, str]) -> bool:
        """Whether it should be there and is not, as beside a copy of the index alone."""
        if self._db.read_only or not self.are_wanted(int(meta["skills"])):
            return False
        base = Base.from_json(meta.get("base", ""))
        return base is None or self._cache.is_lost(base)

    def write(self) -> None:
        """Write it anew if it is lost, or much has come or gone since.

        Whoever calls this holds the lock of writers. Changes are stored by then, so whatever fails
        here is left to readers, who read the store itself: a full disk, or damage.
        """
        with suppress(SkillretError, OSError, ValueError, MemoryError):
            if self._path.exists() and not self._db.replaced():
                self._write()

    def _write(self) -> None:
        with self._db.reading() as db:
            meta = read_meta(db)
            profile, (last, seq) = read_profile(meta), ends(db)
            if profile is None or not self.are_wanted(int(meta["skills"])):
                return
            before, lost = self.opened(meta), self.are_lost(meta)
            if not lost and not self._is_due(db, meta, before):
                return
            query = "SELECT count(*), sum(length(grams)) FROM vectors"
            rows, size = db.execute(query).fetchone()
        extent = Extent(rows, size // 4, profile.dim)
        if shutil.disk_usage(self._path.parent).free < extent.bytes:
            return
        token, block = os.urandom(8).hex(), None if before is None else before[1]
        pages = self._pages(profile.dim)
        base = self._cache.write_base(pages, extent, token, last, seq, block)
        with self._db.transaction() as db:
            set_meta(db, {"base": base.to_json(), "trimmed": str(seq)})
            db.execute("DELETE FROM removed WHERE seq <= ?", (seq,))
        self._db.settle()
        gone = Base.from_json(meta.get("base", ""))
        if lost and gone is not None:
            self._cache.discard(gone.token)

    def _is_due(
        self, db: sqlite3.Connection, meta: Mapping[str, str], before: tuple[Base, Block] | None
    ) -> bool:
        """Whether a file that is there is no longer good enough."""
        if before is None:  # it cannot be mapped just now, unless it is of another encoder
            known, profile = Base.from_json(meta.get("base", "")), read_profile(meta)
            assert known is not None
            assert profile is not None
            return known.arrays["vectors"][2][1:] != (profile.dim,)
        base, block = before
        if block.lists is None and int(meta["skills"]) >= LISTS_FROM:
            return True  # written by an older version, or before there were so many
        query = "SELECT (SELECT count(*) FROM vectors WHERE key > ?) + ?"
        (late,) = db.execute(query, (base.last_key, ends(db)[1] - base.seq)).fetchone()
        return bool(late > max(LEAST_TAIL, TAIL * int(meta["skills"])))

    def _pages(self, dim: int) -> Iterator[Block]:
        """Vectors and grams of all skills, some at a time; no connection is held in between."""
        last = -1
        while True:
            with self._db.reading() as db:
                page = read_block(self._path, db, dim, last, _PAGE)
            if not len(page):
                return
            yield page
            last = int(page.keys[-1])


def read_block(
    path: Path, db: sqlite3.Connection, dim: int, after: int = -1, most: int = -1
) -> Block:
    """Vectors and grams of the skills with larger keys, of the first so many if `most` says so.

    Raises:
        IndexCorruptError: If they are not what was stored.
    """
    query = "SELECT key, vector, grams, digest FROM vectors WHERE key > ? ORDER BY key LIMIT ?"
    rows = db.execute(query, (after, most)).fetchall()
    if any(len(v) != 2 * dim or len(g) % 4 or digest(v, g) != d for _, v, g, d in rows):
        raise corrupt(path, "vectors that are not those that were stored")
    halves = np.frombuffer(b"".join(r[1] for r in rows), dtype=np.float16)
    # NumPy multiplies float16 15 times slower than float32, so it is widened once.
    vectors = halves.astype(np.float32).reshape(len(rows), dim)
    grams = [np.frombuffer(r[2], dtype=np.uint32) for r in rows]
    largest = max((int(g.max(initial=0)) for g in grams), default=0)
    if not np.isfinite(vectors).all() or largest > MAX_CODE:
        raise corrupt(path, "vectors with NaN, or grams beyond all bounds")
    return Block.of([r[0] for r in rows], vectors, grams)
