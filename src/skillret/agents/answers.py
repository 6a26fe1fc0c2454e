"""Decides on prompts of any agent in any folder, and keeps the libraries asked for last open."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime  # not Python's own before 3.11
from pathlib import Path
from typing import TYPE_CHECKING

from skillret.agents.decision import Decision, Turn
from skillret.agents.prompts import passed_over
from skillret.errors import SkillretError
from skillret.settings import Eagerness, Settings, load_settings

if TYPE_CHECKING:
    from skillret.retrieval import Retriever

__all__ = ["PATIENCE", "Answers", "NotYetError"]

PATIENCE = 1.5  # seconds that a prompt waits; its hook gives up after 2
_MOST_KEPT = 4  # libraries; each has its own copy of the model, of some 60 MB


class NotYetError(SkillretError):
    """The skills are being read or encoded; a later prompt will have them."""


class Answers:
    """Decides on prompts.

    Safe to share between threads. What has changed on disk, in settings or skills, counts at once,
    as far as it can be read and encoded in time; the rest counts for a later prompt.

    Args:
        patience: Seconds that a prompt waits for its library, which goes on being opened; forever
            if None.
        most_new: How many skills may have to be encoded at a prompt; any number if None.
        end: After this time, by `time.monotonic()`, nobody waits for a decision any more: what it
            names is then not taken for told.
    """

    def __init__(
        self,
        patience: float | None = None,
        most_new: int | None = None,
        end: float | None = None,
    ) -> None:
        self._patience, self._most_new, self._end = patience, most_new, end
        self._kept: OrderedDict[tuple[str, Path], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, turn: Turn, mode: Eagerness | None = None) -> Decision:
        """The decision on a prompt.

        Args:
            turn: The prompt.
            mode: How sure a skill must be to be named; as the settings say if None.

        Raises:
            NotYetError: If the library is not open in time, or the decision is not made in time.
            SkillretError: If the skills cannot be read.
        """
        silent = passed_over(turn.prompt)
        if silent:  # whatever the skills are
            return Decision(silent=silent)
        kept = self._find(turn.agent, turn.cwd)
        retriever = kept.current(self._patience)
        from skillret.agents.route import route

        return route(turn, retriever, _InTime(self._end), mode or kept.settings.mode)

    def open(self, agent: str, cwd: Path) -> None:
        """Open the library of an agent in a folder before it is asked for.

        Raises:
            SkillretError: If the skills cannot be read.
        """
        self._find(agent, cwd).current(None)

    def _find(self, agent: str, cwd: Path) -> _Kept:
        settings = load_settings(cwd)
        with self._lock:
            kept = self._kept.get((agent, cwd))
            if kept is None or kept.settings != settings:
                kept = self._kept[agent, cwd] = _Kept(agent, cwd, settings, self._most_new)
            self._kept.move_to_end((agent, cwd))
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)  # closed with its last user
        return kept


class _InTime:
    """The memory of sessions, for what somebody still waits for."""

    def __init__(self, end: float | None) -> None:
        self._end = end

    def tell(self, agent: str, session: str, skills: Iterable[str]) -> set[str]:
        """See `Memory`.

        Raises:
            NotYetError: If nobody waits any more.
        """
        if self._end is not None and time.monotonic() > self._end:
            raise NotYetError("what fits was found too late to be named")
        from skillret.agents.session import SessionMemory

        return SessionMemory().tell(agent, session, skills)


class _Kept:
    """A library that is open, or about to be."""

    def __init__(self, agent: str, cwd: Path, settings: Settings, most_new: int | None) -> None:
        self.settings = settings
        self._agent, self._cwd, self._most_new = agent, cwd, most_new
        self._lock = threading.Lock()
        self._work: Future[Retriever] | None = None
        self._opened: Retriever | None = None

    def current(self, patience: float | None) -> Retriever:
        """The library as it is on disk, or as it was if that takes longer than `patience`.

        Raises:
            NotYetError: If it is not open in time.
            SkillretError: If it cannot be opened.
        """
        with self._lock:
            if self._work is None or self._work.done():
                self._work = Future()
                work = threading.Thread(target=self._do, args=(self._work,), daemon=True)
                work.start()
            future = self._work
        try:
            return future.result(patience)
        except NotInTime:
            if self._opened is None:
                raise NotYetError("the skills are being read for the first time") from None
            return self._opened

    def _do(self, future: Future[Retriever]) -> None:
        """Open it, or bring it up to date; whoever waits is told if that fails."""
        try:
            if self._opened is None:
                from skillret.retrieval import Retriever

                self._opened = Retriever.open(
                    agent=self._agent,
                    cwd=self._cwd,
                    settings=self.settings,
                    progress=self._check,
                )
            else:
                self._opened.refresh()
            future.set_result(self._opened)
        except BaseException as e:
            future.set_exception(e)

    def _check(self, _: int, total: int) -> None:
        """Stop encoding what would take too long here; what was encoded is kept."""
        if self._most_new is not None and total > self._most_new:
            raise NotYetError(f"{total:,} skills are new, and are read in the background")
