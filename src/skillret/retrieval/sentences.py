"""Sentences of a request."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

__all__ = ["segments", "split_sentences"]

_MAX_SEGMENTS = 16  # more sentences than this are joined: each is searched for
_MIN_WORDS = 3  # a shorter sentence ("Thanks!") says nothing
# After a full stop, question or exclamation mark and white space, or at a line break; also
# after their full-width forms, which no white space follows.
_BOUNDARY = re.compile(r"(?<=[.!?])\s|\n|(?<=[。！？])")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, without empty ones, each once, in order."""
    return list(dict.fromkeys(text[start:end] for start, end in _spans(text)))


def segments(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a request start and end, at most 16: neighbours are joined.

    A request of one sentence has none besides itself.
    """
    known: set[str] = set()
    spans = []
    for start, end in _spans(text):
        sentence = text[start:end]
        if sentence not in known and len(sentence.split()) >= _MIN_WORDS:
            known.add(sentence)
            spans.append((start, end))
    if len(spans) > _MAX_SEGMENTS:
        bounds = np.linspace(0, len(spans), _MAX_SEGMENTS + 1).astype(int).tolist()
        spans = [(spans[first][0], spans[last - 1][1]) for first, last in pairwise(bounds)]
    return spans if len(spans) > 1 else []


def _spans(text: str) -> list[tuple[int, int]]:
    bounds = [0, *(m.end() for m in _BOUNDARY.finditer(text)), len(text)]
    spans = []
    for start, end in pairwise(bounds):
        sentence = text[start:end]
        left = start + len(sentence) - len(sentence.lstrip())
        if sentence.strip():
            spans.append((left, left + len(sentence.strip())))
    return spans
