"""Which skills to name at a prompt: few and sure ones, none of them twice in a session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skillret.agents.context import inert
from skillret.agents.decision import Decision, Named, Turn
from skillret.agents.followups import last_prompts
from skillret.agents.prompts import is_follow_up, passed_over
from skillret.agents.session import Memory
from skillret.errors import InputError
from skillret.index.index import Index
from skillret.index.sources import Sources
from skillret.lexical.analyzer import read_words
from skillret.retrieval import Retriever
from skillret.retrieval.naming import LEVELS, Level, sure
from skillret.retrieval.query import valid_query
from skillret.settings import Eagerness
from skillret.skills.agents import find_agent
from skillret.skills.names import invocations
from skillret.skills.walk import Root
from skillret.types import Hit

__all__ = ["route"]

_NEAR = 10  # hits that are looked at: a namesake, or what only the user may start
_BEFORE = 3  # earlier prompts that a follow-up is read with
_LONGEST_BEFORE = 1000  # characters of each
_LONGEST_NAME = 100  # characters of a name that is handed over
_WORDS = 4  # of the prompt, in a reason


def route(
    turn: Turn,
    retriever: Retriever,
    memory: Memory | None = None,
    eagerness: Eagerness = "normal",
) -> Decision:
    """Which skills to name at a prompt, or why none.

    Args:
        turn: The prompt, and where it was typed.
        retriever: On the skills of the agent (`Retriever.open(agent=...)`), in hybrid mode. On
            others, skills are called by their names.
        memory: What sessions were told, and will have been; nothing is remembered without one, nor
            of a turn without a session.
        eagerness: `quiet`, `normal` or `eager`.

    Raises:
        InputError: If the agent or the eagerness is unknown, or the retriever is not hybrid.
        StoreError: If the index cannot be read.
    """
    agent = find_agent(turn.agent).name
    if eagerness not in LEVELS:
        raise InputError(f"unknown eagerness {eagerness!r}: choose {', '.join(LEVELS)}")
    silent = passed_over(turn.prompt)
    if silent:
        return Decision(silent=silent)
    if retriever.calibration is None:
        return Decision(
            silent="nothing says whether a skill is needed: this encoder has no ranker"
            " (`skillret calibrate` fits one)"
        )
    level = LEVELS[eagerness]
    query = valid_query(turn.prompt)
    found, followed = _search(retriever, query, level), False
    if not found.sure and is_follow_up(query):
        before = _before(turn.transcript, query)
        if before:
            query, followed = "\n".join([*before, query]), True
            found = _search(retriever, query, level)
            # The next best of what was asked before is nothing that the follow-up asks for.
            found = found._replace(sure=found.sure[:1])
    if not found.sure:
        return Decision(silent="no skill is sure enough", need=found.need, query=query)
    named = _named(found, agent, retriever.index, query, followed=followed)
    if not named:
        silent = "the agent cannot invoke what fits"
        return Decision(silent=silent, need=found.need, query=query)
    if memory is not None and turn.session:
        new = memory.tell(agent, turn.session, [n.id for n in named])
        named = [n for n in named if n.id in new]
    silent = "" if named else "the session was told already"
    return Decision(tuple(named), silent, found.need, query)


class _Found(NamedTuple):
    sure: list[Hit]
    near: list[Hit]
    need: float | None


def _search(retriever: Retriever, query: str, level: Level) -> _Found:
    """What is near, and which of it is sure.

    A selection is for agents and leaves out what only the user may start: here it may be named.
    """
    near, selection = retriever.look_up(query, _NEAR, limit=_NEAR)
    need = selection.need or 0.0
    hits = list(selection) if need >= level.need else []
    # `need` is that of an agent. What is left to the user must be likely by itself.
    least = max(level.score, level.need / 2)
    hits += [hit for hit in selection.for_user if hit.score >= least]
    hits.sort(key=lambda hit: -hit.score)
    places = sure([hit.score for hit in hits], 1.0, level)[: retriever.policy.limit]
    return _Found([hits[place] for place in places], near, selection.need)


def _before(transcript: Path | None, query: str) -> list[str]:
    """The prompts before one that is perhaps in the transcript already, each cut."""
    if transcript is None:
        return []
    prompts = [valid_query(p) for p in last_prompts(transcript, _BEFORE + 1)]
    if prompts[-1:] == [query]:
        prompts.pop()
    return [prompt[:_LONGEST_BEFORE] for prompt in prompts[-_BEFORE:]]


def _named(found: _Found, agent: str, index: Index, query: str, *, followed: bool) -> list[Named]:
    """The sure skills that the agent can invoke, each by its name.

    One that another skill hides gives way to that one, which is near too if it is alike.
    """
    sources = Sources.from_info(index.info())
    roots = sources.folders
    own = agent if sources.agent == agent else None
    named: dict[str, Named] = {}
    for hit in found.sure:
        for other in (hit, *(h for h in found.near if h.name == hit.name and h.id != hit.id)):
            called = _called(other, own, index, roots)
            if called is None:
                continue
            invocation, remark = called
            reason = "; ".join(filter(None, (_reason(query, other, followed=followed), remark)))
            named.setdefault(
                other.id,
                Named(
                    other.id,
                    other.name,
                    invocation,
                    other.description,
                    other.path,
                    hit.score,
                    reason,
                    other.user_only,
                ),
            )
            break
    return list(named.values())


def _called(
    hit: Hit, agent: str | None, index: Index, roots: Sequence[Root]
) -> tuple[str, str] | None:
    """By what name an agent invokes a hit, and what is to be said of that; None if it cannot."""
    skill = index.get(hit.id)
    if skill is None or skill.shadowed_by is not None:
        return None
    name, remark = skill.name, ""
    if agent is not None:
        (how,) = invocations(agent, [skill], roots)
        if how.refused is not None:
            return None
        if how.name is None:  # a folder that the settings add
            if hit.user_only:
                return None
            remark = "not among the agent's own skills, its file can be read"
        name = how.name or name
    # What cannot be handed over as it is would be called by another name.
    return (name, remark) if len(name) <= _LONGEST_NAME and inert(name) == name else None


def _reason(query: str, hit: Hit, *, followed: bool) -> str:
    """The words of a query that the name or the description of a skill holds, the longest."""
    held = {term for word in read_words(f"{hit.name} {hit.description}") for term in word.terms}
    words: dict[tuple[str, ...], str] = {}
    for word in read_words(query):
        if not held.isdisjoint(word.terms):
            words.setdefault(tuple(word.terms), query[word.start : word.end].lower())
    longest = sorted(words.values(), key=len, reverse=True)[:_WORDS]
    shared = ", ".join(word for word in words.values() if word in longest)
    after = "with the prompts before, " if followed else ""
    if not longest:
        return f"{after}close in meaning"
    return f"{after}shares the word{'s' * (len(longest) > 1)} {shared}"
