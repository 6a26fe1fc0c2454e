"""Sentences of a request."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

__all__ = ["segments", "split_sentences"]

_MAX_SEGMENTS = 16  # more sentences than this are joined: each costs a pass of the encoder
_MIN_WORDS = 3  # a shorter sentence ("Thanks!") says nothing
# After a full stop, question or exclamation mark and white space, or at a line break; also
# after their full-width forms, which no white space follows.
_BOUNDARY = re.compile(r"(?<=[.!?])\s|\n|(?<=[。！？])")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, without empty ones, each once, in order."""
    parts = (part.strip() for part in _BOUNDARY.split(text))
    return list(dict.fromkeys(part for part in parts if part))


def segments(text: str) -> list[str]:
    """The sentences of a request, at most 16: of a longer request neighbours are joined.

    A request of one sentence has none besides itself.
    """
    sentences = [s for s in split_sentences(text) if len(s.split()) >= _MIN_WORDS]
    if len(sentences) > _MAX_SEGMENTS:
        bounds = np.linspace(0, len(sentences), _MAX_SEGMENTS + 1).astype(int).tolist()
        sentences = [" ".join(sentences[start:end]) for start, end in pairwise(bounds)]
    return sentences if len(sentences) > 1 else []
