"""What late interaction adds to a ranker on a dev split, for several weights of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from skillret.evaluation.metrics import mean, measure
from skillret.training.query_tokens.candidates import Found
from skillret.training.query_tokens.model import QueryReader, maxsim, pad, shares
from skillret.training.query_tokens.states import States

__all__ = ["WEIGHTS", "DevQuery", "evaluate"]

WEIGHTS = (0, 4, 8, 12, 16, 20, 24, 32)  # of late interaction
_CUT = 10
_DOCUMENTS = 256  # at a time
_QUERIES = 32


class DevQuery(NamedTuple):
    """A query of dev: its id, the ids of its tokens, and its candidates, best first."""

    id: str
    ids: Sequence[int]
    found: Found


def evaluate(
    reader: QueryReader,
    queries: Sequence[DevQuery],
    skill_ids: Sequence[str],
    qrels: Mapping[str, Mapping[str, int]],
    states: States,
    silent: Tensor,
) -> dict[str, float]:
    """NDCG@10 of the ranker's outputs plus `w` times late interaction, by `f"ndcg@10+{w}"`.

    Args:
        reader: As it is now.
        queries: Those with a gold skill.
        skill_ids: Of all skills of the split.
        qrels: Labels of the queries.
        states: Of the split's documents.
        silent: Ids of tokens that say nothing.
    """
    runs: dict[int, dict[str, list[str]]] = {weight: {} for weight in WEIGHTS}
    with torch.no_grad():
        documents = _documents(reader, queries, states)
        ordered = sorted(queries, key=lambda query: len(query.ids))
        for start in range(0, len(ordered), _QUERIES):
            batch = ordered[start : start + _QUERIES]
            input_ids, mask = pad([query.ids for query in batch])
            vectors, weights = reader(input_ids, mask)
            told = shares(weights, (mask > 0) & ~torch.isin(input_ids, silent))
            for query, asked, share in zip(batch, vectors, told, strict=True):
                rows = query.found.rows.tolist()
                held = [documents[row] for row in rows]
                there = pad_sequence([torch.ones(len(h), dtype=torch.bool) for h in held], True)
                late = maxsim(asked, share, pad_sequence(held, True), there).numpy()
                for weight, run in runs.items():
                    best = np.argsort(-(query.found.outputs + weight * late), kind="stable")
                    run[query.id] = [skill_ids[rows[place]] for place in best[:_CUT]]
    gold = {query.id: qrels[query.id] for query in queries}
    name = f"ndcg@{_CUT}"
    return {f"{name}+{w}": mean(measure(run, gold, (_CUT,)))[name] for w, run in runs.items()}


def _documents(
    reader: QueryReader, queries: Sequence[DevQuery], states: States
) -> dict[int, Tensor]:
    """Vectors of the tokens of all candidates, `(d, k)`, by row."""
    needed = np.unique(np.concatenate([query.found.rows for query in queries])).tolist()
    made: dict[int, Tensor] = {}
    for start in range(0, len(needed), _DOCUMENTS):
        rows = needed[start : start + _DOCUMENTS]
        held, there = states.of(rows)
        for row, vectors, count in zip(rows, reader.documents(held), there.sum(1), strict=True):
            made[row] = vectors[: int(count)].clone()
    return made
