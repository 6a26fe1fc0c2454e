"""What the ranker knows of a skill that may fit a request: a few numbers per candidate.

In a long request only a few sentences say which skill is needed (SkillRet, arXiv:2605.05726,
section 5.3), and a request for several skills names each in a sentence of its own. So every
similarity is taken twice: of the whole request, and of the sentence that fits the skill best. Small
talk fits some skill too; so the latter is taken once more with the sentences weighted by how likely
each asks for something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, top_rows
from skillret.lexical.bm25 import LexicalIndex
from skillret.lexical.grams import GRAMS
from skillret.retrieval.request import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEATURES", "Candidates", "find_candidates"]

FEATURES = (
    "lexical",  # BM25, as a share of the best skill's
    "lexical_strength",  # BM25 over the weight of all terms of the request
    "sentence_lexical",  # BM25 of the best sentence, as a share of that sentence's best skill's
    "sentence_lexical_absolute",  # the same, as a share of the whole request's best skill's
    "sentence_strength",  # BM25 of the best sentence over the weight of its terms
    "dense",  # cosine
    "dense_z",  # cosine, standardized over the library
    "dense_gap",  # cosine less the best skill's
    "sentence_dense",
    "sentence_dense_z",
    "sentence_dense_gap",
    "asking_lexical",  # as the four without "asking", the sentences weighted
    "asking_lexical_absolute",
    "asking_dense",
    "asking_dense_gap",
    "words",  # weight of the request's words that the skill holds, as a share of the best one's
    "words_coverage",  # the same, as a share of that of all its words
    "pairs",  # as these two, neighbouring words
    "pairs_coverage",
    "term_pairs",  # neighbouring terms
    "term_pairs_coverage",
    "name",  # weight of the name's terms that the request says, per term of the name
    "request_words",
    "sentences",
)
_DEPTH = 300  # skills that a search for terms returns
_SENTENCE_DEPTH = 100
_CANDIDATES = 100  # of the whole request, by cosine and by BM25 each
_SENTENCE_CANDIDATES = 20  # of one sentence, by cosine and by BM25 each
_SAMPLE = 2000  # skills whose cosines tell mean and deviation
_GAP = np.float32(0.3)  # cosine that a sentence which asks for nothing stays behind its best skill
_SHARE = np.float32(0.15)  # cosine that the whole share of BM25 is worth, to tell which part fits
_ASKING = 0.5  # probability from which a part is a need of its own
_TINY = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Skills worth ranking for one request.

    Attributes:
        rows: int64 `(m,)`, ascending rows of the library.
        features: float32 `(m, len(FEATURES))`.
        parts: int64 `(m,)`, the part of the request that each fits best; -1 if it asks for nothing.
        dense: Cosine of every skill with the request, float32 `(n,)`.
        lexical: BM25 of every skill, float32 `(n,)`; 0 beyond the best 300.
    """

    rows: NDArray[np.int64]
    features: Float32
    parts: NDArray[np.int64]
    dense: Float32
    lexical: Float32


def find_candidates(
    request: Request,
    lexical: LexicalIndex,
    keys: NDArray[np.int64] | None,
    asking: Float32,
    factors: Mapping[str, float] | None = None,
) -> Candidates:
    """The candidates of one request among `n` skills, with their features.

    Args:
        request: As `read_requests` read it, with its parts.
        lexical: BM25 index of the same skills.
        keys: Key of each row in the BM25 index, ascending; None where keys are row numbers.
        asking: Probability that the text, and each part, asks for something, float32
            `(1 + len(request.parts),)`.
        factors: How much terms of the request count, 1 where nothing is said.
    """
    text, parts, lines = request.text, request.parts, request.cosines
    n = lines.shape[1]
    dense, part_dense = lines[0], lines[1:] if parts else lines
    search = partial(_Terms, lexical=lexical, factors=factors or {}, n=n, keys=keys)
    whole = search(text, depth=_DEPTH)
    part_terms = [search(part, depth=_SENTENCE_DEPTH) for part in parts] or [whole]
    rows = _union(dense, whole, part_dense, part_terms, joined=bool(parts))
    own = dense[rows]
    means, deviations = _moments(lines)
    weights = (asking[1:] if parts else asking)[:, None]
    moments = (means[1:], deviations[1:]) if parts else (means, deviations)
    part_columns, fitting = _sentences(part_dense, part_terms, rows, whole.best, weights, moments)
    columns = {
        "lexical": whole.scores[rows] / whole.best,
        "lexical_strength": whole.scores[rows] / whole.weight,
        "dense": own,
        "dense_z": (own - means[0]) / deviations[0],
        "dense_gap": own - dense.max(initial=-1.0),
        **_grams(lexical, parts or [text], asking[1:] if parts else asking, rows, n, keys),
        "name": whole.names(rows),
        "request_words": np.log1p(np.float32(len(text.split()))),
        "sentences": np.log(np.float32(len(part_terms))),
        **part_columns,
    }
    features = np.empty((len(rows), len(FEATURES)), dtype=np.float32)
    for column, name in enumerate(FEATURES):
        features[:, column] = columns[name]
    return Candidates(rows, features, fitting, dense, whole.scores)


def _sentences(
    dense: Float32,
    terms: Sequence[_Terms],
    rows: NDArray[np.int64],
    best: np.float32,
    weights: Float32,
    moments: tuple[Float32, Float32],
) -> tuple[dict[str, Float32], NDArray[np.int64]]:
    """Features by the best part of a request for each candidate, and which part that is.

    Args:
        dense: Cosines of all skills with each part `(p, n)`.
        terms: Of each part.
        rows: The candidates.
        best: Largest BM25 of the whole request.
        weights: Probability that each part asks for something `(p, 1)`.
        moments: Mean and standard deviation of each part's cosines, both `(p,)`.
    """
    cosines = dense[:, rows]
    lexical = np.stack([t.scores[rows] for t in terms])
    bests = np.array([[t.best] for t in terms])
    means, deviations = moments
    shares = lexical / bests
    gaps = cosines - dense.max(axis=1, keepdims=True)
    asking_gaps = gaps - _GAP * (1 - weights)
    columns = {
        "sentence_lexical": _largest(shares),
        "sentence_lexical_absolute": _largest(lexical) / best,
        "sentence_strength": _largest(lexical / np.array([[t.weight] for t in terms])),
        "sentence_dense": _largest(cosines),
        "sentence_dense_z": _largest((cosines - means[:, None]) / deviations[:, None]),
        "sentence_dense_gap": _largest(gaps),
        "asking_lexical": _largest(weights * shares),
        "asking_lexical_absolute": _largest(weights * lexical)
        / max((weights * bests).max(), _TINY),
        "asking_dense": _largest(weights * cosines),
        "asking_dense_gap": _largest(asking_gaps),
    }
    fitting = np.argmax(asking_gaps + _SHARE * weights * shares, axis=0)
    return columns, np.where(weights[fitting, 0] >= _ASKING, fitting, -1)


def _grams(
    lexical: LexicalIndex,
    parts: Sequence[str],
    asking: Float32,
    rows: NDArray[np.int64],
    n: int,
    keys: NDArray[np.int64] | None,
) -> dict[str, Float32]:
    """Features by words and neighbours, those of each part weighted by how likely it asks.

    Beside the best candidate's, and without the skills' lengths: a ranker that sees how much long
    skills hold learns how long the skills of the repositories are that it was fitted on.
    """
    read = [lexical.grams(part) for part in parts]
    columns = {}
    for kind in GRAMS:
        factors: dict[str, float] = {}
        for grams, likely in zip(read, asking.tolist(), strict=True):
            for gram in getattr(grams, kind):
                factors[gram] = max(factors.get(gram, 0.0), likely)
        found, values, total = lexical.search_grams(kind, factors, _DEPTH)
        held = np.zeros(n, dtype=np.float32)
        held[_row_numbers(found, keys)] = values
        own = held[rows]
        columns[kind] = own / max(own.max(initial=np.float32(0.0)), _TINY)
        columns[f"{kind}_coverage"] = own / np.float32(max(total, _TINY))
    return columns


def _row_numbers(found: NDArray[np.int64], keys: NDArray[np.int64] | None) -> NDArray[np.int64]:
    return found if keys is None else np.searchsorted(keys, found)


def _moments(lines: Float32) -> tuple[Float32, Float32]:
    """Mean and standard deviation of each row, from some 2,000 evenly spread columns."""
    sample = lines[:, :: max(1, lines.shape[1] // _SAMPLE)]
    return sample.mean(axis=1), sample.std(axis=1) + _TINY


def _largest(values: Float32) -> Float32:
    # Most requests have one part, and a maximum of one row is no news.
    return np.asarray(values[0] if len(values) == 1 else values.max(axis=0), dtype=np.float32)


def _union(
    dense: Float32,
    whole: _Terms,
    part_dense: Float32,
    part_terms: Sequence[_Terms],
    *,
    joined: bool,
) -> NDArray[np.int64]:
    found = [top_rows(dense, _CANDIDATES), whole.rows[:_CANDIDATES]]
    if joined:
        found += [top_rows(line, _SENTENCE_CANDIDATES) for line in part_dense]
        found += [terms.rows[:_SENTENCE_CANDIDATES] for terms in part_terms]
    chosen = np.zeros(len(dense), dtype=np.bool_)
    chosen[np.concatenate(found)] = True
    return np.flatnonzero(chosen)


class _Terms:
    """BM25 of one text: scores `(n,)` of the best skills, the largest one, the terms' weight."""

    def __init__(
        self,
        text: str,
        lexical: LexicalIndex,
        factors: Mapping[str, float],
        n: int,
        keys: NDArray[np.int64] | None,
        depth: int,
    ) -> None:
        self._lexical, self._keys, self._n = lexical, keys, n
        self._terms = lexical.terms(text, factors)
        found, values = lexical.search(self._terms, depth)
        self.rows = _row_numbers(found, keys)
        self.scores = self._spread(found, values)
        self.best = max(values.max(initial=np.float32(0.0)), _TINY)
        self.weight = max(np.float32(self._terms.weight), _TINY)

    def names(self, rows: NDArray[np.int64]) -> Float32:
        """Weight of the terms of skills' names that the text says, per term of the name."""
        return self._spread(*self._lexical.search_names(self._terms, _DEPTH))[rows]

    def _spread(self, found: NDArray[np.int64], values: Float32) -> Float32:
        scores = np.zeros(self._n, dtype=np.float32)
        scores[_row_numbers(found, self._keys)] = values
        return scores
