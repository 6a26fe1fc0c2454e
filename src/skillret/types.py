"""The data that flows through skillret, each structure defined once. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = [
    "Diagnostic",
    "Explanation",
    "Hit",
    "Mode",
    "Progress",
    "Query",
    "Selection",
    "Skill",
    "UpdateReport",
    "Where",
]

Mode = Literal["hybrid", "dense", "lexical"]

# What a skill's metadata must hold: every key with the value, or with one of the values.
Where: TypeAlias = Mapping[str, Any]

# Called with how much is done, and how much there is.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill: a SKILL.md, or one row of a data set.

    Attributes:
        id: Unique within a library or data set.
        name: The front matter's `name`.
        description: What the skill does and when to use it.
        body: The Markdown below the front matter.
        path: Absolute path of the SKILL.md; for a row of a data set its source URL, if it has one.
        aliases: Paths of copies that were collapsed into this skill.
        shadowed_by: Path of a skill of the same name that an agent would load instead.
        metadata: What its author or owner says of it (`metadata` in the front matter), by which
            searches can be narrowed; plain JSON values.
        extra: Further columns or front-matter fields, as read; no index keeps them.
        user_only: Whether its author leaves it to the user to start it: no agent may by itself.
    """

    id: str
    name: str
    description: str
    body: str
    path: str | None = None
    aliases: tuple[str, ...] = ()
    shadowed_by: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    user_only: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A labelled query of a data set.

    Attributes:
        id: Unique within its split.
        text: The query as a user typed it.
        extra: Further columns (`kind`, `k`, ...), as read.
    """

    id: str
    text: str
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


class Explanation(NamedTuple):
    """What of a query carried one hit.

    Attributes:
        terms: Words of the query that the skill's text holds, with what each adds to the hit's
            BM25 score, largest first.
        sentences: Sentences of the query with their similarity to the skill (cosine, or
            BM25 score in lexical mode), largest first.
        excluded: How much of the query stands in what the skill's description says it is not for, 0
            to 1, which counted against it; None where that is not known.
        tokens: How well the query's tokens are met by those of the skill, each in its context: the
            mean of their largest cosines (late interaction); None where that did not count.
    """

    terms: tuple[tuple[str, float], ...]
    sentences: tuple[tuple[str, float], ...]
    excluded: float | None = None
    tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved skill.

    Attributes:
        rank: 1 for the best.
        id: The skill's id.
        name: The skill's name.
        description: The skill's description.
        path: Absolute path of its SKILL.md, if it has one.
        score: What hits are ordered by: where a ranker is at work, the probability that the skill
            is needed, else comparable within one query only. A skill that the query calls by name
            is put first, and has the score of that place.
        dense: Cosine of query and skill, where a dense search ran.
        lexical: BM25 score, where a lexical search ran (0 where no word is shared).
        explanation: Filled on query.
        metadata: The skill's metadata.
        user_only: Whether only the user may start it; see `Skill`.
    """

    rank: int
    id: str
    name: str
    description: str
    path: str | None
    score: float
    dense: float | None = None
    lexical: float | None = None
    explanation: Explanation | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    user_only: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The set of skills to hand to an agent; empty when no skill fits (abstention).

    Attributes:
        query: The query.
        hits: The skills, best first.
        need: Probability that the query needs a skill; below the threshold, or where no skill is
            likely, the set is empty. For a query that the encoder cannot read, how much of it the
            best skill holds; for an encoder without a ranker the largest cosine.
        missing: Parts of the query, or all of it, that surely ask for something which no skill
            here does, in their order. What nobody asks for is not missing.
        for_user: Skills that fit as well, but that only the user may start, best first; `need`
            does not count them.
    """

    query: str
    hits: tuple[Hit, ...]
    need: float | None = None
    missing: tuple[str, ...] = ()
    for_user: tuple[Hit, ...] = ()

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def abstained(self) -> bool:
        """Whether no skill was selected."""
        return not self.hits


class Diagnostic(NamedTuple):
    """Something a reader of skills noticed.

    Attributes:
        level: `warning` (the skill was loaded all the same) or `error` (it was skipped).
        path: The file or folder concerned.
        message: What is wrong and what to do.
    """

    level: Literal["warning", "error"]
    path: str
    message: str


class UpdateReport(NamedTuple):
    """What one build or update of an index did; counts of skills.

    `encoded` counts documents that went through the encoder: skills whose text was already
    known (moved, copied or re-described elsewhere) cost none.
    """

    total: int
    added: int
    changed: int
    removed: int
    unchanged: int
    encoded: int
    seconds: float

    @property
    def dirty(self) -> bool:
        """Whether anything was written."""
        return bool(self.added or self.changed or self.removed)
