"""Where skills were installed from, as `npx skills` and openskills have noted it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skillret.agents.doctor.finding import Examined, Finding
from skillret.agents.doctor.records import read_object
from skillret.files import project_folders
from skillret.types import Skill

__all__ = ["check"]

_SHOWN = 200  # characters of a record


def check(examined: Examined) -> Iterator[Finding]:
    """One remark for each skill that a record names, one warning for each that has gone."""
    by_name: dict[str, list[Skill]] = {}
    for skill in examined.skills:
        if skill.path is not None:
            by_name.setdefault(Path(skill.path).parent.name, []).append(skill)
            record = read_object(Path(skill.path).parent / ".openskills.json")
            if record is not None:
                yield _from(skill, "openskills", record)
    for lock, base in _locks(examined):
        entries = (read_object(lock) or {}).get("skills")
        for name, entry in (entries if isinstance(entries, dict) else {}).items():
            if not isinstance(entry, dict):
                continue
            own = [s for s in by_name.get(name, ()) if _below(s, base)]
            for skill in own:
                yield _from(skill, "npx skills", entry)
            if not own and (examined.library.agent is None or by_name.get(name)):
                yield from _gone(name, lock, base)


def _gone(name: str, lock: Path, base: Path) -> Iterator[Finding]:
    if any(sign in name for sign in ("/", "\\", "\0")) or name in ("", ".", ".."):
        return
    places = [base / place / "skills" / name for place in (".agents", ".claude")]
    if not any(os.path.lexists(place) for place in places):
        message = f"{lock} names the skill {name[:_SHOWN]!r}, which is no longer there"
        remedy = f"run `npx skills remove {name[:60]}`, or install it again"
        yield Finding("provenance-gone", "warning", name[:_SHOWN], str(lock), None, message, remedy)


def _locks(examined: Examined) -> Iterator[tuple[Path, Path]]:
    """Lock files, and the folder that holds the skills of each."""
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    if state:
        yield Path(state) / "skills" / ".skill-lock.json", examined.home
    yield examined.home / ".agents" / ".skill-lock.json", examined.home
    for folder in project_folders(examined.cwd):
        if folder != examined.home:
            yield folder / "skills-lock.json", folder


def _below(skill: Skill, base: Path) -> bool:
    paths = filter(None, (skill.path, *skill.aliases))
    return any(path.startswith(f"{base}{os.sep}") for path in paths)


def _from(skill: Skill, by: str, record: dict[str, Any]) -> Finding:
    def said(*keys: str) -> str:
        values = (record.get(key) for key in keys)
        return next((v[:_SHOWN] for v in values if isinstance(v, str) and v), "")

    source = said("source", "sourceUrl", "repoUrl", "localPath") or "an unnamed source"
    ref, when = said("ref"), said("updatedAt", "installedAt")[:10]
    message = f"from {source}{' at ' * bool(ref)}{ref} by {by}{', ' * bool(when)}{when}"
    remedy = "nothing; whoever owns the source can change what an update brings"
    return Finding("provenance", "remark", skill.name, skill.path, None, message, remedy)
