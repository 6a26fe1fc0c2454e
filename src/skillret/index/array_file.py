"""The file of arrays of an index: vectors and grams of most skills, mapped and not read.

It is written in pages, so that a library larger than memory has one too.
"""

from __future__ import annotations

import json
import math
import mmap
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skillret.files import parse_json
from skillret.index.blocks import Block, GramCounts
from skillret.index.corpus import Moments
from skillret.index.lists import LISTS_FROM, Lists, find_lists, rounded
from skillret.lexical.grams import MAX_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Base", "Extent", "map_block", "write_arrays"]

_TOKEN = re.compile(r"[0-9a-f]{16}")
_ALIGNED = 64
_KINDS = ("<i8", "<u4", "<f4", "<f8", "|i1")
_READ = 1 << 24  # bytes
_PAGE = 1 << 13  # rows
_ROWS = ("keys", "vectors", "starts", "grams", "names")
_ARRAYS = (*_ROWS, "codes", "counts", "total", "products")
_LISTS = ("centres", "bounds", "listed", "list_vectors", "list_steps")  # of large libraries


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
        if not _TOKEN.fullmatch(token):
            raise ValueError("the description of the cached rows")
        if set(arrays) not in ({*_ARRAYS}, {*_ARRAYS, *_LISTS}):
            return None  # of another version of this package
        numbers = {name: int(data[name]) for name in ("last_key", "seq", "size", "digest")}
        if max(map(abs, numbers.values())) >= 1 << 63:
            raise ValueError("the description of the cached rows")
        return cls(token=token, arrays=arrays, **numbers)


class Extent(NamedTuple):
    """How much an index holds.

    Attributes:
        rows: Skills.
        grams: Of all rows together.
        dim: Of the vectors.
    """

    rows: int
    grams: int
    dim: int

    @property
    def bytes(self) -> int:
        """What its arrays take at most, but for small ones."""
        return 4 * self.grams + self.rows * (5 * self.dim + 48)


class _Layout:
    """Where arrays stand in a file, one behind the other."""

    def __init__(self) -> None:
        self.arrays: dict[str, tuple[int, str, tuple[int, ...]]] = {}
        self.size = 0

    def add(self, name: str, kind: str, *shape: int) -> None:
        offset = self.size + -self.size % _ALIGNED
        self.arrays[name] = (offset, kind, shape)
        self.size = offset + math.prod(shape) * np.dtype(kind).itemsize


class Written(NamedTuple):
    """What a file of arrays holds; see `Base`."""

    arrays: Mapping[str, tuple[int, str, tuple[int, ...]]]
    size: int
    digest: int


def write_arrays(
    out: IO[bytes], pages: Iterable[Block], extent: Extent, before: Block | None = None
) -> Written:
    """Write the arrays of all skills.

    Args:
        out: A new file, open for writing and reading.
        pages: The skills in the order of their keys, some at a time.
        extent: What they hold together.
        before: The arrays of earlier, whose lists are kept.

    Raises:
        ValueError: If the pages hold something else.
    """
    layout = _Layout()
    layout.add("keys", "<i8", extent.rows)
    layout.add("vectors", "<f4", extent.rows, extent.dim)
    layout.add("starts", "<i8", extent.rows + 1)
    layout.add("grams", "<u4", extent.grams)
    layout.add("names", "<i8", extent.rows)
    rows = grams = 0
    held = np.zeros(MAX_CODE + 1, dtype=np.int64)
    moments = Moments.of(np.empty((0, extent.dim), dtype=np.float32))
    for page in pages:
        starts = page.starts[bool(rows) :] + grams  # the first of a later page has been written
        written: dict[str, tuple[int, NDArray[Any]]] = {
            "keys": (rows, page.keys),
            "vectors": (rows, page.vectors),
            "starts": (rows + bool(rows), starts),
            "grams": (grams, page.grams),
            "names": (rows, page.names),
        }
        for name, (place, array) in written.items():
            _write(out, layout, name, place, array)
        rows, grams = rows + len(page), grams + len(page.grams)
        counts = page.counts or GramCounts.of(page.grams)
        held[counts.codes] += counts.counts
        moments = moments.plus(page.moments)
    if (rows, grams) != (extent.rows, extent.grams):
        raise ValueError(f"{rows} rows of {grams} grams, and not {extent}")
    codes = np.flatnonzero(held).astype(np.uint32)
    rest: dict[str, NDArray[Any]] = {"codes": codes, "counts": held[codes]}
    rest |= {"total": moments.total, "products": moments.products}
    for name, array in rest.items():
        layout.add(name, array.dtype.str, *array.shape)
        _write(out, layout, name, 0, array)
    if extent.rows >= LISTS_FROM:
        _write_lists(out, layout, before)
    out.truncate(layout.size)
    out.seek(0)
    digest = 0
    while data := out.read(_READ):
        digest = zlib.crc32(data, digest)
    return Written(layout.arrays, layout.size, digest)


def _write_lists(out: IO[bytes], layout: _Layout, before: Block | None) -> None:
    """Write lists of the vectors that have been written."""
    out.truncate(layout.size)
    mapped = mmap.mmap(out.fileno(), layout.size, access=mmap.ACCESS_READ)
    keys, vectors = (_array(mapped, *layout.arrays[name]) for name in ("keys", "vectors"))
    known = None if before is None or before.lists is None else (before.keys, before.lists)
    centres, owners = find_lists(keys, vectors, known)
    listed = np.argsort(owners, kind="stable")
    bounds = np.searchsorted(owners[listed], np.arange(len(centres) + 1))
    small: dict[str, NDArray[Any]] = {"centres": centres, "bounds": bounds, "listed": listed}
    for name, array in small.items():
        layout.add(name, array.dtype.str, *array.shape)
        _write(out, layout, name, 0, array)
    layout.add("list_vectors", "|i1", *vectors.shape)
    layout.add("list_steps", "<f4", len(listed))
    for start in range(0, len(listed), _PAGE):
        steps, lengths = rounded(vectors[listed[start : start + _PAGE]])
        _write(out, layout, "list_vectors", start, steps)
        _write(out, layout, "list_steps", start, lengths)


def _write(out: IO[bytes], layout: _Layout, name: str, place: int, array: NDArray[Any]) -> None:
    """Write rows of an array from one place on."""
    offset, kind, shape = layout.arrays[name]
    out.seek(offset + place * math.prod(shape[1:]) * np.dtype(kind).itemsize)
    out.write(np.ascontiguousarray(array, dtype=kind).reshape(-1).view(np.uint8).data)


def map_block(mapped: mmap.mmap, base: Base, *, known: bool) -> Block | None:
    """The block of a file of arrays; None if it is not what was written.

    Args:
        mapped: The file.
        base: What is said of it.
        known: Whether it was found right before: reading it all costs as much as a search does.

    Raises:
        ValueError: If arrays cannot be where they are said to be.
    """
    arrays = {name: _array(mapped, *where) for name, where in base.arrays.items()}
    if not known and (zlib.crc32(mapped) != base.digest or not _is_sound(arrays)):
        return None
    rows = {name: arrays[name] for name in _ROWS}
    moments = Moments(len(arrays["keys"]), arrays["total"], arrays["products"])
    counts = GramCounts(arrays["codes"], arrays["counts"])
    lists = Lists(*(arrays[name] for name in _LISTS)) if _LISTS[0] in arrays else None
    return Block(**rows, moments=moments, counts=counts, lists=lists)


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
        and (_LISTS[0] not in arrays or _are_sound_lists(arrays, vectors.shape))
    )


def _are_sound_lists(arrays: Mapping[str, Any], shape: tuple[int, int]) -> bool:
    """Whether arrays could be the lists of so many vectors, each in one of them."""
    centres, bounds, listed, _, steps = map(arrays.__getitem__, _LISTS)
    n, dim = shape
    shapes = [(len(bounds) - 1, dim), (len(bounds),), (n,), shape, (n,)]
    return (
        [arrays[name].shape for name in _LISTS] == shapes
        and [arrays[name].dtype.str for name in _LISTS] == ["<f4", "<i8", "<i8", "|i1", "<f4"]
        and len(centres) > 0
        and bounds[0] == 0
        and bounds[-1] == n
        and bool((np.diff(bounds) >= 0).all())
        and np.array_equal(np.sort(listed), np.arange(n))
        and all(bool(np.isfinite(a).all()) for a in (centres, steps))
    )
