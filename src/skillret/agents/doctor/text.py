"""Texts of skills that look like an attack: in their SKILL.md and the pages beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from skillret.agents.doctor.attacks import RULES, Attack, find_attacks
from skillret.agents.doctor.finding import Examined, Finding
from skillret.files import read_start
from skillret.messages import counted
from skillret.types import Skill

__all__ = ["check"]

_MOST = 4 * 1024 * 1024  # bytes of a file
_PAGES = 100  # beside a SKILL.md
_LEVELS = ("error", "warning", "remark")
_REMEDY = "read that line before any agent does; remove the skill unless you trust its author"


def check(examined: Examined) -> Iterator[Finding]:
    """The worst place of each rule in each file."""
    seen: set[str] = set()
    for skill in examined.skills:
        for path, text in _texts(skill, seen):
            yield from _of_text(skill, path, text)


def _of_text(skill: Skill, path: str | None, text: str) -> Iterator[Finding]:
    places: dict[str, list[Attack]] = {}
    for attack in find_attacks(text):
        places.setdefault(attack.rule, []).append(attack)
    for rule, found in places.items():
        worst = min(found, key=lambda attack: (_LEVELS.index(attack.level), attack.line))
        more = f" (and {counted(len(found) - 1, 'more place')})" if len(found) > 1 else ""
        likely = "perhaps in good faith, " if worst.level == "remark" else ""
        message = f"{likely}{RULES[rule]}: {worst.excerpt}{more}"
        yield Finding(rule, worst.level, skill.name, path, worst.line, message, _REMEDY)


def _texts(skill: Skill, seen: set[str]) -> Iterator[tuple[str | None, str]]:
    """A skill's files, or what is known of it where it has none; each file once."""
    if skill.path is None or not os.path.isabs(skill.path):  # noqa: PTH117 (a row's URL)
        yield skill.path, f"{skill.description}\n{skill.body}"
        return
    for path in (skill.path, *_pages(skill.path.rpartition(os.sep)[0])):
        if path in seen:
            continue
        seen.add(path)
        try:
            yield path, read_start(path, _MOST).decode("utf-8", "replace")
        except OSError:
            continue


def _pages(folder: str) -> Iterator[str]:
    """Markdown beside a SKILL.md, which it may send its reader to; links are not followed."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and f != "node_modules")
        if place != folder and "SKILL.md" in files:
            folders[:] = []  # another skill
            continue
        for name in sorted(files):
            path = Path(place, name)
            if name.lower().endswith((".md", ".txt")) and not path.is_symlink():
                count += 1
                if count > _PAGES:
                    return
                yield str(path)
