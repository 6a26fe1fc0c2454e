"""The pool that a reranker is judged by: what the first stage finds for each dev query, fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import top_rows
from skillret.encoders import Encoder
from skillret.evaluation.metrics import mean, measure
from skillret.evaluation.systems import open_searcher, rank_queries
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.training.dev_split import Dev
from skillret.types import Skill

__all__ = ["ceiling", "find_pool", "measure_pool", "measure_pool_queries"]

Int64: TypeAlias = NDArray[np.int64]


def find_pool(
    dev: Dev, source: str, encoder: Encoder | None, skills: Sequence[Skill], depth: int
) -> Int64:
    """Rows of the best documents for each query.

    Args:
        dev: Queries and documents.
        source: `retriever`, `encoder` or `bm25`; see `NegativesSection`.
        encoder: For the first two.
        skills: Those of `dev`, in their order, for the retriever.
        depth: How many.

    Returns:
        int64 `(queries, depth)`, best first; -1 where fewer are found.
    """
    pool = np.full((len(dev.queries), depth), -1, dtype=np.int64)
    if source == "bm25":
        texts = enumerate(dev.documents)
        index = LexicalIndex(write_lexical(None, ((r, Skill(str(r), "", "", t)) for r, t in texts)))
        found = (index.search(query, depth)[0] for query in dev.queries)
    elif source == "encoder":
        assert encoder is not None
        documents = encoder.encode_documents(dev.documents)
        found = (top_rows(q @ documents.T, depth) for q in encoder.encode_queries(dev.queries))
    else:
        assert encoder is not None
        searcher = open_searcher(list(skills), "hybrid", encoder)
        asked = zip(dev.query_ids, dev.queries, strict=True)
        found = (ranking.keys for _, ranking in rank_queries(searcher, asked, depth))
    for row, keys in enumerate(found):
        pool[row, : len(keys)] = keys[:depth]
    return pool


def measure_pool(
    dev: Dev, pool: Int64, scores: NDArray[np.floating] | None = None
) -> dict[str, float]:
    """Means of `measure_pool_queries`."""
    return mean(measure_pool_queries(dev, pool, scores))


def measure_pool_queries(
    dev: Dev, pool: Int64, scores: NDArray[np.floating] | None = None
) -> dict[str, dict[str, float]]:
    """Metrics of the pool in the order of scores, by query; of equal scores as it was found.

    Args:
        dev: Ids and labels.
        pool: int64 `(queries, depth)`; see `find_pool`.
        scores: float `(queries, depth)`; what is at -1 in the pool does not matter. None: the
            pool as it was found.
    """
    run: dict[str, list[str]] = {}
    for row, (query_id, keys) in enumerate(zip(dev.query_ids, pool, strict=True)):
        places = np.flatnonzero(keys >= 0)
        if scores is not None:
            places = places[np.argsort(-scores[row, places], kind="stable")]
        run[query_id] = [dev.skill_ids[k] for k in keys[places].tolist()]
    return measure(run, dev.qrels)


def ceiling(dev: Dev, pool: Int64) -> dict[str, float]:
    """Metrics of the pool in the best order there is: no reranker gets beyond."""
    gold = np.zeros(pool.shape)
    for row, query_id in enumerate(dev.query_ids):
        relevance = dev.qrels[query_id]
        gold[row] = [relevance.get(dev.skill_ids[k], 0) if k >= 0 else 0 for k in pool[row]]
    return measure_pool(dev, pool, gold)
