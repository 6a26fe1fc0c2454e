"""Evaluation of a reranker on dev while training: the pool, read once more."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sentence_transformers.base.evaluation import BaseEvaluator

from skillret.training.dev_split import Dev
from skillret.training.reranker.pool import measure_pool
from skillret.training.rows import CHARACTERS_PER_TOKEN

__all__ = ["PoolEvaluator"]

Int64: TypeAlias = NDArray[np.int64]


class PoolEvaluator(BaseEvaluator):  # type: ignore[misc]
    """Metrics of the pool in the order of a reranker; scoring is shared by the ranks.

    Args:
        dev: Documents, queries and labels.
        pool: int64 `(queries, depth)`; see `find_pool`.
        batch_size: Pairs of one forward pass.
        metric: The one that chooses the checkpoint, such as `ndcg@10`.
    """

    def __init__(self, dev: Dev, pool: Int64, batch_size: int, metric: str) -> None:
        super().__init__()
        self._dev, self._pool = dev, pool
        self._batch_size = batch_size
        self.primary_metric = metric

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """All metrics, by names such as `ndcg@10`."""
        dev, limit = self._dev, model.profile.max_tokens * CHARACTERS_PER_TOKEN
        rows, places = np.nonzero(self._pool >= 0)
        keys = self._pool[rows, places]
        pairs = [
            (dev.queries[row][:limit], dev.documents[key][:limit])
            for row, key in zip(rows.tolist(), keys.tolist(), strict=True)
        ]
        training = model.training
        try:
            # Under `distributed_evaluation` of sentence-transformers, `predict` shards over ranks.
            found = model.predict(pairs, batch_size=self._batch_size, show_progress_bar=False)
        finally:
            model.train(training)
        scores = np.zeros(self._pool.shape)
        scores[rows, places] = found
        return measure_pool(dev, self._pool, scores)
