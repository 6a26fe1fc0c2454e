"""What is derived from a store and kept beside it, safe to delete: BM25, vectors and grams.

A folder `FILE.cache` holds one folder per generation with its BM25 index, and one file with the
vectors and grams of most skills as arrays, which are mapped and not read. What the arrays must
be is written in the store, so that neither damage nor another index's file is taken for them.
"""

from __future__ import annotations

import json
import math
import mmap
import re
import shutil
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skillret.errors import SkillretError, StoreError
from skillret.files import parse_json, read_text, replacing, write_text
from skillret.index.blocks import Block, GramCounts
from skillret.index.corpus import Moments
from skillret.lexical.bm25 import LEXICAL_VERSION, LexicalIndex, write_lexical
from skillret.lexical.texts import SkillTexts
from skillret.types import Skill

__all__ = ["TOKEN", "Base", "Cache"]

# What a cache holds, and nothing else in there is ever deleted.
TOKEN = re.compile(r"[0-9a-f]{16}")
_GENERATION = re.compile(rf"{TOKEN.pattern}|tmp-\w+")
_DERIVED = re.compile(r"bm25(-v\d+)?|(keys|vectors)\.npy")
_BASE = re.compile(r"rows-[0-9a-f]{16}\.(bin|json)")
_ALIGNED = 64
_KINDS = ("<i8", "<u4", "<f4", "<f8")
_MOST_NOTED = 1000  # bytes of what is noted of a file's state
_ROWS = ("keys", "vectors", "starts", "grams", "names")
_ARRAYS = (*_ROWS, "codes", "counts", "total", "products")


class Base(NamedTuple):
    """What a store says of the file of arrays.

    Attributes:
        token: Names the file.
        last_key: Largest key that it covers; later skills are in the store alone.
        seq: Number of the last removal that it knows.
        arrays: For each of its arrays: offset in bytes, type and shape.
        size: Bytes of the file.
        digest: CRC-32 of the file.
    """

    token: str
    last_key: int
    seq: int
    arrays: Mapping[str, tuple[int, str, tuple[int, ...]]]
    size: int
    digest: int

    def to_json(self) -> str:
        """As stored."""
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> Base | None:
        """As stored; None if there is none of this version.

        Raises:
            ValueError: If it is malformed.
        """
        if not text:
            return None
        data = parse_json(text)
        if not isinstance(data["arrays"], dict):
            raise ValueError("the description of the cached rows")
        arrays = {
            str(name): (int(offset), str(kind), tuple(map(int, shape)))
            for name, (offset, kind, shape) in data["arrays"].items()
        }
        token = str(data["token"])
        if not _BASE.fullmatch(f"rows-{token}.bin"):
            raise ValueError("the description of the cached rows")
        if set(arrays) != set(_ARRAYS):
            return None  # of another version of this package
        numbers = {name: int(data[name]) for name in ("last_key", "seq", "size", "digest")}
        if max(map(abs, numbers.values())) >= 1 << 63:
            raise ValueError("the description of the cached rows")
        return cls(token=token, arrays=arrays, **numbers)


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
            target.parent.mkdir(parents=True, exist_ok=True)
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

    def write_base(self, token: str, block: Block, last_key: int, seq: int) -> Base:
        """Write the arrays of some skills, complete or not at all.

        Args:
            token: Names the file.
            block: Counted, as large ones are.
            last_key: See `Base`.
            seq: See `Base`.

        Raises:
            StoreError: If it cannot be written.
        """
        counts = block.counts or GramCounts.of(block.grams)
        given = {
            **{name: getattr(block, name) for name in _ROWS},
            **{"codes": counts.codes, "counts": counts.counts},
            **{"total": block.moments.total, "products": block.moments.products},
        }
        file = self._base(token)
        self._refuse_links(file)
        arrays: dict[str, tuple[int, str, tuple[int, ...]]] = {}
        digest = offset = 0
        with replacing(file) as out:
            for name in _ARRAYS:
                array = np.ascontiguousarray(given[name])
                padding = -offset % _ALIGNED
                arrays[name] = (offset + padding, array.dtype.str, array.shape)
                for data in (bytes(padding), array.reshape(-1).view(np.uint8).data):
                    out.write(data)
                    digest = zlib.crc32(data, digest)
                offset += padding + array.nbytes
        base = Base(token, last_key, seq, arrays, offset, digest)
        self._remember(base)
        return base

    def open_base(self, base: Base) -> Block | None:
        """The arrays, mapped and not read; None if they are gone or are not what was written."""
        file = self._base(base.token)
        try:
            if self._linked(file) or file.stat().st_size != base.size or not base.size:
                return None
            with file.open("rb") as opened:
                mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            arrays = {name: _array(mapped, *where) for name, where in base.arrays.items()}
            # Reading it all costs as much as a search does: once for each state of the file.
            remembered = self._is_remembered(base)
            if not remembered and (zlib.crc32(mapped) != base.digest or not _is_sound(arrays)):
                return None
            if not remembered:
                self._remember(base)
        except (OSError, ValueError, TypeError):
            return None
        rows = {name: arrays[name] for name in _ROWS}
        moments = Moments(len(arrays["keys"]), arrays["total"], arrays["products"])
        return Block(**rows, moments=moments, counts=GramCounts(arrays["codes"], arrays["counts"]))

    def _remember(self, base: Base) -> None:
        """Note the state in which the file was known to be right."""
        with suppress(OSError, SkillretError):  # read-only or full: then it is read each time
            write_text(self._base(base.token, ".json"), json.dumps(self._state(base)))

    def _is_remembered(self, base: Base) -> bool:
        try:
            text = read_text(self._base(base.token, ".json"), _MOST_NOTED)
            return bool(parse_json(text) == self._state(base))
        except (OSError, ValueError):
            return False

    def _state(self, base: Base) -> list[int]:
        status = self._base(base.token).stat()
        described = zlib.crc32(base.to_json().encode())
        return [described, status.st_size, status.st_mtime_ns, status.st_ino]

    def clean(self, keep: set[str]) -> None:
        """Delete all generations and arrays but some, and what killed processes left behind."""
        # An index is named by its user, and a folder of that name may have been there before.
        for entry in _entries(self.folder):
            if entry.is_symlink():
                continue
            if _BASE.fullmatch(entry.name):
                if entry.stem.removeprefix("rows-") not in keep:
                    entry.unlink(missing_ok=True)
            elif (
                entry.name not in keep
                and _GENERATION.fullmatch(entry.name)
                and all(_DERIVED.fullmatch(child.name) for child in _entries(entry))
            ):
                shutil.rmtree(entry, ignore_errors=True)

    def discard(self, token: str) -> None:
        """Delete one generation."""
        shutil.rmtree(self.folder / token, ignore_errors=True)

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


def _array(mapped: mmap.mmap, offset: int, kind: str, shape: tuple[int, ...]) -> Any:
    count = math.prod(shape)
    if kind not in _KINDS or offset < 0 or any(n < 0 for n in shape) or count > len(mapped):
        raise ValueError("no plain array")
    return np.frombuffer(mapped, kind, count, min(offset, len(mapped))).reshape(shape)


def _is_sound(arrays: Mapping[str, Any]) -> bool:
    """Whether arrays could be the rows of a block, whoever has written them."""
    keys, vectors, starts, grams, names, codes, counts, total, products = map(
        arrays.__getitem__, _ARRAYS
    )
    n, dim = vectors.shape
    shapes = [(n,), (n, dim), (n + 1,), grams.shape, (n,), codes.shape, codes.shape]
    kinds = ["<i8", "<f4", "<i8", "<u4", "<i8", "<u4", "<i8", "<f8", "<f8"]
    return (
        [arrays[name].shape for name in _ARRAYS] == [*shapes, (dim,), (dim, dim)]
        and [arrays[name].dtype for name in _ARRAYS] == [np.dtype(kind) for kind in kinds]
        and grams.ndim == codes.ndim == 1
        and starts[0] == 0
        and starts[-1] == len(grams)
        and all(bool((np.diff(a) > 0).all()) for a in (keys, codes.astype(np.int64)))
        and bool((np.diff(starts) >= 0).all() and (names >= 0).all() and (counts > 0).all())
        and all(bool(np.isfinite(a).all()) for a in (vectors, total, products))
    )


def _entries(folder: Path) -> list[Path]:
    """What a folder holds; nothing of one that is gone or cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
