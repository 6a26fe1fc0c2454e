"""What sessions were told, in the memory of a server."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

__all__ = ["Sessions", "Told"]

_MOST_SESSIONS = 10_000
_MOST_SKILLS = 300  # of a session


class Sessions:
    """The sessions heard of last, of all libraries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str, str], dict[str, None]] = OrderedDict()

    def of(self, library: str) -> Told:
        """The memory of a library's sessions."""
        return Told(self, library)

    def add(self, key: tuple[str, str, str], skills: Iterable[str]) -> set[str]:
        """Remember that a session is told of skills; which are new to it."""
        with self._lock:
            told = self._told.setdefault(key, {})
            self._told.move_to_end(key)
            new = dict.fromkeys(skill for skill in skills if skill not in told)
            told.update(new)
            while len(told) > _MOST_SKILLS:
                del told[next(iter(told))]
            while len(self._told) > _MOST_SESSIONS:
                self._told.popitem(last=False)
        return set(new)


class Told:
    """A `skillret.agents.session.Memory` of one library's sessions."""

    def __init__(self, sessions: Sessions, library: str) -> None:
        self._sessions, self._library = sessions, library

    def tell(self, agent: str, session: str, skills: Iterable[str]) -> set[str]:
        """Remember that a session is told of some skills; which are new to it."""
        return self._sessions.add((self._library, agent, session), skills)
