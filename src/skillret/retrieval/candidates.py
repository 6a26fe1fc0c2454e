"""Skills worth ranking for one query, and what is known of each: the evidence for features.

In a long query only a few sentences say which skill is needed (SkillRet, arXiv:2605.05726,
section 5.3), and a query for several skills names each in a sentence of its own. So everything is
asked twice: of the whole query, and of each of its parts. Small talk fits some skill too; so parts
are also weighted by how likely each asks for something.

A corpus is asked for the best skills and for the vectors and grams of candidates; nothing here
grows with the library.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import Float32, cosines, distinct, first_of_each, holds
from skillret.index.corpus import Corpus, Neighbours
from skillret.lexical.analyzer import read_terms
from skillret.lexical.bm25 import Terms
from skillret.lexical.grams import (
    EXCLUDED,
    FIRST_NAME,
    MAX_WORDS,
    WANTED,
    gram_reader,
    kinds,
    term_codes,
)
from skillret.retrieval.query import ReadQuery
from skillret.types import Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Evidence",
    "Late",
    "Overlap",
    "asking_gaps",
    "find_candidates",
    "fitting_parts",
    "scores_of",
]

_DEPTH = 300  # skills that a search for terms returns
_PART_DEPTH = 100
_CANDIDATES = 100  # of the whole query, by cosine and by BM25 each
_PART_CANDIDATES = 20  # of one part, by cosine and by BM25 each
_GAP = np.float32(0.3)  # cosine that a part which asks for nothing stays behind its best skill
_SHARE = np.float32(0.15)  # cosine that the whole share of BM25 is worth, to tell which part fits
_ASKING = 0.5  # probability from which a part is a need of its own
_SIDE_BY_SIDE = 200_000  # skills; among fewer, threads cost as much as they save
TINY = np.float32(1e-6)


class Overlap(NamedTuple):
    """Weight of a query's grams of one kind: that each candidate holds `(m,)`, and that of all."""

    held: Float32
    total: np.float32


class Late(NamedTuple):
    """Late interaction of a query's tokens with those of its candidates.

    Attributes:
        scores: Mean over the query's tokens of the largest cosine among a candidate's, `(m,)`; of
            candidates whose tokens are not looked at the smallest of the others.
        best: The largest.
        mean: Over the candidates whose tokens are looked at.
        deviation: Standard deviation over these.
        votes: The share of the query's tokens that each candidate meets better than others do,
            `(m,)`; of candidates whose tokens are not looked at the smallest of the others.
    """

    scores: Float32
    best: np.float32
    mean: np.float32
    deviation: np.float32
    votes: Float32


class Evidence(NamedTuple):
    """The candidates of one query, `m` of them, and what is known of each.

    Parts are the query's `p` parts, or the query itself where it has but one.

    Attributes:
        keys: int64 `(m,)`, ascending.
        vectors: float32 `(m, dim)`.
        terms: Of the whole query.
        dense: Cosine with the query, `(m,)`.
        dense_best: The largest of all skills.
        dense_mean: Mean over all skills.
        dense_deviation: Standard deviation over all skills.
        lexical: BM25 for the query, `(m,)`; 0 beyond the best 300 skills.
        lexical_best: The largest of all skills.
        lexical_weight: Weight of all terms of the query.
        part_dense: As `dense`, `(p, m)`.
        part_dense_best: `(p, 1)`, and so are mean and deviation.
        part_dense_mean: Of each part.
        part_dense_deviation: Of each part.
        part_lexical: As `lexical`, `(p, m)`; 0 beyond the best 100 skills.
        part_lexical_best: `(p, 1)`.
        part_lexical_weight: `(p, 1)`.
        asking: Probability that each part asks for something, `(p, 1)`.
        overlaps: By kind of grams, those of each part weighted by how likely it asks.
        named: Weight of the terms of each skill's name that the query says, per term of the name.
        excluded: How much more of the query stands in what a skill is not for than in the rest of
            its description, 0 to 1; see `_excluded`.
        words: Number of the query's words.
        late: Late interaction, where a ranker asks for it and the encoder shows tokens.
        reranked: Scores of a reranker, where a ranker asks for them, `(m,)`; of candidates that it
            did not read the smallest of the others.
    """

    keys: NDArray[np.int64]
    vectors: Float32
    terms: Terms
    dense: Float32
    dense_best: np.float32
    dense_mean: np.float32
    dense_deviation: np.float32
    lexical: Float32
    lexical_best: np.float32
    lexical_weight: np.float32
    part_dense: Float32
    part_dense_best: Float32
    part_dense_mean: Float32
    part_dense_deviation: Float32
    part_lexical: Float32
    part_lexical_best: Float32
    part_lexical_weight: Float32
    asking: Float32
    overlaps: Mapping[str, Overlap]
    named: Float32
    excluded: Float32
    words: int
    late: Late | None = None
    reranked: Float32 | None = None


class _Lexical(NamedTuple):
    """BM25 of one text: its terms, and keys and scores of the best skills."""

    terms: Terms
    keys: NDArray[np.int64]
    scores: Float32

    @property
    def best(self) -> np.float32:
        return max(self.scores.max(initial=np.float32(0.0)), TINY)

    @property
    def weight(self) -> np.float32:
        return max(np.float32(self.terms.weight), TINY)


def find_candidates(
    query: ReadQuery,
    corpus: Corpus,
    asking: Float32,
    factors: Mapping[str, float] | None = None,
    where: Where | None = None,
) -> Evidence:
    """The candidates of one query, with all that features are made of.

    Args:
        query: As `read_queries` read it, with its parts.
        corpus: Where to look.
        asking: Probability that the text, and each part, asks for something, float32
            `(1 + len(query.parts),)`.
        factors: How much terms of the query count, 1 where nothing is said.
        where: Filter on metadata.
    """
    parts = list(query.parts)
    counts = [_CANDIDATES, *[_PART_CANDIDATES] * len(parts)]
    depths = [_DEPTH, *[_PART_DEPTH] * len(parts)]
    terms = [corpus.terms(text, factors) for text in (query.text, *parts)]
    nearest, best = _look_up(corpus, query.vectors, counts, terms, depths, where)
    lexical = [_Lexical(own, *found) for own, found in zip(terms, best, strict=True)]
    keys = _union(nearest, lexical, counts)
    vectors = corpus.vectors(keys)
    similar = cosines(query.vectors, vectors)
    bests = np.array([n.cosines[0] if len(n.cosines) else -1.0 for n in nearest], np.float32)
    means, deviations = corpus.moments.cosines(query.vectors)
    own = slice(1, None) if parts else slice(0, 1)
    words = lexical[own]
    codes, weights, spans = _gram_weights(corpus, parts or [query.text], asking[own])
    known, strange = _term_weights(lexical[0].terms, query.text, len(corpus))
    numbers = term_codes([*known, *strange], EXCLUDED)
    values = np.array([*known.values(), *strange.values()], dtype=np.float32)
    names, named = _distinct(numbers[: len(known)] - (EXCLUDED - FIRST_NAME), values[: len(known)])
    excluded, told = _distinct(numbers, values)
    groups = [codes, names, excluded, excluded + (WANTED - EXCLUDED)]
    held = corpus.held(np.concatenate(groups), keys).astype(np.float32)
    ends = accumulate(map(len, groups), initial=0)
    _, said, out, wanted = (held[:, start:end] for start, end in pairwise(ends))
    per_term = np.vecdot(said, named) / np.maximum(corpus.name_terms(keys), 1)
    return Evidence(
        keys=keys,
        vectors=vectors,
        terms=lexical[0].terms,
        dense=similar[0],
        dense_best=bests[0],
        dense_mean=means[0],
        dense_deviation=deviations[0],
        lexical=scores_of(keys, lexical[0].keys, lexical[0].scores),
        lexical_best=lexical[0].best,
        lexical_weight=lexical[0].weight,
        part_dense=similar[own],
        part_dense_best=bests[own, None],
        part_dense_mean=means[own, None],
        part_dense_deviation=deviations[own, None],
        part_lexical=np.stack([scores_of(keys, t.keys, t.scores) for t in words]),
        part_lexical_best=np.array([[t.best] for t in words], dtype=np.float32),
        part_lexical_weight=np.array([[t.weight] for t in words], dtype=np.float32),
        asking=asking[own, None],
        overlaps={
            kind: Overlap(np.vecdot(held[:, span], weights[span]), weights[span].sum())
            for kind, span in spans.items()
        },
        named=per_term.astype(np.float32),
        excluded=_excluded(out, wanted, told, holds(excluded, np.sort(numbers[len(known) :]))),
        words=len(query.text.split()),
    )


def _look_up(
    corpus: Corpus,
    vectors: Float32,
    counts: Sequence[int],
    terms: Sequence[Terms],
    depths: Sequence[int],
    where: Where | None,
) -> tuple[list[Neighbours], list[tuple[NDArray[np.int64], Float32]]]:
    """The skills nearest to each vector, and the best by each text's terms.

    In a large corpus they are looked for side by side: that is the work of libraries which leave
    Python's lock to others.
    """
    if len(corpus) < _SIDE_BY_SIDE:
        near = corpus.nearest(vectors, counts, where)
        return near, [corpus.best(*own, where) for own in zip(terms, depths, strict=True)]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        best = threads.map(lambda own, depth: corpus.best(own, depth, where), terms, depths)
        return corpus.nearest(vectors, counts, where), list(best)


def _union(
    nearest: Sequence[Neighbours], lexical: Sequence[_Lexical], counts: Sequence[int]
) -> NDArray[np.int64]:
    best = [t.keys[:k] for t, k in zip(lexical, counts, strict=True)]
    return distinct(np.concatenate([*(n.keys for n in nearest), *best]))


def scores_of(keys: NDArray[np.int64], known: NDArray[np.int64], scores: Float32) -> Float32:
    """Scores of some keys, float32 `(len(keys),)`, from those of known ones; 0 for all others.

    Args:
        keys: Ascending.
        known: In any order.
        scores: Of `known`.
    """
    out = np.zeros(len(keys), dtype=np.float32)
    if len(keys) and len(known):
        places = np.minimum(np.searchsorted(keys, known), len(keys) - 1)
        there = keys[places] == known
        out[places[there]] = scores[there]
    return out


def _gram_weights(
    corpus: Corpus, parts: Sequence[str], asking: Float32
) -> tuple[NDArray[np.uint32], Float32, dict[str, slice]]:
    """The grams of all parts: codes ascending, weights, and where each kind of them stands.

    A gram counts as much as the part that most likely asks for something.
    """
    said, parts_of = gram_reader().read(parts, MAX_WORDS)
    if not len(said):
        return said, np.empty(0, dtype=np.float32), kinds(said)
    firsts = np.flatnonzero(first_of_each(said))
    codes, factors = said[firsts], np.maximum.reduceat(asking[parts_of], firsts)
    return codes, factors * corpus.gram_weights(codes), kinds(codes)


def _term_weights(
    terms: Terms, text: str, skills: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Weights of a text's terms: of those that skills hold, and of those that none does."""
    known = {
        name: weight * factor
        for name, weight, factor in zip(terms.names, terms.weights, terms.factors, strict=True)
        if name not in terms.guessed
    }
    rare = math.log1p((skills + 0.5) / 0.5)
    said = list(dict.fromkeys(read_terms(text)))[:MAX_WORDS]
    return known, {term: rare for term in said if term not in known}


def _distinct(codes: NDArray[np.uint32], weights: Float32) -> tuple[NDArray[np.uint32], Float32]:
    """Numbers of terms, ascending, each once, and their weights."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    # Two terms of one number are rare; the first one stands for both.
    kept = first_of_each(ordered)
    return ordered[kept], weights[order[kept]]


def _excluded(
    excluded: Float32, wanted: Float32, weights: Float32, strange: NDArray[np.bool_]
) -> Float32:
    """Weight of the terms that only a skill's exclusion holds, less that of those of the rest.

    As a share of that of all terms but those that stand in both, which tell nothing, and those that
    no skill's text holds, unless the exclusion does, `(m,)`.

    Args:
        excluded: 1 where the exclusion of a skill holds a term, else 0, `(m, t)`.
        wanted: The same for the rest of its description, where it excludes anything.
        weights: Of the terms, `(t,)`.
        strange: Which of them no skill's text holds, `(t,)`.
    """
    more = np.vecdot(excluded - wanted, weights)
    told = np.vecdot((1 - excluded * wanted) * np.maximum(excluded, ~strange), weights)
    return np.asarray(np.maximum(more, 0) / np.maximum(told, TINY), dtype=np.float32)


def asking_gaps(e: Evidence) -> Float32:
    """How far each candidate's cosine stays behind each part's best skill's, float32 `(p, m)`.

    The less a part asks for something, the further.
    """
    gaps: Float32 = e.part_dense - e.part_dense_best - _GAP * (1 - e.asking)
    return gaps


def fitting_parts(e: Evidence) -> NDArray[np.int64]:
    """The part of the query that each candidate fits best, int64 `(m,)`.

    -1 where that part asks for nothing.
    """
    shares = e.part_lexical / e.part_lexical_best
    fitting = np.argmax(asking_gaps(e) + _SHARE * e.asking * shares, axis=0)
    return np.where(e.asking[fitting, 0] >= _ASKING, fitting, -1)
