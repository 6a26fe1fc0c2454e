"""The SKILL.md files below some folders, each once, with every path that leads to it."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from skillret.errors import InputError
from skillret.files import project_folders
from skillret.skills.agents import AGENTS
from skillret.skills.plugins import active_version
from skillret.types import Diagnostic

__all__ = [
    "MAX_DEPTH",
    "MAX_FOLDERS",
    "SKILL_FILE",
    "Root",
    "SkillFile",
    "Walk",
    "diagnostic",
    "link_bases",
    "may_lead",
]

MAX_DEPTH = 6  # folders below a root
MAX_FOLDERS = 400_000  # looked into, per root
MAX_LINKED = 20_000  # of those that links lead to: a repository may link to all of a home
MAX_ALIASES = 100  # kept of one skill

SKILL_FILE = "SKILL.md"  # without one, the same name in other letters
_LOWER_CASE = SKILL_FILE.lower()  # what the specification's own reader takes then
# What editors, browsers and people make of that name.
_MEANT = re.compile(
    r"skill(?: ?\(\d+\))?(?:\.(?:md|mdx|mdown|markdown|txt|text|rst))*", re.IGNORECASE
)
# Of Codex, beside a SKILL.md. It reads the first; who names it so means the same.
_AGENTS = "agents"
_POLICIES = tuple(os.path.join(_AGENTS, f"openai.{end}") for end in ("yaml", "yml"))  # noqa: PTH118
_SKIPPED = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv"})
# The specification's own folders of a skill: a SKILL.md in there is an example, not a skill.
_RESOURCES = frozenset({"scripts", "references", "assets", "evals"})
# Hidden folders of a project that hold skills, and where in them.
_OF_AGENTS: dict[str, set[str]] = {}
for _agent in AGENTS:
    for _scope, _place in _agent.places:
        if _scope == "project" and _place[0] == ".":
            _hidden, _, _below = _place.partition("/")
            _OF_AGENTS.setdefault(_hidden, set()).add(_below)
_ON_WINDOWS = os.name == "nt"
_VERSIONS = re.compile(r"[/\\]plugins[/\\]cache[/\\][^/\\]+[/\\][^/\\]+$")
# Read-only, and nothing private lies there: what Nix and Guix link a home's files to.
_PACKAGES = ("/nix/store", "/gnu/store")
_SYSTEM = tuple(
    "/bin /boot /dev /etc /lib /lib32 /lib64 /private /proc /root /run /sbin /sys /usr /var"
    " /Library /System C:\\Windows".split()
)


class Root(NamedTuple):
    """A folder that is searched for skills.

    Attributes:
        path: Absolute, links resolved.
        scope: `project`, `user`, `given` and others (`skillret.skills.places.Place`); skills of an
            earlier root shadow those of a later one.
    """

    path: Path
    scope: str = "given"

    @property
    def namespace(self) -> str:
        """What stands before a colon in the names of its skills; mostly nothing."""
        return self.scope.partition(":")[2]


class SkillFile(NamedTuple):
    """A SKILL.md on disk, not yet read; `stamp` changes whenever it or its policy does."""

    path: str
    root: int
    stamp: str
    policy: str | None = None


def diagnostic(level: str, path: Path | str, message: str) -> Diagnostic:
    """A remark on a file or folder, `level` being `warning` or `error`."""
    return Diagnostic("error" if level == "error" else "warning", str(path), message)


def link_bases(root: Path, home: Path | None, project: Path | None) -> tuple[str, ...]:
    """The folders that a link below `root` may lead to: its user's own, and those of packages."""
    found = [str(root), *_PACKAGES]
    repository = project_folders(root)[-1]
    for folder, least in ((home, 2), (project, 3), (repository, 3)):
        # Not all of a disk, nor what the system keeps directly below it.
        if folder is not None and len(folder.parts) >= least:
            found.append(str(folder))
    return tuple(found)


def may_lead(real: str, bases: Iterable[str], scope: str) -> bool:
    """Whether a link of a place may lead to a real path.

    Into its bases it may; what its user has put into the home directory also to other disks.
    """
    if any(real == base or real.startswith(base + os.sep) for base in bases):
        return True
    return scope == "user" and not may_lead(real, _SYSTEM, "")


class Walk:
    """One look at the folders of a library.

    Plain strings and no needless calls to the system: every search of a library comes through here.
    A linked folder is entered after all others, so a skill inside a root is found in its own place,
    and once for each target, so no loop is possible.

    Args:
        roots: Searched in this order. One inside another is searched on its own.

    Attributes:
        notes: What was odd.
        hidden: Hidden folders that were passed over.
        aliases: By the path of a skill, further ones that lead to the same file.
    """

    def __init__(self, roots: Sequence[Root]) -> None:
        self.roots = tuple(roots)
        self.notes: list[Diagnostic] = []
        self.hidden: list[str] = []
        self.aliases: dict[str, list[str]] = {}
        self._kept: dict[str, str] = {}  # by a file's or its folder's real path, the one shown
        self._starts = {str(root.path) for root in roots}
        self._links: deque[tuple[str, str, int]] = deque()
        self._bases: tuple[str, ...] | None = None
        self._number = 0
        self._looked_into = 0
        self._most = MAX_FOLDERS

    def files(self) -> Iterator[SkillFile]:
        """The SKILL.md files, root by root, breadth first and in order of name.

        Raises:
            InputError: If a root cannot be read.
        """
        for number, root in enumerate(self.roots):
            self._number, self._looked_into, self._bases = number, 0, None
            start = str(root.path)
            entered = {start}
            self._most = MAX_FOLDERS
            yield from self._below(start, start, 0)
            self._looked_into, self._most = 0, MAX_LINKED
            while self._links:
                link, real, depth = self._links.popleft()
                known = self._kept.get(real)
                if known is not None:
                    self._lead(os.path.join(link, os.path.basename(known)), known)  # noqa: PTH118, PTH119
                elif real not in entered:
                    entered.add(real)
                    yield from self._below(link, real, depth)

    def _below(self, start: str, real: str, depth: int) -> Iterator[SkillFile]:
        """What lies below a folder that is shown as `start` and is `real`."""
        root = self.roots[self._number].path
        level = [start]
        for below_root in range(depth, MAX_DEPTH + 1):
            below: list[str] = []
            for folder in level:
                self._looked_into += 1
                if self._looked_into > self._most:
                    if self._looked_into == self._most + 1:
                        self._note("error", start, f"more than {self._most} folders; stopped")
                    return
                really = folder if start == real else real + folder[len(start) :]
                try:
                    with os.scandir(folder) as entries:
                        found, children, policed = self._look_into(entries, really, below_root)
                except OSError as e:
                    if folder == str(root):
                        raise InputError(f"cannot read the folder {root}: {e.strerror}") from None
                    self._note("error", folder, f"cannot be read: {e.strerror}")
                    continue
                if found is not None:
                    new = self._take(found, really)
                    if new is not None:
                        policed = policed or found.is_symlink()
                        yield self._with_policy(new, found, really) if policed else new
                    children = [c for c in children if c.rpartition(os.sep)[2] not in _RESOURCES]
                elif len(children) > 1 and "plugins" in folder and _VERSIONS.search(folder):
                    children = self._one_version(folder, children)
                below.extend(children)
            if below_root == MAX_DEPTH and below:
                message = f"holds folders deeper than {MAX_DEPTH} below {root}; not searched"
                self._note("warning", below[0].rpartition(os.sep)[0], message)
            level = below

    def _look_into(
        self, entries: Iterable[os.DirEntry[str]], really: str, depth: int
    ) -> tuple[os.DirEntry[str] | None, list[str], bool]:
        """The SKILL.md of one folder, if it has one, and the folders below it, in order of name.

        And whether one of them may hold what Codex reads beside a skill.
        """
        found: os.DirEntry[str] | None = None
        policed, misnamed = False, ""
        children: list[str] = []
        links: list[tuple[str, str, int]] = []
        for entry in entries:
            name = entry.name
            if name in _SKIPPED:
                continue
            policed = policed or name == _AGENTS
            if not _is_folder(entry):
                if name.lower() == _LOWER_CASE:
                    if self._is_skill(entry, really) and _before(entry, found):
                        found = entry
                elif _MEANT.fullmatch(name):
                    misnamed = entry.path
                elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                    self._target(entry.path, really)
            elif name[0] == ".":
                children += self._hidden_places(entry, really, depth)
            elif _is_link(entry):
                target = self._target(entry.path, really)
                if target is not None:
                    links.append((entry.path, target, depth + 1))
            elif entry.path not in self._starts:
                children.append(entry.path)
        if misnamed and found is None:
            self._note("warning", misnamed, f"is not read; rename it to {SKILL_FILE}")
        if links and depth < MAX_DEPTH:
            self._links.extend(sorted(links))
        if len(children) > 1:
            children.sort()
        return found, children, policed

    def _is_skill(self, entry: os.DirEntry[str], really: str) -> bool:
        if entry.is_symlink():
            target = self._target(entry.path, really)
            if target is None:
                return False
            if not target.lower().endswith(".md"):
                self._note("warning", entry.path, f"a link to {target}, no .md file, is not read")
                return False
        if not entry.is_file():
            self._note("error", entry.path, "is no regular file")
            return False
        return True

    def _take(self, entry: os.DirEntry[str], really: str) -> SkillFile | None:
        """A skill that is seen for the first time; otherwise its path is one more of the known."""
        real = f"{really}{os.sep}{entry.name}"
        if entry.is_symlink():
            real = os.path.realpath(real)
        known = self._kept.get(real)
        if known is not None:
            self._lead(entry.path, known)
            return None
        try:
            s = entry.stat()
        except OSError as e:  # gone meanwhile
            self._note("error", entry.path, f"cannot be read: {e.strerror}")
            return None
        self._kept[real] = entry.path
        self._kept.setdefault(really, entry.path)
        return SkillFile(entry.path, self._number, _stamp(s))

    def _with_policy(self, skill: SkillFile, entry: os.DirEntry[str], really: str) -> SkillFile:
        """A skill with what stands beside it for Codex: beside its path, or what that leads to.

        Dotfile managers link single files, or folders: such a link counts as that of a SKILL.md.
        """
        beside = [(entry.path.rpartition(os.sep)[0], really)]
        if entry.is_symlink():
            target = os.path.realpath(entry.path).rpartition(os.sep)[0]
            beside.append((target, target))
        for folder, real in beside:
            for name in _POLICIES:
                policy = f"{folder}{os.sep}{name}"
                try:
                    s = os.stat(policy)  # noqa: PTH116
                except OSError:  # mostly there is none
                    continue
                if stat.S_ISREG(s.st_mode) and self._in_reach(policy, f"{real}{os.sep}{name}"):
                    return skill._replace(stamp=f"{skill.stamp} {_stamp(s)}", policy=policy)
        return skill

    def _in_reach(self, path: str, expected: str) -> bool:
        """Whether a path is no link, or one that may be followed."""
        real = os.path.realpath(path)
        return real == expected or self._target(path, expected.rpartition(os.sep)[0]) is not None

    def _lead(self, path: str, known: str) -> None:
        """Keep one more path that leads to a known skill."""
        others = self.aliases.setdefault(known, [])
        if path != known and path not in others and len(others) < MAX_ALIASES:
            others.append(path)

    def _target(self, path: str, really: str) -> str | None:
        """Where a link leads; None, and a remark, if it is not followed."""
        try:
            real = os.path.realpath(path, strict=True)
        except OSError:
            self._note("warning", path, "a link that leads nowhere is not followed; remove it")
            return None
        if self._bases is None:
            self._bases = _bases(self.roots[self._number].path)
        if not may_lead(real, self._bases, self.roots[self._number].scope):
            message = (
                f"a link to {real}, outside of its root, the project and the home directory, is not"
                " followed; name its target as a --library"
            )
        elif f"{really}{os.sep}".startswith(f"{real}{os.sep}"):
            message = "a link to a folder that holds it is not followed"
        else:
            return real
        self._note("warning", path, message)
        return None

    def _hidden_places(self, entry: os.DirEntry[str], really: str, depth: int) -> list[str]:
        """Hidden folders are passed over, but for the places of agents in a given folder."""
        inside = _OF_AGENTS.get(entry.name)
        if (
            inside is None
            or self.roots[self._number].scope not in ("given", "settings")
            or _is_link(entry)
        ):
            self.hidden.append(entry.path)
            return []
        children = []
        for below in sorted(inside):
            place = os.path.join(entry.path, below)  # noqa: PTH118
            if place in self._starts or not os.path.isdir(place):  # noqa: PTH112
                continue
            if not os.path.islink(place):  # noqa: PTH114
                children.append(place)
                continue
            target = self._target(place, os.path.join(really, entry.name))  # noqa: PTH118
            if target is not None:
                self._links.append((place, target, depth + 1))
        return children

    def _one_version(self, folder: str, children: list[str]) -> list[str]:
        """Of several versions in a plugin's folder the one that counts."""
        names = [os.path.basename(child) for child in children]  # noqa: PTH119
        active = active_version(Path(folder), names)
        for child, name in zip(children, names, strict=True):
            if name != active:
                message = f"another version of this plugin counts: {active}"
                self._note("warning", child, message)
        return [c for c, name in zip(children, names, strict=True) if name == active]

    def _note(self, level: str, path: Path | str, message: str) -> None:
        self.notes.append(diagnostic(level, path, message))


def _before(entry: os.DirEntry[str], found: os.DirEntry[str] | None) -> bool:
    """Whether a spelling of SKILL.md counts before another one in the same folder."""
    if found is None:
        return True
    rank = (SKILL_FILE, _LOWER_CASE)
    order = [(rank.index(n) if n in rank else len(rank), n) for n in (entry.name, found.name)]
    return order[0] < order[1]


def _stamp(s: os.stat_result) -> str:
    return f"{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}:{s.st_ino}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link loop
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link, or what Windows has in its place (Python 3.12 can tell)."""
    return entry.is_symlink() or (_ON_WINDOWS and getattr(entry, "is_junction", bool)())


def _bases(root: Path) -> tuple[str, ...]:
    try:
        home: Path | None = Path.home().resolve()
    except (OSError, RuntimeError):
        home = None
    try:
        project: Path | None = project_folders(Path.cwd().resolve())[-1]
    except (OSError, RuntimeError):
        project = None
    return link_bases(root, home, project)
