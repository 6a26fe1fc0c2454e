"""What agents' own settings say of their folders and of single skills: moved, off, denied."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skillret.files import project_folders
from skillret.skills import plugins
from skillret.skills.agents import Agent, find_agent
from skillret.skills.named_places import OPENCODE_FILES, settings_value
from skillret.skills.overrides import Overrides, overrides_in
from skillret.skills.permissions import Permissions, claude_rules, opencode_rules

if TYPE_CHECKING:
    from skillret.skills.places import Place

__all__ = [
    "claude_files",
    "claude_settings",
    "disabled",
    "override_files",
    "overrides",
    "permissions",
    "system_path",
]

# Where an organisation keeps OpenCode's settings.
_MANAGED_OPENCODE = {
    "darwin": "/Library/Application Support/opencode",
    "win32": r"C:\ProgramData\opencode",
}.get(sys.platform, "/etc/opencode")


def system_path(place: str, agent: Agent, home: Path) -> str:
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


def disabled(agent: str, cwd: Path | None = None) -> dict[str, str]:
    """What an agent's own settings turn off, as `Library` takes it for its argument `hide`.

    Returns:
        The files that say so, by what they name.

    Raises:
        InputError: If the agent is unknown.
    """
    of = find_agent(agent)
    user = Path.home()
    found: list[tuple[Path, list[str]]] = []
    from glob import escape  # seldom needed

    if of.name == "codex":
        folder = Path(system_path("~/.codex", of, user))
        found = [(folder / "config.toml", plugins.codex_disabled(folder, user))]
    elif of.name == "gemini-cli":
        folders = [user / ".gemini", (cwd or Path.cwd()) / ".gemini"]
        found = [(f / "settings.json", plugins.gemini_disabled([f])) for f in folders]
    elif of.name == "openclaw":
        file = user / ".openclaw" / "openclaw.json"
        entries = settings_value(file, ("skills", "entries"))
        said = entries.items() if isinstance(entries, dict) else ()
        no = (False, "false")
        names = [n for n, e in said if isinstance(e, dict) and e.get("enabled") in no]
        found = [(file, names)]
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


def override_files(cwd: Path | None = None) -> dict[str, str]:
    """Which of Claude Code's settings files decides on a skill that `skillOverrides` name."""
    found: dict[str, str] = {}
    for file in _claude_files_in(cwd):
        named = plugins.claude_settings([file]).get("skillOverrides")
        found |= dict.fromkeys(named if isinstance(named, dict) else (), str(file))
    return found


def _claude_files_in(cwd: Path | None, home: Path | None = None) -> list[Path]:
    """Claude Code's settings files that hold in a folder; a later one counts more."""
    here, user = (cwd or Path.cwd()).resolve(), (home or Path.home()).resolve()
    projects = [folder for folder in project_folders(here) if folder != user]
    files = claude_files(projects, user)
    if here == user:  # which then is the project as well
        files.insert(1, user / ".claude" / "settings.local.json")
    return files


def claude_files(projects: Sequence[Path], home: Path) -> list[Path]:
    """Claude Code's settings files, whether they are there or not; a later one counts more."""
    agent = find_agent("claude-code")
    files = [Path(system_path("~/.claude", agent, home)) / "settings.json"]
    for name in ("settings.json", "settings.local.json"):
        files += [folder / ".claude" / name for folder in reversed(projects)]
    return [*files, Path(agent.places[0][1]).parents[1] / "managed-settings.json"]


def overrides(places: Iterable[Place], cwd: Path | None = None) -> Overrides:
    """What Claude Code's settings say of single skills in its places.

    Nothing is said of a folder that also is the place of an agent that does not read Claude Code's.

    Args:
        places: As found: where they are those of other agents alone, nothing is said.
        cwd: The current folder if None.
    """
    own = _of("claude-code", places, plugins=False)
    return overrides_in(claude_settings(cwd), own) if own else Overrides()


def permissions(
    places: Iterable[Place], agent: str | None = None, cwd: Path | None = None
) -> Permissions:
    """What the permission rules of Claude Code, or those of OpenCode, say of skills in its places.

    Args:
        places: As found, see `overrides`; plugins are concerned as well.
        agent: Whose places these are, if they are those of one. OpenCode's rules count then only.
        cwd: The current folder if None.
    """
    hides = agent == "opencode"
    own = _of("opencode" if hides else "claude-code", places, plugins=True)
    if not own:
        return Permissions()
    rules = opencode_rules(_opencode_files(cwd)) if hides else claude_rules(_claude_files_in(cwd))
    return Permissions(own, rules, hides) if rules else Permissions()


def _opencode_files(cwd: Path | None) -> list[Path]:
    """OpenCode's settings files, whether they are there or not; a later one counts more."""
    here, user = (cwd or Path.cwd()).resolve(), Path.home().resolve()
    projects = [*reversed(project_folders(here))]
    folders = [Path(system_path("~/.config/opencode", find_agent("opencode"), user)), *projects]
    folders += [*(folder / ".opencode" for folder in projects), Path(_MANAGED_OPENCODE)]
    return [folder / name for folder in folders for name in OPENCODE_FILES]


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
