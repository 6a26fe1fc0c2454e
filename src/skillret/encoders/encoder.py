"""What every encoder offers, and what its texts and vectors must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from skillret.arrays import Float32
from skillret.encoders.profile import Profile
from skillret.errors import EncoderError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 5 ms of every start, and only names at run time

__all__ = [
    "BulkEncoder",
    "Documents",
    "Encoder",
    "LateEncoder",
    "TokenEncoder",
    "Tokens",
    "check_texts",
    "check_vectors",
    "read_chunks",
    "read_documents",
]


@runtime_checkable
class Encoder(Protocol):
    """Turns queries and documents into unit vectors.

    An implementation knows its own `profile` completely from the start (weights hash and
    dimension included), may load its weights as late as the first encoding, and may be called
    from several threads at once: a text's vector never depends on what other threads do. In a
    child of a fork it works as well, whatever its parent's threads were doing.
    """

    @property
    def profile(self) -> Profile:
        """How this encoder treats texts, with `weights` and `dim` filled."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode queries.

        Returns:
            float32 of shape `(len(texts), dim)`, rows of unit length.

        Raises:
            EncoderError: If the weights cannot be loaded, or make no usable vectors.
            InputError: If `texts` is one text, or holds something else than texts.
        """
        ...

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        """Encode documents, as the profile's template made them.

        Args:
            texts: The documents, in any order; batching by length is the encoder's concern.
            progress: Called with the number of documents finished since the last call.

        Returns:
            float32 of shape `(len(texts), dim)`, rows of unit length, in the order of `texts`.

        Raises:
            EncoderError: If the weights cannot be loaded, or make no usable vectors.
            InputError: If `texts` is one text, or holds something else than texts.
        """
        ...


class Tokens(NamedTuple):
    """A text as an encoder's last layer sees it.

    Attributes:
        pooled: The text's vector, float32 `(dim,)`, of unit length.
        vectors: Of its `t` tokens in their context, float32 `(t, dim)`, of any length.
        spans: Characters `start:end` of the text that each stands for, int64 `(t, 2)`; both 0 for
            special tokens and the prompt's.
        late: For late interaction, of those tokens that say something, float32 `(q, token_dim)`;
            a row is the longer the more it counts, by 1 on average. None where the profile has no
            `token_dim`.
    """

    pooled: Float32
    vectors: Float32
    spans: NDArray[np.int64]
    late: Float32 | None = None


class Documents(NamedTuple):
    """`n` documents as an encoder reads them.

    Attributes:
        vectors: float32 `(n, dim)`, rows of unit length.
        tokens: For late interaction, of the tokens that are kept of each, int8 `(d, token_dim)`;
            None where the profile has no `token_dim`.
    """

    vectors: Float32
    tokens: Sequence[NDArray[np.int8]] | None


@runtime_checkable
class TokenEncoder(Encoder, Protocol):
    """An encoder that shows the tokens behind a query's vector."""

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Read queries as `encode_queries` does.

        Raises:
            EncoderError: If the model shows no tokens, or cannot be loaded.
            InputError: If `texts` is one text, or holds something else than texts.
        """
        ...


@runtime_checkable
class LateEncoder(TokenEncoder, Protocol):
    """An encoder whose tokens meet in late interaction: its profile has a `token_dim`."""

    def encode_document_tokens(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Documents:
        """Read documents as `encode_documents` does, with their tokens, in one pass.

        Raises:
            EncoderError: If the profile has no `token_dim`, or the model cannot be loaded.
            InputError: If `texts` is one text, or holds something else than texts.
        """
        ...


@runtime_checkable
class BulkEncoder(LateEncoder, Protocol):
    """An encoder that reads many documents better at once than one lot after the other."""

    def read_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[Documents]:
        """Read chunks of documents, in their order, as `read_documents` does each.

        Raises:
            EncoderError: If the model cannot be loaded, or fails.
        """
        ...


def read_chunks(
    encoder: Encoder,
    chunks: Iterable[Sequence[str]],
    progress: Callable[[int], None] | None = None,
) -> Iterator[Documents]:
    """Chunks of documents, one after the other as they are read; see `read_documents`."""
    if not isinstance(encoder, BulkEncoder):
        for chunk in chunks:
            yield read_documents(encoder, chunk, progress)
        return
    for read in encoder.read_chunks(chunks):
        check_vectors(read.vectors, encoder.profile.name)
        if progress is not None:
            progress(len(read.vectors))
        yield read


def read_documents(
    encoder: Encoder, texts: Sequence[str], progress: Callable[[int], None] | None = None
) -> Documents:
    """Documents with their tokens, where the encoder's profile says that there are any.

    Raises:
        EncoderError: If the encoder fails, returns NaN, or shows no tokens against its profile.
        InputError: If `texts` is one text, or holds something else than texts.
    """
    profile = encoder.profile
    if not profile.token_dim:
        read = Documents(encoder.encode_documents(texts, progress), None)
    elif isinstance(encoder, LateEncoder):
        read = encoder.encode_document_tokens(texts, progress)
    else:
        raise EncoderError(
            f"the profile of {profile.name} has a token_dim, but {type(encoder).__name__} shows no"
            " tokens of documents"
        )
    check_vectors(read.vectors, profile.name)
    return read


def check_texts(texts: Sequence[str]) -> list[str]:
    """The texts to encode, as a list.

    Raises:
        InputError: If they are one text, whose letters would be taken for texts, or hold
            something else.
    """
    if isinstance(texts, str | bytes):
        raise InputError(f"an encoder takes a list of texts, not one text: give [{texts!r:.40}]")
    listed = list(texts)
    for text in listed:
        if not isinstance(text, str):
            raise InputError(f"an encoder takes a list of texts; {text!r:.40} is none")
    return listed


def check_vectors(vectors: Float32, name: str) -> Float32:
    """Return `vectors` if they are finite.

    Raises:
        EncoderError: If any value is NaN or infinite.
    """
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors)).any(axis=1).sum())
        raise EncoderError(
            f"the encoder {name} returned {bad} of {len(vectors)} vectors with NaN or infinite"
            " values; its weights are damaged or its precision is too low"
        )
    return vectors
