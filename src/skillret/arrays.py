"""Small numerics that every layer shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Float32",
    "Float64",
    "cosines",
    "count_distinct",
    "distinct",
    "first_of_each",
    "holds",
    "product",
    "top_rows",
]

Float32: TypeAlias = "NDArray[np.float32]"
Float64: TypeAlias = "NDArray[np.float64]"


_Integer = TypeVar("_Integer", bound=np.integer[Any])


# OpenBLAS gives a larger product to threads of its own, which spin when they have nothing to do: a
# process that searches in several threads then does less than in one.
_THREADED = 1 << 18  # multiplications
_CACHED_ROWS = 1024


def cosines(asked: Float32, vectors: Float32) -> Float32:
    """Products of unit vectors `(q, dim)` with others `(n, dim)`, float32 `(q, n)`.

    Row by row, as fast as by BLAS in one thread: what counts is the memory that is read, and slices
    stay in the processor's cache from one vector to the next. All slices in one call: between two
    calls, another thread takes Python's lock.
    """
    if len(asked) == 1:
        return np.asarray(np.vecdot(vectors, asked[0])[None], dtype=np.float32)
    out = np.empty((len(asked), len(vectors)), dtype=np.float32)
    count = len(vectors) // _CACHED_ROWS
    whole = count * _CACHED_ROWS
    slices = vectors[:whole].reshape(count, 1, _CACHED_ROWS, vectors.shape[1])
    near = np.vecdot(slices, asked[:, None])
    out[:, :whole] = near.swapaxes(0, 1).reshape(len(asked), whole)
    out[:, whole:] = np.vecdot(vectors[whole:], asked[:, None])
    return out


def product(left: Float32, right: Float32) -> Float32:
    """Matrix product of `(n, k)` and `(k, m)`, float32 `(n, m)`, in the thread that asks."""
    step = max(1, _THREADED // max(1, right.size) - 1)
    if len(left) <= step:
        return np.asarray(left @ right)
    out = np.empty((len(left), right.shape[1]), dtype=np.float32)
    for start in range(0, len(left), step):
        np.matmul(left[start : start + step], right, out=out[start : start + step])
    return out


def distinct(values: NDArray[_Integer]) -> NDArray[_Integer]:
    """The distinct values of an array `(n,)`, ascending.

    As `numpy.unique`, which loads `numpy.ma` for it and takes several times as long.
    """
    ordered, first = _ordered(values)
    return ordered[first]


def count_distinct(
    values: NDArray[_Integer],
) -> tuple[NDArray[_Integer], NDArray[np.int64]]:
    """The distinct values of an array `(n,)`, ascending, and how often each is there."""
    ordered, first = _ordered(values)
    places = np.flatnonzero(first)
    return ordered[places], np.diff(places, append=len(values))


def _ordered(values: NDArray[_Integer]) -> tuple[NDArray[_Integer], NDArray[np.bool_]]:
    """Values ascending, and which are the first of their kind."""
    ordered = np.sort(values)
    return ordered, first_of_each(ordered)


def first_of_each(ordered: NDArray[_Integer]) -> NDArray[np.bool_]:
    """Which of ascending values `(n,)` are the first of their kind, bool `(n,)`."""
    first = np.empty(len(ordered), dtype=np.bool_)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def holds(values: NDArray[_Integer], ordered: NDArray[_Integer]) -> NDArray[np.bool_]:
    """Which of some values `(n,)` an ascending array holds, bool `(n,)`."""
    if not len(ordered):
        return np.zeros(len(values), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[places] == values)


def top_rows(scores: Float32, k: int) -> NDArray[np.int64]:
    """Row numbers of the `k` largest scores, best first; of equal scores the lower row first."""
    n = len(scores)
    if k < n:
        # All rows that reach the k-th score, so that a tie at the cut is broken by row as well.
        cut = np.partition(scores, n - k)[n - k]
        rows = np.flatnonzero(scores >= cut)
    else:
        rows = np.arange(n)
    order = np.argsort(-scores[rows], kind="stable")[:k]
    return np.asarray(rows[order], dtype=np.int64)
