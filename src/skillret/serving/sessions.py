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

    def read(self, key: tuple[str, str, str]) -> set[str]:
        """Ids of the skills that a session was told of."""
        with self._lock:
            return set(self._told.get(key, ()))

    def add(self, key: tuple[str, str, str], skills: Iterable[str]) -> None:
        """Remember that a session was told of skills."""
        with self._lock:
            told = self._told.setdefault(key, {})
            self._told.move_to_end(key)
            told.update(dict.fromkeys(skills))
            while len(told) > _MOST_SKILLS:
                del told[next(iter(told))]
            while len(self._told) > _MOST_SESSIONS:
                self._told.popitem(last=False)


class Told:
    """A `skillret.agents.session.Memory` of one library's sessions."""

    def __init__(self, sessions: Sessions, library: str) -> None:
        self._sessions, self._library = sessions, library

    def told(self, agent: str, session: str, skills: Iterable[str]) -> set[str]:
        """Those of some skills, by id, that a session was told of."""
        return self._sessions.read((self._library, agent, session)).intersection(skills)

    def tell(self, agent: str, session: str, skills: Iterable[str]) -> None:
        """Remember that a session was told of some skills."""
        self._sessions.add((self._library, agent, session), skills)
