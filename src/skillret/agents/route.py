"""Which skills to name at a prompt: few and sure ones, none of them twice in a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from skillret.agents.context import inert
from skillret.agents.decision import Decision, Eagerness, Named, Turn
from skillret.agents.followups import last_prompts
from skillret.agents.prompts import is_follow_up, passed_over
from skillret.agents.session import SessionMemory
from skillret.errors import InputError
from skillret.index.index import Index
from skillret.index.sources import Sources
from skillret.lexical.analyzer import read_words
from skillret.retrieval import Retriever
from skillret.retrieval.query import valid_query
from skillret.skills.agents import find_agent
from skillret.skills.names import invocations
from skillret.skills.walk import Root
from skillret.types import Hit, Selection

__all__ = ["LEVELS", "MOST_NAMED", "Level", "route", "sure_hits"]

MOST_NAMED = 3
_NEAR = 10  # hits that are looked at: a namesake, or what only the user may start
_BEFORE = 2  # earlier prompts that a follow-up is read with
_LONGEST_BEFORE = 1000  # characters of each
_LONGEST_NAME = 100  # characters of a name that is handed over
_WORDS = 4  # of the prompt, in a reason


class Level(NamedTuple):
    """How sure a skill must be to be named.

    Attributes:
        need: Probability that the prompt needs any skill, at least.
        score: Probability of the skill itself, at least.
        share: Of the best skill's, at least.
    """

    need: float
    score: float
    share: float


LEVELS: dict[Eagerness, Level] = {
    "quiet": Level(0.9, 0.4, 0.5),
    "normal": Level(0.7, 0.2, 0.4),
    "eager": Level(0.0, 0.0, 0.2),
}


def route(
    turn: Turn,
    retriever: Retriever,
    memory: SessionMemory | None = None,
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
    if retriever.calibration is None and not retriever.policy.threshold:
        return Decision(
            silent="nothing says whether a skill is needed: this encoder has no ranker"
            " (`skillret calibrate` fits one)"
        )
    level = LEVELS[eagerness]
    query = valid_query(turn.prompt)
    hits, need = _sure(retriever, query, level)
    followed = False
    if not hits and is_follow_up(query):
        before = _before(turn.transcript, query)
        if before:
            query, followed = "\n".join([*before, query]), True
            hits, need = _sure(retriever, query, level)
    if not hits:
        return Decision(silent="no skill is sure enough", need=need, query=query)
    invocable = _invocable(retriever.index, agent)
    named = [_named(hit, how, query, followed) for hit in hits if (how := invocable(hit))]
    if not named:
        silent = "the agent cannot invoke what fits"
        return Decision(silent=silent, need=need, query=query)
    if memory is not None and turn.session:
        told = memory.told(agent, turn.session, [n.id for n in named])
        named = [n for n in named if n.id not in told]
        memory.tell(agent, turn.session, [n.id for n in named])
    silent = "" if named else "the session was told already"
    return Decision(tuple(named), silent, need, query)
