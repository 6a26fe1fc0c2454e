"""Encoders stored as ONNX, run by onnxruntime and tokenizers: the default, and exported ones.

A model folder holds `model.onnx` with its weights in `model.onnx.data` (inputs `input_ids` and `attention_mask`, int64 `(n, length)`;
output `embedding`, float32 `(n, dim)`, pooled and of unit length), `tokenizer.json` and
`profile.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from skillret.encoders.base import Float32, Profile, check_vectors
from skillret.errors import EncoderError

__all__ = ["BATCH_SIZE", "OnnxEncoder"]

# Small batches of one length: on a CPU a larger batch only pays for padding.
BATCH_SIZE = 16

# A token of real text is shorter than this on average, so cutting the characters first loses
# no token and keeps a text of 100,000 characters from being tokenized whole.
_CHARACTERS_PER_TOKEN = 16


class OnnxEncoder:
    """An encoder from a folder with `model.onnx`, `tokenizer.json` and `profile.json`.

    Args:
        folder: The model folder.
        threads: Threads of one forward pass; 0 lets onnxruntime take the physical cores.

    Raises:
        EncoderError: If a file is missing or cannot be loaded.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.profile = Profile.load(folder / "profile.json")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # The stored graph is optimized already; doing it again costs every process 30 ms.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        # Threads that spin between two queries would burn a laptop's battery.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = ort.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:  # both libraries raise bare exceptions of their own
            raise EncoderError(f"cannot load the model in {folder}: {e}") from None
        self._tokenizer.no_padding()
        self._max_tokens = 0

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode requests; see `Encoder.encode_queries`."""
        p = self.profile
        return self._encode(texts, p.query_prompt, p.max_query_tokens, None)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        """Encode documents; see `Encoder.encode_documents`."""
        p = self.profile
        return self._encode(texts, p.document_prompt, p.max_document_tokens, progress)

    def tokenize(self, texts: Sequence[str], prompt: str, max_tokens: int) -> list[list[int]]:
        """Token ids of each text with its prompt, cut to `max_tokens`, special tokens included."""
        if max_tokens != self._max_tokens:
            self._tokenizer.enable_truncation(max_tokens)
            self._max_tokens = max_tokens
        limit = max_tokens * _CHARACTERS_PER_TOKEN
        # A lone surrogate (from a terminal or a file name) is no Unicode text.
        clean = [prompt + t[:limit].encode("utf-8", "replace").decode("utf-8") for t in texts]
        if len(clean) == 1:
            return [self._tokenizer.encode(clean[0]).ids]
        return [e.ids for e in self._tokenizer.encode_batch_fast(clean)]

    def forward(self, batch: Sequence[Sequence[int]]) -> Float32:
        """One pass over token ids of similar lengths, padded to the longest of them."""
        longest = max(len(ids) for ids in batch)
        input_ids = np.zeros((len(batch), longest), dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for row, ids in enumerate(batch):
            input_ids[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        (out,) = self._session.run(["embedding"], {"input_ids": input_ids, "attention_mask": mask})
        return np.asarray(out, dtype=np.float32)

    def _encode(
        self,
        texts: Sequence[str],
        prompt: str,
        max_tokens: int,
        progress: Callable[[int], None] | None,
    ) -> Float32:
        out = np.zeros((len(texts), self.profile.dim), dtype=np.float32)
        if not texts:
            return out
        tokens = self.tokenize(texts, prompt, max_tokens)
        order = sorted(range(len(tokens)), key=lambda i: -len(tokens[i]))
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            out[rows] = self.forward([tokens[i] for i in rows])
            if progress is not None:
                progress(len(rows))
        return check_vectors(out, self.profile.name)
