"""One owner's part in one file: written once, taken out to the byte."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from skillret.agents.install import block, files, jsonc
from skillret.agents.install.manifest import (
    Manifest,
    Part,
    Record,
    digest,
    missing_folders,
    remove_folders,
)
from skillret.errors import SkillretError

__all__ = ["Change", "Edit", "Step", "apply", "is_out", "revert", "turned_off", "wanted"]

_OURS = re.compile(r"\bskillret\b.*\bhook\b", re.DOTALL)


class Edit(NamedTuple):
    """A value of ours in a file of settings, and where it goes (`jsonc.insert`)."""

    path: tuple[str, ...]
    value: Any


class Change(NamedTuple):
    """What is to be in one file for one owner.

    Attributes:
        owner: An agent's name, `mcp CLIENT`, or what else has something in it.
        title: What its user knows it by.
        file: The file.
        around: The folder that no link may lead out of.
        edits: What goes into its JSON.
        base: What its JSON holds besides, if we make it.
        text: The whole file instead, if it is ours alone.
        lines: What goes into its text instead.
        first: Whether the lines go to its beginning, not its end.
        check: Raises `NotOursError` if a text without ours contradicts ours.
        program: What ours calls, if it calls one.
        options: Whether an entry that was written with other options may stay.
        remark: What its user should know.
        off: The value in its JSON with which the agent leaves ours alone.
    """

    owner: str
    title: str
    file: Path
    around: Path
    edits: tuple[Edit, ...] = ()
    base: Mapping[str, Any] = {}
    text: str | None = None
    lines: str = ""
    first: bool = False
    check: Callable[[str], None] | None = None
    program: str = ""
    options: bool = False
    remark: str = ""
    off: Edit | None = None


class Step(NamedTuple):
    """What is done about one file, or would be.

    Attributes:
        owner: For whom.
        title: What its user knows it by.
        file: The file; None if there is none.
        done: `written`, `unchanged`, `removed`, `restored`, `cleaned` (ours alone taken out),
            `by hand` (its user has to), or `refused`.
        message: Why, or what else should be known; may be empty.
        before: What the file holds; None if it is not there.
        after: What it holds then; None if it is not there then.
    """

    owner: str
    title: str
    file: Path | None
    done: str
    message: str = ""
    before: bytes | None = None
    after: bytes | None = None


class _Wanted(NamedTuple):
    """What a file should hold, what it held without any of ours, and the owner's part in it."""

    after: bytes
    base: bytes | None
    part: Part


def apply(change: Change, manifest: Manifest, *, dry_run: bool = False) -> Step:
    """Write what is to be in a file, unless it is written already.

    Args:
        change: What is to be in it.
        manifest: Locked, unless this is a dry run.
        dry_run: Write nothing.
    """
    owner, title, file = change.owner, change.title, change.file
    before: bytes | None = None
    try:
        files.check_way(file, change.around)
        before = files.read(file)
        record = manifest.records.get(str(file))
        new = wanted(change, before, record)
        if isinstance(new, str):
            if record is not None and new == "" and owner not in record.parts:
                new = _shared(change, record, manifest, dry_run=dry_run)
            return Step(owner, title, file, "unchanged", new, before, before)
        after, base, part = new
        if not dry_run:
            made = [str(folder) for folder in missing_folders(file)]
            made += record.folders if record else []
            kept = None if base is None else manifest.keep(base)
            parts = {**(record.parts if record else {}), owner: part}
            fresh = Record(str(file), str(change.around), kept, digest(after), parts, made)
            _commit(manifest, fresh, record, after, before)
    except SkillretError as e:
        return Step(owner, title, file, "refused", str(e), before, before)
    return Step(owner, title, file, "written", change.remark, before, after)


def _shared(change: Change, record: Record, manifest: Manifest, *, dry_run: bool) -> str:
    """Note that lines of another owner are this one's too; what the user should know of them."""
    if not dry_run:
        record.parts[change.owner] = next(p for p in record.parts.values() if p.lines)
        manifest.save()
    return change.remark


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


def wanted(change: Change, data: bytes | None, record: Record | None) -> _Wanted | str:
    """What a file should hold; or, where it stays as it is, why.

    Raises:
        NotOursError: If it cannot be edited, or holds what is not ours.
    """
    if change.text is not None:
        return _whole(change, change.text.encode(), data, record)
    text = "" if change.lines else json.dumps(change.base, indent=2) + "\n"
    if data is not None:
        text = files.decode(change.file, data, empty=bool(change.lines))
    part = record.parts.get(change.owner) if record is not None else None
    try:
        if data is not None and _is_written(change, text, part):
            known = part or (record is not None and _lines_of(record, change.lines))
            return "" if known else "it is there already, not written by install"
        text = _without(text, [part] if part else [])
        if change.check is not None:
            change.check(text)
        _check_strangers(change.file, text, change.edits)
        base: bytes | None = _without(text, _others(record, change.owner)).encode()
        if data is None or (
            record is not None
            and _is_bare(base or b"", record, change.base if change.edits else None)
        ):
            base = None
        entries, lines = [], ""
        for edit in change.edits:
            text, inserted = jsonc.insert(text, edit.path, edit.value)
            entries.append(inserted)
        if change.lines:
            text, lines = block.insert(text, change.lines, first=change.first)
    except ValueError as e:
        if isinstance(e, SkillretError):
            raise
        raise files.NotOursError(
            f"{change.file} is left as it is: no JSON that can be edited: {e}"
        ) from None
    return _Wanted(text.encode(), base, Part(entries, lines, dict(change.base), change.program))


def _whole(
    change: Change, whole: bytes, data: bytes | None, record: Record | None
) -> _Wanted | str:
    """The same of a file that is ours alone."""
    if data == whole:
        return "" if record else "it is there already, not written by install"
    if data is not None and (record is None or digest(data) != record.after):
        raise files.NotOursError(
            f"{change.file} is left as it is: install did not write what it holds; move it away"
        )
    return _Wanted(whole, None, Part(program=change.program))


def _is_written(change: Change, text: str, part: Part | None) -> bool:
    if change.lines:
        return block.is_in(text, change.lines)
    if change.options and part is not None and part.program in ("", change.program):
        return all(jsonc.has(text, entry.path, entry.value) for entry in part.entries)
    known = part is None or len(change.edits) == len(part.entries)
    return known and all(jsonc.has(text, *edit) for edit in change.edits)


def _lines_of(record: Record, lines: str) -> bool:
    """Whether some lines were put into a file already, for whomever."""
    ours = lines.split()
    return bool(ours) and any(part.lines.split() == ours for part in record.parts.values())


def _others(record: Record | None, owner: str) -> list[Part]:
    return [part for name, part in record.parts.items() if name != owner] if record else []


def _without(text: str, parts: Sequence[Part]) -> str:
    """A text without some parts, as far as they are in it."""
    for part in reversed(parts):
        for entry in reversed(part.entries):
            text = jsonc.remove(text, entry) or text
        for entry in part.entries:
            text = jsonc.remove_moved(text, entry)
        if part.lines:
            without = block.remove(text, part.lines)
            text = text if without is None else without
    return text


def is_out(data: bytes | None, part: Part) -> bool:
    """Whether nothing of a part is in a file any more."""
    if data is None:
        return True
    text = data.decode()
    return bool(part.entries or part.lines) and _without(text, [part]) == text


def turned_off(change: Change) -> str:
    """What a file says that turns off what is written into it; mostly empty."""
    with suppress(SkillretError, ValueError):  # whoever writes to it says so
        data = files.read(change.file) if change.off else None
        if change.off and data is not None:
            there = jsonc.parse(files.decode(change.file, data))
            for key in change.off.path:
                there = there.get(key) if isinstance(there, dict) else None
            if there is change.off.value:
                name, value = ".".join(change.off.path), json.dumps(there)
                return f"`{name}` is {value} in it: no hook is run until that is taken out"
    return ""


def _is_bare(data: bytes, record: Record, base: Mapping[str, Any] | None = None) -> bool:
    """Whether what is left of a file that we have made is nothing."""
    if record.before is not None:
        return False
    text = data.decode()
    bases = [part.base for part in record.parts.values() if part.entries]
    bases += [] if base is None else [dict(base)]
    return not text.strip() or (bool(bases) and "/" not in text and jsonc.parse(text) in bases)


def _check_strangers(file: Path, text: str, edits: Sequence[Edit]) -> None:
    """Make sure that skillret is not called already by an entry that install has not written.

    Raises:
        NotOursError: If it is.
    """
    data = jsonc.parse(text) if edits else {}
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


def revert(
    record: Record,
    owners: Collection[str],
    title: str,
    manifest: Manifest,
    *,
    dry_run: bool = False,
) -> Step:
    """Take some owners' parts out of a file, and nothing else.

    Args:
        record: What was written into it.
        owners: Some of its owners.
        title: What their user knows them by.
        manifest: Locked, unless this is a dry run.
        dry_run: Change nothing.
    """
    file, owner = Path(record.path), next(iter(owners))
    left = {name: part for name, part in record.parts.items() if name not in owners}
    before: bytes | None = None
    try:
        files.check_way(file, Path(record.around))
        before = files.read(file)
        if left:
            done, message, after = _partly(file, before, record, left, manifest, dry_run=dry_run)
        else:
            done, message, after = _restored(file, before, record, manifest)
        if not dry_run:
            if after is None and before is not None:
                _delete(file)
            elif after is not None and after != before:
                files.write(file, after, before)
            if after is None:
                remove_folders([Path(folder) for folder in record.folders])
            if left:
                record.parts = left
            else:
                del manifest.records[record.path]
            manifest.save()
    except SkillretError as e:
        return Step(owner, title, file, "refused", str(e), before, before)
    return Step(owner, title, file, done, message, before, after)


def _partly(
    file: Path,
    data: bytes | None,
    record: Record,
    left: Mapping[str, Part],
    manifest: Manifest,
    *,
    dry_run: bool,
) -> tuple[str, str, bytes | None]:
    """What is done where others keep their parts, a remark, and what the file holds then."""
    if data is None:
        return "unchanged", "it is gone already", None
    stay = {part.lines for part in left.values()}  # of all that share them
    parts = [part for name, part in record.parts.items() if name not in left]
    gone = [Part(part.entries) if part.lines in stay else part for part in parts]
    after = _text_without(file, data, gone)
    if after == data:
        return "unchanged", "", data
    if not dry_run:
        if digest(data) != record.after:
            base = _text_without(file, after, list(left.values()))
            record.before = None if _is_bare(base, record) else manifest.keep(base)
        record.after = digest(after)
    return "cleaned", "", after


def _restored(
    file: Path, data: bytes | None, record: Record, manifest: Manifest
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
    if not any(part.entries or part.lines for part in record.parts.values()):
        raise files.NotOursError(
            f"{file} is left as it is: it was changed since; look into it, and delete it yourself"
        )
    after = _text_without(file, data, list(record.parts.values()))
    if _is_bare(after, record):
        return "removed", "", None
    if _OURS.search(after.decode()):
        message = "an entry that calls skillret is left, for it was changed: take it out yourself"
        return "unchanged" if after == data else "cleaned", message, after
    message = "it was changed since: only ours is taken out"
    if after == data:
        return "unchanged", "ours was out already", after
    return "cleaned", message, after


def _text_without(file: Path, data: bytes, parts: Sequence[Part]) -> bytes:
    """What a file holds without some parts.

    Raises:
        NotOursError: If it is no JSON any more.
    """
    try:
        text = files.decode(file, data, empty=True)
        return _without(text, parts).encode()
    except ValueError as e:
        if isinstance(e, SkillretError):
            raise
        raise files.NotOursError(
            f"{file} is left as it is: no JSON any more: {e}; mend it, then uninstall again"
        ) from None


def _delete(file: Path) -> None:
    try:
        file.unlink()
    except OSError as e:
        raise SkillretError(f"cannot delete {file}: {e.strerror}") from None
