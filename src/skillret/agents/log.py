"""What was named at which prompt and why, and which of it was loaded: a log on this machine alone.

Lines of JSON in a folder that only its user can read. Of a session there is a hash of its name, of
what was asked nothing, unless the user's settings say so (`log_queries`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from skillret.agents.private import private_folder

__all__ = ["LOG", "Logged", "failed", "logged", "read_log", "record", "session_hash", "why"]

LOG = "log.jsonl"
_MOST_BYTES = 1 << 20  # until the log becomes the old one, and the old one goes
_LONGEST = 300  # characters of a text
_LONGEST_QUERY = 4000

Logged = dict[str, Any]  # one line of the log; a decision also has what was `loaded` of it


def failed(agent: str, reason: str) -> None:
    """Note why a hook had nothing to say although something was asked; never raises."""
    record("failed", agent, {"why": reason})


def why(error: BaseException) -> str:
    """What an error says; of one that was not foreseen its kind as well."""
    from skillret.errors import SkillretError

    if isinstance(error, (SkillretError, ValueError, OSError)):
        return str(error)
    return f"{type(error).__name__}: {error}"


def record(kind: str, agent: str, entry: Mapping[str, Any]) -> None:
    """Add a line; never raises, nor does it follow a link.

    Args:
        kind: `decision`, `loaded`, `forgotten` or `failed`.
        agent: The agent's name.
        entry: What else there is to say; texts are cut.
    """
    import json
    import time

    folder = private_folder()
    if folder is None:
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": now, "kind": kind, "agent": agent, **entry}
    try:
        data = (json.dumps(_cut(line)) + "\n").encode()
        path = os.path.join(folder, LOG)  # noqa: PTH118
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        opened = os.open(path, flags, 0o600)
        try:
            os.write(opened, data)  # at once: several hooks may write
            full = os.fstat(opened).st_size > _MOST_BYTES
        finally:
            os.close(opened)
        # Another hook may have renamed it meanwhile.
        if full and os.stat(path).st_size > _MOST_BYTES:  # noqa: PTH116
            os.replace(path, f"{path}.1")  # noqa: PTH105
    except (OSError, ValueError, TypeError, RecursionError):
        return


def _cut(value: Any, key: str = "") -> Any:
    if isinstance(value, str):
        return value[: _LONGEST_QUERY if key == "query" else _LONGEST]
    if isinstance(value, Mapping):
        return {k: _cut(v, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(v) for v in value[:10]]
    return value


def session_hash(agent: str, session: str | None) -> str | None:
    """What stands for a session in the log."""
    if session is None:
        return None
    import hashlib

    return hashlib.sha256(f"{agent}\0{session}".encode("utf-8", "replace")).hexdigest()[:16]


def read_log() -> list[Logged]:
    """All lines, oldest first; one that is damaged is left out."""
    import json
    from pathlib import Path

    from skillret.files import read_text

    folder = private_folder(make=False)
    lines: list[str] = []
    for name in (f"{LOG}.1", LOG) if folder else ():
        try:
            lines += read_text(Path(folder or "") / name, 2 * _MOST_BYTES).splitlines()
        except (OSError, ValueError):
            continue
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and all(
            isinstance(entry.get(key), str) for key in ("time", "kind", "agent")
        ):
            entries.append(entry)
    return entries


def logged(entries: Sequence[Logged]) -> list[Logged]:
    """The decisions and failures, oldest first; decisions with the names of skills `loaded` then.

    A load belongs to the last decision of its session that named the skill; one that no decision
    named, to the last one.
    """
    found: list[Logged] = []
    sessions: dict[str, list[Logged]] = {}
    for entry in entries:
        session = entry.get("session")
        if entry["kind"] == "decision":
            named = entry.get("named")
            named = [n for n in named if isinstance(n, dict)] if isinstance(named, list) else []
            entry = {**entry, "named": named, "loaded": []}
            found.append(entry)
            if isinstance(session, str):
                sessions.setdefault(session, []).append(entry)
        elif entry["kind"] == "failed":
            found.append(entry)
        elif entry["kind"] == "loaded" and isinstance(session, str) and sessions.get(session):
            skill = str(entry.get("skill"))
            for decision in reversed(sessions[session]):
                name = _name_of(decision, skill)
                if name is not None:
                    decision["loaded"].append({"name": name, "named": True})
                    break
            else:
                last = sessions[session][-1]
                last["loaded"].append({"name": _plain(skill), "named": False})
    return found


def _name_of(decision: Logged, skill: str) -> str | None:
    """The name of the skill that a decision named, if that is what was loaded."""
    for named in decision["named"]:
        known = [named.get(key) for key in ("invocation", "name", "path", "id")]
        if skill in known or ("/" not in skill and _plain(skill) == named.get("name")):
            return str(named.get("name"))
    return None


def _plain(skill: str) -> str:
    """The name of a skill without its plugin; of one that was read as a file, its folder's."""
    parts = skill.replace("\\", "/").split("/")
    if len(parts) > 1:
        return parts[-2]
    return skill.rpartition(":")[2]
