"""What every encoder offers, and the profile that says how one encoder wants its texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from skillret.arrays import Float32
from skillret.errors import EncoderError
from skillret.files import parse_json
from skillret.skills import is_template

__all__ = [
    "DOCUMENT_TEMPLATE",
    "Encoder",
    "Profile",
    "TokenEncoder",
    "Tokens",
    "check_vectors",
]

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 5 ms of every start, and only names at run time

_MOST = 1 << 20  # tokens of a text, or values of a vector


# SkillRet (arXiv:2605.05726), section 4: the fields joined by " | ".
DOCUMENT_TEMPLATE = "{name} | {description} | {body}"


@dataclass(frozen=True, slots=True)
class Profile:
    """How one encoder wants its texts.

    What is fitted for it on labelled queries is a `skillret.retrieval.calibration.Calibration`.

    Attributes:
        name: What results and indexes call the encoder.
        version: Raised when the same weights are to be used differently.
        query_prompt: Put before every query.
        document_prompt: Put before every document.
        template: Document template over `name`, `description` and `body`.
        max_query_tokens: Queries are cut here.
        max_document_tokens: Documents are cut here.
        pooling: `mean`, `cls` or `lasttoken`, as the model does it itself; with `mean` the vectors
            of a request's sentences are means of its tokens.
        dim: Length of a vector; 0 until the weights are loaded.
        weights: SHA-256 of the weights; empty until they are loaded.
        dense_weight: Share of the dense score in hybrid retrieval, 0 to 1.
        source: Where the settings come from, for people.
    """

    name: str
    version: int = 1
    query_prompt: str = ""
    document_prompt: str = ""
    template: str = DOCUMENT_TEMPLATE
    max_query_tokens: int = 512
    max_document_tokens: int = 512
    pooling: str = "mean"
    dim: int = 0
    weights: str = ""
    dense_weight: float = 0.5
    source: str = ""

    @property
    def identity(self) -> str:
        """SHA-256 over everything that changes a document's vector.

        Two encoders of one identity may share an index; others never do.
        """
        parts = {
            "weights": self.weights,
            "dim": self.dim,
            "template": self.template,
            "document_prompt": self.document_prompt,
            "max_document_tokens": self.max_document_tokens,
            "pooling": self.pooling,
            "version": self.version,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The profile as plain JSON types."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, data: object, where: str) -> Profile:
        """Build a profile from parsed JSON, ignoring keys of later versions.

        Raises:
            EncoderError: If it is no object, has no name, or a value is of the wrong type or size.
        """
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise EncoderError(f"{where} is not a profile: it must be a JSON object with a name")
        given = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        for key, value in given.items():
            if not _fits(key, value):
                raise EncoderError(f"{where} is not a profile: {key!r} cannot be {value!r:.40}")
        return cls(**given)

    @classmethod
    def load(cls, file: Path) -> Profile:
        """Read a `profile.json`.

        Raises:
            EncoderError: If the file is missing or malformed.
        """
        try:
            data = parse_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise EncoderError(f"cannot read the profile {file}: {e}") from None
        return cls.from_json(data, str(file))


def _fits(key: str, value: object) -> bool:
    """Whether a field of a profile may have a value; a profile may come from anyone."""
    if key == "template":
        return isinstance(value, str) and is_template(value)
    if key in ("max_query_tokens", "max_document_tokens"):
        return type(value) is int and 1 <= value <= _MOST
    if key in ("dim", "version"):
        return type(value) is int and 0 <= value <= _MOST
    if key == "dense_weight":
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return isinstance(value, str)


@runtime_checkable
class Encoder(Protocol):
    """Turns queries and documents into unit vectors.

    An implementation knows its own `profile` completely from the start (weights hash and
    dimension included), may load its weights as late as the first encoding, and may be called
    from one thread at a time.
    """

    @property
    def profile(self) -> Profile:
        """How this encoder treats texts, with `weights` and `dim` filled."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode requests.

        Returns:
            float32 of shape `(len(texts), dim)`, rows of unit length.
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
        """
        ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as an encoder's last layer sees it.

    Attributes:
        pooled: The text's vector, float32 `(dim,)`, of unit length.
        vectors: Of its `t` tokens in their context, float32 `(t, dim)`, of any length.
        spans: Characters `start:end` of the text that each stands for, int64 `(t, 2)`; both 0 for
            special tokens and the prompt's.
    """

    pooled: Float32
    vectors: Float32
    spans: NDArray[np.int64]


@runtime_checkable
class TokenEncoder(Encoder, Protocol):
    """An encoder that shows the tokens behind a request's vector."""

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Read requests as `encode_queries` does.

        Raises:
            EncoderError: If the model shows no tokens.
        """
        ...


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
