"""Requests as they are searched for: their sentences, vectors, and cosines with all skills.

Evaluation and training read thousands of requests, a search one, all of them here: a block of
requests is encoded at once, and multiplied with the library's vectors together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32
from skillret.encoders import Encoder, TokenEncoder, Tokens, check_vectors
from skillret.errors import EncoderError
from skillret.retrieval.sentences import segments

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Request", "read_requests"]

_BLOCK = 256  # requests encoded at a time
_ONE_PASS = 128  # tokens of a request whose sentences are read with it
_COSINES = 1 << 20  # held at a time (4 MB), whatever the number of skills
_SMALL_PRODUCT = 1000  # results
_FEW = 32  # vectors of one request with all its sentences, and some more
_SINGLY = 7
_CACHED_ROWS = 384


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read against a library of `n` skills.

    Attributes:
        text: The whole.
        parts: Its sentences, unless it is but one, or nobody asked for them.
        vectors: Of the text and its parts, float32 `(1 + len(parts), dim)`.
        cosines: Of the text and its parts with every skill, float32 `(1 + len(parts), n)`.
        tokens: Of the text, if they were asked for.
    """

    text: str
    parts: Sequence[str]
    vectors: Float32
    cosines: Float32
    tokens: Tokens | None = None


def read_requests(
    texts: Iterable[str],
    encoder: Encoder,
    vectors: Float32,
    *,
    split: bool = True,
    tokens: bool = False,
) -> Iterator[Request]:
    """Read requests in order, a block at a time.

    Args:
        texts: The requests; at most 256 are taken ahead of what is yielded.
        encoder: Made `vectors`. It is given every text of a block once.
        vectors: Of all skills, float32 `(n, dim)`.
        split: Read the sentences of each request as well.
        tokens: Read the tokens and sentences of each request as well; needs a `TokenEncoder`.

    Raises:
        EncoderError: If the encoder returns NaN, or shows no tokens where they are asked for.
    """
    source = iter(texts)
    size = max(1, _COSINES // max(1, len(vectors)))
    while block := list(islice(source, _BLOCK)):
        encoded = _encode_tokens(block, encoder) if tokens else _encode(block, encoder, split=split)
        for group in _groups(encoded, size):
            cosines, start = _cosines(np.concatenate([e.vectors for e in group]), vectors), 0
            for e in group:
                own = cosines[start : start + len(e.vectors)]
                start += len(e.vectors)
                yield Request(e.text, e.parts, e.vectors, own, e.tokens)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A request before it meets a library; see `Request`."""

    text: str
    parts: Sequence[str]
    vectors: Float32
    tokens: Tokens | None = None


def _encode(block: Sequence[str], encoder: Encoder, *, split: bool) -> list[_Encoded]:
    """Requests and their parts, each text encoded by itself."""
    asked = [(text, *(_parts(text, segments(text)) if split else ())) for text in block]
    place = {text: row for row, text in enumerate(dict.fromkeys(t for a in asked for t in a))}
    encoded = check_vectors(encoder.encode_queries(list(place)), encoder.profile.name)
    return [_Encoded(a[0], a[1:], encoded[[place[text] for text in a]]) for a in asked]


def _encode_tokens(block: Sequence[str], encoder: Encoder) -> list[_Encoded]:
    """Requests with their tokens; the parts of one that is not long are means of its tokens.

    One pass over a request instead of two ("late chunking", arXiv:2409.04701). Amid much talk a
    sentence is better read alone.
    """
    if not isinstance(encoder, TokenEncoder):
        raise EncoderError(
            f"the ranker of {encoder.profile.name} weighs terms by their tokens, which this encoder"
            " does not show"
        )
    found = []
    for text, tokens in zip(block, encoder.encode_tokens(block), strict=True):
        spans = segments(text)
        parts = _parts(text, spans)
        read = int(tokens.spans[:, 1].max(initial=0)) if encoder.profile.pooling == "mean" else -1
        whole = len(tokens.vectors) <= _ONE_PASS and all(end <= read for _, end in spans)
        seen = [_inside(tokens, *span) for span in spans] if whole else []
        # A sentence without tokens, of invisible characters for example, has no mean.
        if whole and all(inside.any() for inside in seen):
            rows: Iterable[Float32] = (_mean(tokens, inside) for inside in seen)
        else:
            rows = encoder.encode_queries(parts)
        vectors = np.stack([tokens.pooled, *rows])
        found.append(_Encoded(text, parts, check_vectors(vectors, encoder.profile.name), tokens))
    return found


def _parts(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


def _inside(tokens: Tokens, start: int, end: int) -> NDArray[np.bool_]:
    return np.asarray((tokens.spans[:, 0] < end) & (tokens.spans[:, 1] > start))


def _mean(tokens: Tokens, inside: NDArray[np.bool_]) -> Float32:
    mean = tokens.vectors[inside].mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _groups(encoded: Sequence[_Encoded], size: int) -> Iterator[Sequence[_Encoded]]:
    """Neighbours together as long as they hold at most `size` vectors in all."""
    group: list[_Encoded] = []
    held = 0
    for e in encoded:
        if group and held + len(e.vectors) > size:
            yield group
            group, held = [], 0
        group.append(e)
        held += len(e.vectors)
    yield group


def _cosines(asked: Float32, vectors: Float32) -> Float32:
    """float32 `(len(asked), len(vectors))`."""
    count, n = len(asked), len(vectors)
    if count == 1:
        return np.asarray((vectors @ asked[0])[None], dtype=np.float32)
    out = np.empty((count, n), dtype=np.float32)
    # BLAS copies both factors before it multiplies, which takes longer than a small product does.
    # Vector by vector it copies none; slices stay in the processor's cache from one to the next.
    if count <= _SINGLY:
        for start in range(0, n, _CACHED_ROWS):
            rows = vectors[start : start + _CACHED_ROWS]
            for vector, line in zip(asked, out, strict=True):
                np.matmul(rows, vector, out=line[start : start + _CACHED_ROWS])
        return out
    # OpenBLAS leaves the copies out for products as small as these slices: two to three times as
    # fast. This order of factors keeps each request's cosines together in memory.
    step = max(1, _SMALL_PRODUCT // count if count <= _FEW else n)
    for start in range(0, n, step):
        np.matmul(asked, vectors[start : start + step].T, out=out[:, start : start + step])
    return out
