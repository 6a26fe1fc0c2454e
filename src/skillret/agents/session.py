"""What a session was told already: nothing is said to it twice."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from skillret.errors import SkillretError
from skillret.files import parse_json, read_text, write_text

__all__ = ["Memory", "SessionMemory"]

_MOST_SESSIONS = 200
_MOST_SKILLS = 300  # of a session
_MOST_BYTES = 1 << 14
_DAYS = 30  # until a session that is not heard of any more is forgotten
_HASH = 16  # characters
_PATIENCE = 1.0  # seconds for another hook to write


class Memory(Protocol):
    """Knows which skills a session was told of."""

    def tell(self, agent: str, session: str, skills: Iterable[str]) -> set[str]:
        """Remember that a session is told of some skills, by id; which are new to it."""
        ...


class SessionMemory:
    """Which skills each session was told of, in files that only their user can read.

    Neither the names of sessions nor those of skills are in there, only hashes of them: a name may
    hold anything, and what someone works on is nobody's business. Whatever is wrong with the
    folder, nothing is raised: at worst a skill is named once more.

    Args:
        folder: Where the files lie; `sessions` in the user's cache if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        if self._folder is None:
            import platformdirs

            cache = platformdirs.user_cache_path("skillret", appauthor=False)
            self._folder = cache / "sessions"
        return self._folder

    def told(self, agent: str, session: str, skills: Iterable[str]) -> set[str]:
        """Those of some skills, by id, that a session of an agent was told of."""
        known = set(self._read(self._file(agent, session)))
        return {skill for skill in skills if _hash(skill) in known}

    def tell(self, agent: str, session: str, skills: Iterable[str]) -> set[str]:
        """Remember that a session is told of some skills.

        Returns:
            Those that it is told of for the first time. Of several hooks that ask at once, two
            copies of one say, one alone is given a skill.
        """
        new = list(skills)
        if not self._private():
            return set(new)
        file = self._file(agent, session)
        with suppress(SkillretError, OSError), self._locked():
            known = self._read(file)
            new = [skill for skill in new if _hash(skill) not in known]
            told = list(dict.fromkeys([*known, *map(_hash, new)]))
            if not file.exists():
                self._forget_old()
            write_text(file, json.dumps({"told": told[-_MOST_SKILLS:]}) + "\n")
        return set(new)

    def untell(self, agent: str, session: str, skills: Iterable[str]) -> None:
        """Forget that a session was told of some skills: nobody has heard it."""
        if not self._private(make=False):
            return
        file, gone = self._file(agent, session), set(map(_hash, skills))
        with suppress(SkillretError, OSError), self._locked():
            left = [skill for skill in self._read(file) if skill not in gone]
            write_text(file, json.dumps({"told": left}) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the files; after a second of waiting, no more than likely so."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder.with_suffix(".lock"), timeout=_PATIENCE, mode=0o600)
        held = False
        with suppress(Timeout):
            lock.acquire()
            held = True
        try:
            yield
        finally:
            if held:
                lock.release()

    def forget(self, agent: str, session: str) -> None:
        """Forget a session: its agent knows no more what it was told, after a compaction say."""
        if self._private(make=False):
            with suppress(OSError):
                self._file(agent, session).unlink(missing_ok=True)

    def _file(self, agent: str, session: str) -> Path:
        return self.folder / f"{_hash(chr(0).join((agent, session)), 2 * _HASH)}.json"

    def _read(self, file: Path) -> list[str]:
        """Hashes of skills; a file that is damaged, or no file, says nothing."""
        if not self._private(make=False):
            return []
        try:
            told = parse_json(read_text(file, _MOST_BYTES))["told"]
            return [skill for skill in told if isinstance(skill, str)]
        except (OSError, ValueError, LookupError, TypeError):
            return []

    def _private(self, *, make: bool = True) -> bool:
        """Whether the folder is there and nobody else can read or write in it."""
        folder = self.folder
        try:
            if make:
                folder.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode):  # nor a link to one
                return False
            if not hasattr(os, "getuid"):
                return True
            if found.st_uid != os.getuid():
                return False
            if stat.S_IMODE(found.st_mode) != 0o700:
                folder.chmod(0o700)
            return True
        except OSError:
            return False

    def _forget_old(self) -> None:
        """Make room for one more session."""
        files = []
        for file in self.folder.iterdir():
            with suppress(OSError):  # of another process, which is forgetting too
                files.append((file.lstat().st_mtime, file))
        files.sort(reverse=True)
        oldest = time.time() - _DAYS * 86400
        for place, (changed, file) in enumerate(files, start=1):
            if place >= _MOST_SESSIONS or changed < oldest:
                with suppress(OSError):
                    file.unlink()


def _hash(text: str, characters: int = _HASH) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:characters]
