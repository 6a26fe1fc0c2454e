"""Requests as they are searched for: their sentences, vectors, and cosines with all skills.

Evaluation and training read thousands of requests, a search one, all of them here: a block of
requests is encoded at once, and multiplied with the library's vectors together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from skillret.encoders import Encoder, Float32, check_vectors
from skillret.retrieval.sentences import segments

__all__ = ["Request", "read_requests"]

_BLOCK = 256  # requests encoded at a time
_COSINES = 1 << 20  # held at a time (4 MB), whatever the number of skills


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read against a library of `n` skills.

    Attributes:
        text: The whole.
        parts: Its sentences, unless it is but one, or nobody asked for them.
        vectors: Of the text and its parts, float32 `(1 + len(parts), dim)`.
        cosines: Of the text and its parts with every skill, float32 `(1 + len(parts), n)`.
    """

    text: str
    parts: Sequence[str]
    vectors: Float32
    cosines: Float32


def read_requests(
    texts: Iterable[str], encoder: Encoder, vectors: Float32, *, split: bool = True
) -> Iterator[Request]:
    """Read requests in order, a block at a time.

    Args:
        texts: The requests; at most 256 are taken ahead of what is yielded.
        encoder: Made `vectors`. It is given every text of a block once.
        vectors: Of all skills, float32 `(n, dim)`.
        split: Read the sentences of each request as well.

    Raises:
        EncoderError: If the encoder returns NaN.
    """
    source = iter(texts)
    while block := list(islice(source, _BLOCK)):
        asked = [(text, *(segments(text) if split else ())) for text in block]
        place = {text: row for row, text in enumerate(dict.fromkeys(t for a in asked for t in a))}
        encoded = check_vectors(encoder.encode_queries(list(place)), encoder.profile.name)
        for group in _groups(asked, max(1, _COSINES // max(1, len(vectors)))):
            own = encoded[[place[text] for texts in group for text in texts]]
            cosines, start = _cosines(own, vectors), 0
            for text, *parts in group:
                rows = slice(start, start := start + 1 + len(parts))
                yield Request(text, parts, own[rows], cosines[rows])


def _groups(asked: Sequence[Sequence[str]], size: int) -> Iterator[Sequence[Sequence[str]]]:
    """Neighbours together as long as they hold at most `size` texts in all."""
    group: list[Sequence[str]] = []
    held = 0
    for texts in asked:
        if group and held + len(texts) > size:
            yield group
            group, held = [], 0
        group.append(texts)
        held += len(texts)
    yield group


def _cosines(asked: Float32, vectors: Float32) -> Float32:
    """float32 `(len(asked), len(vectors))`."""
    count = len(asked)
    # BLAS multiplies four rows at a time, and what is left over is slower than four rows are.
    padded = asked if count == 1 else np.pad(asked, ((0, -count % 4), (0, 0)))
    # This order of factors keeps each request's cosines together in memory, and is faster.
    return np.asarray(padded @ vectors.T, dtype=np.float32)[:count]
