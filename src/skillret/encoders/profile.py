"""The profile of an encoder: how it wants its texts, its limits, and what makes it itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from skillret.errors import EncoderError
from skillret.files import parse_json, read_text
from skillret.skills import is_template

__all__ = ["DOCUMENT_TEMPLATE", "Profile"]

# More than any known encoder has.
_MOST_TOKENS = 1 << 20  # of a text
_MOST_VALUES = 1 << 14  # of a vector
_MOST_TEXT = 4000  # characters of a prompt, a name or a template
_MOST_FIELDS = 10  # of a template: each may be a whole skill
_MOST_BYTES = 1 << 20  # of a file; those of earlier versions hold a ranker as well

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
        template: Document template over `name`, `description`, `purpose` (the description without
            what the skill is not for), `body` and `instructions` (the body without that).
        max_query_tokens: Queries are cut here.
        max_document_tokens: Documents are cut here.
        pooling: `mean`, `cls` or `lasttoken`, as the model does it itself; with `mean` the vectors
            of a query's sentences are means of its tokens.
        dim: Length of a vector; 0 until the weights are loaded.
        weights: SHA-256 of the weights; empty until they are loaded.
        dense_weight: Share of the dense score in hybrid retrieval, 0 to 1.
        token_dim: Length of the vectors of tokens, for late interaction; 0 where there are none.
        token_projection: SHA-256 of the file that makes them; see `TokenProjection`.
        query_tokens: SHA-256 of the graph that reads queries for late interaction; empty where the
            tokens of the encoder's own last layer are taken, as of documents.
        language: ISO 639-1 code of the only language that it reads; empty where there are several,
            or nobody knows.
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
    token_dim: int = 0
    token_projection: str = ""
    query_tokens: str = ""
    language: str = ""
    source: str = ""

    @property
    def identity(self) -> str:
        """SHA-256 over everything that changes a document's vector, or those of its tokens.

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
        if self.token_dim:  # all others have the identity that they had before there were any
            parts |= {"token_dim": self.token_dim, "token_projection": self.token_projection}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The profile as plain JSON types."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, data: object, where: str) -> Profile:
        """Build a profile from parsed JSON, ignoring keys of later versions.

        Raises:
            EncoderError: If it is no object, has no name, or a value is of the wrong type or size,
                or lacks the one that it belongs to.
        """
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise EncoderError(f"{where} is not a profile: it must be a JSON object with a name")
        given = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        for key, value in given.items():
            if not _fits(key, value):
                raise EncoderError(f"{where} is not a profile: {key!r} cannot be {value!r:.40}")
        profile = cls(**given)
        if bool(profile.token_dim) != bool(profile.token_projection):
            raise EncoderError(
                f"{where} is not a profile: 'token_dim' and 'token_projection' are given together"
            )
        if profile.query_tokens and not profile.token_dim:
            raise EncoderError(f"{where} is not a profile: 'query_tokens' needs 'token_dim'")
        return profile

    @classmethod
    def load(cls, file: Path) -> Profile:
        """Read a `profile.json`.

        Raises:
            EncoderError: If the file is missing or malformed.
        """
        try:
            data = parse_json(read_text(file, _MOST_BYTES))
        except (OSError, ValueError) as e:
            raise EncoderError(f"cannot read the profile {file}: {e}") from None
        return cls.from_json(data, str(file))


def _fits(key: str, value: object) -> bool:
    """Whether a field of a profile may have a value; a profile may come from anyone."""
    if key in ("max_query_tokens", "max_document_tokens"):
        return type(value) is int and 1 <= value <= _MOST_TOKENS
    if key in ("dim", "version", "token_dim"):
        return type(value) is int and 0 <= value <= _MOST_VALUES
    if key == "dense_weight":
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        return False
    return key != "template" or (is_template(value) and value.count("{") <= _MOST_FIELDS)
