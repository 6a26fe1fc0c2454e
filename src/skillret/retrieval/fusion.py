"""Fusion of dense and lexical scores by a convex combination.

Each score is scaled per query and both are added: Bruch, Gai and Ingber, "An Analysis of Fusion
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


def fuse(dense: Float32, lexical: Float32, dense_weight: float, low: float) -> Float32:
    """One score per skill, 0 to 1 but for cosines below `low`.

    Cosines are scaled from `low` to their maximum, BM25 scores from 0, which is their lowest
    possible value, to theirs.

    Args:
        dense: Cosines of candidates `(m,)`.
        lexical: BM25 scores `(m,)`; 0 where no term is shared.
        dense_weight: Share of the dense score, 0 to 1.
        low: A cosine about the smallest of all skills. Not that of the candidates, or scores would
            depend on how many are asked for, unless a filter has left only skills below it.

    Returns:
        float32 `(m,)`.
    """
    if not len(dense):
        return dense
    high = float(dense.max())
    if high <= low:
        low = float(dense.min())
    if high - low > 1e-6:
        fused = (dense - np.float32(low)) * np.float32(dense_weight / (high - low))
    else:  # one skill, or copies of one: all are the best
        fused = np.full(len(dense), dense_weight, dtype=np.float32)
    best = float(lexical.max())
    if best > 1e-6:
        fused += lexical * np.float32((1.0 - dense_weight) / best)
    return np.asarray(fused, dtype=np.float32)
