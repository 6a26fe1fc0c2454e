"""Ranking loss with in-batch false negatives masked, also across devices, and its extensions.

`MultipleNegativesRankingLoss` of sentence-transformers (InfoNCE over cosines; arXiv:1705.00652,
section 4.4) takes every other document of the batch for a negative. Three kinds are none: another
copy of the anchor's gold skill, another gold skill of its query, and a near-duplicate of either.
At batch 384 of the SkillRet data one anchor in thirty meets its own gold skill. The classes here
set the similarity of such columns to minus infinity and leave everything else to the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import all_gather, all_gather_with_grad, cos_sim
from torch import Tensor

from skillret.training.sections import DistillSection, LossSection

__all__ = [
    "CachedMaskedRankingLoss",
    "Labels",
    "MaskedRankingLoss",
    "Teacher",
    "build_loss",
    "false_negatives",
    "own_false_negatives",
]


@dataclass(frozen=True, slots=True)
class Labels:
    """The integers that travel with a batch of `b` pairs of one query and `c` documents each.

    Attributes:
        queries: int64 `(b,)`, rows of the query table.
        skills: int64 `(b, c)`, rows of the skill table: the positive, then hard negatives.
        keys: int64 `(b, c)`; what a document is compared by (its row, or its duplicates' group).
        forbidden: int64 `(b, g)`; keys that are no negatives of the pair's query; -1 is none.
    """

    queries: Tensor
    skills: Tensor
    keys: Tensor
    forbidden: Tensor

    @classmethod
    def unpack(cls, labels: Tensor, columns: int) -> Labels:
        """Split int64 `(b, 1 + 2 c + g)`, as `label_row` of `skillret.training.rows` made it."""
        keys = 1 + columns
        end = keys + columns
        return cls(labels[:, 0], labels[:, 1:keys], labels[:, keys:end], labels[:, end:])


def false_negatives(own: Labels, everyone: Labels, offset: int) -> Tensor:
    """Which documents of all devices are no negatives of this device's queries.

    Args:
        own: Labels of this device, `b` pairs.
        everyone: Labels of all devices, `n` pairs, in order of rank.
        offset: Where this device's pairs start among all.

    Returns:
        bool `(b, c n)`, documents in the library's order: all positives, then the first hard
        negative of every pair, and so on. The pair's own positive is never marked.
    """
    candidates = everyone.keys.T.reshape(-1)
    mask = torch.zeros(
        len(own.queries), len(candidates), dtype=torch.bool, device=candidates.device
    )
    # One key at a time: `g` is small, `b c n g` would not be.
    for key in own.forbidden.unbind(1):
        mask |= (key[:, None] == candidates[None, :]) & (key[:, None] >= 0)
    rows = torch.arange(len(own.queries), device=mask.device)
    mask[rows, rows + offset] = False
    return mask


def own_false_negatives(labels: Tensor, columns: int) -> Tensor:
    """The same among the `b` pairs of one device, from its labels; bool `(b, c b)`."""
    own = Labels.unpack(labels, columns)
    return false_negatives(own, own, 0)


class Teacher:
    """Vectors of a teacher, memory-mapped, looked up by the rows that labels carry.

    Args:
        queries: `.npy` of shape `(queries, t)`, rows of unit length.
        documents: `.npy` of shape `(skills, t)`, rows of unit length.
        section: Target, weight and scale.
    """

    def __init__(self, queries: Path, documents: Path, section: DistillSection) -> None:
        self._queries = np.load(queries, mmap_mode="r")
        self._documents = np.load(documents, mmap_mode="r")
        self.section = section

    def queries(self, rows: Tensor) -> Tensor:
        """float32 `(len(rows), t)` on the device of `rows`."""
        return _lookup(self._queries, rows)

    def documents(self, rows: Tensor) -> Tensor:
        """float32 `(len(rows), t)` on the device of `rows`."""
        return _lookup(self._documents, rows)

    def loss(self, queries: Tensor, documents: list[Tensor], own: Labels, all_: Labels) -> Tensor:
        """The teacher's term, a scalar.

        Args:
            queries: Student vectors of this device's queries, `(b, d)`.
            documents: Student vectors of all devices' documents, `c` times `(n, d)`.
            own: Labels of this device.
            all_: Labels of all devices.
        """
        target = self.section.target
        if target == "embeddings":
            return self._embedding_loss(queries, documents, own, all_)
        student = cos_sim(queries, torch.cat(documents))
        teacher = self.queries(own.queries) @ self.documents(all_.skills.T.reshape(-1)).T
        if target == "margins":  # MarginMSE (arXiv:2010.02666, equation 3) over the whole batch
            positive = _positions(own, all_)
            rows = torch.arange(len(queries), device=queries.device)
            mine = student[rows, positive][:, None] - student
            theirs = teacher[rows, positive][:, None] - teacher
            return torch.nn.functional.mse_loss(mine, theirs)
        scale = self.section.teacher_scale
        return torch.nn.functional.kl_div(
            torch.log_softmax(student * scale, dim=1),
            torch.log_softmax(teacher * scale, dim=1),
            log_target=True,
            reduction="batchmean",
        )

    def _embedding_loss(
        self, queries: Tensor, documents: list[Tensor], own: Labels, all_: Labels
    ) -> Tensor:
        """Mean of 1 - cosine to the teacher, over columns (EmbedDistill, arXiv:2301.12005)."""
        cosine = torch.nn.functional.cosine_similarity
        terms = [(1 - cosine(queries, self.queries(own.queries))).mean()]
        for column, vectors in enumerate(documents):
            target = self.documents(all_.skills[:, column])
            terms.append((1 - cosine(vectors, target)).mean())
        return torch.stack(terms).mean()


def _lookup(vectors: Any, rows: Tensor) -> Tensor:
    found = np.asarray(vectors[rows.cpu().numpy()], dtype=np.float32)
    return torch.from_numpy(found).to(rows.device)


def _positions(own: Labels, all_: Labels) -> Tensor:
    """Column of each own pair's positive."""
    offset = _rank() * len(own.queries) if len(all_.queries) != len(own.queries) else 0
    return torch.arange(len(own.queries), device=own.queries.device) + offset


class _MaskedCosine:
    """Cosine similarity whose marked entries are minus infinity.

    The library asks for scores of a block of rows at a time, in order, against all documents.
    """

    __name__ = "cos_sim"  # sentence-transformers reads it for model cards

    def __init__(self) -> None:
        self._mask: Tensor | None = None
        self._row = 0

    def start(self, mask: Tensor | None) -> None:
        """Take the mask of the coming pass, bool `(b, columns)`; None masks nothing."""
        self._mask, self._row = mask, 0

    def __call__(self, queries: Tensor, documents: Tensor) -> Tensor:
        scores: Tensor = cos_sim(queries, documents)
        if self._mask is None:
            return scores
        block = self._mask[self._row : self._row + len(queries)]
        self._row += len(queries)
        return scores.masked_fill(block, -torch.inf)


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _rank() -> int:
    return torch.distributed.get_rank() if _distributed() else 0


class _Batch:
    """What both losses do with the labels of one batch."""

    def __init__(self, labels: Tensor, columns: int, gather: bool) -> None:
        self.own = Labels.unpack(labels, columns)
        self.gather = gather and _distributed()
        everyone = all_gather(labels) if self.gather else labels
        self.everyone = Labels.unpack(everyone, columns)
        self.offset = _rank() * len(labels) if self.gather else 0

    def mask(self) -> Tensor | None:
        if not bool((self.own.forbidden >= 0).any()):
            return None
        return false_negatives(self.own, self.everyone, self.offset)

    def distill(self, teacher: Teacher, embeddings: list[Tensor]) -> Tensor:
        documents = [all_gather_with_grad(d) if self.gather else d for d in embeddings[1:]]
        term = teacher.loss(embeddings[0], documents, self.own, self.everyone)
        return teacher.section.weight * term


class MaskedRankingLoss(MultipleNegativesRankingLoss):  # type: ignore[misc]
    """`MultipleNegativesRankingLoss` without false negatives, optionally with a teacher.

    Labels are int64 `(b, 1 + 2 c + g)`; see `Labels`. With no forbidden keys and no teacher, loss
    and gradients are those of the parent.

    Args:
        model: The model.
        scale: Cosines are multiplied by it.
        gather: Take the documents of all devices for candidates.
        teacher: Adds its term to the loss.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        scale: float = 20.0,
        gather: bool = False,
        teacher: Teacher | None = None,
    ) -> None:
        self._cosine = _MaskedCosine()
        super().__init__(
            model,
            scale,
            similarity_fct=self._cosine,
            gather_across_devices=gather and _distributed(),
        )
        self._teacher = teacher

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The loss of one batch, a scalar; `embeddings` are `1 + c` times `(b, d)`."""
        batch = _Batch(labels, len(embeddings) - 1, self.gather_across_devices)
        self._cosine.start(batch.mask())
        loss: Tensor = super().compute_loss_from_embeddings(embeddings, labels)
        if self._teacher is not None:
            loss = loss + batch.distill(self._teacher, embeddings)
        return loss


class CachedMaskedRankingLoss(CachedMultipleNegativesRankingLoss):  # type: ignore[misc]
    """`MaskedRankingLoss` with gradient caching (GradCache, arXiv:2101.06983).

    Equal in loss and gradients; memory is that of `mini_batch_size` rows, time about double.

    Args:
        model: The model.
        scale: Cosines are multiplied by it.
        gather: Take the documents of all devices for candidates.
        mini_batch_size: Rows of one forward pass.
        teacher: Adds its term to the loss.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        scale: float = 20.0,
        gather: bool = False,
        mini_batch_size: int = 32,
        teacher: Teacher | None = None,
    ) -> None:
        cosine = _MaskedCosine()
        super().__init__(
            model,
            scale,
            similarity_fct=cosine,
            mini_batch_size=mini_batch_size,
            gather_across_devices=gather and _distributed(),
        )
        self._cosine = cosine
        self._teacher = teacher

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss of one batch, a scalar; `reps` are `1 + c` lists of vectors by mini-batch."""
        assert labels is not None
        batch = _Batch(labels, len(reps) - 1, self.gather_across_devices)
        self._cosine.start(batch.mask())
        loss: Tensor = super().calculate_loss(reps, labels, with_backward=with_backward)
        if self._teacher is not None:
            term = batch.distill(self._teacher, [torch.cat(r) for r in reps])
            if with_backward:
                term.backward()  # type: ignore[no-untyped-call]
                term = term.detach()
            loss = loss + term
        return loss


def build_loss(
    model: SentenceTransformer,
    section: LossSection,
    teacher: Teacher | None = None,
) -> torch.nn.Module:
    """The loss over single vectors that a recipe asks for."""
    loss: torch.nn.Module
    if section.mini_batch_size:
        loss = CachedMaskedRankingLoss(
            model, section.scale, section.gather, section.mini_batch_size, teacher
        )
    else:
        loss = MaskedRankingLoss(model, section.scale, section.gather, teacher)
    if section.matryoshka:
        full = int(model.get_embedding_dimension())
        # Smaller dimensions beside the full one, never instead of it.
        loss = MatryoshkaLoss(model, loss, sorted({*section.matryoshka, full}, reverse=True))
    return loss
