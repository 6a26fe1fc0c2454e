"""Losses of a reranker over groups of one gold skill and its negatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skillret.training.reranker.groups import IGNORED

__all__ = ["GroupLoss", "listwise", "pointwise"]


def pointwise(scores: Tensor, relevance: Tensor) -> Tensor:
    """Binary cross-entropy of every document that counts, their mean.

    SkillRet (arXiv:2605.05726, section 4); with one document a row it is `BinaryCrossEntropyLoss`
    of sentence-transformers.

    Args:
        scores: float32 logits, shape (groups, documents).
        relevance: int64 of that shape: 1, 0, or -1 for what does not count.
    """
    counts = relevance != IGNORED
    return nn.functional.binary_cross_entropy_with_logits(
        scores[counts], relevance[counts].to(scores.dtype)
    )


def listwise(scores: Tensor, relevance: Tensor) -> Tensor:
    """Softmax cross-entropy of the gold document over its group, mean over groups.

    ListNet's top-one loss with one relevant document (Cao et al., 2007), which SkillRouter
    (arXiv:2603.22455) found decisive among documents that are alike.

    Args:
        scores: float32 logits, shape (groups, documents), the gold one first.
        relevance: int64 of that shape: 1, 0, or -1 for what does not count.
    """
    masked = scores.masked_fill(relevance == IGNORED, float("-inf"))
    first = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    return nn.functional.cross_entropy(masked, first)


class GroupLoss(nn.Module):
    """Scores all pairs of a batch in one pass, and judges them by group.

    Args:
        model: A `PairModel`; the trainer puts its distributed wrapper in its place.
        objective: `pointwise` or `listwise`.
    """

    def __init__(self, model: Any, objective: str) -> None:
        super().__init__()
        self.model = model
        self._judge = {"pointwise": pointwise, "listwise": listwise}[objective]

    def forward(self, features: list[dict[str, Any]], labels: Tensor, **_: Any) -> Tensor:
        """The loss of one batch.

        Args:
            features: The model's tensors, of `groups x documents` pairs.
            labels: int64 `(groups, 2 + documents)`; see `open_groups`.
        """
        relevance = labels[:, 2:]
        scores = self.model(features[0])["scores"].float().view(relevance.shape)
        return self._judge(scores, relevance)
