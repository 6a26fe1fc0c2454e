"""Small numerics that every layer shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Float32", "top_rows"]

Float32: TypeAlias = "NDArray[np.float32]"


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
