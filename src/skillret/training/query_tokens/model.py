"""What reads queries for late interaction: a copy of an encoder, with a weight for each token.

Documents keep the states that the encoder gave them, so their single vectors and their place in an
index stay as they are; only the projection of their states is learnt. Queries are short, and their
reader is free to say of each token what a skill that is needed would say, and how much it counts
(weights of query tokens: ColBERTer, Hofstätter et al. 2022, arXiv:2203.13088).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from skillret.encoders.token_projection import TokenProjection

__all__ = ["QueryReader", "maxsim", "pad", "shares"]

# Values of a state of unit length are small; so large the first steps of a head are.
_SPREAD = 10.0
_ONE = 0.5413  # its softplus is one
_TINY = 1e-6


class QueryReader(nn.Module):
    """Vectors and weights of a query's tokens, and the projection of documents' states.

    Untrained it does what the projection does, all tokens weighing the same.

    Args:
        encoder: A `BertModel`; its embeddings and its first layers stay as they are.
        projection: Where both projections start.
        frozen: How many layers stay.
    """

    def __init__(self, encoder: Any, projection: TokenProjection, frozen: int) -> None:
        super().__init__()
        self.encoder = encoder
        for module in (encoder.embeddings, *encoder.encoder.layer[:frozen]):
            module.requires_grad_(False)
        matrix, mean = torch.from_numpy(projection.matrix), torch.from_numpy(projection.mean)
        self.query_matrix = nn.Parameter(matrix.clone())
        self.query_bias = nn.Parameter(-mean @ matrix)
        self.document_matrix = nn.Parameter(matrix.clone())
        self.document_bias = nn.Parameter(-mean @ matrix)
        self.weigh = nn.Linear(len(matrix), 1)
        nn.init.zeros_(self.weigh.weight)
        nn.init.constant_(self.weigh.bias, _ONE)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors `(n, length, k)` of unit length, and weights `(n, length)` of at least 0.

        Args:
            input_ids: int64 `(n, length)`.
            attention_mask: int64 of the same shape, 0 for padding.
        """
        read = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        states = normalize(read.last_hidden_state, dim=-1)
        vectors = normalize(states @ self.query_matrix + self.query_bias, dim=-1)
        return vectors, softplus(self.weigh(states * _SPREAD)[..., 0])

    def documents(self, states: Tensor) -> Tensor:
        """Vectors `(..., k)` of unit length of documents' states `(..., dim)`."""
        return normalize(
            normalize(states, dim=-1) @ self.document_matrix + self.document_bias, dim=-1
        )

    def projection(self, start: TokenProjection) -> TokenProjection:
        """What was learnt for documents, as an encoder applies it.

        Args:
            start: Where it started, which says which tokens are kept.
        """
        matrix = self.document_matrix.detach().numpy()
        # The mean that gives the bias: (states - mean) @ matrix = states @ matrix + bias.
        mean = -np.linalg.pinv(matrix.T.astype(np.float64)) @ self.document_bias.detach().numpy()
        return replace(start, mean=mean.astype(np.float32), matrix=np.ascontiguousarray(matrix))


def maxsim(vectors: Tensor, weights: Tensor, held: Tensor, there: Tensor) -> Tensor:
    """Late interaction of one query with `n` documents, `(n,)`.

    Args:
        vectors: Of the query's tokens, `(q, k)`.
        weights: Of these, `(q,)`, adding up to 1.
        held: Of the tokens of documents, `(n, d, k)`.
        there: Which of them count, bool `(n, d)`.
    """
    similar = torch.einsum("qk,ndk->ndq", vectors, held).masked_fill(~there[..., None], -1.0)
    best: Tensor = similar.amax(dim=1)
    return best @ weights


def pad(listed: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids of some texts and their mask, int64 `(n, longest)` both.

    Args:
        listed: Of at least one text, of one token or more each.
    """
    shape = (len(listed), max(map(len, listed)))
    input_ids, mask = (torch.zeros(shape, dtype=torch.long) for _ in range(2))
    for line, ids in enumerate(listed):
        input_ids[line, : len(ids)] = torch.tensor(ids)
        mask[line, : len(ids)] = 1
    return input_ids, mask


def shares(weights: Tensor, counts: Tensor) -> Tensor:
    """Weights of tokens as shares that add up to 1, `(n, length)`; 0 of those that do not count.

    Args:
        weights: As the reader gives them.
        counts: Which tokens say something, bool of the same shape.
    """
    told = weights * counts
    return told / told.sum(dim=1, keepdim=True).clamp_min(_TINY)
