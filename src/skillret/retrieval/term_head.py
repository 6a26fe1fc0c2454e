"""How much each term of a query counts, read from its context.

BM25 weighs a term by how rare it is. What a query is about is another matter: in "we meet about
the invoices, make me a chart" the chart counts, and the meeting does not. The encoder's last layer
knows, and a linear head over it says so (as in DeepCT, Dai and Callan 2020, arXiv:1910.10687).
`skillret.calibration.fit_terms` fits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skillret.arrays import Float32, product
from skillret.encoders import Profile, Tokens
from skillret.lexical.analyzer import Word, read_words
from skillret.retrieval.query import ReadQuery

__all__ = ["TermHead", "needs_tokens", "term_factors", "term_tokens"]


class TermHead(NamedTuple):
    """Weighs terms: softplus of a linear function of the mean of a term's tokens.

    Attributes:
        weights: `(dim,)`.
        bias: Added.
    """

    weights: Float32
    bias: float

    def weigh(self, tokens: Tokens, words: Sequence[Word]) -> dict[str, float]:
        """The factor of each term, around 1, of those words that the encoder saw.

        Args:
            tokens: Of a query.
            words: Of the same query.
        """
        terms, means = term_tokens(tokens, words)
        logits = np.vecdot(means, self.weights) + np.float32(self.bias)
        return dict(zip(terms, np.logaddexp(0, logits).tolist(), strict=True))


def needs_tokens(head: TermHead | None, profile: Profile) -> bool:
    """Whether queries are read with their tokens: to weigh terms, or for late interaction."""
    return head is not None or profile.token_dim > 0


def term_factors(head: TermHead | None, query: ReadQuery) -> dict[str, float]:
    """How much each term of a query counts; nothing is said where there is no head."""
    if head is None or query.tokens is None:
        return {}
    return head.weigh(query.tokens, read_words(query.text))


def term_tokens(tokens: Tokens, words: Sequence[Word]) -> tuple[list[str], Float32]:
    """The `t` terms that have tokens, and the mean of each one's vectors, float32 `(t, dim)`."""
    starts, ends = tokens.spans[:, 0].tolist(), tokens.spans[:, 1].tolist()
    rows: dict[str, list[int]] = {}
    row = 0
    for word in words:  # both are in the order of the text
        while row < len(ends) and ends[row] <= word.start:
            row += 1
        stop = row
        while stop < len(ends) and starts[stop] < word.end and ends[stop] > starts[stop]:
            stop += 1
        for term in word.terms:
            rows.setdefault(term, []).extend(range(row, stop))
    seen = {term: found for term, found in rows.items() if found}
    shares = np.zeros((len(seen), len(tokens.vectors)), dtype=np.float32)
    for line, found in zip(shares, seen.values(), strict=True):
        line[found] = 1
    means = product(shares, tokens.vectors) / shares.sum(axis=1, keepdims=True)
    return list(seen), means
