"""Installing, uninstalling, and what is installed: a step for each file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skillret.agents.commands import as_string, command
from skillret.agents.install import files
from skillret.agents.install.by_command import take_back
from skillret.agents.install.changes import (
    Change,
    Step,
    apply,
    is_out,
    revert,
    turned_off,
    wanted,
)
from skillret.agents.install.manifest import Manifest, Part, Record, Told
from skillret.agents.install.mode import MODE, set_mode
from skillret.agents.install.targets import (
    TARGETS,
    Target,
    changes_of,
    find_target,
    folder_of,
    is_there,
)
from skillret.agents.mcp_clients import find_client
from skillret.agents.plugin.installed import Installed, installed_plugin
from skillret.errors import InputError, SkillretError
from skillret.settings import Eagerness

__all__ = ["State", "Step", "has_more", "install", "status", "uninstall", "write_change"]

_MCP = ", MCP"  # ends the title of a part that tells a client of the server


class State(NamedTuple):
    """What is installed in one file of an agent.

    Attributes:
        agent: The agent, or client.
        title: Its name as its makers write it.
        there: Whether the agent itself is.
        file: The file; None if there is none.
        state: `installed`, `outdated` (install would write something else), `gone` (somebody has
            taken it out), `broken` (the program that it calls is no more), `not ours` (there, but
            not by install), `plugin` (the agent has the plugin instead), `by hand` (its user has
            to), `no`, or `unreadable`.
        message: More on it; may be empty.
    """

    agent: str
    title: str
    there: bool
    file: Path | None
    state: str
    message: str = ""


def install(
    names: Sequence[str] = (),
    project: Path | None = None,
    *,
    mode: Eagerness | None = None,
    dry_run: bool = False,
) -> list[Step]:
    """Write what agents need to ask at each prompt, unless it is written already.

    Args:
        names: Agents; all that are there, if none is named.
        project: Write to the files of this project instead of those in the home directory.
        mode: How sure a skill must be to be named: written to the user's settings, where it holds
            for all agents and can be changed without a hook that has to be trusted anew.
        dry_run: Write nothing.

    Returns:
        A step for each file, also for those that are left as they are.

    Raises:
        InputError: If an agent is unknown, or none is there.
        SkillretError: If what was written before is not known for certain, or another process
            writes.
    """
    home = Path.home()
    targets = [find_target(name) for name in dict.fromkeys(names)] if names else []
    if not targets:
        targets = [t for t in TARGETS if is_there(t, home)]
        targets = [t for t in targets if not project or any(p.project for p in t.pieces)]
    if not targets:
        known = ", ".join(t.agent for t in TARGETS)
        raise InputError(f"no agent is found here; known are: {known}")
    manifest = Manifest()

    def steps() -> list[Step]:
        done = [s for t in targets for s in _install(t, home, project, manifest, dry_run=dry_run)]
        if mode is not None:
            done.append(set_mode(mode, manifest, dry_run=dry_run))
        return done

    if dry_run:
        return steps()
    with manifest.locked():
        return steps()


def _install(
    target: Target, home: Path, project: Path | None, manifest: Manifest, *, dry_run: bool
) -> list[Step]:
    agent, title = target.agent, target.title
    if not is_there(target, home):
        folder, program = folder_of(target, home), " or ".join(target.programs)
        message = f"it is not there: neither {folder} nor a program {program}"
        return [Step(agent, title, None, "refused", message)]
    changes = changes_of(target, home, project)
    plugin = installed_plugin(agent, home)
    steps = []
    for change in changes:
        if plugin is not None and not _is_written(change, manifest):
            message = f"{_has(plugin)}; to have hooks instead: {plugin.remove}"
            steps.append(Step(agent, title, change.file, "unchanged", message))
        else:
            steps.append(apply(change, manifest, dry_run=dry_run))
        if steps[-1].done != "refused":
            message = _joined(steps[-1].message, turned_off(change))
            steps[-1] = steps[-1]._replace(message=message)
    if target.by_hand and project is None:
        by_hand = target.by_hand.replace("{mcp}", as_string(command("mcp")))
        steps.append(Step(agent, title, None, "by hand", by_hand))
    return steps


def _is_written(change: Change, manifest: Manifest) -> bool:
    """Whether install has written a change before."""
    record = manifest.records.get(str(change.file))
    return record is not None and change.owner in record.parts


def _has(plugin: Installed) -> str:
    return f"it has the plugin {plugin.id}, which asks at each prompt"


def _joined(*messages: str) -> str:
    return "; ".join(filter(None, messages))


def has_more(agent: str, around: Path) -> bool:
    """Whether `install` has written for an agent, more than the entry of the MCP server.

    Args:
        agent: Its name.
        around: The home directory, or the project.

    Raises:
        SkillretError: If what was written is not known for certain.
    """
    records = Manifest().records.values()
    return any(agent in record.parts and record.around == str(around) for record in records)


def write_change(change: Change, *, dry_run: bool = False) -> Step:
    """Write one change by itself.

    Raises:
        SkillretError: As for `install`.
    """
    manifest = Manifest()
    if dry_run:
        return apply(change, manifest, dry_run=True)
    with manifest.locked():
        return apply(change, manifest)


def uninstall(
    names: Sequence[str] = (),
    project: Path | None = None,
    *,
    clients: Sequence[str] = (),
    dry_run: bool = False,
) -> list[Step]:
    """Take back what `install` and `mcp install` have written, and nothing else.

    With the last agent that asks at each prompt goes the mode too.

    Args:
        names: Agents; all, and all clients, if neither is named.
        project: Only what was written to this project.
        clients: MCP clients: only their entries.
        dry_run: Change nothing.

    Returns:
        A step for each file that was written to, and for each client that was told by its own
        command; none if nothing is installed.

    Raises:
        InputError: If an agent is unknown.
        SkillretError: If what was written is not known for certain, or another process writes.
    """
    agents = {find_target(name).agent for name in names}
    owners = {f"mcp {name}" for name in {*agents, *(find_client(c).name for c in clients)}} | agents
    manifest = Manifest()

    def steps() -> list[Step]:
        done: list[Step] = []
        gone, left = set[str](), set[str]()  # owners of parts
        for record in list(manifest.records.values()):
            parts = [*record.parts]
            theirs = [o for o in parts if not owners or o in owners]
            if theirs and (project is None or record.around == str(project)):
                done.append(revert(record, theirs, _titles(theirs), manifest, dry_run=dry_run))
                if done[-1].done != "refused":
                    gone.update(theirs)
                    parts = [o for o in parts if o not in theirs]
            left.update(parts)
        last = any(map(_asks, gone)) and not (any(map(_asks, left)) or _any_plugin())
        if last and (owners or project):  # else the mode was among them
            for record in [r for r in manifest.records.values() if MODE in r.parts]:
                done.append(revert(record, [MODE], _title(MODE), manifest, dry_run=dry_run))
        for told in sorted(manifest.told):
            wanted_here = not owners or f"mcp {told.client}" in owners
            if wanted_here and (project is None or told.project == str(project)):
                done.append(take_back(told, manifest, dry_run=dry_run))
        return done

    if dry_run or not (manifest.records or manifest.told):
        return steps()
    with manifest.locked():
        return steps()


def _asks(owner: str) -> bool:
    """Whether an owner's part asks at prompts, by the mode."""
    return owner != MODE and not owner.startswith("mcp ")


def _any_plugin() -> bool:
    return any(installed_plugin(target.agent, Path.home()) for target in TARGETS)


def _titles(owners: Sequence[str]) -> str:
    """What several owners' parts in one file are called."""
    titles = dict.fromkeys(map(_title, owners))
    called = []
    for title in titles:
        if f"{title}{_MCP}" in titles:
            called.append(f"{title}, hooks and MCP")
        elif not title.endswith(_MCP) or title.removesuffix(_MCP) not in titles:
            called.append(title)
    return ", ".join(called)


def _title(owner: str) -> str:
    """What an owner's part is called."""
    if owner == MODE:
        return "Settings"
    name = owner.rpartition(" ")[2]
    target = next((t for t in TARGETS if t.agent == name), None)
    title = find_client(name).title if target is None else target.title
    return f"{title}{_MCP}" if owner.startswith("mcp ") else title


def status() -> list[State]:
    """What is installed for the agents that are there, and what install has written elsewhere.

    Raises:
        SkillretError: If what was written is not known for certain.
    """
    home, manifest = Path.home(), Manifest()
    states = []
    seen: set[tuple[str, str]] = set()
    for target in TARGETS:
        there, changes = is_there(target, home), changes_of(target, home)
        plugin = installed_plugin(target.agent, home)
        for change in changes:
            record, ours = manifest.records.get(str(change.file)), _is_written(change, manifest)
            seen.add((str(change.file), change.owner))
            if plugin is not None:
                more = "; install has written hooks too: `skillret uninstall` takes those out"
                message = _joined(_has(plugin) + (more if ours else ""), turned_off(change))
                state = State(target.agent, change.title, there, change.file, "plugin", message)
                states.append(state)
            elif there or ours:
                states.append(_state(change, target.agent, there, record))
        if there and target.by_hand:
            message = target.by_hand.replace("{mcp}", as_string(command("mcp")))
            title = f"{target.title}, MCP"
            states.append(State(target.agent, title, True, None, "by hand", message))
    for path, record in manifest.records.items():
        for owner in record.parts:
            if (path, owner) not in seen:
                states.append(_elsewhere(Path(path), owner, record, home))
    return states + [_told(told) for told in sorted(manifest.told)]


def _told(told: Told) -> State:
    """What `mcp install` has told a client by its own command."""
    client = find_client(told.client)
    there = client.program is not None and shutil.which(client.program) is not None
    message = f"it was told by `{client.program} mcp add`, which keeps the entry itself"
    if told.project:
        message += f", in {told.project}"
    return State(client.name, f"{client.title}{_MCP}", there, None, "installed", message)


def _elsewhere(file: Path, owner: str, record: Record, home: Path) -> State:
    """What install has written to a project, or for a client."""
    name, title = owner.rpartition(" ")[2], _title(owner)
    if not owner.startswith("mcp ") and owner != MODE:
        target, project = find_target(name), Path(record.around)
        for change in changes_of(target, home, project):
            if change.file == file and change.owner == owner:
                return _state(change, name, is_there(target, home), record)
    part = record.parts[owner]
    try:
        gone = is_out(files.read(file), part)
    except (SkillretError, ValueError) as e:
        return State(name, title, True, file, "unreadable", str(e))
    return State(name, title, True, file, *(_GONE if gone else _written(part)))


def _written(part: Part) -> tuple[str, str]:
    """The state of what is there, and more on it."""
    if part.program and not Path(part.program).exists():
        message = f"it calls {part.program}, which is no more: `skillret install` writes this one"
        return "broken", message
    return "installed", ""


_GONE = ("gone", "somebody has taken it out; install writes it")


def _state(change: Change, agent: str, there: bool, record: Record | None) -> State:
    title, file = change.title, change.file
    part = record.parts.get(change.owner) if record else None
    try:
        data = files.read(file)
        new = wanted(change, data, record)
        if isinstance(new, str):
            state = ("not ours", new) if new or part is None else _written(part)
            message = _joined(state[1], turned_off(change))
            return State(agent, title, there, file, state[0], message)
        if part is None:
            return State(agent, title, there, file, "no")
        if is_out(data, part):
            return State(agent, title, there, file, *_GONE)
        state = _written(part)
    except SkillretError as e:
        return State(agent, title, there, file, "unreadable", str(e))
    if state[0] == "installed":
        state = ("outdated", "install would write something else now")
    return State(agent, title, there, file, *state)
