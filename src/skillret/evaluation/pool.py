"""Pools: what several systems found for a query, in one list to be judged.

Pooling is how TREC judges collections that nobody can read whole (Sparck Jones and van Rijsbergen,
1975): what no system has among its first k stays unjudged. A judge sees neither which system found
a skill nor at which rank, nor whether it is a gold one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from skillret.datasets.dataset import Dataset
from skillret.datasets.judgements import GRADE, Judgements
from skillret.encoders import Encoder
from skillret.evaluation.runs import Run
from skillret.evaluation.systems import open_searcher, rank_queries
from skillret.retrieval.calibration import Calibration
from skillret.types import Mode, Progress, Query

__all__ = ["CHARACTERS", "MODES", "POOL_DEPTH", "pool_rows", "pool_runs", "sample_queries"]

MODES: tuple[Mode, ...] = ("lexical", "dense", "hybrid")
POOL_DEPTH = 10  # hits of each system
CHARACTERS = 1500  # of a skill's text that a judge is shown


def sample_queries(dataset: Dataset, size: int | None, seed: int = 0) -> list[Query]:
    """Some labelled queries at random, or all, in the order of the data set.

    Args:
        dataset: Has them.
        size: How many; all if None or more than there are.
        seed: Of the choice.
    """
    queries = [q for q in dataset.queries if q.id in dataset.qrels]
    if size is None or size >= len(queries):
        return queries
    chosen = np.random.default_rng(seed).choice(len(queries), size, replace=False)
    return [queries[i] for i in sorted(chosen.tolist())]


def pool_runs(
    dataset: Dataset,
    queries: Sequence[Query],
    encoder: Encoder,
    *,
    depth: int = POOL_DEPTH,
    modes: Sequence[Mode] = MODES,
    calibration: Calibration | None = None,
    progress: Progress | None = None,
) -> list[Run]:
    """What our own systems find for some queries, one run a mode.

    Args:
        dataset: Its skills are the corpus.
        queries: What is searched.
        encoder: Of dense and hybrid mode.
        depth: Hits kept of each query.
        modes: Kinds of retrieval.
        calibration: What was fitted for the encoder; what lies beside its weights if None.
        progress: Called with the documents encoded so far and in all.
    """
    ids = [s.id for s in dataset.skills]
    mode: Mode = "lexical" if tuple(modes) == ("lexical",) else "hybrid"
    searcher = open_searcher(
        dataset.skills, mode, encoder, calibration=calibration, progress=progress
    )
    texts = [(q.id, q.text) for q in queries]
    return [
        {
            id_: [(ids[k], s) for k, s in zip(r.keys.tolist(), r.scores.tolist(), strict=True)]
            for id_, r in rank_queries(searcher, texts, depth, mode)
        }
        for mode in modes
    ]


def pool_rows(
    dataset: Dataset,
    queries: Sequence[Query],
    runs: Sequence[Mapping[str, Sequence[tuple[str, float]]]],
    *,
    depth: int = POOL_DEPTH,
    judgements: Judgements | None = None,
    characters: int = CHARACTERS,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """One row for each skill to be judged: the first of every run, and the gold ones.

    Args:
        dataset: Of which the runs are.
        queries: Whose hits are pooled.
        runs: What systems returned.
        depth: Hits taken of each.
        judgements: What is judged already and left out.
        characters: Of a skill's text; it is cut behind them.
        seed: Of the order of a query's rows, which says nothing.
    """
    skills = {s.id: s for s in dataset.skills}
    generator = np.random.default_rng(seed)
    done = judgements.grades if judgements is not None else {}
    for query in queries:
        found = {id_ for run in runs for id_, _ in run.get(query.id, ())[:depth]}
        found |= set(dataset.qrels.get(query.id, ()))
        listed = sorted(found - set(done.get(query.id, ())))
        for n in generator.permutation(len(listed)).tolist():
            skill = skills[listed[n]]
            yield {
                "query_id": query.id,
                "skill_id": skill.id,
                GRADE: None,
                "query": query.text,
                "name": skill.name,
                "description": skill.description,
                "text": skill.body[:characters],
            }
