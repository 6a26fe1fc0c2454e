"""The places where skills lie on this machine: of which agent, and in what order of precedence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

from skillret.errors import InputError
from skillret.skills import plugins
from skillret.skills.agents import AGENTS, Agent, find_agent
from skillret.skills.project import is_folder, main_checkout, project_folders
from skillret.skills.walk import Root, is_below, link_bases

__all__ = ["Place", "default_roots", "disabled", "find_places", "roots_of"]

# Where several agents' places are searched at once. With one agent its own order counts.
_SCOPES = ("enterprise", "project", "user", "plugin", "extension", "bundled", "synced", "admin")
_FIRST = (".agents/skills", ".claude/skills")  # what most agents share


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which agents look for skills, whether it is there or not.

    Attributes:
        path: As the agent names it, links not resolved.
        scope: `project`, `user`, `enterprise`, `admin`, `bundled`, `given`; with the name that its
            skills are called by in front of a colon `plugin:NAME`, `synced:NAME`; `extension`.
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
) -> list[Place]:
    """Where agents look for skills, what wins first.

    The project reaches from `cwd` up to the folder that holds `.git`; without one it is `cwd`.

    Args:
        cwd: The current folder if None.
        home: The home directory of the user if None.
        agents: Names; all agents if empty. Of a single one its own precedence holds.
        extra: Further folders, as a user's settings name them; they come last.

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
    main = main_checkout(folders[-1])
    around = _Surroundings([f for f in folders if f != user], user, folders[-1], main)
    found: dict[Path, Place] = {}
    for place in _ordered(wanted, around):
        known = found.setdefault(place.path, place)
        if known is not place:
            named = dict.fromkeys((*known.agents, *place.agents))
            found[place.path] = replace(known, agents=tuple(named))
    for path in extra:
        found.setdefault(path, _place(path, "given", None, around))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The project's folders, nearest first, the home, the project's root, its main checkout."""

    projects: list[Path]
    home: Path
    root: Path
    main: Path | None


def _ordered(wanted: Sequence[Agent], around: _Surroundings) -> Iterable[Place]:
    if len(wanted) == 1:
        return _of_agent(wanted[0], around, wanted[0].parents)
    ranked = []
    for agent in wanted or AGENTS:
        for place in _of_agent(agent, around, parents=True):
            kind = place.scope.partition(":")[0]
            depth = -len(place.path.parts) if kind == "project" else 0
            shared = next((i for i, p in enumerate(_FIRST) if place.path.match(p)), len(_FIRST))
            # A plain folder `skills` of a project is a place only to whoever asks for that agent.
            if wanted or kind != "project" or place.path.parent.name.startswith("."):
                ranked.append(((_SCOPES.index(kind), depth, shared), place))
    return [place for _, place in sorted(ranked, key=lambda pair: pair[0])]


def _of_agent(agent: Agent, around: _Surroundings, parents: bool) -> Iterator[Place]:
    """The places of one agent, in its order of precedence."""
    projects = around.projects if parents else around.projects[:1]
    told = False
    for scope, place in agent.places:
        if scope == "project":
            if not told:  # nearest folder first, in each what the agent prefers
                told = True
                here = [p for s, p in agent.places if s == "project"]
                for folder in projects:
                    for name in here:
                        yield _in_project(folder, name, agent, around)
        elif scope in ("plugin", "extension", "synced"):
            yield from _brought(scope, place, agent, around)
        else:
            yield _place(_system_path(place, agent, around.home), scope, agent, around)


def _in_project(folder: Path, name: str, agent: Agent, around: _Surroundings) -> Place:
    """A place of the project; a worktree that lacks it has that of the main checkout."""
    place = _place(folder / name, "project", agent, around)
    if not place.exists and around.main is not None:
        other = around.main / folder.relative_to(around.root) / name
        fallback = _place(other, "project", agent, around)
        if fallback.exists:
            return fallback
    return place


def _system_path(place: str, agent: Agent, home: Path) -> Path:
    """A place outside of projects, where the agent's variables have moved it."""
    if not place.startswith("~/"):
        return Path(place)
    below = place[2:]
    for variable, folder in agent.moved_by:
        moved = os.environ.get(variable, "").strip()
        if (moved and "\0" not in moved) and (below == folder or below.startswith(folder + "/")):
            return Path(os.path.abspath(os.path.expanduser(moved))) / below[len(folder) + 1 :]  # noqa: PTH100, PTH111
    return home / below


def _place(path: Path, scope: str, agent: Agent | None, around: _Surroundings) -> Place:
    names = (agent.name,) if agent is not None else ()
    exists = is_folder(path)
    problem = None
    if not exists and os.path.islink(path):  # noqa: PTH114 (never raises)
        problem = "a link that leads nowhere"
    elif exists and scope == "project" and os.path.islink(path):  # noqa: PTH114
        real = os.path.realpath(path)
        bases = link_bases(around.root, around.home, around.root)
        if around.main is not None:
            bases += (str(around.main),)
        if not is_below(real, bases):
            problem = f"a link to {real}, outside of the project and the home directory"
    elif not exists and scope == "given":
        problem = "no such folder"
    return Place(path, scope, names, exists, problem)


def _brought(scope: str, place: str, agent: Agent, around: _Surroundings) -> Iterator[Place]:
    """The folders that plugins, extensions or accounts bring."""
    path = _system_path(place, agent, around.home)
    if scope == "synced":
        for name in sorted(plugins.folders(path)):
            yield _place(path / name, "synced:anthropic-skills", agent, around)
        return
    if scope == "extension":
        found = plugins.gemini_extensions(path)
    elif agent.name == "codex":
        found = plugins.codex_plugins(path.parent)
    else:
        config = _system_path("~/.claude", agent, around.home)
        managed = Path(agent.places[0][1]).parents[1] / "managed-settings.json"
        found = plugins.claude_plugins(path, config, around.projects, managed)
    for folder in found:
        named = f"{scope}:{folder.namespace}" if folder.namespace else scope
        yield Place(folder.path, named, (agent.name,), is_folder(folder.path), folder.problem)


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


def disabled(agent: str, cwd: Path | None = None, home: Path | None = None) -> tuple[str, ...]:
    """What an agent's own settings turn off, as `Library` takes it for its argument `hide`.

    Raises:
        InputError: If the agent is unknown.
    """
    of = find_agent(agent)
    user = home or Path.home()
    found: list[str] = []
    if of.name == "codex":
        found = plugins.codex_disabled(_system_path("~/.codex", of, user))
    elif of.name == "gemini-cli":
        found = plugins.gemini_disabled([user / ".gemini", (cwd or Path.cwd()) / ".gemini"])
    return tuple(
        os.path.realpath(text) if os.path.isabs(text) else escape(text)  # noqa: PTH117
        for text in found
        if "\0" not in text
    )
