"""Reference systems that others publish figures of, run as they publish them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skillret.arrays import top_rows
from skillret.datasets.dataset import Dataset
from skillret.encoders import DOCUMENT_TEMPLATE
from skillret.evaluation.runs import Run
from skillret.extras import require
from skillret.skills import document_text
from skillret.types import Progress

__all__ = ["BM25S", "bm25s_searcher"]

BM25S = "BM25 (bm25s)"  # what results call it


def bm25s_searcher(
    dataset: Dataset,
) -> Callable[[Sequence[tuple[str, str]], int, Progress | None], tuple[Run, dict[str, float]]]:
    """BM25 as bm25s ships it: one field, its English stop words, no stemming (arXiv:2407.03618).

    Args:
        dataset: Its skills, as `name | description | body`, are the corpus, which is indexed here.

    Returns:
        Searches queries, ids and texts, to a depth: the run, and each query's largest score.

    Raises:
        MissingExtraError: If bm25s is not installed.
    """
    require("evaluate", "the reference BM25", ("bm25s",))
    import bm25s

    documents = [document_text(s, DOCUMENT_TEMPLATE) for s in dataset.skills]
    system = bm25s.BM25()
    corpus = bm25s.tokenize(documents, stopwords="en", show_progress=False)
    system.index(corpus, show_progress=False)

    def search(
        pairs: Sequence[tuple[str, str]], depth: int, searched: Progress | None
    ) -> tuple[Run, dict[str, float]]:
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

    return search
