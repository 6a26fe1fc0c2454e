"""Profiles of encoder families, found by a model's name.

Prompts are those of each model's card; token limits those of the SkillRet paper's baselines
(arXiv:2605.05726, appendix), never above what the model was built for.
"""

from __future__ import annotations

import re
from dataclasses import replace

from skillret.encoders.profile import Profile

__all__ = ["FAMILIES", "SKILL_INSTRUCTION", "find_profile"]

SKILL_INSTRUCTION = (
    "Instruct: Given a skill search query, retrieve relevant skills that match the query\nQuery: "
)
_BGE_PROMPT = "Represent this sentence for searching relevant passages: "

# First match wins, so the special cases of a family stand before the family.
FAMILIES: tuple[tuple[str, Profile], ...] = (
    (
        r"skillret-embedding",
        Profile(
            "SkillRet-Embedding",
            query_prompt=SKILL_INSTRUCTION,
            max_query_tokens=8192,
            max_document_tokens=8192,
            pooling="lasttoken",
            dense_weight=0.8,
            source="model card of ThakiCloud/SkillRet-Embedding-0.6B",
        ),
    ),
    (
        r"qwen3-embedding",
        Profile(
            "Qwen3-Embedding",
            query_prompt=SKILL_INSTRUCTION,
            max_query_tokens=8192,
            max_document_tokens=8192,
            pooling="lasttoken",
            source="arXiv:2506.05176; instruction of arXiv:2605.05726",
        ),
    ),
    (
        r"bge-m3",
        Profile(
            "bge-m3",
            max_query_tokens=8192,
            max_document_tokens=8192,
            pooling="cls",
            source="model card of BAAI/bge-m3: no prompt",
        ),
    ),
    (
        r"bge-(small|base|large)-en",
        Profile(
            "bge-en",
            query_prompt=_BGE_PROMPT,
            pooling="cls",
            language="en",
            source="model card of BAAI/bge-small-en-v1.5",
        ),
    ),
    (
        r"e5-.*-?instruct|e5-mistral",
        Profile(
            "e5-instruct",
            query_prompt=SKILL_INSTRUCTION,
            source="model card of intfloat/multilingual-e5-large-instruct",
        ),
    ),
    (
        r"(^|[/_-])e5-(small|base|large)|multilingual-e5",
        Profile(
            "e5",
            query_prompt="query: ",
            document_prompt="passage: ",
            source="model card of intfloat/e5-small-v2",
        ),
    ),
    (
        r"arctic-embed-[ml]-v2",
        Profile(
            "arctic-embed-v2",
            query_prompt="query: ",
            max_query_tokens=8192,
            max_document_tokens=8192,
            pooling="cls",
            source="model card of Snowflake/snowflake-arctic-embed-m-v2.0",
        ),
    ),
    (
        r"arctic-embed",
        Profile(
            "arctic-embed",
            query_prompt=_BGE_PROMPT,
            pooling="cls",
            source="model card of Snowflake/snowflake-arctic-embed-s",
        ),
    ),
    (
        r"minilm",
        Profile(
            "MiniLM",
            max_query_tokens=128,
            max_document_tokens=256,
            dense_weight=0.25,
            source="model card of sentence-transformers/all-MiniLM-L6-v2: no prompt",
        ),
    ),
)


def find_profile(model: str) -> Profile | None:
    """The profile of a model's family, carrying the model's own name; None if it is unknown.

    Args:
        model: A hub id or a folder; only its last two parts are looked at, so that a folder
            above a model cannot decide its family.
    """
    tail = "/".join(re.split(r"[\\/]+", model.rstrip("/\\"))[-2:])
    for pattern, profile in FAMILIES:
        if re.search(pattern, tail, re.IGNORECASE):
            return replace(profile, name=model)
    return None
