"""Late interaction: each token of a query looks for the token of a skill that is most like it.

MaxSim (ColBERT, Khattab and Zaharia 2020, arXiv:2004.12832) as evidence beside one vector a text:
a skill that holds the one thing asked for amid much else is found by its tokens. The tokens of a
query come with its vector, those of skills from the index, for the likeliest candidates alone.

A mean over tokens does not tell what all candidates hold from what only one does, so each token of
the query also has a vote, which goes to those that meet it best (`votes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, product, top_rows
from skillret.encoders.token_projection import widen
from skillret.index.corpus import Corpus
from skillret.retrieval.candidates import TINY, Evidence, Late, asking_gaps
from skillret.retrieval.query import ReadQuery

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["late_interaction", "likely_rows", "matches", "votes"]

# Among so many likely candidates are 99 % of the ten that a ranker then puts first, on dev.
_DEPTH = 64
_QUERY_TOKENS = 128  # of a longer query only the first count
_LEXICAL = np.float32(0.3)  # cosine that the whole share of BM25 is worth ...
_WORDS = np.float32(0.2)  # ... and that of the query's words, to tell which candidates are likely
_LEAST = np.float32(1e-4)  # of a deviation
_SHARPNESS = np.float32(10)  # of votes: a cosine less by .1 gets 1 / e of the other's share


def late_interaction(query: ReadQuery, evidence: Evidence, corpus: Corpus) -> Late | None:
    """How well the tokens of a query are met by those of each candidate.

    Args:
        query: As it was read with its tokens.
        evidence: On its candidates.
        corpus: Has their tokens.

    Returns:
        None where the encoder shows no tokens for it, or nothing has any.
    """
    if query.tokens is None or query.tokens.late is None or not len(query.tokens.late):
        return None
    rows = likely_rows(evidence, _DEPTH)
    held = corpus.tokens(evidence.keys[rows].tolist())
    there = {r: held[k] for r in rows.tolist() if len(held.get(k := int(evidence.keys[r]), ()))}
    if not there:
        return None
    asked = query.tokens.late[:_QUERY_TOKENS]
    best = matches(asked, list(there.values()))
    found, voted = best.mean(axis=1), votes(best, np.linalg.norm(asked, axis=1))
    scores, shares = (np.full(len(evidence.keys), a.min(), np.float32) for a in (found, voted))
    scores[list(there)], shares[list(there)] = found, voted
    return Late(scores, found.max(), found.mean(), max(found.std(), _LEAST), shares)


def likely_rows(e: Evidence, count: int) -> NDArray[np.int64]:
    """The candidates that a ranker most likely puts first, by sums of what is known of them."""
    whole = e.dense - e.dense_best + _LEXICAL * (e.lexical / e.lexical_best)
    parts = asking_gaps(e) + _LEXICAL * (e.asking * (e.part_lexical / e.part_lexical_best))
    words = e.overlaps["words"].held
    share = words / max(words.max(initial=np.float32(0.0)), TINY)
    return top_rows(np.maximum(whole, parts.max(axis=0)) + _WORDS * share, count)


def matches(asked: Float32, documents: Sequence[NDArray[np.int8]]) -> Float32:
    """The largest cosine that each token of a query has in each document, times how much it counts.

    Args:
        asked: Of the query's tokens, float32 `(q, k)`, each as long as it counts; at least one.
        documents: Of the tokens of `n` documents, int8 `(d, k)`; at least one each.

    Returns:
        float32 `(n, q)`; the mean of a row is the MaxSim of that document.
    """
    lengths = [len(tokens) for tokens in documents]
    similar = product(widen(np.concatenate(documents)), np.ascontiguousarray(asked.T))
    starts = np.cumsum([0, *lengths[:-1]])
    return np.asarray(np.maximum.reduceat(similar, starts, axis=0), dtype=np.float32)


def votes(best: Float32, counts: Float32) -> Float32:
    """The share of a query's tokens that each of some documents has for itself, `(n,)`.

    The vote of a token is shared out among the documents by a softmax of how well they meet it: one
    that all meet alike decides nothing, one that a single skill meets is that skill's. A share is
    `1 / 64` where all meet it alike, however few documents there are.

    Args:
        best: As `matches` finds it, `(n, q)`.
        counts: How much each token of the query counts, `(q,)`.
    """
    similar = best / np.maximum(counts, TINY)
    parts = np.exp(_SHARPNESS * (similar - similar.max(axis=0)))
    weights = counts / np.maximum(counts.sum() * parts.mean(axis=0) * _DEPTH, TINY)
    return np.asarray(product(parts, weights[:, None])[:, 0], dtype=np.float32)
