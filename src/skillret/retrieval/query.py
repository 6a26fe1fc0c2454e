"""Queries as they are searched for: clean text, sentences, and their vectors.

Evaluation and calibration read thousands of queries, a search one, all of them here: a block of
queries is encoded at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import Float32
from skillret.encoders import Encoder, Profile, Tokens, check_vectors
from skillret.errors import EncoderError, InputError
from skillret.lexical.language import language
from skillret.lexical.spelling import normalize
from skillret.retrieval.material import own_words
from skillret.retrieval.negation import without_negated
from skillret.retrieval.sentences import segments, unmarked
from skillret.retrieval.textwork import said_plainly

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MAX_QUERY_CHARACTERS",
    "ReadQuery",
    "asked_words",
    "clean_query",
    "plain_query",
    "read_queries",
    "unread_language",
    "valid_query",
]

MAX_QUERY_CHARACTERS = 100_000  # the rest of a longer query is not read
_BLOCK = 256  # queries encoded at a time
_ONE_PASS = 128  # tokens of a query whose sentences are read with it


class ReadQuery(NamedTuple):
    """A query, read by an encoder.

    Attributes:
        text: The whole.
        parts: Its sentences, unless it is but one, or nobody asked for them.
        vectors: Of the text and its parts, float32 `(1 + len(parts), dim)`.
        tokens: Of the text, if they were asked for.
    """

    text: str
    parts: Sequence[str]
    vectors: Float32
    tokens: Tokens | None = None


def valid_query(query: str) -> str:
    """A query as it was typed: stripped, cut at 100,000 characters, valid Unicode.

    Raises:
        InputError: If nothing is left, or it is no text.
    """
    if not isinstance(query, str):
        raise InputError(f"a query must be text, not {type(query).__name__}")
    # Surrogates come from arguments that are no UTF-8; nothing below can take them.
    text = query[:MAX_QUERY_CHARACTERS].encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        raise InputError("the query is empty: say in a few words what you want to do")
    return text


def plain_query(query: str) -> str:
    """A query in normal form, with all that was pasted into it.

    Raises:
        InputError: If nothing is left, or it is no text.
    """
    text = valid_query(query)
    return normalize(text)[:MAX_QUERY_CHARACTERS].strip() or text


def clean_query(query: str) -> str:
    """A query as it is searched: in normal form, what the user asks for in words of their own.

    Raises:
        InputError: If nothing is left, or it is no text.
    """
    return without_negated(unmarked(asked_words(plain_query(query))))


def asked_words(plain: str, *, language: bool = False) -> str:
    """What a query asks for: its own words, and in plain English what is to be done to a text.

    Args:
        plain: The query in normal form.
        language: As in `own_words`.
    """
    own = own_words(plain, language=language)
    return own if own == plain else said_plainly(own)


def unread_language(query: str, profile: Profile) -> str | None:
    """The language of a query if the encoder does not read it; None if it does, or nobody knows."""
    return language(query) if profile.language == "en" else None


def read_queries(
    texts: Iterable[str], encoder: Encoder, *, split: bool = True, tokens: bool = False
) -> Iterator[ReadQuery]:
    """Read queries in order, a block at a time.

    Args:
        texts: The queries, clean; at most 256 are taken ahead of what is yielded.
        encoder: It is given every text of a block once.
        split: Read the sentences of each query as well.
        tokens: Read the tokens and sentences of each query as well; needs a `TokenEncoder`.

    Raises:
        EncoderError: If the encoder returns NaN, or shows no tokens where they are asked for.
    """
    source = iter(texts)
    while block := list(islice(source, _BLOCK)):
        yield from (
            _encode_tokens(block, encoder) if tokens else _encode(block, encoder, split=split)
        )


def _encode(block: Sequence[str], encoder: Encoder, *, split: bool) -> list[ReadQuery]:
    """Queries and their parts, each text encoded by itself."""
    asked = [(text, *(_parts(text, segments(text)) if split else ())) for text in block]
    place = {text: row for row, text in enumerate(dict.fromkeys(t for a in asked for t in a))}
    encoded = check_vectors(encoder.encode_queries(list(place)), encoder.profile.name)
    return [ReadQuery(a[0], a[1:], encoded[[place[text] for text in a]]) for a in asked]


def _encode_tokens(block: Sequence[str], encoder: Encoder) -> list[ReadQuery]:
    """Queries with their tokens; the parts of one that is not long are means of its tokens.

    One pass over a query instead of two ("late chunking", arXiv:2409.04701). Amid much talk a
    sentence is better read alone.
    """
    if not hasattr(encoder, "encode_tokens"):  # as `TokenEncoder`, which takes longer to tell
        raise EncoderError(
            f"the ranker of {encoder.profile.name} needs the tokens of queries, which this encoder"
            " does not show"
        )
    queries = []
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
        queries.append(ReadQuery(text, parts, check_vectors(vectors, encoder.profile.name), tokens))
    return queries


def _parts(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


def _inside(tokens: Tokens, start: int, end: int) -> NDArray[np.bool_]:
    return np.asarray((tokens.spans[:, 0] < end) & (tokens.spans[:, 1] > start))


def _mean(tokens: Tokens, inside: NDArray[np.bool_]) -> Float32:
    mean = tokens.vectors[inside].mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)
