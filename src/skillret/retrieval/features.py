"""What a ranker may know of a candidate: a registry of columns by name.

A ranker names the columns that it was fitted on. Adding one here voids none that was fitted before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skillret.arrays import Float32
from skillret.encoders import Profile
from skillret.retrieval.candidates import TINY, Evidence, asking_gaps

__all__ = ["FEATURES", "FITTED", "LATE", "RERANKED", "Feature", "columns", "features_of"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column: TypeAlias = NDArray[np.floating[Any]] | np.floating[Any]

# From the evidence on `m` candidates to their column: floats `(m,)`, or one number for all.
Feature: TypeAlias = "Callable[[Evidence], Column]"


def _largest(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    # Most queries have one part, and a maximum of one row is no news.
    return np.asarray(values[0] if len(values) == 1 else values.max(axis=0))


def _asking_lexical_absolute(e: Evidence) -> Column:
    best = max((e.asking * e.part_lexical_best).max(), TINY)
    return np.asarray(_largest(e.asking * e.part_lexical) / best)


def _share(e: Evidence, kind: str) -> Column:
    held = e.overlaps[kind].held
    return np.asarray(held / max(held.max(initial=np.float32(0.0)), TINY))


def _coverage(e: Evidence, kind: str) -> Column:
    # Without the skills' lengths: a ranker that sees how much long skills hold learns how long the
    # skills of the repositories are that it was fitted on.
    return np.asarray(e.overlaps[kind].held / max(e.overlaps[kind].total, TINY))


FEATURES: dict[str, Feature] = {
    # BM25, as a share of the best skill's
    "lexical": lambda e: e.lexical / e.lexical_best,
    # BM25 over the weight of all terms of the query
    "lexical_strength": lambda e: e.lexical / e.lexical_weight,
    # BM25 of the best part, as a share of that part's best skill's
    "sentence_lexical": lambda e: _largest(e.part_lexical / e.part_lexical_best),
    # the same, as a share of the whole query's best skill's
    "sentence_lexical_absolute": lambda e: _largest(e.part_lexical) / e.lexical_best,
    # BM25 of the best part over the weight of its terms
    "sentence_strength": lambda e: _largest(e.part_lexical / e.part_lexical_weight),
    # cosine
    "dense": lambda e: e.dense,
    # cosine, standardized over the library
    "dense_z": lambda e: (e.dense - e.dense_mean) / e.dense_deviation,
    # cosine less the best skill's
    "dense_gap": lambda e: e.dense - e.dense_best,
    "sentence_dense": lambda e: _largest(e.part_dense),
    "sentence_dense_z": lambda e: _largest(
        (e.part_dense - e.part_dense_mean) / e.part_dense_deviation
    ),
    "sentence_dense_gap": lambda e: _largest(e.part_dense - e.part_dense_best),
    # as the four without "asking", the parts weighted
    "asking_lexical": lambda e: _largest(e.asking * (e.part_lexical / e.part_lexical_best)),
    "asking_lexical_absolute": _asking_lexical_absolute,
    "asking_dense": lambda e: _largest(e.asking * e.part_dense),
    "asking_dense_gap": lambda e: _largest(asking_gaps(e)),
    # weight of the query's words that the skill holds, as a share of the best candidate's
    "words": partial(_share, kind="words"),
    # the same, as a share of that of all its words
    "words_coverage": partial(_coverage, kind="words"),
    # as these two, neighbouring words
    "pairs": partial(_share, kind="pairs"),
    "pairs_coverage": partial(_coverage, kind="pairs"),
    # neighbouring terms
    "term_pairs": partial(_share, kind="term_pairs"),
    "term_pairs_coverage": partial(_coverage, kind="term_pairs"),
    # weight of the name's terms that the query says, per term of the name
    "name": lambda e: e.named,
    "request_words": lambda e: np.log1p(np.float32(e.words)),
    "sentences": lambda e: np.log(np.float32(len(e.part_dense))),
    # MaxSim of tokens, less the best candidate's; 0 for all where there are no tokens
    "late_gap": lambda e: np.float32(0) if e.late is None else e.late.scores - e.late.best,
    # the same, standardized over the likely candidates
    "late_z": lambda e: (
        np.float32(0) if e.late is None else (e.late.scores - e.late.mean) / e.late.deviation
    ),
    # the share of the query's tokens that it has for itself, less the best candidate's
    "late_votes": lambda e: (
        np.float32(0) if e.late is None else e.late.votes - e.late.votes.max(initial=np.float32(0))
    ),
    # a reranker's score; 0 for all as long as it has read nothing
    "reranked": lambda e: np.float32(0) if e.reranked is None else e.reranked,
}
RERANKED = "reranked"  # the one that needs a reranker; it is added to a ranker that is fitted
FITTED = tuple(name for name in FEATURES if name != RERANKED)
LATE = ("late_gap", "late_z", "late_votes")  # those that need the tokens of an encoder


def features_of(profile: Profile) -> tuple[str, ...]:
    """The features that an encoder has something to say for, which its ranker is fitted on."""
    unknown = {RERANKED} if profile.token_dim else {RERANKED, *LATE}
    return tuple(name for name in FEATURES if name not in unknown)


def columns(names: Sequence[str], evidence: Evidence) -> Float32:
    """Some features of all candidates, float32 `(m, len(names))`.

    Raises:
        KeyError: If a name is not registered.
    """
    out = np.empty((len(evidence.keys), len(names)), dtype=np.float32)
    for column, name in enumerate(names):
        out[:, column] = FEATURES[name](evidence)
    return out
