"""The package's own retrieval over a data set: the code, weights and order of ties of a search."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee

import numpy as np

from skillret.datasets.dataset import Dataset
from skillret.encoders import Documents, Encoder
from skillret.evaluation.corpora import read_corpus
from skillret.evaluation.runs import Run
from skillret.index.memory import corpus_of
from skillret.retrieval.calibration import Calibration, load_calibration
from skillret.retrieval.ranking import Ranking
from skillret.retrieval.rerank import Reranker
from skillret.retrieval.searcher import Searcher
from skillret.types import Mode, Progress, Skill

__all__ = ["DEPTH", "Answers", "answer", "make_run", "open_searcher", "rank_queries"]

DEPTH = 50  # skills kept of every query


def open_searcher(
    skills: Sequence[Skill],
    mode: Mode,
    encoder: Encoder,
    *,
    calibration: str | os.PathLike[str] | Calibration | None = None,
    reranker: Reranker | None = None,
    progress: Progress | None = None,
    cache: bool = True,
) -> Searcher:
    """A searcher over the skills of a data set, in memory; the key of each is its row number.

    Args:
        skills: The corpus.
        mode: Kinds of retrieval that it is for: in lexical mode nothing is encoded.
        encoder: Makes the vectors.
        calibration: What was fitted for it, or its file; what lies beside its weights if None.
            Only hybrid search knows of it.
        reranker: Decides the order of the best hits in hybrid mode.
        progress: Called with the documents encoded so far and in all.
        cache: Keep the vectors for the next evaluation.
    """
    # A damaged one is said before anything is encoded.
    fitted = load_calibration(encoder, calibration) if mode == "hybrid" else None
    if mode == "lexical":
        read = Documents(np.empty((len(skills), 0), dtype=np.float32), None)
    else:
        read = read_corpus(skills, encoder, progress, cache=cache)
    corpus = corpus_of(skills, read.vectors, encoder.profile, tokens=read.tokens)
    return Searcher(corpus, encoder, fitted, reranker)


def rank_queries(
    searcher: Searcher,
    queries: Iterable[tuple[str, str]],
    k: int = DEPTH,
    mode: Mode = "hybrid",
) -> Iterator[tuple[str, Ranking]]:
    """Id and ranking of each query, a block of queries at a time.

    Args:
        searcher: Over the data set.
        queries: Their ids and texts.
        k: Skills kept of each.
        mode: `hybrid`, `dense` or `lexical`.
    """
    ids, texts = tee(queries)
    rankings = searcher.rank_all((text for _, text in texts), k, mode)
    for (id_, _), ranking in zip(ids, rankings, strict=True):
        yield id_, ranking


def make_run(
    dataset: Dataset,
    mode: Mode,
    encoder: Encoder,
    *,
    texts: Sequence[tuple[str, str]] | None = None,
    cache: bool = True,
) -> tuple[Run, dict[str, float]]:
    """Search every query of a data set.

    Args:
        dataset: Its skills are the corpus.
        mode: `hybrid`, `dense` or `lexical`.
        encoder: Not used in lexical mode.
        texts: Id and text of other queries than the data set's.
        cache: Keep the encoded corpus for the next evaluation.

    Returns:
        The run, and how sure it is that each query needs a skill; see `Answers`.
    """
    pairs = list(texts) if texts is not None else [(q.id, q.text) for q in dataset.queries]
    searcher = open_searcher(dataset.skills, mode, encoder, cache=cache)
    answers = answer(dataset, searcher, pairs, mode, select=False)
    return answers.run, answers.sure


@dataclass(frozen=True, slots=True)
class Answers:
    """What a searcher returned, by id of the query.

    Attributes:
        run: Skill ids and scores.
        sure: How sure it is that a skill is needed: the probability where the encoder has a
            calibration, else the largest cosine (largest BM25 score in lexical mode), since scores
            fused without a ranker are scaled by query and say nothing of need.
        selected: The skills that an agent would be handed, if they were asked for.
        likely: The score of each of them.
    """

    run: Run
    sure: dict[str, float]
    selected: dict[str, list[str]]
    likely: dict[str, list[float]]


def answer(
    dataset: Dataset,
    searcher: Searcher,
    queries: Sequence[tuple[str, str]],
    mode: Mode,
    depth: int = DEPTH,
    *,
    searched: Progress | None = None,
    select: bool = True,
) -> Answers:
    """Search queries, and select a set for each as `Retriever.select` does."""
    ids = [s.id for s in dataset.skills]
    answers = Answers({}, {}, {}, {})
    for id_, ranking in rank_queries(searcher, queries, depth, mode):
        hits = zip(ranking.keys.tolist(), ranking.scores.tolist(), strict=True)
        answers.run[id_] = [(ids[key], score) for key, score in hits]
        largest = float(ranking.scores.max(initial=0.0))
        answers.sure[id_] = largest if ranking.need is None else ranking.need
        if select:
            picked = searcher.select(ranking.text, ranking=ranking).picked
            answers.selected[id_] = [ids[p.key] for p in picked]
            answers.likely[id_] = [p.score for p in picked]
        if searched is not None:
            searched(len(answers.run), len(queries))
    return answers
