"""The texts of a skill that are searched word by word, read once for all that is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from skillret.lexical.spelling import spell
from skillret.skills import document_text
from skillret.skills.exclusions import read_purpose
from skillret.skills.hidden import strip_hidden
from skillret.skills.sections import without_exclusions
from skillret.types import Skill

__all__ = ["SkillTexts", "lexical_text", "metadata_pair", "metadata_terms", "read_texts"]

# Characters of a body. Longer ones break the specification's advice (5,000 tokens), and a body that
# holds thousands of foreign queries would be found by each of them (benchmarks/hostile.py).
_MOST = 20_000


class SkillTexts(NamedTuple):
    """What is searched of a skill; of BM25 and grams neither reads a skill again.

    Attributes:
        text: Name, what it is for, and instructions, as `spell` writes them.
        name: As `spell` writes it.
        description: What the skill is for, as `spell` writes it.
        excluded: What it is not for, as `spell` writes it; mostly empty.
        stops: Name and description as they are written, with their stop words.
        metadata: What a filter can ask for, as `metadata_pair` writes it.
    """

    text: str
    name: str
    description: str
    excluded: str
    stops: str
    metadata: tuple[str, ...]


def lexical_text(skill: Skill) -> str:
    """The text of a skill that is searched word by word, as it is written."""
    instructions = without_exclusions(strip_hidden(skill.body))[:_MOST]
    return f"{document_text(skill, '{name} {purpose}')} {instructions}"


def read_texts(skill: Skill) -> SkillTexts:
    """Read what is searched of a skill."""
    purpose = read_purpose(skill.description, skill.name)
    return SkillTexts(
        text=spell(lexical_text(skill)),
        name=spell(skill.name),
        description=spell(purpose.wanted),
        excluded=spell(purpose.excluded),
        stops=f"{skill.name} {strip_hidden(skill.description)}",
        metadata=metadata_terms(skill.metadata),
    )


def metadata_terms(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """Every value of every key."""
    return tuple(
        metadata_pair(key, one)
        for key, value in metadata.items()
        for one in (value if isinstance(value, (list, tuple)) else [value])
    )


def metadata_pair(key: str, value: object) -> str:
    """A key of a skill's metadata and one of its values, as one term."""
    # No name of a key can hold what stands between.
    return f"{key}\0{json.dumps(value) if isinstance(value, bool) else value}"
