"""Documents as a trained encoder reads them, kept in files: reading them is most of the work.

Of each document the states of those tokens are kept that late interaction keeps, in half precision
and mapped into memory: a step of training looks at some hundred documents of tens of thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skillret.arrays import Float32
from skillret.encoders.onnx import OnnxEncoder, forward, load_session
from skillret.encoders.token_projection import TokenProjection
from skillret.encoders.weights import check_weights
from skillret.skills import document_text
from skillret.types import Skill

__all__ = ["States", "open_states", "write_states"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class States:
    """States of the kept tokens of `n` documents.

    Attributes:
        tokens: Of all documents one after the other, float16 `(t, dim)`.
        ends: Where those of each end, int64 `(n,)`.
        vectors: Of the documents themselves, float32 `(n, dim)`, of unit length.
    """

    tokens: NDArray[np.float16]
    ends: NDArray[np.int64]
    vectors: Float32

    def of(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """States of some documents, float32 `(r, longest, dim)`, and which count, `(r, longest)`.

        Args:
            rows: At least one.
        """
        read = [self.tokens[self.ends[r - 1] if r else 0 : self.ends[r]] for r in rows]
        longest = max(1, *map(len, read))
        states = torch.zeros(len(rows), longest, self.tokens.shape[1])
        there = torch.zeros(len(rows), longest, dtype=torch.bool)
        for line, tokens in enumerate(read):
            states[line, : len(tokens)] = torch.from_numpy(tokens.astype(np.float32))
            there[line, : len(tokens)] = True
        return states, there


def open_states(folder: Path, split: str) -> States | None:
    """What `write_states` wrote; None if it did not come to its end."""
    tokens, ends, vectors = _files(folder, split)
    if not tokens.is_file():
        return None
    return States(np.load(tokens, mmap_mode="r"), np.load(ends), np.load(vectors))


def write_states(
    encoder: OnnxEncoder,
    skills: Sequence[Skill],
    folder: Path,
    split: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> States:
    """Read all documents once; what `open_states` finds from then on.

    Args:
        encoder: Shows tokens for late interaction.
        skills: Of a split.
        folder: For three files.
        split: Names them.
        progress: Takes how many documents are read, and how many there are.

    Raises:
        EncoderError: If the encoder cannot be loaded or fails.
    """
    p = encoder.profile
    projection = TokenProjection.load(encoder.folder, p.token_projection, (p.dim, p.token_dim))
    session = load_session(encoder.folder, 0, partial(check_weights, encoder.folder, p.weights))
    texts = [document_text(skill, p.template) for skill in skills]
    listed = encoder.tokenize(texts, p.document_prompt, p.max_document_tokens)
    places = [projection.places(ids) for ids in listed]
    ends = np.cumsum([len(kept) for kept in places], dtype=np.int64)
    vectors = np.zeros((len(skills), p.dim), dtype=np.float32)
    files = _files(folder, split)
    partly = files[0].with_suffix(".partial")
    shape = (max(1, int(ends[-1])), p.dim)
    out: Any = np.lib.format.open_memmap(partly, mode="w+", dtype=np.float16, shape=shape)
    for row, (ids, kept) in enumerate(zip(listed, places, strict=True)):
        vectors[row], states = forward(session, ids, ("embedding", "tokens"))
        out[ends[row] - len(kept) : ends[row]] = states[kept]
        progress(row + 1, len(skills))
    out.flush()
    np.save(files[1], ends)
    np.save(files[2], vectors)
    partly.replace(files[0])  # the last one: it says that the others are there
    return States(np.load(files[0], mmap_mode="r"), ends, vectors)


def _files(folder: Path, split: str) -> tuple[Path, Path, Path]:
    """Of tokens, ends and vectors."""
    tokens, ends, vectors = (folder / f"{split}.{n}.npy" for n in ("states", "ends", "vectors"))
    return tokens, ends, vectors
