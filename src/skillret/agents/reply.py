"""From an event to what a hook prints, by whatever process has the skills at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from skillret.agents.decision import Decision, Turn
from skillret.agents.events import Event, read_event
from skillret.agents.hosts import HOSTS, LEAST, Host, printed
from skillret.agents.log import failed, record, session_hash, why
from skillret.settings import Eagerness, load_settings
from skillret.skills.agents import find_agent

__all__ = ["Answer", "context_for", "reply"]

Answer: TypeAlias = Callable[[Turn, Eagerness | None], Decision]
_T = TypeVar("_T")

_AT_START = (
    "Agent skills for this project can be found by what they do: {program} search"
    ' "WHAT IS WANTED" prints their names, descriptions and paths.'
)


def reply(
    data: bytes,
    agent: str,
    cwd: Path,
    answer: Answer,
    mode: Eagerness | None = None,
    program: str = "",
) -> bytes:
    """What a hook prints for an event; nothing, and a line in the log, if anything is wrong.

    Args:
        data: The event.
        agent: An agent's name, as `find_agent` takes it.
        cwd: Where the hook runs.
        answer: Decides on a prompt.
        mode: How sure a skill must be to be named; as the settings say if None.
        program: How skillret is called, for agents that are told of it when a session begins.
    """

    def answered(name: str) -> bytes:
        event = read_event(data, name, cwd)
        host = HOSTS.get(name)
        if host is None:
            failed(name, "no hook of this agent hands over context")
            return b""
        if event.fault:
            failed(name, event.fault)
            return b""
        return _reply(event, host, answer, mode, program)

    return _guarded(agent, answered) or b""


def context_for(data: bytes, agent: str, cwd: Path, answer: Answer) -> str:
    """What an agent is told that asks otherwise than by a hook: as by one, but for its form.

    Args:
        data: An event of a prompt.
        agent: As in `reply`, as all that follows.
        cwd: See there.
        answer: See there.
    """

    def answered(name: str) -> str:
        limit = HOSTS[name].limit if name in HOSTS else LEAST
        return _told(read_event(data, name, cwd).turn, answer, limit)

    return _guarded(agent, answered) or ""


def _guarded(agent: str, answered: Callable[[str], _T]) -> _T | None:
    """An answer by the agent's own name; None, and a line in the log, if anything is wrong."""
    name = agent[:60]
    try:
        name = find_agent(agent).name
        return answered(name)
    except Exception as e:  # whatever it is, the agent goes on
        failed(name, why(e))
    return None


def _told(turn: Turn, answer: Answer, limit: int, mode: Eagerness | None = None) -> str:
    """What an agent is told at a prompt, perhaps nothing; the decision is logged.

    Args:
        turn: The prompt.
        answer: Decides on it.
        limit: UTF-8 bytes at most.
        mode: How sure a skill must be to be named; as the settings say if None.

    Raises:
        SkillretError: If the skills cannot be read.
    """
    decision = answer(turn, mode)
    _record(decision, turn, session_hash(turn.agent, turn.session))
    if not decision.named:
        return ""
    from skillret.agents.context import context_of

    return context_of(decision, limit, find_agent(turn.agent).sign)


def _reply(event: Event, host: Host, answer: Answer, mode: Eagerness | None, program: str) -> bytes:
    turn = event.turn
    session = session_hash(turn.agent, turn.session)
    if event.emptied and turn.session is not None:
        from skillret.agents.session import SessionMemory

        SessionMemory().forget(turn.agent, turn.session)
        record("forgotten", turn.agent, {"session": session})
    if event.kind == "loaded":
        record("loaded", turn.agent, {"session": session, "skill": event.skill})
    asked = event.kind == "prompt" and host.prompt
    if turn.prompt.strip() and (asked or (event.kind == "start" and host.start)):
        return printed(host, event, _told(turn, answer, host.limit, mode))
    if event.kind == "start" and host.start and program:
        return printed(host, event, _AT_START.format(program=program))
    return b""


def _record(decision: Decision, turn: Turn, session: str | None) -> None:
    shown = ("id", "name", "invocation", "path", "reason")
    entry = {
        "session": session,
        "cwd": str(turn.cwd),
        "named": [
            {key: getattr(named, key) for key in shown} | {"score": round(float(named.score), 4)}
            for named in decision.named
        ],
        "silent": decision.silent,
        "need": decision.need,
    }
    if load_settings(turn.cwd).log_queries:
        entry["query"] = decision.query or turn.prompt
    record("decision", turn.agent, entry)
