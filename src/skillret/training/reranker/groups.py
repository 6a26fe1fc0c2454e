"""Groups that a reranker learns from: a query, one gold skill, and hard negatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.training.rows import CHARACTERS_PER_TOKEN, Tables, mapped, write_arrow

__all__ = ["GROUPS", "IGNORED", "Collator", "open_groups", "write_groups"]

Int64: TypeAlias = NDArray[np.int64]

GROUPS = "groups.arrow"
IGNORED = -1  # the relevance of a place that is no negative of its group


def write_groups(tables: Tables, negatives: Int64) -> int:
    """Write the groups, for `open_groups`.

    Where a library is so small that negatives are repeated, or are skills that fit, these places
    are there and do not count.

    Args:
        tables: The tables.
        negatives: int64 `(pairs, per_pair)` of skill rows.

    Returns:
        How many places do not count.
    """
    from datasets import Features, Value
    from datasets import List as ListOf

    ignored = 0

    def rows() -> Iterable[dict[str, Any]]:
        nonlocal ignored
        for (query, skill), others in zip(tables.pairs.tolist(), negatives.tolist(), strict=True):
            fitting = {*tables.gold[query], *tables.also.get(query, ())}
            alike = {int(tables.groups[s]) for s in fitting}
            relevance, seen = [1], {skill}
            for other in others:
                wrong = other in seen or other in fitting or int(tables.groups[other]) in alike
                relevance.append(IGNORED if wrong else 0)
                ignored += wrong
                seen.add(other)
            yield {"query": query, "skills": [skill, *others], "relevance": relevance}

    whole = Value("int64")
    features = {"query": whole, "skills": ListOf(whole), "relevance": ListOf(whole)}
    write_arrow(tables.folder / GROUPS, Features(features), rows())
    return ignored


def open_groups(tables: Tables, max_tokens: int) -> Any:
    """The groups as `datasets.Dataset` with `query`, `documents` and `label`.

    Memory-mapped; texts are looked up when a batch is read, without what is surely beyond
    `max_tokens`. A label is the row of the query, that of the gold skill, and the relevance of
    each document: 1, 0, or -1 for what does not count.
    """
    texts = _Texts(tables.skills, tables.queries, max_tokens * CHARACTERS_PER_TOKEN)
    return mapped(tables.folder / GROUPS).with_transform(texts)


@dataclass(frozen=True, slots=True)
class _Texts:
    """Turns rows of the table of groups into texts when a batch is read."""

    skills: Any
    queries: Any
    limit: int  # characters

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        queries = self.queries[list(batch["query"])]["text"]
        groups = [self.skills[list(rows)]["document"] for rows in batch["skills"]]
        facts = zip(batch["query"], batch["skills"], batch["relevance"], strict=True)
        return {
            "query": [text[: self.limit] for text in queries],
            "documents": [[text[: self.limit] for text in texts] for texts in groups],
            "label": [[query, skills[0], *relevance] for query, skills, relevance in facts],
        }


@dataclass
class Collator:
    """Makes one batch of all pairs of some groups, each group's side by side.

    Args:
        model: A `PairModel`, for its tokens.
    """

    model: Any
    valid_label_columns: list[str] = field(default_factory=lambda: ["label"])

    def __call__(self, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The model's tensors, and `label`, int64 `(groups, 2 + documents)`."""
        import torch

        pairs = [(g["query"], document) for g in groups for document in g["documents"]]
        features: dict[str, Any] = self.model.preprocess(pairs)
        return {**features, "label": torch.tensor([g["label"] for g in groups])}
