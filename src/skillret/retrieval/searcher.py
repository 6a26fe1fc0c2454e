"""Scores of all skills of a library for one request, in every mode: the heart of a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32
from skillret.encoders import Encoder
from skillret.lexical.bm25 import LexicalIndex
from skillret.retrieval.calibration import load_calibration
from skillret.retrieval.features import FEATURES, Candidates, find_candidates
from skillret.retrieval.fusion import LEXICAL_CANDIDATES, fuse
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.request import Request, read_requests
from skillret.retrieval.term_head import term_factors
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
        candidates: That it ranked.
    """

    total: Float32
    dense: Float32 | None
    lexical: Float32 | None
    need: float | None = None
    candidates: Candidates | None = None

    def parts(self, rows: NDArray[np.int64]) -> list[int]:
        """The part of the request that each skill fits best; -1 where none is known."""
        if self.candidates is None:
            return [-1] * len(rows)
        known = dict(
            zip(self.candidates.rows.tolist(), self.candidates.parts.tolist(), strict=True)
        )
        return [known.get(row, -1) for row in rows.tolist()]


class Scorer:
    """Scores requests by the encoder's calibration, or else by its weight of both scores.

    Args:
        encoder: The encoder that made the vectors.

    Raises:
        EncoderError: If its calibration cannot be used; see `load_calibration`.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.calibration = load_calibration(encoder)
        self.ranker = self.calibration.ranker if self.calibration else None

    def score(
        self,
        text: str,
        mode: Mode,
        vectors: Float32,
        lexical: LexicalIndex | None,
        keys: NDArray[np.int64] | None = None,
        *,
        depth: int = 0,
    ) -> Scores:
        """Score all skills for one request; see `score_all`."""
        (scores,) = self.score_all([text], mode, vectors, lexical, keys, depth=depth)
        return scores

    def score_all(
        self,
        texts: Iterable[str],
        mode: Mode,
        vectors: Float32,
        lexical: LexicalIndex | None,
        keys: NDArray[np.int64] | None = None,
        *,
        depth: int = 0,
    ) -> Iterator[Scores]:
        """Score all skills for each of many requests, in order.

        Encoding them together changes no score by more than the rounding of a matrix product.

        Args:
            texts: The requests.
            mode: `hybrid`, `dense` or `lexical`.
            vectors: Of all skills, float32 `(n, dim)`; only their number counts in lexical mode.
            lexical: BM25 index of the same skills; not used in dense mode.
            keys: Key of each row in the BM25 index, ascending; None where keys are row numbers.
            depth: Skills that get a lexical score at least.
        """
        n = len(vectors)
        if not n:
            none = np.empty(0, dtype=np.float32)
            for _ in texts:
                yield Scores(none, none if mode != "lexical" else None, none)
        elif mode == "lexical":
            for text in texts:
                bm25 = _bm25(text, n, lexical, keys, depth)
                yield Scores(bm25, None, bm25)
        else:
            ranker = self.ranker if mode == "hybrid" else None
            split = ranker is not None
            tokens = ranker is not None and ranker.terms is not None
            for request in read_requests(texts, self.encoder, vectors, split=split, tokens=tokens):
                dense = request.cosines[0]
                if mode == "dense":
                    yield Scores(dense, dense, None)
                elif ranker is None:
                    bm25 = _bm25(request.text, n, lexical, keys, depth)
                    yield Scores(fuse(dense, bm25, self.encoder.profile.dense_weight), dense, bm25)
                else:
                    yield self._rank(ranker, request, lexical, keys)

    def _rank(
        self,
        ranker: Ranker,
        request: Request,
        lexical: LexicalIndex | None,
        keys: NDArray[np.int64] | None,
    ) -> Scores:
        assert lexical is not None
        asking = ranker.probe.asking(request.vectors)
        factors = term_factors(ranker.terms, request, lexical)
        found = find_candidates(request, lexical, keys, asking, factors)
        outputs = ranker.outputs(found.features[:, ranker.columns(FEATURES)])
        evidence = ranker.probe.evidence(request.vectors)
        need = ranker.need(outputs, evidence, request.cosines.shape[1])
        likely = need * ranker.probabilities(outputs)
        # Whoever asks for more than the candidates gets the rest behind them, in simpler order.
        rest = fuse(found.dense, found.lexical, self.encoder.profile.dense_weight)
        total = rest * np.float32(0.99 * likely.min(initial=1.0))
        total[found.rows] = likely
        return Scores(total, found.dense, found.lexical, need, found)


def _bm25(
    text: str,
    n: int,
    lexical: LexicalIndex | None,
    keys: NDArray[np.int64] | None,
    depth: int,
) -> Float32:
    """BM25 scores `(n,)`; 0 beyond the best ones."""
    assert lexical is not None
    found, values = lexical.search(text, max(LEXICAL_CANDIDATES, depth))
    scores = np.zeros(n, dtype=np.float32)
    scores[found if keys is None else np.searchsorted(keys, found)] = values
    return scores
