"""Where skills lie: the usual places, and the SKILL.md files below a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from skillret.errors import InputError
from skillret.types import Diagnostic

__all__ = [
    "MAX_DEPTH",
    "MAX_FOLDERS",
    "SKILL_FILE",
    "Root",
    "SkillFile",
    "default_roots",
    "diagnostic",
    "walk",
]

MAX_DEPTH = 6  # folders below a root
MAX_FOLDERS = 400_000  # looked into, per root

SKILL_FILE = "SKILL.md"  # without one, the same name in other letters
_POLICY = os.path.join("agents", "openai.yaml")  # noqa: PTH118 (of Codex; beside a SKILL.md)
_SKIPPED = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv"})
# The specification's own folders of a skill: a SKILL.md in there is an example, not a skill.
_RESOURCES = frozenset({"scripts", "references", "assets", "evals"})
_USUAL_PLACES = (Path(".agents") / "skills", Path(".claude") / "skills")


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is searched for skills.

    Attributes:
        path: Absolute, links resolved.
        scope: `project`, `user`, `settings` or `given`; skills of an earlier root shadow those of a
            later one.
    """

    path: Path
    scope: str = "given"


@dataclass(frozen=True, slots=True)
class SkillFile:
    """A SKILL.md on disk, not yet read; `stamp` changes whenever it or its policy does."""

    path: str
    root: int
    stamp: str
    policy: str | None = None


def default_roots(cwd: Path | None = None, home: Path | None = None) -> list[Root]:
    """The usual places that exist: of the project, nearest folder first, then of the home.

    The project reaches from `cwd` up to the folder that holds `.git`; without one it is `cwd`.

    Raises:
        InputError: If the current folder no longer exists, or there is no home directory.
    """
    try:
        here = (cwd or Path.cwd()).resolve()
        user = (home or Path.home()).resolve()
    except (OSError, RuntimeError) as e:
        raise InputError(
            f"cannot look in the usual places ({e}); name a folder with --library DIR"
        ) from None
    project = _up_to_repository(here)
    places = [(f / p, "project") for f in project if f != user for p in _USUAL_PLACES]
    places += [(user / p, "user") for p in _USUAL_PLACES]
    roots: dict[Path, Root] = {}
    for place, scope in places:
        if _is_there(place) and place.is_dir():
            resolved = place.resolve()
            roots.setdefault(resolved, Root(resolved, scope))
    return list(roots.values())


def _is_there(path: Path) -> bool:
    """Whether a file or folder can be seen; behind a closed door it counts as absent."""
    try:
        return path.exists()
    except OSError:
        return False


def _up_to_repository(here: Path) -> list[Path]:
    """`here` and the folders above it up to the one with `.git`; `here` alone without one."""
    for count, folder in enumerate((here, *here.parents)):
        if _is_there(folder / ".git"):
            return [here, *here.parents[:count]]
    return [here]


def diagnostic(level: str, path: Path | str, message: str) -> Diagnostic:
    """A remark on a file or folder, `level` being `warning` or `error`."""
    return Diagnostic("error" if level == "error" else "warning", str(path), message)


def walk(root: Path, number: int, notes: list[Diagnostic]) -> Iterator[SkillFile]:
    """The SKILL.md files below `root`, breadth first and in order of name.

    Linked folders are not entered: what they lead to inside the root is found in its own place,
    so no loop is possible. Plain strings and no needless calls to the system: every search of a
    library comes through here.
    """
    level = [str(root)]
    looked_into = 0
    for depth in range(MAX_DEPTH + 1):
        below: list[str] = []
        for folder in level:
            looked_into += 1
            if looked_into > MAX_FOLDERS:
                notes.append(diagnostic("error", root, f"more than {MAX_FOLDERS} folders; stopped"))
                return
            try:
                with os.scandir(folder) as entries:
                    found, children = _look_into(root, number, entries, notes)
            except OSError as e:
                if depth == 0:
                    raise InputError(f"cannot read the folder {root}: {e.strerror}") from None
                notes.append(diagnostic("error", folder, f"cannot be read: {e.strerror}"))
                continue
            if found is not None:
                yield found
                children = [c for c in children if c.rpartition(os.sep)[2] not in _RESOURCES]
            below.extend(children)
        if depth == MAX_DEPTH and below:
            message = f"holds folders deeper than {MAX_DEPTH} below {root}; not searched"
            notes.append(diagnostic("warning", below[0].rpartition(os.sep)[0], message))
        level = below


def _look_into(
    root: Path,
    number: int,
    entries: Iterable[os.DirEntry[str]],
    notes: list[Diagnostic],
) -> tuple[SkillFile | None, list[str]]:
    """The SKILL.md of one folder, if it has one, and the folders below it, in order of name."""
    found: SkillFile | None = None
    children: list[str] = []
    for entry in entries:
        named = entry.name.lower() == SKILL_FILE.lower()
        is_skill = named and not _is_folder(entry)
        if not is_skill and (entry.name in _SKIPPED or not _is_folder(entry)):
            continue
        linked = entry.is_symlink()
        if linked and not _stays_inside(entry.path, root):
            message = (
                "a link that leaves its root, or leads nowhere, is not followed; name its target as"
                " a --library"
            )
            notes.append(diagnostic("warning", entry.path, message))
        elif not is_skill:
            if not linked:
                children.append(entry.path)
        elif not entry.is_file():
            notes.append(diagnostic("error", entry.path, "is no regular file"))
        elif found is None or _precedence(entry.path) < _precedence(found.path):
            found = SkillFile(entry.path, number, _stamp(entry.stat()))
    if found is not None and any(child.endswith(f"{os.sep}agents") for child in children):
        found = _with_policy(found)
    return found, sorted(children)


def _precedence(path: str) -> tuple[bool, str]:
    name = path.rpartition(os.sep)[2]
    return name != SKILL_FILE, name


def _stamp(s: os.stat_result) -> str:
    return f"{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}:{s.st_ino}"


def _with_policy(found: SkillFile) -> SkillFile:
    """A skill with what stands beside it for Codex, if that is a file."""
    policy = os.path.join(found.path.rpartition(os.sep)[0], _POLICY)  # noqa: PTH118
    try:
        s = os.lstat(policy)
    except OSError:
        return found
    if not stat.S_ISREG(s.st_mode):
        return found
    return replace(found, stamp=f"{found.stamp} {_stamp(s)}", policy=policy)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link loop
        return False


def _stays_inside(path: str, root: Path) -> bool:
    try:
        return Path(path).resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # dangling, or a loop
        return False
