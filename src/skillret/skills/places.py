"""The places where skills lie on this machine: of which agent, and in what order of precedence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from skillret.errors import InputError
from skillret.files import project_folders
from skillret.skills import plugins
from skillret.skills.agent_settings import claude_files, system_path
from skillret.skills.agents import AGENTS, Agent, find_agent
from skillret.skills.checkout import is_file, is_folder, main_checkout
from skillret.skills.named_places import NAMING, named_places
from skillret.skills.walk import SKILL_FILE, Root, link_bases, may_lead

__all__ = [
    "Place",
    "default_roots",
    "find_places",
    "nested_places",
    "other_folders",
    "roots_of",
]

# Where several agents' places are searched at once. With one agent its own order counts.
_SCOPES = (
    *("enterprise", "project", "user", "named"),
    *("plugin", "extension", "bundled", "synced", "admin"),
)
_FIRST = (".agents/skills", ".claude/skills")  # what most agents share
_NESTED = ".claude/skills"
_MOST_FOLDERS = 5_000  # of a project that are looked into for nested places
_PASSED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "target", "dist"})
_MOST_SEEN = 1000  # entries of a folder in which skills are looked for that no agent reads


class Place(NamedTuple):
    """A folder in which agents look for skills, whether it is there or not.

    Attributes:
        path: As the agent names it, links not resolved.
        scope: `project`, `user`, `enterprise`, `admin`, `bundled`, `extension`, `named` (by the
            agent's settings), `settings` (ours); or `plugin:NAME`, `synced:NAME`, where NAME and a
            colon stand before its skills' names.
        agents: Names of those that look there.
        exists: Whether it is a folder that can be seen.
        problem: Why it is left out all the same.
    """

    path: Path
    scope: str
    agents: tuple[str, ...] = ()
    exists: bool = True
    problem: str | None = None


def find_places(
    cwd: Path | None = None,
    home: Path | None = None,
    *,
    agents: Sequence[str] = (),
    extra: Sequence[Path] = (),
    missing: bool = False,
) -> list[Place]:
    """Where agents look for skills, what wins first.

    The project reaches from `cwd` up to the folder that holds `.git`; without one it is `cwd`.

    Args:
        cwd: The current folder if None.
        home: The home directory of the user if None.
        agents: Names; all agents if empty. Of a single one its own precedence holds.
        extra: Further folders, as a user's settings name them; they come last.
        missing: Give also those that are not there.

    Raises:
        InputError: If an agent is unknown, the current folder no longer exists, or there is no
            home directory.
    """
    wanted = list(dict.fromkeys(find_agent(name) for name in agents))
    try:
        here = (cwd or Path.cwd()).resolve()
        user = (home or Path.home()).resolve()
    except (OSError, RuntimeError) as e:
        raise InputError(
            f"cannot look in the usual places ({e}); name a folder with --library DIR"
        ) from None
    folders = project_folders(here)
    projects = [f for f in folders if f != user]
    around = _Surroundings(projects, user, folders[-1], main_checkout(folders[-1]))
    named: dict[str, list[str]] = {}
    found: dict[str, _Seen] = {}
    for agent, seen in _ordered(wanted, around):
        if found.setdefault(seen.path, seen).problem is not None:
            found[seen.path] = seen  # what one may not name, another one may
        named.setdefault(seen.path, []).append(agent)
    for path in map(str, extra):
        found.setdefault(path, around.look(path, "settings"))
    return [
        Place(Path(path), s.scope, tuple(dict.fromkeys(named.get(path, ()))), s.exists, s.problem)
        for path, s in found.items()
        if missing or s.exists or s.problem is not None
    ]


def other_folders(cwd: Path | None = None) -> list[Path]:
    """Folders called `skills` in the project that hold skills, whoever reads them, nearest first.

    And Claude Code's own places below the current folder.

    Args:
        cwd: The current folder if None.
    """
    found: list[Path] = []
    try:
        here = (cwd or Path.cwd()).resolve()
        for folder in project_folders(here):
            below = [entry for entry in islice(folder.iterdir(), _MOST_SEEN) if is_folder(entry)]
            places = (folder / "skills", *(entry / "skills" for entry in sorted(below)))
            found += filter(_holds_skills, places)
        own = str(here / _NESTED)
        found += filter(_holds_skills, (Path(p) for p in nested_places(here) if p != own))
    except OSError:  # what cannot be seen is none
        pass
    return found


def _holds_skills(place: Path) -> bool:
    return is_folder(place) and any(
        is_file(skill / SKILL_FILE) for skill in islice(place.iterdir(), _MOST_SEEN)
    )


def nested_places(folder: Path) -> Iterator[str]:
    """Claude Code's places in the folders below one, which it reads once it works in there."""
    level, seen = [str(folder)], 0
    while level:
        below: list[str] = []
        for path in level:
            seen += 1
            if seen > _MOST_FOLDERS or path == str(Path.home()):
                return
            place = os.path.join(path, _NESTED)  # noqa: PTH118
            if os.path.isdir(place):  # noqa: PTH112
                yield place
            try:
                with os.scandir(path) as entries:
                    below += [
                        e.path
                        for e in entries
                        if e.name[0] != "."
                        and e.name not in _PASSED
                        and e.is_dir(follow_symlinks=False)
                    ]
            except OSError:
                continue
        level = below


class _Seen(NamedTuple):
    """A place as it was found; plain strings, as every search looks at hundreds."""

    path: str
    scope: str
    exists: bool
    problem: str | None = None


class _Surroundings:
    """Where a user is, and what has been seen there.

    Args:
        projects: The folders of the project, nearest first.
        home: The home directory.
        root: The project's root.
        main: The main checkout, if that is a worktree.
    """

    def __init__(self, projects: Sequence[Path], home: Path, root: Path, main: Path | None) -> None:
        self.projects = [str(folder) for folder in projects]
        self.home, self.root, self.main = home, root, main
        self._seen: dict[str, _Seen] = {}

    def look(self, path: str, scope: str) -> _Seen:
        """What is at a path; several agents share most of them."""
        seen = self._seen.get(path)
        if seen is None:
            exists = os.path.isdir(path)  # noqa: PTH112 (hundreds of them)
            seen = self._seen[path] = _Seen(path, scope, exists, self._problem(path, scope, exists))
        return seen

    def _problem(self, path: str, scope: str, exists: bool) -> str | None:
        """Why a place is left out, or why what is not there should be."""
        if not exists and scope == "settings":
            return "no such folder"
        if not os.path.islink(path):  # noqa: PTH114
            return None
        if not exists:
            return "a link that leads nowhere"
        real = os.path.realpath(path)
        bases = link_bases(self.root, self.home, self.main)
        if scope not in ("project", "user") or may_lead(real, bases, scope):
            return None
        return f"a link to {real}, outside of the project and the home directory"

    def too_far(self, path: str, own: bool) -> str | None:
        """What is wrong with a place that settings name.

        Args:
            path: The place.
            own: Whether the user's settings name it: a stranger's project opens no other folders.
        """
        real = os.path.realpath(path)
        if Path(real) in (self.home, *self.home.parents):
            return "all of the home directory; name a folder of skills"
        if own:
            return None if may_lead(real, [], "user") else "a folder of the system"
        bases = [str(folder) for folder in (self.root, self.main) if folder is not None]
        if may_lead(real, bases, ""):
            return None
        return "outside of the project that names it; name it in your own settings"

    def in_project(self, folder: str, name: str) -> _Seen:
        """A place of the project; a worktree that lacks it has that of the main checkout."""
        place = self.look(f"{folder}{os.sep}{name}", "project")
        if not place.exists and self.main is not None:
            below = folder[len(str(self.root)) :]
            other = self.look(f"{self.main}{below}{os.sep}{name}", "project")
            if other.exists:
                return other
        return place


def _ordered(wanted: Sequence[Agent], around: _Surroundings) -> Iterator[tuple[str, _Seen]]:
    """Agents and their places, what wins first."""
    if len(wanted) == 1:
        for _, _, seen in _of_agent(wanted[0], around, wanted[0].parents):
            yield wanted[0].name, seen
        return
    ranked = []
    for agent in wanted or AGENTS:
        for depth, place, seen in _of_agent(agent, around, parents=True):
            # A plain folder `skills` of a project is a place only to whoever asks for its agent.
            if wanted or place != "skills":
                shared = _FIRST.index(place) if place in _FIRST else len(_FIRST)
                scope = _SCOPES.index(seen.scope.partition(":")[0])
                ranked.append(((scope, depth, shared), agent.name, seen))
    ranked.sort(key=itemgetter(0))
    for _, name, seen in ranked:
        yield name, seen


def _of_agent(
    agent: Agent, around: _Surroundings, parents: bool
) -> Iterator[tuple[int, str, _Seen]]:
    """The places of one agent in its order of precedence: how far up, as in the table, as found."""
    named = [(0, "", seen) for seen in _named(agent, around)]
    if named and NAMING[agent.name].first:
        yield from named
    projects = around.projects if parents else around.projects[:1]
    told = False
    for scope, place in agent.places:
        if scope == "project":
            if not told:  # nearest folder first, in each what the agent prefers
                told = True
                here = [p for s, p in agent.places if s == "project"]
                for depth, folder in enumerate(projects):
                    for name in here:
                        own = around.in_project(folder, name)
                        yield depth, name, own
                        for seen in _plugins_among(own, agent, around):
                            yield depth, name, seen
            continue
        path = system_path(place, agent, around.home)
        if scope in ("plugin", "extension", "synced"):
            for seen in _brought(scope, path, agent, around):
                yield 0, place, seen
        else:
            own = around.look(path, scope)
            if scope == "bundled" and not plugins.codex_bundled(Path(path).parents[1]):
                own = own._replace(problem="disabled in Codex's config.toml")
            yield 0, place.removeprefix("~/"), own
            for seen in _plugins_among(own, agent, around):
                yield 0, place, seen
    if named and not NAMING[agent.name].first:
        yield from named


def _named(agent: Agent, around: _Surroundings) -> Iterator[_Seen]:
    """The places that an agent's settings name; a project's may name none outside of itself."""

    def moved(place: str) -> str:
        return system_path(place, agent, around.home)

    for path, own in named_places(agent.name, around.projects, around.home, moved):
        seen = around.look(path, "named")
        if seen.exists and seen.scope == "named":
            seen = seen._replace(problem=around.too_far(path, own))
        yield seen


def _brought(scope: str, path: str, agent: Agent, around: _Surroundings) -> Iterator[_Seen]:
    """The folders that plugins, extensions or accounts bring."""
    place = Path(path)
    if scope == "synced":
        for name in sorted(plugins.folders(place)):
            yield around.look(f"{path}{os.sep}{name}", "synced:anthropic-skills")
        return
    if agent.name == "goose":
        found = plugins.goose_plugins(place)
    elif scope == "extension":
        found = plugins.gemini_extensions(place, Path(*around.projects[:1]))
    elif agent.name == "codex":
        found = plugins.codex_plugins(place.parent)
    else:
        projects = [*map(Path, around.projects)]
        found = plugins.claude_plugins(place, claude_files(projects, around.home), projects)
    for folder in found:
        named = f"{scope}:{folder.namespace}" if folder.namespace else scope
        yield _Seen(str(folder.path), named, is_folder(folder.path), folder.problem)


def _plugins_among(place: _Seen, agent: Agent, around: _Surroundings) -> Iterator[_Seen]:
    """The folders of skills in those of a place that are plugins of Claude Code (`skills-dir`)."""
    if agent.name != "claude-code" or not place.exists or place.problem is not None:
        return
    try:
        with os.scandir(place.path) as entries:
            found = sorted(e.path for e in islice(entries, _MOST_SEEN) if plugins.is_plugin(e.path))
    except OSError:
        return
    if found:
        settings = claude_files([*map(Path, around.projects)], around.home)
        for folder in plugins.skills_dir_plugins(found, settings):
            scope = f"plugin:{folder.namespace}"
            yield _Seen(str(folder.path), scope, is_folder(folder.path), folder.problem)


def roots_of(places: Iterable[Place]) -> list[Root]:
    """The folders to be searched: those that are there, each once, and have no problem."""
    roots: dict[Path, Root] = {}
    for place in places:
        if place.exists and place.problem is None:
            try:
                resolved = place.path.resolve()
            except (OSError, RuntimeError):
                continue
            roots.setdefault(resolved, Root(resolved, place.scope))
    return list(roots.values())


def default_roots(
    cwd: Path | None = None, home: Path | None = None, *, agents: Sequence[str] = ()
) -> list[Root]:
    """The usual places that exist; see `find_places`.

    Raises:
        InputError: As there.
    """
    return roots_of(find_places(cwd, home, agents=agents))
