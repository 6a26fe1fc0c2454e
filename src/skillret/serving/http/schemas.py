"""What is sent and answered, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skillret.serving.http.values import MOST_TEXTS, WhereFilter
from skillret.serving.libraries import DEFAULT
from skillret.settings import Eagerness
from skillret.types import Hit as FoundHit
from skillret.types import Mode
from skillret.types import Skill as StoredSkill

__all__ = [
    "MOST_HITS",
    "MOST_SKILLS",
    "BatchReply",
    "Error",
    "Hit",
    "Library",
    "LibraryList",
    "LibraryName",
    "NamedSkill",
    "NearHit",
    "NewSkill",
    "QueryHits",
    "Request",
    "RouteReply",
    "RouteRequest",
    "SearchReply",
    "SearchRequest",
    "SelectReply",
    "SelectRequest",
    "Skill",
    "SkillBatch",
    "SkillFields",
    "SkillPage",
    "SkillText",
    "StoredReply",
    "hit_fields",
    "hit_of",
    "skill_of",
]

MOST_HITS = 100
MOST_SKILLS = 1000

LibraryName: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="The library's name.")
]
Query: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        description="The request in the user's own words; read up to 100,000 characters.",
        examples=["turn this scanned PDF into a spreadsheet"],
    ),
]


class Error(BaseModel):
    """What went wrong, and what to do."""

    error: str = Field(description="One sentence.")
    error_type: str = Field(description="In snake_case, for programs.")
    details: list[dict[str, Any]] = Field(
        default=[], description="For each field at fault its place and what is wrong."
    )


class Request(BaseModel):
    """What is sent; unknown fields are refused, since a misspelt one would be lost in silence."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Explanation(BaseModel):
    """What of the query carried a hit."""

    terms: list[tuple[str, float]] = Field(description="Words of the query, and what each adds.")
    sentences: list[tuple[str, float]] = Field(description="Sentences, and how near each is.")
    excluded: float | None = Field(
        default=None, description="What an exclusion of the skill took away, if that is known."
    )
    tokens: float | None = Field(
        default=None, description="How well its tokens meet those of the query (late interaction)."
    )


class Hit(BaseModel):
    """A skill that was found."""

    rank: int
    id: str
    name: str
    description: str
    path: str | None
    score: float = Field(
        description="Probability that the query needs the skill, or, of a skill that it calls by"
        " name, that of its place; without a ranker comparable within one query only."
    )
    metadata: dict[str, Any]
    user_only: bool = Field(description="Whether only the user may start it.")
    explanation: Explanation | None = None


class NearHit(Hit):
    """A skill near the query, and whether it was selected."""

    selected: bool
    reason: str = Field(description="Why it was not selected; empty if it was.")


class SearchRequest(Request):
    """A search for one query, or for several."""

    query: Query | None = None
    queries: Annotated[list[Query], Field(min_length=1, max_length=MOST_TEXTS)] | None = None
    k: int = Field(default=5, ge=1, le=MOST_HITS, description="How many hits at most.")
    mode: Mode = "hybrid"
    where: WhereFilter | None = None
    explain: bool = False
    library: LibraryName = DEFAULT

    @model_validator(mode="after")
    def _one_of_both(self) -> SearchRequest:
        if (self.query is None) == (self.queries is None):
            raise ValueError('send either "query" or "queries"')
        return self


class Answered(BaseModel):
    """What every answer of a search says."""

    model: str
    library: str
    generation: str = Field(description="Another one as soon as the library has changed.")
    took_ms: float


class QueryHits(BaseModel):
    """The hits of one query."""

    query: str
    hits: list[Hit]


class SearchReply(Answered):
    """The hits of a query."""

    query: str
    mode: Mode
    hits: list[Hit]


class BatchReply(Answered):
    """The hits of several queries."""

    mode: Mode
    results: list[QueryHits]


class SelectRequest(Request):
    """A request for the skills to hand to an agent."""

    query: Query
    limit: int | None = Field(default=None, ge=1, le=MOST_HITS)
    where: WhereFilter | None = None
    explain: bool = False
    near: int = Field(default=0, ge=0, le=MOST_HITS, description="Hits to show besides.")
    library: LibraryName = DEFAULT


class SelectReply(Answered):
    """The skills for an agent, perhaps none."""

    query: str
    need: float | None = Field(
        description="Probability that the query needs a skill that an agent may start; the largest"
        " cosine without a ranker."
    )
    threshold: float = Field(description="Below which nothing is selected.")
    abstained: bool
    missing: list[str] = Field(description="Parts of the query that no skill here does.")
    hits: list[Hit]
    for_user: list[Hit] = Field(description="Skills that fit too, but only the user may start.")
    near: list[NearHit]


class RouteRequest(Request):
    """A prompt that a user typed to an agent."""

    prompt: str = Field(description="What was typed.")
    agent: str = Field(default="claude-code", max_length=60)
    session: str | None = Field(
        default=None, max_length=256, description="Nothing is named to a session twice."
    )
    mode: Eagerness = "normal"
    library: LibraryName = DEFAULT


class NamedSkill(BaseModel):
    """A skill that is named at a prompt."""

    id: str
    name: str
    invocation: str = Field(description="By what name the agent invokes it.")
    description: str
    path: str | None
    score: float
    reason: str
    user_only: bool


class RouteReply(BaseModel):
    """What to name at a prompt, often nothing."""

    named: list[NamedSkill]
    silent: str = Field(description="Why nothing is named; empty if something is.")
    need: float | None
    context: str = Field(description="The text to hand to the agent; empty if nothing is named.")


class Skill(BaseModel):
    """A skill."""

    id: str
    name: str
    description: str
    path: str | None
    metadata: dict[str, Any]
    user_only: bool


class SkillText(Skill):
    """A skill with its text."""

    body: str = Field(description="Markdown by the skill's author; data, not instructions.")
    html: str | None = Field(default=None, description="The body, safe to show (?format=html).")


class SkillPage(BaseModel):
    """Some skills of a library."""

    skills: list[Skill]
    next: str | None = Field(description="What to send as `after` for those behind.")
    total: int = Field(description="How many there are that match.")


class SkillFields(Request):
    """What a caller says of a skill."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1, max_length=10_000)
    body: str = ""
    metadata: dict[str, Any] = {}
    user_only: bool = False


class NewSkill(SkillFields):
    """One of several skills."""

    id: str = Field(min_length=1, max_length=1024)


class SkillBatch(Request):
    """Skills to store: all of them or none."""

    skills: list[NewSkill] = Field(min_length=1, max_length=MOST_SKILLS)
    library: LibraryName | None = None


class StoredReply(BaseModel):
    """What became of skills."""

    total: int = Field(description="Skills of the library now.")
    added: int
    changed: int
    unchanged: int


class Library(BaseModel):
    """A library."""

    name: str
    writable: bool
    skills: int
    generation: int = Field(description="How often it was changed.")
    model: str | None


class LibraryList(BaseModel):
    """The libraries that the caller's token is for."""

    libraries: list[str]


def hit_fields(hit: FoundHit) -> Mapping[str, Any]:
    """The fields of a `Hit`."""
    why = hit.explanation
    return {
        "rank": hit.rank,
        "id": hit.id,
        "name": hit.name,
        "description": hit.description,
        "path": hit.path,
        "score": hit.score,
        "metadata": dict(hit.metadata),
        "user_only": hit.user_only,
        "explanation": why
        and Explanation(
            terms=list(why.terms),
            sentences=list(why.sentences),
            excluded=why.excluded,
            tokens=why.tokens,
        ),
    }


def hit_of(hit: FoundHit) -> Hit:
    """A hit as it is sent."""
    return Hit(**hit_fields(hit))


def skill_of(skill: StoredSkill) -> Skill:
    """A skill as it is listed."""
    return Skill(
        id=skill.id,
        name=skill.name,
        description=skill.description,
        path=skill.path,
        metadata=dict(skill.metadata),
        user_only=skill.user_only,
    )
