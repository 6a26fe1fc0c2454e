"""Rerankers that `skillret export` wrote, run by onnxruntime and tokenizers.

A folder holds `model.onnx` (inputs `input_ids`, `attention_mask` and perhaps `token_type_ids`,
int64 `(n, length)`; output `logits`, float32 `(n, 1)`) with its weights in `model.onnx.data`,
`tokenizer.json` and `reranker.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from skillret.arrays import Float32

# The session of an encoder is what a reranker needs too: options, threads and errors.
from skillret.encoders.onnx import load_session
from skillret.encoders.per_process import PerProcess
from skillret.encoders.tokenizer import load_tokenizer
from skillret.encoders.weights import check_weights
from skillret.errors import EncoderError
from skillret.retrieval.rerankers.pairs import PairTokens, pad
from skillret.retrieval.rerankers.profile import PROFILE, RerankerProfile

__all__ = ["OnnxReranker"]


class OnnxReranker:
    """A cross-encoder from a folder with `model.onnx`, `tokenizer.json` and `reranker.json`.

    The weights are read when something is first scored, and checked against the profile's hash.
    Several threads may score at once.

    Args:
        folder: The model folder.
        threads: Of a pass; 0 lets onnxruntime take the physical cores.

    Raises:
        EncoderError: If a file is missing or malformed; on first use, if one cannot be loaded or
            the weights are not those of the profile.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        for name in (PROFILE, "tokenizer.json"):
            if not (folder / name).is_file():
                raise EncoderError(
                    f"{folder} is no reranker: it holds model.onnx and no {name}"
                    " (an encoder goes with --model)"
                )
        self.folder = folder
        self.profile = RerankerProfile.load(folder)
        checked = PerProcess(partial(_check, folder, self.profile.weights))
        self._tokens = PerProcess(partial(_load_tokens, folder, self.profile))
        self._session = PerProcess(partial(load_session, folder, threads, checked))

    @property
    def name(self) -> str:
        """What results call it."""
        return self.profile.name

    @property
    def template(self) -> str:
        """How documents are to be made."""
        return self.profile.template

    def scores(self, query: str, documents: Sequence[str]) -> Float32:
        """A logit for each document, float32 `(n,)`; see `skillret.retrieval.rerank.Reranker`.

        One pair at a time: int8 scales activations by the whole batch, and a score must not depend
        on what is scored beside it.

        Raises:
            EncoderError: If the model or its tokenizer fails.
        """
        session = self._session()
        wanted = {i.name for i in session.get_inputs()}
        out = np.zeros(len(documents), dtype=np.float32)
        for row, pair in enumerate(self._tokens().encode([(query, d) for d in documents])):
            inputs = pad([pair], left=False, types="token_type_ids" in wanted)
            try:
                (logits,) = session.run(["logits"], inputs)
                (out[row],) = np.asarray(logits, dtype=np.float32).reshape(-1)
            except Exception as e:  # the library's exceptions share no base
                reason = " ".join(str(e).split())
                raise EncoderError(
                    f"the reranker in {self.folder} fails on {len(pair.ids)} tokens: {reason:.200}"
                ) from None
        return out


def _load_tokens(folder: Path, profile: RerankerProfile) -> PairTokens:
    return PairTokens(load_tokenizer(folder), profile)


def _check(folder: Path, weights: str) -> str:
    try:
        return check_weights(folder, weights)
    except EncoderError as e:
        raise EncoderError(str(e).replace("profile.json", PROFILE)) from None
