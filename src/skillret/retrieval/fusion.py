"""Fusion of dense and lexical scores by a convex combination.

Each score is scaled per request and both are added: Bruch, Gai and Ingber, "An Analysis of Fusion
Functions for Hybrid Retrieval" (ACM TOIS 2023), who find it better than reciprocal rank fusion
and robust with one weight to fit. On the dev split here rank fusion is the worst of all forms
tried (benchmarks/fusion.py).
"""

from __future__ import annotations

import numpy as np

from skillret.arrays import Float32

__all__ = ["LEXICAL_CANDIDATES", "fuse"]

# BM25 scores beyond this rank are too small to lift a skill into the results.
LEXICAL_CANDIDATES = 100


def fuse(dense: Float32, lexical: Float32, dense_weight: float) -> Float32:
    """One score per skill, 0 to 1.

    Cosines are scaled from their own minimum and maximum, BM25 scores from 0, which is their
    lowest possible value, to their maximum.

    Args:
        dense: Cosines `(n,)`.
        lexical: BM25 scores `(n,)`; 0 where no term is shared.
        dense_weight: Share of the dense score, 0 to 1.

    Returns:
        float32 `(n,)`.
    """
    if not len(dense):
        return dense
    low, high = float(dense.min()), float(dense.max())
    if high - low > 1e-6:
        fused = (dense - low) * np.float32(dense_weight / (high - low))
    else:  # one skill, or copies of one: all are the best
        fused = np.full(len(dense), dense_weight, dtype=np.float32)
    best = float(lexical.max())
    if best > 1e-6:
        fused += lexical * np.float32((1.0 - dense_weight) / best)
    return np.asarray(fused, dtype=np.float32)
