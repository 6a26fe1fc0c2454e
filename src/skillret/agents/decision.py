"""A decision: which skills to name at a prompt, or why none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Decision", "Named", "Turn"]


class Turn(NamedTuple):
    """One prompt of a session with an agent.

    Attributes:
        prompt: What was typed.
        agent: The agent's name in `skillret.skills.agents`.
        cwd: Where it works: decides which project's skills count.
        session: The agent's name for the session, if it has one.
        transcript: The file that it keeps of the session, if it says so.
    """

    prompt: str
    agent: str
    cwd: Path
    session: str | None = None
    transcript: Path | None = None


class Named(NamedTuple):
    """A skill that is named.

    Attributes:
        id: The skill's id.
        name: Its name.
        invocation: By what name this agent invokes it.
        description: Its description.
        path: Of its SKILL.md, if it has one.
        score: How likely it is needed.
        reason: What of the prompt it fits, in a few words.
        user_only: Whether only the user may start it.
    """

    id: str
    name: str
    invocation: str
    description: str
    path: str | None
    score: float
    reason: str
    user_only: bool = False


class Decision(NamedTuple):
    """What to name at a prompt.

    Attributes:
        named: The skills, best first; often none.
        silent: Why none is named, in one line; empty if one is.
        need: Probability that the prompt needs a skill, if that was asked.
        query: What was searched for: the prompt, or what it follows up.
    """

    named: tuple[Named, ...] = ()
    silent: str = ""
    need: float | None = None
    query: str = ""
