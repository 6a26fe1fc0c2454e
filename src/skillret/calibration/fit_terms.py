"""Fitting the head that says how much each term of a query counts.

Only the head is trained, on the tokens of an encoder that stays as it is: the weighted BM25 of the
gold skills shall be above that of the other candidates (listwise softmax cross-entropy). Fitted on
a train split, as the dev split judges it: the ranker learns there what the weights are worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, top_rows
from skillret.calibration.adamw import AdamW
from skillret.calibration.examples import kind_weights, some_of_each_kind
from skillret.datasets.dataset import Dataset
from skillret.encoders import TokenEncoder
from skillret.errors import DatasetError
from skillret.lexical.analyzer import read_words
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.retrieval.query import clean_query
from skillret.retrieval.term_head import TermHead, term_tokens
from skillret.types import Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fit_terms", "term_queries"]

_PER_KIND = 3000  # queries of one kind that are learned from
_CANDIDATES = 80
_BATCH = 64
_EPOCHS = 4
_RATE = 2e-3
_DECAY = 1e-2
_SHARP = 8.0  # the best skill's score, as the softmax sees it
_START = 0.54  # softplus of it is 1: before training every term counts as BM25 has it
_LEAST = 100  # queries


@dataclass(frozen=True, slots=True)
class _Sample:
    """One query: its `t` known terms and `m` candidates.

    Attributes:
        terms: Means of each term's tokens, float16 `(t, dim)`.
        scores: BM25 of each term in each candidate, as a share of the best candidate's
            whole score, float16 `(t, m)`.
        labels: Shares of the gold skills, float32 `(m,)`.
        weight: In the loss.
    """

    terms: NDArray[np.float16]
    scores: NDArray[np.float16]
    labels: Float32
    weight: float


def fit_terms(
    dataset: Dataset,
    encoder: TokenEncoder,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> TermHead:
    """Fit the head on labelled queries.

    Args:
        dataset: Skills and queries, other ones than a ranker is fitted on.
        encoder: Reads the queries.
        progress: Called with the queries read so far and in all.

    Raises:
        DatasetError: If there are fewer than 100 usable queries.
    """
    queries = term_queries(dataset)
    samples = list(_samples(dataset, queries, encoder, progress))
    if len(samples) < _LEAST:
        raise DatasetError(
            f"{dataset.name}, split {dataset.split}: {len(samples)} queries share words with a"
            f" gold skill; at least {_LEAST} are needed to weigh terms"
        )
    centre = np.mean([s.terms.astype(np.float32).mean(axis=0) for s in samples], axis=0)
    weights = np.zeros(encoder.profile.dim, dtype=np.float32)
    bias = np.array([_START], dtype=np.float32)
    draw = np.random.default_rng(0)
    optimizer = AdamW([weights, bias], _RATE, _DECAY, _EPOCHS * -(-len(samples) // _BATCH))
    for _ in range(_EPOCHS):
        order = draw.permutation(len(samples))
        for start in range(0, len(order), _BATCH):
            batch = [samples[i] for i in order[start : start + _BATCH]]
            found = [_gradient(s, weights, bias, centre) for s in batch]
            slopes, shifts = zip(*found, strict=True)
            optimizer.step([np.mean(slopes, axis=0), np.array([np.mean(shifts)], np.float32)])
    return TermHead(weights, float(bias[0] - centre @ weights))


def term_queries(dataset: Dataset) -> list[Query]:
    """The queries of a data set that `fit_terms` learns from, at most 3,000 of a kind."""
    labelled = [q for q in dataset.queries if q.id in dataset.qrels]
    return some_of_each_kind(labelled, _PER_KIND, 0)


def _samples(
    dataset: Dataset,
    queries: Sequence[Query],
    encoder: TokenEncoder,
    progress: Callable[[int, int], None] | None,
) -> Iterator[_Sample]:
    rows = {s.id: i for i, s in enumerate(dataset.skills)}
    n = len(rows)
    lexical = LexicalIndex(write_lexical(None, enumerate(dataset.skills)))

    @cache
    def scores_of(term: str) -> tuple[NDArray[np.int64], Float32]:
        return lexical.search(lexical.term(term), n)

    for number, (query, weight) in enumerate(zip(queries, kind_weights(queries), strict=True), 1):
        text = clean_query(query.text)
        (tokens,) = encoder.encode_tokens([text])
        means = dict(zip(*term_tokens(tokens, read_words(text)), strict=True))
        found = {term: mean for term, mean in means.items() if len(scores_of(term)[0])}
        gold = [rows[s] for s in dataset.qrels.get(query.id, ())]
        if progress is not None:
            progress(number, len(queries))
        if not found or not gold:
            continue
        scores = np.zeros((len(found), n), dtype=np.float32)
        for line, term in zip(scores, found, strict=True):
            held, values = scores_of(term)
            line[held] = values
        total = scores.sum(axis=0)
        chosen = np.union1d(top_rows(total, _CANDIDATES), gold)
        if total[gold].max() > 0:
            labels = np.isin(chosen, gold) / np.float32(len(set(gold)))
            yield _Sample(
                np.stack(list(found.values())).astype(np.float16),
                (scores[:, chosen] / total.max()).astype(np.float16),
                labels.astype(np.float32),
                float(weight),
            )


def _gradient(
    sample: _Sample, weights: Float32, bias: Float32, centre: Float32
) -> tuple[Float32, float]:
    """Of the weighted loss of one query, by the weights and by the bias."""
    terms, scores = sample.terms.astype(np.float32) - centre, sample.scores.astype(np.float32)
    logits = terms @ weights + bias
    outputs = _SHARP * (np.logaddexp(0, logits) @ scores)
    likely = np.exp(outputs - outputs.max())
    slope = scores @ (likely / likely.sum() - sample.labels) * _SHARP * sample.weight
    slope = slope / (1 + np.exp(-logits))
    return slope @ terms, float(slope.sum())
