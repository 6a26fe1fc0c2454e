"""From an event to what a hook prints, by whatever process has the skills at hand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from skillret.agents.decision import Decision, Eagerness, Turn
from skillret.agents.events import Event, read_event
from skillret.agents.hosts import HOSTS, Host, printed
from skillret.agents.log import failed, record, session_hash
from skillret.errors import SkillretError
from skillret.settings import Settings, load_settings
from skillret.skills.agents import find_agent

if TYPE_CHECKING:
    from skillret.retrieval import Retriever

__all__ = ["Answer", "Answers", "reply"]

Answer: TypeAlias = Callable[[Turn, Eagerness], Decision]

_MOST_KEPT = 4  # libraries; each has its own copy of the model, of some 60 MB
_PATIENCE = 1.0  # seconds for someone else to open a library
_AT_START = (
    "Agent skills for this project can be found by what they do: {program} search"
    ' "WHAT IS WANTED" prints their names, descriptions and paths.'
)


def reply(
    data: bytes,
    agent: str,
    cwd: Path,
    answer: Answer,
    mode: Eagerness = "normal",
    program: str = "",
) -> bytes:
    """What a hook prints for an event; nothing, and a line in the log, if anything is wrong.

    Args:
        data: The event.
        agent: An agent's name, as `find_agent` takes it.
        cwd: Where the hook runs.
        answer: Decides on a prompt.
        mode: How sure a skill must be to be named.
        program: How skillret is called, for agents that are told of it when a session begins.
    """
    name = agent[:60]
    try:
        name = find_agent(agent).name
        event = read_event(data, name, cwd)
        host = HOSTS.get(name)
        if host is None:
            failed(name, "no hook of this agent hands over context")
            return b""
        return _reply(event, host, answer, mode, program)
    except (SkillretError, ValueError, OSError) as e:
        failed(name, str(e))
    except Exception as e:  # whatever it is, the agent goes on
        failed(name, f"{type(e).__name__}: {e}")
    return b""


def _reply(event: Event, host: Host, answer: Answer, mode: Eagerness, program: str) -> bytes:
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
        decision = answer(turn, mode)
        _record(decision, turn, session)
        if decision.named:
            from skillret.agents.context import context_of

            return printed(host, event, context_of(decision, host.limit))
    elif event.kind == "start" and host.start and program:
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


class _Kept:
    """A library that is open, or about to be."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.retriever: Retriever | None = None


class Answers:
    """Decides on prompts of any agent in any folder; keeps the libraries asked for last open.

    Safe to share between threads. What has changed on disk, in settings or skills, counts at once.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Path], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, turn: Turn, mode: Eagerness) -> Decision:
        """The decision on a prompt.

        Raises:
            SkillretError: If the skills cannot be read, or another thread is still about it.
        """
        from skillret.agents.route import route
        from skillret.agents.session import SessionMemory

        kept = self._find(turn.agent, turn.cwd)
        if not kept.lock.acquire(timeout=_PATIENCE):
            raise SkillretError("the skills are being read for the first time")
        try:
            retriever = self._retriever(kept, turn.agent, turn.cwd)
        finally:
            kept.lock.release()
        return route(turn, retriever, SessionMemory(), mode)

    def open(self, agent: str, cwd: Path) -> None:
        """Open the library of an agent in a folder before it is asked for.

        Raises:
            SkillretError: If the skills cannot be read.
        """
        kept = self._find(agent, cwd)
        with kept.lock:
            self._retriever(kept, agent, cwd)

    def _find(self, agent: str, cwd: Path) -> _Kept:
        settings = load_settings(cwd)
        with self._lock:
            kept = self._kept.get((agent, cwd))
            if kept is None or kept.settings != settings:
                kept = self._kept[agent, cwd] = _Kept(settings)
            self._kept.move_to_end((agent, cwd))
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)  # closed with its last user
        return kept

    def _retriever(self, kept: _Kept, agent: str, cwd: Path) -> Retriever:
        if kept.retriever is None:
            from skillret.retrieval import Retriever

            kept.retriever = Retriever.open(agent=agent, cwd=cwd, settings=kept.settings)
        else:
            kept.retriever.refresh()
        return kept.retriever
