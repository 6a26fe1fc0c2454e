"""The dev split that a run is watched by: read from the data set, or held out of train by skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.datasets.labelled import LabelledData, missing_gold
from skillret.errors import DatasetError
from skillret.files import parse_json
from skillret.skills import document_text
from skillret.training.recipe import Recipe

__all__ = ["Dev", "dev_from_source", "dev_from_train", "hold_out", "read_dev"]

Int64: TypeAlias = NDArray[np.int64]

_DEV_SKILLS = 1000  # a made dev split is searched among at least so many skills, if there are


@dataclass(frozen=True, slots=True)
class Dev:
    """The split that chooses the checkpoint.

    Attributes:
        skill_ids: One per document.
        documents: As the template made them.
        query_ids: One per query.
        queries: As users typed them, without prompt.
        qrels: Relevance by query id and skill id.
        origin: How it came about, for people.
    """

    skill_ids: tuple[str, ...]
    documents: tuple[str, ...]
    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    qrels: Mapping[str, Mapping[str, int]]
    origin: str

    def only(self, rows: Sequence[int]) -> Dev:
        """The split with some of its queries."""
        ids = tuple(self.query_ids[i] for i in rows)
        return replace(
            self,
            query_ids=ids,
            queries=tuple(self.queries[i] for i in rows),
            qrels={i: self.qrels[i] for i in ids if i in self.qrels},
        )


def read_dev(file: Path) -> Dev:
    """The dev split that `write_tables` wrote."""
    stored: dict[str, Any] = parse_json(file.read_text(encoding="utf-8"))
    for key, value in stored.items():
        stored[key] = tuple(value) if isinstance(value, list) else value
    return Dev(**stored)


def hold_out(
    gold: Sequence[Sequence[int]],
    made: Sequence[bool],
    parts: Mapping[int, int],
    groups: Int64,
    share: float,
    seed: int,
) -> tuple[frozenset[int], frozenset[int]]:
    """Rows of the skills and of the queries of a dev split.

    Queries are drawn in random order and their gold skills held out with all near-duplicates and
    parts, until the queries that need no other skill are the share. A query that needs skills of
    both sides stays in training for its other skills; a held-out skill is never a positive there,
    nor a mined negative. Queries that were made of others judge nothing.

    Args:
        gold: Skill rows of each query.
        made: Which queries were made of others, or of a skill.
        parts: Row of the whole skill for the row of each part.
        groups: int64 `(skills,)`; near-duplicates share a value.
        share: Of the queries that were not made, held out at least.
        seed: Of the order.
    """
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    asking: dict[int, list[int]] = {}
    for query, skills in enumerate(gold):
        for skill in () if made[query] else set(skills):
            asking.setdefault(skill, []).append(query)
    wanted = max(1, round(share * (len(made) - sum(made))))
    held: set[int] = set()
    queries: set[int] = set()
    for query in np.random.default_rng(seed).permutation(len(gold)).tolist():
        if len(queries) >= wanted:
            break
        new = {s for skill in gold[query] for s in members[int(groups[skill])]} - held
        if not made[query]:
            held |= new
            touched = {q for skill in new for q in asking.get(skill, ())}
            queries.update(q for q in touched if held.issuperset(gold[q]))
    held.update(part for part, whole in parts.items() if whole in held)
    return frozenset(held), frozenset(queries)


def dev_from_train(
    skills: Any,
    queries: Any,
    held_out: frozenset[int],
    dev_queries: frozenset[int],
    parts: Mapping[int, int],
    gold: Sequence[Sequence[int]],
    recipe: Recipe,
) -> Dev:
    """Held-out queries over held-out skills, among others of train where these are few.

    Two skills tell nothing: the one that is wanted would always be among the first ten.

    Args:
        skills: Table of the skills; see `Tables`.
        queries: Table of the queries.
        held_out: As `hold_out` returns them.
        dev_queries: The same.
        parts: Rows of parts of skills, which are no skills to be found.
        gold: Skill rows of each query.
        recipe: Its sections `data`, `evaluate` and `train` are used.
    """
    drawn = np.random.default_rng(recipe.train.seed).permutation(len(skills)).tolist()
    others = [row for row in drawn if row not in held_out and row not in parts]
    own = held_out.difference(parts)
    rows = sorted([*own, *others[: max(0, _DEV_SKILLS - len(own))]])
    chosen = _capped(sorted(dev_queries), recipe)
    kept = skills[rows]
    asked = queries[chosen]
    ids = dict(zip(rows, kept["id"], strict=True))
    pairs = zip(chosen, asked["id"], strict=True)
    return Dev(
        skill_ids=tuple(kept["id"]),
        documents=tuple(kept["document"]),
        query_ids=tuple(asked["id"]),
        queries=tuple(asked["text"]),
        qrels={q_id: {ids[s]: 1 for s in gold[q]} for q, q_id in pairs},
        origin=f"{len(own):,} skills held out of {recipe.data.train_split}",
    )


def dev_from_source(
    source: LabelledData, recipe: Recipe, train: Mapping[str, int], *, one_corpus: bool = False
) -> Dev:
    """The dev split of a data set.

    Args:
        source: The split.
        recipe: Its sections `data`, `evaluate`, `model` and `train` are used.
        train: Ids of the skills that are trained on.
        one_corpus: All splits share their skills on purpose, as in BEIR layout.

    Raises:
        DatasetError: If it shares a skill with train otherwise, is empty or lacks a gold skill.
    """
    documents = {s.id: document_text(s, recipe.model.template) for s in source.skills()}
    shared = 0 if one_corpus else sum(skill in train for skill in documents)
    if shared:
        raise DatasetError(
            f"{shared} skills of the split {recipe.data.dev_split!r} are in"
            f" {recipe.data.train_split!r} too; a dev split must share none"
        )
    queries = [query for query in source.queries() if query.gold]
    missing = [(q.id, g) for q in queries for g in q.gold if g not in documents]
    if missing:
        raise DatasetError(missing_gold(source.name, len(missing), *missing[0]))
    queries = [queries[i] for i in _capped(range(len(queries)), recipe)]
    if not queries:
        raise DatasetError(f"{source.name}: no query has a gold skill")
    return Dev(
        skill_ids=tuple(documents),
        documents=tuple(documents.values()),
        query_ids=tuple(q.id for q in queries),
        queries=tuple(q.text for q in queries),
        qrels={q.id: dict.fromkeys(q.gold, 1) for q in queries},
        origin=f"split {recipe.data.dev_split} of {source.name}",
    )


def _capped(queries: Sequence[int], recipe: Recipe) -> list[int]:
    limit = recipe.evaluate.max_queries
    if not limit or len(queries) <= limit:
        return list(queries)
    drawn = np.random.default_rng(recipe.train.seed).permutation(len(queries))
    return sorted(queries[i] for i in drawn[:limit].tolist())
