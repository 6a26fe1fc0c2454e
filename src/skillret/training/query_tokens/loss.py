"""The losses of a query's reader: over the ranker's candidates, with its outputs and without.

`residual`: the ranker's outputs with late interaction added shall put a gold skill above all
candidates that are not gold (a softmax over the list, for each gold one). `pure`: late interaction
alone shall do so, over these and the gold skills of the other queries of a batch; it keeps the
tokens meaningful where the ranker is right already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skillret.training.query_tokens.candidates import Group
from skillret.training.query_tokens.model import QueryReader, maxsim, pad, shares
from skillret.training.query_tokens.states import States

__all__ = ["Losses", "batch_losses", "list_loss"]

# Another query's gold skill that is as like one of this query's as this is no negative.
_ALIKE = 0.9  # cosine
_NEVER = -1e4  # a logit of what is no negative


class Losses(NamedTuple):
    """Of a batch, each a mean over its queries.

    Attributes:
        residual: Of the ranker's outputs with late interaction added, a scalar.
        pure: Of late interaction alone, a scalar.
        first: Share of the queries that have a gold skill first by the former.
    """

    residual: Tensor
    pure: Tensor
    first: float


def batch_losses(
    reader: QueryReader,
    late_weight: Tensor,
    scale: float,
    batch: Sequence[tuple[Group, NDArray[np.int64]]],
    states: States,
    silent: Tensor,
) -> Losses:
    """The losses of some queries.

    Args:
        reader: In training.
        late_weight: What late interaction is multiplied by, beside the ranker's outputs, a scalar.
        scale: The same where it is alone.
        batch: Each query with the places of the candidates that are looked at, gold ones first.
        states: Of all documents.
        silent: Ids of tokens that say nothing.
    """
    looked = [group.found.rows[places] for group, places in batch]
    first = np.unique([rows[0] for rows in looked])
    every = np.unique(np.concatenate(looked))
    held, there = states.of(every.tolist())
    documents = reader.documents(held)
    input_ids, mask = pad([group.ids for group, _ in batch])
    vectors, weights = reader(input_ids, mask)
    told = shares(weights, (mask > 0) & ~torch.isin(input_ids, silent))
    losses: list[tuple[Tensor, Tensor]] = []
    hits = 0
    for line, ((group, places), rows) in enumerate(zip(batch, looked, strict=True)):
        at = torch.from_numpy(np.searchsorted(every, np.concatenate([rows, first])))
        length, golds = len(group.ids), group.golds
        late = maxsim(vectors[line, :length], told[line, :length], documents[at], there[at])
        outputs = torch.from_numpy(group.found.outputs[places]) * group.sure
        logits = outputs + late_weight * late[: len(rows)]
        hits += int(logits.argmax()) < golds
        spared = torch.zeros(len(late), dtype=torch.bool)
        spared[len(rows) :] = torch.from_numpy(_spared(group, rows, first, states))
        alone = (scale * late).masked_fill(spared, _NEVER)
        losses.append((list_loss(logits, golds), list_loss(alone, golds)))
    residual, pure = (torch.stack(values).mean() for values in zip(*losses, strict=True))
    return Losses(residual, pure, hits / len(batch))


def list_loss(logits: Tensor, golds: int) -> Tensor:
    """Mean over the first `golds` of -log of its share in a softmax with all behind these.

    Args:
        logits: `(m,)`.
        golds: At least 1.
    """
    rest = torch.logsumexp(logits[golds:], dim=0)
    return (torch.logaddexp(logits[:golds], rest) - logits[:golds]).mean()


def _spared(
    group: Group, rows: NDArray[np.int32], others: NDArray[np.int32], states: States
) -> NDArray[np.bool_]:
    """Which gold skills of a batch are no negatives of a query, bool `(len(others),)`."""
    gold = list(group.gold)
    similar = states.vectors[gold] @ states.vectors[others].T
    known = np.isin(others, gold) | np.isin(others, rows)
    return np.asarray(known | (similar.max(axis=0) > _ALIKE))
