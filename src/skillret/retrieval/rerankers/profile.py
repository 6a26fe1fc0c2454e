"""The profile of a reranker: its kind, and how it wants query and document."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from skillret.encoders.profile import DOCUMENT_TEMPLATE
from skillret.errors import EncoderError
from skillret.files import parse_json, read_text
from skillret.skills import is_template

__all__ = ["PROFILE", "RERANK_INSTRUCTION", "RerankerProfile", "kind_of_architecture"]

PROFILE = "reranker.json"
# SkillRet-Reranker (arXiv:2605.05726, section 4).
RERANK_INSTRUCTION = (
    "Given a skill search query, judge whether the skill document is relevant and useful for the"
    " query"
)
KINDS = ("encoder", "decoder")
_MOST_TOKENS = 1 << 20  # of a pair
_MOST_TEXT = 4000  # characters of a name, an instruction or a template
_MOST_FIELDS = 10  # of a template: each may be a whole skill
_MOST_BYTES = 1 << 20  # of a file


@dataclass(frozen=True, slots=True)
class RerankerProfile:
    """How one reranker wants its texts.

    Attributes:
        name: What results call it.
        kind: `encoder`: sequence classification with one logit over the pair (BERT, MPNet).
            `decoder`: log-odds of "yes" over "no" as the next token (Qwen3-Reranker).
        instruction: What a decoder is told to judge.
        template: Document template over the fields that an encoder's may use; see `Profile`.
        max_tokens: Pairs are cut here, special tokens and instruction included.
        weights: SHA-256 of the weights of an exported one.
        source: Where the settings come from, for people.
    """

    name: str
    kind: str = "encoder"
    instruction: str = RERANK_INSTRUCTION
    template: str = DOCUMENT_TEMPLATE
    max_tokens: int = 512
    weights: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """The profile as plain JSON types."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def save(self, folder: Path) -> None:
        """Write it into a model folder."""
        text = json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n"
        (folder / PROFILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> RerankerProfile:
        """Read that of a model folder, ignoring keys of later versions.

        Raises:
            EncoderError: If the file is missing or malformed.
        """
        file = folder / PROFILE
        try:
            data = parse_json(read_text(file, _MOST_BYTES))
        except (OSError, ValueError) as e:
            raise EncoderError(f"cannot read the reranker's profile {file}: {e}") from None
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise EncoderError(f"{file} is no reranker's profile: it must be an object with a name")
        given = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        for key, value in given.items():
            if not _fits(key, value):
                raise EncoderError(f"{file} is not a profile: {key!r} cannot be {value!r:.40}")
        return cls(**given)


def kind_of_architecture(architecture: str) -> str | None:
    """`encoder` or `decoder` by the class that a model's configuration names; else None."""
    if architecture.endswith("ForSequenceClassification"):
        return "encoder"
    return "decoder" if architecture.endswith("ForCausalLM") else None


def _fits(key: str, value: object) -> bool:
    """Whether a field may have a value; a profile may come from anyone."""
    if key == "max_tokens":
        return type(value) is int and 1 <= value <= _MOST_TOKENS
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        return False
    if key == "kind":
        return value in KINDS
    return key != "template" or (is_template(value) and value.count("{") <= _MOST_FIELDS)
