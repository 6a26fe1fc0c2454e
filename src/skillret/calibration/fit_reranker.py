"""A reranker's score as one more feature of a fitted ranker: its weight, by labelled queries.

The weight is that of the least listwise softmax cross-entropy (ListNet's top one, Cao et al. 2007)
of the ranker's outputs plus as many times the score, over the candidates that were read. What is
reported is out of fold: the weight that judges a fold was fitted on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skillret.arrays import Float32, Float64
from skillret.calibration.examples import FOLDS, Example
from skillret.retrieval.features import RERANKED
from skillret.retrieval.query import clean_query
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.rerank import Reranker, likeliest, read_likeliest
from skillret.types import Progress, Skill

__all__ = ["Reread", "fit_reranker", "reread"]

_DEVIATIONS = 4.0  # of the scores from their mean, which are one unit of the feature
_RIDGE = 1.0  # penalty on the squared weight: in doubt the reranker counts little
_LEAST = 1e-6  # of a deviation


class Reread(NamedTuple):
    """What a reranker adds to a ranker.

    Attributes:
        mean: Of its scores of the skills that the ranker puts first: there it adds nothing.
        scale: Of its scores.
        weights: Of the feature, for each fold fitted on the others.
        weight: Fitted on all.
    """

    mean: float
    scale: float
    weights: Sequence[float]
    weight: float

    def added(self, fold: int, scores: Float32) -> Float64:
        """What the scores of a query's candidates add to their outputs, out of fold."""
        values = (scores.astype(np.float64) - self.mean) / self.scale
        return np.asarray(self.weights[fold] * values, dtype=np.float64)

    def joined(self, ranker: Ranker) -> Ranker:
        """The ranker with the feature."""
        return ranker.plus(RERANKED, self.weight, self.mean, self.scale)


def reread(
    reranker: Reranker,
    skills: Sequence[Skill],
    found: Sequence[Example],
    outputs: Sequence[Float64],
    progress: Progress | None = None,
) -> list[Float32]:
    """A reranker's scores of each query's candidates, `(m,)` each; see `read_likeliest`.

    Args:
        reranker: The reranker.
        skills: The library.
        found: Queries with their candidates.
        outputs: What a ranker orders these by, `(m,)` each.
        progress: Called with the queries read so far and in all.

    Raises:
        EncoderError: If the reranker fails.
        ExtensionError: If a package's reranker fails.
    """
    texts: Callable[[Sequence[int]], Mapping[int, Skill]]
    texts = lambda rows: {row: skills[row] for row in rows}  # noqa: E731
    scores: list[Float32] = []
    for e, own in zip(found, outputs, strict=True):
        scores.append(read_likeliest(reranker, clean_query(e.query.text), e.rows, own, texts))
        if progress:
            progress(len(scores), len(found))
    return scores


def fit_reranker(
    found: Sequence[Example], outputs: Sequence[Float64], scores: Sequence[Float32]
) -> Reread:
    """Fit the weight of a reranker's score.

    Args:
        found: Queries with their candidates.
        outputs: What a ranker orders these by, `(m,)` each.
        scores: Of the reranker, `(m,)` each.
    """
    spread = np.concatenate(scores).astype(np.float64).std() if scores else 0.0
    scale = _DEVIATIONS * max(float(spread), _LEAST)
    # Of those that were not read only that they were not is known, and the outputs say that too.
    every = [
        (e, own[rows := likeliest(own)], read[rows].astype(np.float64), e.labels[rows])
        for e, own, read in zip(found, outputs, scores, strict=True)
    ]
    labelled = [(e, own, read, gold) for e, own, read, gold in every if gold.any()]
    mean = float(np.mean([read[0] for _, _, read, _ in labelled])) if labelled else 0.0

    def fit(left_out: int) -> float:
        return _newton(
            [
                (e.weight, own, (read - mean) / scale, gold / gold.sum())
                for e, own, read, gold in labelled
                if e.fold != left_out
            ]
        )

    return Reread(mean, scale, [fit(fold) for fold in range(FOLDS)], fit(-1))


def _newton(rows: Sequence[tuple[float, Float64, Float64, Float64]]) -> float:
    """The weight of least loss, at least 0: it has one minimum, as the loss is convex in it."""
    weight = 0.0
    for _ in range(50):
        slope, curvature = 2 * _RIDGE * weight, 2 * _RIDGE
        for w, outputs, values, gold in rows:
            total = outputs + weight * values
            likely = np.exp(total - total.max())
            likely /= likely.sum()
            expected = float(likely @ values)
            slope += w * (expected - float(gold @ values))
            curvature += w * (float(likely @ (values * values)) - expected**2)
        step = float(np.clip(slope / curvature, -5, 5))
        weight = max(weight - step, 0.0)
        if abs(step) < 1e-6:
            break
    return weight
