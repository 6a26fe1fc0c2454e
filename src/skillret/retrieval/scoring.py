"""Scores of all skills of a library for one request, in every mode: the heart of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skillret.encoders import Encoder, Float32
from skillret.index.lexical import LexicalIndex
from skillret.retrieval.features import find_candidates
from skillret.retrieval.fusion import LEXICAL_CANDIDATES, fuse
from skillret.retrieval.ranker import Ranker
from skillret.types import Mode

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scorer", "Scores"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of `n` skills for one request.

    Attributes:
        total: What they are ranked by `(n,)`; where a ranker is at work, the probability that a
            skill is needed.
        dense: Cosines `(n,)`, where a dense search ran.
        lexical: BM25 scores `(n,)`, where a lexical search ran.
        need: Probability that any skill is needed, where a ranker is at work.
    """

    total: Float32
    dense: Float32 | None
    lexical: Float32 | None
    need: float | None = None


class Scorer:
    """Scores requests by the encoder's profile: its ranker, or else its weight of both scores.

    Args:
        encoder: The encoder that made the vectors.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        stored = encoder.profile.ranker
        self.ranker = Ranker.from_json(stored, encoder.profile.name) if stored else None

    def score(
        self,
        text: str,
        mode: Mode,
        vectors: Float32,
        lexical: LexicalIndex | None,
        keys: NDArray[np.int64] | None = None,
        *,
        depth: int = 0,
        vector: Float32 | None = None,
    ) -> Scores:
        """Score all skills.

        Args:
            text: The request.
            mode: `hybrid`, `dense` or `lexical`.
            vectors: Of all skills, float32 `(n, dim)`; only their number counts in lexical mode.
            lexical: BM25 index of the same skills; not used in dense mode.
            keys: Key of each row in the BM25 index, ascending; None where keys are row numbers.
            depth: Skills that get a lexical score at least.
            vector: The request's vector `(dim,)`, if it is known already.
        """
        n = len(vectors)
        if not n:
            none = np.empty(0, dtype=np.float32)
            return Scores(none, none if mode != "lexical" else None, none)
        if mode == "hybrid" and self.ranker is not None and lexical is not None:
            return self._rank(self.ranker, text, vectors, lexical, keys, vector)
        dense = bm25 = None
        if mode != "lexical":
            if vector is None:
                vector = self.encoder.encode_queries([text])[0]
            dense = np.asarray(vectors @ vector, dtype=np.float32)
        if mode != "dense":
            assert lexical is not None
            found, values = lexical.search(text, max(LEXICAL_CANDIDATES, depth))
            bm25 = np.zeros(n, dtype=np.float32)
            bm25[found if keys is None else np.searchsorted(keys, found)] = values
        if dense is None or bm25 is None:
            only = bm25 if dense is None else dense
            assert only is not None
            return Scores(only, dense, bm25)
        return Scores(fuse(dense, bm25, self.encoder.profile.dense_weight), dense, bm25)

    def _rank(
        self,
        ranker: Ranker,
        text: str,
        vectors: Float32,
        lexical: LexicalIndex,
        keys: NDArray[np.int64] | None,
        vector: Float32 | None,
    ) -> Scores:
        found = find_candidates(text, vectors, lexical, keys, self.encoder, vector)
        outputs = ranker.outputs(found.features)
        need = ranker.need(outputs, found.vector)
        likely = need * ranker.probabilities(outputs)
        # Whoever asks for more than the candidates gets the rest behind them, in simpler order.
        rest = fuse(found.dense, found.lexical, self.encoder.profile.dense_weight)
        total = rest * np.float32(0.99 * likely.min(initial=1.0))
        total[found.rows] = likely
        return Scores(total, found.dense, found.lexical, need)
