"""Batches of pairs whose queries are of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sentence_transformers.base.sampler import DefaultBatchSampler

__all__ = ["LengthGroupedBatchSampler"]

_POOL = 50  # batches that are sorted together


class LengthGroupedBatchSampler(DefaultBatchSampler):  # type: ignore[misc]
    """Draws pairs at random, sorts a pool of batches by length, and shuffles the batches.

    Short queries are not padded to long ones, and the negatives of a long query are the skills
    of other long queries. Lengths are blurred by a fifth, so that the pairs of one query do not
    always meet. Order depends on the seed and the epoch alone.

    Args:
        dataset: The pairs.
        batch_size: Pairs of one batch.
        drop_last: Leave out a short last batch.
        lengths: One length a pair, in any unit.
        **arguments: As of the parent.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        drop_last: bool,
        *,
        lengths: Sequence[int],
        **arguments: Any,
    ) -> None:
        super().__init__(dataset, batch_size, drop_last, **arguments)
        self._lengths = np.asarray(lengths, dtype=np.float64)

    def __iter__(self) -> Iterator[list[int]]:
        """Row numbers of the pairs, a batch at a time."""
        draw = np.random.default_rng([self.seed, getattr(self, "epoch", 0)])
        order = draw.permutation(len(self._lengths))
        blurred = self._lengths * draw.uniform(0.8, 1.2, len(order))
        size = self.batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), size * _POOL):
            pool = order[start : start + size * _POOL]
            pool = pool[np.argsort(blurred[pool], kind="stable")]
            batches += [pool[i : i + size].tolist() for i in range(0, len(pool), size)]
        whole = [b for b in batches if len(b) == size]
        short = [b for b in batches if len(b) < size]
        yield from (whole[i] for i in draw.permutation(len(whole)))
        if not self.drop_last:
            yield from short
