"""Installing, uninstalling, and what is installed: one step for each file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from skillret.agents.commands import as_string, command
from skillret.agents.install import files, jsonc
from skillret.agents.install.manifest import (
    Manifest,
    Record,
    digest,
    missing_folders,
    remove_folders,
)
from skillret.agents.install.targets import (
    TARGETS,
    Edit,
    Target,
    file_of,
    find_target,
    folder_of,
    is_there,
)
from skillret.agents.plugin.installed import Installed, installed_plugin
from skillret.errors import InputError, SkillretError

__all__ = ["State", "Step", "install", "status", "uninstall"]

_OURS = re.compile(r"\bskillret\b.*\bhook\b", re.DOTALL)


class Step(NamedTuple):
    """What is done about one file, or would be.

    Attributes:
        target: For which agent.
        file: The file; None if there is none.
        done: `written`, `unchanged`, `removed`, `restored`, `cleaned` (ours alone taken out),
            `by hand` (its user has to), or `refused`.
        message: Why, or what else should be known; may be empty.
        before: What the file holds; None if it is not there.
        after: What it holds then; None if it is not there then.
    """

    target: Target
    file: Path | None
    done: str
    message: str = ""
    before: bytes | None = None
    after: bytes | None = None


class State(NamedTuple):
    """What is installed in one file of an agent.

    Attributes:
        target: The agent.
        there: Whether the agent itself is.
        file: The file; None if there is none.
        state: `installed`, `outdated` (install would write something else), `gone` (somebody has
            taken it out), `not ours` (there, but not by install), `plugin` (the agent has the
            plugin instead), `no`, or `unreadable`.
        message: More on it; may be empty.
    """

    target: Target
    there: bool
    file: Path | None
    state: str
    message: str = ""


def install(
    names: Sequence[str] = (), project: Path | None = None, *, dry_run: bool = False
) -> list[Step]:
    """Write what agents need to ask at each prompt, unless it is written already.

    Args:
        names: Agents; all that are there, if none is named.
        project: Write to the files of this project instead of those in the home directory.
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
        targets = [t for t in TARGETS if is_there(t, home) and (t.project or not project)]
    if not targets:
        known = ", ".join(t.agent for t in TARGETS)
        raise InputError(f"no agent is found here; known are: {known}")
    manifest = Manifest()
    if dry_run:
        return [_install(t, home, project, manifest, dry_run=True) for t in targets]
    with manifest.locked():
        return [_install(t, home, project, manifest) for t in targets]


def _install(
    target: Target,
    home: Path,
    project: Path | None,
    manifest: Manifest,
    *,
    dry_run: bool = False,
) -> Step:
    file = file_of(target, home, project)
    if not is_there(target, home):
        folder, program = folder_of(target, home), " or ".join(target.programs)
        return Step(
            target, None, "refused", f"it is not there: neither {folder} nor a program {program}"
        )
    if file is None:
        reason = "no file of a project is known for it; leave out --project"
        by_hand = target.remark.replace("{mcp}", as_string(command("mcp")))
        return Step(target, None, *(("refused", reason) if project else ("by hand", by_hand)))
    plugin = installed_plugin(target.agent, home)
    if plugin is not None and str(file) not in manifest.records:
        message = f"{_has(plugin)}; to have hooks instead: {plugin.remove}"
        return Step(target, file, "unchanged", message)
    before: bytes | None = None
    try:
        around = project or (home if file.is_relative_to(home) else folder_of(target, home))
        files.check_way(file, around)
        before = files.read(file)
        record = manifest.records.get(str(file))
        new = _wanted(target, file, before, record)
        if isinstance(new, str):
            return Step(target, file, "unchanged", new, before, before)
        after, base, entries = new
        if not dry_run:
            made = [str(folder) for folder in missing_folders(file)]
            made += record.folders if record else []
            kept = None if base is None else manifest.keep(base)
            fresh = Record(str(file), target.agent, str(around), kept, digest(after), entries, made)
            _commit(manifest, fresh, record, after, before)
    except SkillretError as e:
        return Step(target, file, "refused", str(e), before, before)
    return Step(target, file, "written", target.remark, before, after)


def _has(plugin: Installed) -> str:
    return f"it has the plugin {plugin.id}, which asks at each prompt"


def _commit(
    manifest: Manifest, fresh: Record, old: Record | None, after: bytes, before: bytes | None
) -> None:
    """Note what will be written, and write it; the note goes if that fails."""
    made = missing_folders(Path(fresh.path))
    manifest.records[fresh.path] = fresh
    try:
        manifest.save()
        files.write(Path(fresh.path), after, before)
    except BaseException:
        remove_folders(made)
        del manifest.records[fresh.path]
        if old is not None:
            manifest.records[fresh.path] = old
        with suppress(SkillretError):  # a full disk: what is noted is looked for, and not found
            manifest.save()
        raise


def _wanted(
    target: Target,
    file: Path,
    data: bytes | None,
    record: Record | None,
) -> tuple[bytes, bytes | None, list[jsonc.Inserted]] | str:
    """What a file should hold, what it held without ours, and the entries; or why it stays."""
    if target.text is not None:
        whole = target.text().encode()
        if data == whole:
            return "" if record else "it is there already, not written by install"
        if data is not None and (record is None or digest(data) != record.after):
            raise files.NotOursError(
                f"{file} is left as it is: install did not write what it holds; move it away"
            )
        return whole, None, []
    text = json.dumps(target.base, indent=2) + "\n"
    if data is not None:
        text = files.decode(file, data)
    try:
        edits = target.edits()
        if record is not None and data is not None:
            if all(jsonc.has(text, *edit) for edit in edits) and len(edits) == len(record.entries):
                return ""
            text = _without(text, record)
        elif all(jsonc.has(text, *edit) for edit in edits):
            return "it is there already, not written by install"
        _check_strangers(file, text, edits)
        ours = data is None or (
            record is not None and record.before is None and jsonc.parse(text) == target.base
        )
        base = None if ours else text.encode()
        entries = []
        for edit in edits:
            text, inserted = jsonc.insert(text, edit.path, edit.value)
            entries.append(inserted)
    except ValueError as e:
        if isinstance(e, SkillretError):
            raise
        raise files.NotOursError(
            f"{file} is left as it is: no JSON that can be edited: {e}"
        ) from None
    return text.encode(), base, entries


def _without(text: str, record: Record) -> str:
    """A text without our entries, as far as they are in it."""
    for entry in reversed(record.entries):
        text = jsonc.remove(text, entry) or text
    return text


def _check_strangers(file: Path, text: str, edits: Sequence[Edit]) -> None:
    """Make sure that skillret is not called already by an entry that install has not written.

    Raises:
        NotOursError: If it is.
    """
    data = jsonc.parse(text)
    for path, _ in edits:
        there = data
        for key in path:
            if key != jsonc.END:
                there = there.get(key) if isinstance(there, dict) else None
        strange = there is not None and (path[-1] != jsonc.END or _OURS.search(json.dumps(there)))
        if strange:
            where = ".".join(key for key in path if key != jsonc.END)
            raise files.NotOursError(
                f"{file} is left as it is: {where} calls skillret already, and install has not"
                " written that; take it out, then install again"
            )


def uninstall(
    names: Sequence[str] = (), project: Path | None = None, *, dry_run: bool = False
) -> list[Step]:
    """Take back what `install` has written, and nothing else.

    Args:
        names: Agents; all, if none is named.
        project: Only what was written to this project.
        dry_run: Change nothing.

    Returns:
        A step for each file that was written to; none if nothing is installed.

    Raises:
        InputError: If an agent is unknown.
        SkillretError: If what was written is not known for certain, or another process writes.
    """
    agents = {find_target(name).agent for name in names}
    manifest = Manifest()

    def steps() -> list[Step]:
        return [
            _uninstall(record, manifest, dry_run=dry_run)
            for record in list(manifest.records.values())
            if (not agents or record.agent in agents)
            and (project is None or record.around == str(project))
        ]

    if dry_run or not manifest.records:
        return steps()
    with manifest.locked():
        return steps()


def _uninstall(record: Record, manifest: Manifest, *, dry_run: bool) -> Step:
    file, target = Path(record.path), find_target(record.agent)
    before: bytes | None = None
    try:
        files.check_way(file, Path(record.around))
        before = files.read(file)
        done, message, after = _restored(target, file, before, record, manifest)
        if not dry_run:
            if after is None and before is not None:
                _delete(file)
            elif after is not None and after != before:
                files.write(file, after, before)
            if after is None:
                remove_folders([Path(folder) for folder in record.folders])
            del manifest.records[record.path]
            manifest.save()
    except SkillretError as e:
        return Step(target, file, "refused", str(e), before, before)
    return Step(target, file, done, message, before, after)


def _restored(
    target: Target, file: Path, data: bytes | None, record: Record, manifest: Manifest
) -> tuple[str, str, bytes | None]:
    """What is done, a remark, and what a file holds without ours; None if it goes."""
    if data is None:
        return "unchanged", "it is gone already", None
    if record.before is not None and digest(data) == record.before:
        return "unchanged", "ours was out already", data
    if digest(data) == record.after:
        if record.before is None:
            return "removed", "", None
        kept = manifest.kept(record.before)
        if kept is not None:
            return "restored", "", kept
    if not record.entries:
        raise files.NotOursError(
            f"{file} is left as it is: it was changed since; look into it, and delete it yourself"
        )
    text = files.decode(file, data)
    try:
        text = _without(text, record)
        if record.before is None and jsonc.parse(text) == target.base and "/" not in text:
            return "removed", "", None
    except ValueError as e:
        raise files.NotOursError(
            f"{file} is left as it is: no JSON any more: {e}; mend it, then uninstall again"
        ) from None
    changed = text.encode() != data
    message = "it was changed since: only ours is taken out" if changed else "ours was out already"
    return "cleaned" if changed else "unchanged", message, text.encode()


def _delete(file: Path) -> None:
    try:
        file.unlink()
    except OSError as e:
        raise SkillretError(f"cannot delete {file}: {e.strerror}") from None


def status() -> list[State]:
    """What is installed for the agents that are there, and what install has written elsewhere.

    Raises:
        SkillretError: If what was written is not known for certain.
    """
    home, manifest = Path.home(), Manifest()
    states = []
    seen = set()
    for target in TARGETS:
        there, file = is_there(target, home), file_of(target, home)
        seen.add(str(file))
        if there or str(file) in manifest.records:
            states.append(_state(target, there, file, manifest))
    for path, record in manifest.records.items():
        if path not in seen:
            target = find_target(record.agent)
            states.append(_state(target, is_there(target, home), Path(path), manifest))
    return states


def _state(target: Target, there: bool, file: Path | None, manifest: Manifest) -> State:
    if file is None:
        return State(target, there, None, "no", target.remark)
    record = manifest.records.get(str(file))
    plugin = installed_plugin(target.agent, Path.home())
    if plugin is not None:
        state, message = "plugin", _has(plugin)
        if record is not None:
            message += "; install has written hooks too: `skillret uninstall` takes those out"
        return State(target, there, file, state, message)
    try:
        data = files.read(file)
        new = _wanted(target, file, data, record)
        if isinstance(new, str):
            return State(target, there, file, "not ours" if new else "installed", new)
    except SkillretError as e:
        return State(target, there, file, "unreadable", str(e))
    if record is None:
        return State(target, there, file, "no")
    if data is None or (record.entries and _without(data.decode(), record) == data.decode()):
        return State(target, there, file, "gone", "somebody has taken it out; install writes it")
    return State(target, there, file, "outdated", "install would write something else now")
