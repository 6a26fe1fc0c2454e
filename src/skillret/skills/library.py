"""A library: the skills found under some roots, with what was odd about them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skillret.errors import InputError
from skillret.files import expand
from skillret.types import Diagnostic, Skill

__all__ = ["MAX_DEPTH", "MAX_FOLDERS", "MAX_SKILLS", "Library", "Root", "default_roots"]

MAX_DEPTH = 6  # folders below a root
MAX_FOLDERS = 400_000  # looked into, per root
MAX_SKILLS = 200_000  # per library

_SKILL_FILE = "SKILL.md"
_LOWER_CASE = "skill.md"  # what the specification's own reader takes where there is no SKILL.md
_SKIPPED = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv"})
# The specification's own folders of a skill: a SKILL.md in there is an example, not a skill.
_RESOURCES = frozenset({"scripts", "references", "assets", "evals"})
_USUAL_PLACES = (Path(".agents") / "skills", Path(".claude") / "skills")


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is searched for skills.

    Attributes:
        path: Absolute, links resolved.
        scope: `project`, `user` or `given`; skills of an earlier root shadow those of a later one.
    """

    path: Path
    scope: str = "given"


@dataclass(frozen=True, slots=True)
class _Found:
    """A SKILL.md on disk, not yet read; `stamp` changes whenever the file does."""

    path: str
    root: int
    stamp: str


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


class Library:
    """The skills under some roots. Finding them is quick; they are read when first asked for.

    Args:
        roots: Searched in this order, which is also the order of precedence.

    Raises:
        InputError: If a root is missing, is no folder or cannot be read.
    """

    def __init__(self, roots: Sequence[Root]) -> None:
        self.roots = tuple(roots)
        self._walk_notes: list[Diagnostic] = []
        self._found = list(self._find())
        self._read: tuple[list[Skill], list[Diagnostic]] | None = None

    @classmethod
    def open(cls, *folders: str | os.PathLike[str]) -> Library:
        """The library under the given folders; without any, under the usual places.

        Raises:
            InputError: If a folder is missing, is no folder or cannot be read.
        """
        if not folders:
            return cls(default_roots())
        roots: dict[Path, Root] = {}
        for folder in folders:
            if not os.fspath(folder):
                raise InputError("the name of a folder is empty")
            try:
                path = expand(folder)
                resolved = path.resolve(strict=True)
            except FileNotFoundError:
                raise InputError(f"no such folder: {folder}") from None
            except (OSError, RuntimeError, ValueError) as e:
                raise InputError(f"cannot open {folder}: {e}") from None
            if not resolved.is_dir():
                raise InputError(f"not a folder: {path} (give the folder that holds the skills)")
            roots.setdefault(resolved, Root(resolved))
        return cls(list(roots.values()))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over path, size and times of every SKILL.md: equal means nothing changed."""
        digest = hashlib.sha256()
        for root in self.roots:
            digest.update(f"{root.path}\0{root.scope}\n".encode("utf-8", "surrogateescape"))
        for found in self._found:
            line = f"{found.root}\0{found.path}\0{found.stamp}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    @property
    def skills(self) -> list[Skill]:
        """The skills in order of precedence; copies collapsed, shadowed ones marked."""
        return self._load()[0]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What was odd: skipped files, broken rules, collapsed copies, shadowed names."""
        return self._load()[1]

    def __len__(self) -> int:
        return len(self.skills)

    def __iter__(self) -> Iterator[Skill]:
        return iter(self.skills)

    def _load(self) -> tuple[list[Skill], list[Diagnostic]]:
        if self._read is None:
            notes = list(self._walk_notes)
            skills = _shadow(_collapse(_read_all(self._found, notes), notes), notes)
            self._read = (skills, notes)
        return self._read

    def _find(self) -> Iterator[_Found]:
        count = 0
        seen: set[str] = set()  # a root may lie inside another
        for number, root in enumerate(self.roots):
            for found in _walk(root.path, number, self._walk_notes):
                if found.path in seen:
                    continue
                seen.add(found.path)
                count += 1
                if count > MAX_SKILLS:
                    self._note("error", root.path, f"more than {MAX_SKILLS} skills; rest skipped")
                    return
                yield found

    def _note(self, level: str, path: Path, message: str) -> None:
        self._walk_notes.append(_diagnostic(level, path, message))


def _diagnostic(level: str, path: Path | str, message: str) -> Diagnostic:
    return Diagnostic("error" if level == "error" else "warning", str(path), message)


def _walk(root: Path, number: int, notes: list[Diagnostic]) -> Iterator[_Found]:
    """SKILL.md files below `root`, breadth first and in order of name.

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
                notes.append(
                    _diagnostic("error", root, f"more than {MAX_FOLDERS} folders; stopped")
                )
                return
            try:
                with os.scandir(folder) as entries:
                    found, children = _look_into(root, number, entries, notes)
            except OSError as e:
                if depth == 0:
                    raise InputError(f"cannot read the folder {root}: {e.strerror}") from None
                notes.append(_diagnostic("error", folder, f"cannot be read: {e.strerror}"))
                continue
            if found is not None:
                yield found
                children = [c for c in children if c.rpartition(os.sep)[2] not in _RESOURCES]
            below.extend(children)
        if depth == MAX_DEPTH and below:
            message = f"holds folders deeper than {MAX_DEPTH} below {root}; not searched"
            notes.append(_diagnostic("warning", below[0].rpartition(os.sep)[0], message))
        level = below


def _look_into(
    root: Path,
    number: int,
    entries: Iterable[os.DirEntry[str]],
    notes: list[Diagnostic],
) -> tuple[_Found | None, list[str]]:
    """The SKILL.md of one folder, if it has one, and the folders below it, in order of name."""
    found: _Found | None = None
    children: list[str] = []
    for entry in entries:
        named = entry.name in (_SKILL_FILE, _LOWER_CASE)
        is_skill = named and not _is_folder(entry)
        if not is_skill and (entry.name in _SKIPPED or not _is_folder(entry)):
            continue
        linked = entry.is_symlink()
        if linked and not _stays_inside(entry.path, root):
            message = (
                "a link that leaves its root, or leads nowhere, is not followed; name its target as"
                " a --library"
            )
            notes.append(_diagnostic("warning", entry.path, message))
        elif not is_skill:
            if not linked:
                children.append(entry.path)
        elif not entry.is_file():
            notes.append(_diagnostic("error", entry.path, "is no regular file"))
        elif found is None or entry.name == _SKILL_FILE:
            s = entry.stat()
            stamp = f"{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}:{s.st_ino}"
            found = _Found(entry.path, number, stamp)
    return found, sorted(children)


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


def _read_all(found: Sequence[_Found], notes: list[Diagnostic]) -> list[Skill]:
    # Here and not above: a search of an index that is up to date reads no YAML.
    from skillret.skills.frontmatter import MAX_FILE_BYTES, parse_skill

    skills = []
    for item in found:
        try:
            item.path.encode("utf-8")
            with open(item.path, "rb") as file:  # noqa: PTH123 (thousands of them)
                data = file.read(MAX_FILE_BYTES + 1)
        except UnicodeEncodeError:
            shown = os.fsencode(item.path).decode("utf-8", "replace")
            notes.append(_diagnostic("error", shown, "its path is not UTF-8; rename it"))
            continue
        except OSError as e:
            notes.append(_diagnostic("error", item.path, f"cannot be read: {e.strerror}"))
            continue
        parsed, remarks = parse_skill(data, Path(item.path).parent.name)
        if Path(item.path).name != _SKILL_FILE:
            remarks.insert(0, f"its name should be {_SKILL_FILE}: other clients may not find it")
        if parsed is None:  # the reason; what else is odd with it tells nobody anything
            notes.append(_diagnostic("error", item.path, remarks[-1]))
        else:
            notes += [_diagnostic("warning", item.path, remark) for remark in remarks]
            skills.append(
                Skill(
                    id=_skill_id(parsed.name, item.path),
                    name=parsed.name,
                    description=parsed.description,
                    body=parsed.body,
                    path=item.path,
                    metadata=_metadata(parsed.extra),
                    extra=parsed.extra,
                )
            )
    return skills


def _metadata(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter's `metadata`, as JSON has it: dates and the like as they are written."""
    given = extra.get("metadata")
    if not isinstance(given, Mapping):
        return {}
    named = {str(k): v for k, v in given.items()}
    try:
        plain: dict[str, Any] = json.loads(json.dumps(named, default=str, allow_nan=False))
    except (TypeError, ValueError, RecursionError):  # a number that is none, keys of any kind
        plain = {key: str(value) for key, value in named.items()}
    return plain


def _skill_id(name: str, path: str) -> str:
    """`name@hash of its path`: readable, and stable whatever other skills come and go."""
    return f"{name}@{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def _collapse(skills: Sequence[Skill], notes: list[Diagnostic]) -> list[Skill]:
    """Make one skill of copies: the same name, description and body.

    A body alone is not enough: stubs such as "See the README." are shared by unlike skills. Whoever
    changes the description of a copy wants it found by that, and by a name a skill is invoked.
    """
    kept: dict[str, Skill] = {}
    owner: dict[tuple[str, str, str], str] = {}
    for skill in skills:
        key = (skill.name, skill.description, " ".join(skill.body.split()))
        first = owner.setdefault(key, skill.id)
        if first == skill.id:
            kept[skill.id] = skill
            continue
        original = kept[first]
        kept[first] = replace(original, aliases=(*original.aliases, skill.path or skill.id))
        message = f"a copy of {original.path}; kept once"
        notes.append(_diagnostic("warning", skill.path or skill.id, message))
    return list(kept.values())


def _shadow(skills: Sequence[Skill], notes: list[Diagnostic]) -> list[Skill]:
    """Mark skills whose name an earlier root has too. They stay: a search can still find them."""
    first: dict[str, str] = {}
    marked = []
    for skill in skills:
        winner = first.setdefault(skill.name, skill.path or skill.id)
        if winner != (skill.path or skill.id):
            message = f"the name {skill.name!r} is shadowed by {winner}; both are kept"
            notes.append(_diagnostic("warning", skill.path or skill.id, message))
            skill = replace(skill, shadowed_by=winner)
        marked.append(skill)
    return marked
