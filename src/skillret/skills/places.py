"""The places where skills lie on this machine: of which agent, and in what order of precedence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from skillret.errors import InputError
from skillret.files import project_folders
from skillret.skills import plugins
from skillret.skills.agents import AGENTS, Agent, find_agent
from skillret.skills.checkout import is_file, is_folder, main_checkout
from skillret.skills.overrides import Overrides, overrides_in
from skillret.skills.permissions import Permissions, claude_rules, opencode_rules
from skillret.skills.walk import SKILL_FILE, Root, link_bases, may_lead

__all__ = [
    "Place",
    "claude_settings",
    "default_roots",
    "disabled",
    "find_places",
    "nested_places",
    "other_folders",
    "override_files",
    "overrides",
    "permissions",
    "roots_of",
]

# Where several agents' places are searched at once. With one agent its own order counts.
_SCOPES = ("enterprise", "project", "user", "plugin", "extension", "bundled", "synced", "admin")
_FIRST = (".agents/skills", ".claude/skills")  # what most agents share
# Where an organisation keeps OpenCode's settings, and how these files are called.
_MANAGED_OPENCODE = {
    "darwin": "/Library/Application Support/opencode",
    "win32": r"C:\ProgramData\opencode",
}.get(sys.platform, "/etc/opencode")
_OF_OPENCODE = ("opencode.json", "opencode.jsonc")
_NESTED = ".claude/skills"
_MOST_FOLDERS = 5_000  # of a project that are looked into for nested places
_PASSED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "target", "dist"})
_MOST_SEEN = 1000  # entries of a folder in which skills are looked for that no agent reads


class Place(NamedTuple):
    """A folder in which agents look for skills, whether it is there or not.

    Attributes:
        path: As the agent names it, links not resolved.
        scope: `project`, `user`, `enterprise`, `admin`, `bundled`, `extension`, `settings`; or
            `plugin:NAME`, `synced:NAME`, where NAME and a colon stand before its skills' names.
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
        found.setdefault(seen.path, seen)
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
        path = _system_path(place, agent, around.home)
        if scope in ("plugin", "extension", "synced"):
            for seen in _brought(scope, path, agent, around):
                yield 0, place, seen
        else:
            own = around.look(path, scope)
            yield 0, place.removeprefix("~/"), own
            for seen in _plugins_among(own, agent, around):
                yield 0, place, seen


def _system_path(place: str, agent: Agent, home: Path) -> str:
    """A place outside of projects, where the agent's variables have moved it."""
    if not place.startswith("~/"):
        return place
    below = place[2:]
    for variable, folder in agent.moved_by:
        moved = os.environ.get(variable, "").strip()
        if (moved and "\0" not in moved) and (below == folder or below.startswith(folder + "/")):
            moved = os.path.abspath(os.path.expanduser(moved))  # noqa: PTH100, PTH111
            return moved + below[len(folder) :]
    return f"{home}{os.sep}{below}"


def _brought(scope: str, path: str, agent: Agent, around: _Surroundings) -> Iterator[_Seen]:
    """The folders that plugins, extensions or accounts bring."""
    place = Path(path)
    if scope == "synced":
        for name in sorted(plugins.folders(place)):
            yield around.look(f"{path}{os.sep}{name}", "synced:anthropic-skills")
        return
    if scope == "extension":
        found = plugins.gemini_extensions(place)
    elif agent.name == "codex":
        found = plugins.codex_plugins(place.parent)
    else:
        projects = [*map(Path, around.projects)]
        found = plugins.claude_plugins(place, _claude_files(projects, around.home), projects)
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
        settings = _claude_files([*map(Path, around.projects)], around.home)
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
    cwd: Path | None = None,
    home: Path | None = None,
    *,
    agents: Sequence[str] = (),
    extra: Sequence[Path] = (),
) -> list[Root]:
    """The usual places that exist; see `find_places`.

    Raises:
        InputError: As there.
    """
    return roots_of(find_places(cwd, home, agents=agents, extra=extra))


def disabled(agent: str, cwd: Path | None = None, home: Path | None = None) -> dict[str, str]:
    """What an agent's own settings turn off, as `Library` takes it for its argument `hide`.

    Returns:
        The files that say so, by what they name.

    Raises:
        InputError: If the agent is unknown.
    """
    of = find_agent(agent)
    user = home or Path.home()
    found: list[tuple[Path, list[str]]] = []
    from glob import escape  # seldom needed

    if of.name == "codex":
        folder = Path(_system_path("~/.codex", of, user))
        found = [(folder / "config.toml", plugins.codex_disabled(folder, user))]
    elif of.name == "gemini-cli":
        folders = [user / ".gemini", (cwd or Path.cwd()) / ".gemini"]
        found = [(f / "settings.json", plugins.gemini_disabled([f])) for f in folders]
    off: dict[str, str] = {}
    for file, texts in found:
        for text in texts:
            if "\0" not in text:
                absolute = os.path.isabs(text)  # noqa: PTH117
                off.setdefault(os.path.realpath(text) if absolute else escape(text), str(file))
    return off


def claude_settings(cwd: Path | None = None, home: Path | None = None) -> dict[str, Any]:
    """Claude Code's settings as they hold in a folder.

    Those of the project count more than the user's, and those of the organisation most.
    """
    return plugins.claude_settings(_claude_files_in(cwd, home))


def override_files(cwd: Path | None = None, home: Path | None = None) -> dict[str, str]:
    """Which of Claude Code's settings files decides on a skill that `skillOverrides` name."""
    found: dict[str, str] = {}
    for file in _claude_files_in(cwd, home):
        named = plugins.claude_settings([file]).get("skillOverrides")
        found |= dict.fromkeys(named if isinstance(named, dict) else (), str(file))
    return found


def _claude_files_in(cwd: Path | None, home: Path | None) -> list[Path]:
    """Claude Code's settings files that hold in a folder; a later one counts more."""
    here, user = (cwd or Path.cwd()).resolve(), (home or Path.home()).resolve()
    projects = [folder for folder in project_folders(here) if folder != user]
    files = _claude_files(projects, user)
    if here == user:  # which then is the project as well
        files.insert(1, user / ".claude" / "settings.local.json")
    return files


def _claude_files(projects: Sequence[Path], home: Path) -> list[Path]:
    """Claude Code's settings files, whether they are there or not; a later one counts more."""
    agent = find_agent("claude-code")
    files = [Path(_system_path("~/.claude", agent, home)) / "settings.json"]
    for name in ("settings.json", "settings.local.json"):
        files += [folder / ".claude" / name for folder in reversed(projects)]
    return [*files, Path(agent.places[0][1]).parents[1] / "managed-settings.json"]


def overrides(
    places: Iterable[Place], cwd: Path | None = None, home: Path | None = None
) -> Overrides:
    """What Claude Code's settings say of single skills in its places.

    Nothing is said of a folder that also is the place of an agent that does not read Claude Code's.

    Args:
        places: As found: where they are those of other agents alone, nothing is said.
        cwd: The current folder if None.
        home: The home directory of the user if None.
    """
    own = _of("claude-code", places, plugins=False)
    return overrides_in(claude_settings(cwd, home), own) if own else Overrides()


def permissions(
    places: Iterable[Place],
    agent: str | None = None,
    cwd: Path | None = None,
    home: Path | None = None,
) -> Permissions:
    """What the permission rules of Claude Code, or those of OpenCode, say of skills in its places.

    Args:
        places: As found, see `overrides`; plugins are concerned as well.
        agent: Whose places these are, if they are those of one. OpenCode's rules count then only.
        cwd: The current folder if None.
        home: The home directory of the user if None.
    """
    hides = agent == "opencode"
    own = _of("opencode" if hides else "claude-code", places, plugins=True)
    if not own:
        return Permissions()
    if hides:
        rules = opencode_rules(_opencode_files(cwd, home))
    else:
        rules = claude_rules(_claude_files_in(cwd, home))
    return Permissions(own, rules, hides) if rules else Permissions()


def _opencode_files(cwd: Path | None, home: Path | None) -> list[Path]:
    """OpenCode's settings files, whether they are there or not; a later one counts more."""
    here, user = (cwd or Path.cwd()).resolve(), (home or Path.home()).resolve()
    projects = [*reversed(project_folders(here))]
    folders = [Path(_system_path("~/.config/opencode", find_agent("opencode"), user)), *projects]
    folders += [*(folder / ".opencode" for folder in projects), Path(_MANAGED_OPENCODE)]
    return [folder / name for folder in folders for name in _OF_OPENCODE]


def _of(agent: str, places: Iterable[Place], *, plugins: bool) -> tuple[str, ...]:
    """The folders, links resolved, of an agent and of nobody who does not read its settings.

    Args:
        agent: Whose settings are read.
        places: As found.
        plugins: Whether those of its plugins count.
    """
    own: dict[str, bool] = {}
    for place in places:
        if place.exists and place.problem is None and place.scope != "settings":
            mine = agent in place.agents and (plugins or not place.scope.startswith("plugin"))
            real = os.path.realpath(place.path)
            own[real] = mine and own.get(real, True)
    return tuple(path for path, mine in own.items() if mine)
