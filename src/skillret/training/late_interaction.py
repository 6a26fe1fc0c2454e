"""Training for late interaction: the tokens of a query are to be met by those of its skills.

The score of a query and a document is the mean, over the query's tokens, of the largest cosine to
a token of the document (MaxSim; ColBERT, arXiv:2004.12832), and the loss the ranking loss of the
single vectors once more, with these scores. Token vectors are made by a `TokenProjection` fitted on
the base model before the first step. It stays as it is: the encoder below it learns, so a model
keeps one file of everything that it was trained for.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from skillret.calibration.fit_projection import fit_projection
from skillret.encoders import TokenEncoder, Tokens
from skillret.encoders.token_projection import TokenProjection
from skillret.training.loss import own_false_negatives
from skillret.training.sections import LossSection

__all__ = ["LateInteractionLoss", "fit_on", "states_dim"]


def states_dim(model: SentenceTransformer) -> int:
    """Values of a state of the model's last layer."""
    return int(model[0].get_embedding_dimension())


def fit_on(model: SentenceTransformer, texts: Sequence[str], dim: int) -> TokenProjection:
    """A projection for the states of a model, from some of the texts that it will be trained on."""
    tokenizer = model.tokenizer.backend_tokenizer
    return fit_projection(cast("TokenEncoder", _States(model)), texts, tokenizer, dim)


class _States:
    """The last layer of a model in training, as `fit_projection` asks for it."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self.profile = SimpleNamespace(dim=states_dim(model))

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        read = []
        for states in self._model.encode(list(texts), output_value="token_embeddings"):
            vectors = np.asarray(states.float().cpu())
            nowhere = np.zeros((len(vectors), 2), dtype=np.int64)
            read.append(Tokens(vectors.mean(axis=0), vectors, nowhere))
        return read


class LateInteractionLoss(torch.nn.Module):
    """A ranking loss over single vectors, plus the same over late interaction.

    Args:
        model: The model.
        base: The loss over single vectors, a `MaskedRankingLoss`.
        projection: Makes token vectors.
        section: Weight and scale of the term of late interaction.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        base: Any,
        projection: TokenProjection,
        section: LossSection,
    ) -> None:
        super().__init__()
        self.model, self._base = model, base
        self._weight, self._scale = section.late_interaction, section.late_scale
        words = int(model[0].model.config.vocab_size)
        silent = torch.zeros(words, dtype=torch.bool)
        silent[torch.from_numpy(projection.silent)] = True
        passed_over = silent.clone()
        passed_over[torch.from_numpy(projection.stop_words)] = True
        # Plain tensors: DDP would send buffers around at each step, and these never change.
        self._mean = torch.from_numpy(projection.mean).to(model.device)
        self._matrix = torch.from_numpy(projection.matrix).to(model.device)
        self._silent, self._passed_over = silent.to(model.device), passed_over.to(model.device)

    def forward(self, sentence_features: Sequence[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss of one batch, a scalar; features of queries, then of columns of documents."""
        read = [self.model(features) for features in sentence_features]
        single = self._base.compute_loss_from_embeddings(
            [r["sentence_embedding"] for r in read], labels
        )
        asked, asked_there = self._tokens(read[0], self._silent)
        columns = [self._tokens(r, self._passed_over) for r in read[1:]]
        scores = torch.cat([maxsim(asked, asked_there, *column) for column in columns], dim=1)
        mask = own_false_negatives(labels, len(columns))
        scores = (scores * self._scale).masked_fill(mask, -torch.inf)
        own = torch.arange(len(scores), device=scores.device)
        late = torch.nn.functional.cross_entropy(scores, own)
        loss: Tensor = single + self._weight * late
        return loss

    def _tokens(self, read: dict[str, Any], dropped: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of all tokens of `b` texts, `(b, t, k)`, and which of them count, `(b, t)`."""
        states = torch.nn.functional.normalize(read["token_embeddings"].float(), dim=-1)
        vectors = torch.nn.functional.normalize((states - self._mean) @ self._matrix, dim=-1)
        return vectors, read["attention_mask"].bool() & ~dropped[read["input_ids"]]


def maxsim(asked: Tensor, asked_there: Tensor, held: Tensor, held_there: Tensor) -> Tensor:
    """Scores of `b` queries and `n` documents, `(b, n)`.

    Args:
        asked: Token vectors of queries, `(b, q, k)`, rows of unit length.
        asked_there: Which of them count, bool `(b, q)`.
        held: Token vectors of documents, `(n, d, k)`, rows of unit length.
        held_there: Which of them count, bool `(n, d)`.
    """
    similar = torch.einsum("bqk,ndk->bnqd", asked, held)
    best = similar.masked_fill(~held_there[None, :, None, :], -1.0).amax(dim=-1)
    counts = asked_there.float()
    total: Tensor = (best * counts[:, None, :]).sum(dim=-1)
    return total / counts.sum(dim=1, keepdim=True).clamp_min(1.0)
