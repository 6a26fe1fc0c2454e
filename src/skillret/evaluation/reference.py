"""Reference systems that others publish figures of, run as they publish them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skillret.arrays import top_rows
from skillret.datasets.dataset import Dataset
from skillret.encoders import DOCUMENT_TEMPLATE
from skillret.evaluation.runs import Run
from skillret.evaluation.systems import Progress
from skillret.extras import require
from skillret.skills import document_text

__all__ = ["BM25S", "bm25s_run"]

BM25S = "BM25 (bm25s)"  # what results call it


def bm25s_run(
    dataset: Dataset,
    depth: int,
    texts: Sequence[tuple[str, str]] | None = None,
    searched: Progress | None = None,
) -> tuple[Run, dict[str, float]]:
    """BM25 as bm25s ships it: one field, its English stop words, no stemming (arXiv:2407.03618).

    Args:
        dataset: Its skills, as `name | description | body`, are the corpus.
        depth: Skills kept of every query.
        texts: Id and text of other queries than the data set's queries.
        searched: Called with the queries searched so far and in all.

    Returns:
        The run, and each query's largest score.

    Raises:
        MissingExtraError: If bm25s is not installed.
    """
    require("evaluate", "the reference BM25", ("bm25s",))
    import bm25s

    pairs = list(texts) if texts is not None else [(q.id, q.text) for q in dataset.queries]
    documents = [document_text(s, DOCUMENT_TEMPLATE) for s in dataset.skills]
    system = bm25s.BM25()
    corpus = bm25s.tokenize(documents, stopwords="en", show_progress=False)
    system.index(corpus, show_progress=False)
    queries = bm25s.tokenize(
        [text for _, text in pairs], stopwords="en", show_progress=False, return_ids=False
    )
    run: Run = {}
    best: dict[str, float] = {}
    for (id_, _), terms in zip(pairs, queries, strict=True):
        # All scores and our own order, since bm25s leaves that of ties open.
        known = [term for term in terms if term in system.vocab_dict]
        scores = (
            np.asarray(system.get_scores(known), dtype=np.float32)
            if known
            else np.zeros(len(documents), dtype=np.float32)
        )
        rows = top_rows(scores, depth)
        run[id_] = [(dataset.skills[i].id, float(scores[i])) for i in rows[scores[rows] > 0]]
        best[id_] = float(scores.max(initial=0.0))
        if searched is not None:
            searched(len(run), len(pairs))
    return run, best
