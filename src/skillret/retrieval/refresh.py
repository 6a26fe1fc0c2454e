"""Keeping an index in step with its library, without the user asking for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from shlex import quote
from typing import NamedTuple, TypeVar

from skillret.errors import (
    EncoderMismatchError,
    IndexBusyError,
    InputError,
    NoSkillsError,
    StoreError,
)
from skillret.files import expand
from skillret.index.index import Index
from skillret.index.sources import Sources, default_indexes
from skillret.messages import counted
from skillret.settings import Settings
from skillret.skills import Library
from skillret.skills.agent_settings import disabled, override_files, overrides, permissions
from skillret.skills.agents import find_agent
from skillret.skills.places import Place, find_places, other_folders, roots_of
from skillret.skills.walk import Root
from skillret.types import Progress, UpdateReport

__all__ = [
    "NO_USUAL_PLACES",
    "Folders",
    "in_turn",
    "nothing_found",
    "nowhere",
    "refresh",
    "usual_library",
]

_T = TypeVar("_T")
_SHOWN = 5  # places named in a message
_MOST_LENDERS = 20  # indexes whose vectors are looked through
_PATIENCE = 1.0  # seconds until someone who waits for another writer is told so
NO_USUAL_PLACES = (
    "no skills found: neither this project (the current folder, and those above it up to the one"
    " with .git) nor the home directory has .agents/skills, .claude/skills or another place of an"
    " agent (`skillret places --all` lists them); name a folder with --library DIR"
)


class Folders(NamedTuple):
    """Where a library is looked for, each time anew: usual places may come into being later.

    Attributes:
        given: Folders; the usual places if there are none.
        known: The roots of an index that is brought up to date, instead.
        settings: What is added to the usual places, and what is left out there.
        agents: Whose usual places; those that the settings name, or all, if there are none.
        cwd: From where the usual places are looked for; the current folder if None.
    """

    given: tuple[str | os.PathLike[str], ...] = ()
    known: Sources | None = None
    settings: Settings = Settings()
    agents: tuple[str, ...] = ()
    cwd: Path | None = None

    @classmethod
    def of(
        cls,
        folders: Sequence[str | os.PathLike[str]],
        settings: Settings | None = None,
        agents: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> Folders:
        """Folders by their absolute names, whatever folder this process moves to.

        Raises:
            InputError: If a name is empty: that would be the current folder; if an agent is
                unknown, or there are both folders and agents.
        """
        if not all(map(os.fspath, folders)):
            raise InputError("the name of a folder is empty")
        if folders and agents:
            raise InputError("give either folders (a library) or agents, not both")
        names = tuple(dict.fromkeys(find_agent(name).name for name in agents))
        given = tuple(expand(folder).absolute() for folder in folders)
        return cls(given, settings=settings or Settings(), agents=names, cwd=cwd)

    def library(self) -> Library:
        """The library as it is on disk now.

        Raises:
            InputError: If a folder is missing, or there is nowhere to look.
        """
        if self.known is not None:
            return self.known.library()
        if self.given:
            return Library.open(*self.given)
        library, places = usual_library(self.settings, self.agents, cwd=self.cwd)
        if not library.roots:
            raise NoSkillsError(nowhere(places, self.agents, self.cwd))
        return library


def usual_library(
    settings: Settings,
    agents: Sequence[str] = (),
    *,
    missing: bool = False,
    cwd: Path | None = None,
) -> tuple[Library, list[Place]]:
    """The library in the usual places, perhaps without any root, and these places.

    Args:
        settings: What is added, and what is left out.
        agents: Names; those of the settings, or all agents, if there are none.
        missing: Give also the places that are not there.
        cwd: From where to look; the current folder if None.

    Raises:
        InputError: If an agent is unknown, or a place cannot be read.
    """
    with nullcontext() if agents else settings.blamed("agents", InputError):
        wanted = tuple(find_agent(name).name for name in agents or settings.agents)
    places = find_places(cwd, agents=wanted, extra=settings.roots, missing=missing)
    one = wanted[0] if len(set(wanted)) == 1 else None
    off = disabled(one, cwd) if one is not None else {}
    said = overrides(places, cwd)
    library = Library(
        roots_of(places),
        agent=one,
        hide=(*settings.hide, *off),
        overrides=said,
        permissions=permissions(places, one, cwd),
        said_in=off | (override_files(cwd) if said.off else {}),
    )
    return library, places


def nowhere(places: Sequence[Place], agents: Sequence[str] = (), cwd: Path | None = None) -> str:
    """What to tell someone who has none of the usual places, or only unusable ones."""
    left_out = [f"{p.path}: {p.problem}" for p in places if p.problem is not None]
    text = NO_USUAL_PLACES
    if agents:
        titles = " or ".join(find_agent(name).title for name in agents)
        named = "".join(f" --agent {name}" for name in agents)
        text = (
            f"no skills found: no place of {titles} is there (`skillret places --all{named}` lists"
            " them); name a folder with --library DIR"
        )
    text += _elsewhere((), cwd)
    return text + "".join(f"; left out: {reason}" for reason in left_out[:_SHOWN])


def _elsewhere(roots: Iterable[Root], cwd: Path | None = None) -> str:
    """Which folders near hold skills that are not looked for there; empty if there are none."""
    known = {root.path for root in roots}
    others = [str(folder) for folder in other_folders(cwd) if folder.resolve() not in known]
    named = ", ".join(others[:_SHOWN])
    return f"; skills lie in {named}, which is none of these places" if others else ""


def nothing_found(library: Library) -> str:
    """What to tell someone whose folders hold no skill; what was left out may be what he wants."""
    places = [str(r.path) for r in library.roots]
    more = f" and {len(places) - _SHOWN} more places" if len(places) > _SHOWN else ""
    where = f"{', '.join(places[:_SHOWN])}{more}"
    if library.hidden:
        hidden = counted(library.hidden, "skill")
        whose = " and ".join(library.hidden_by)
        verb = "leaves" if len(library.hidden_by) == 1 else "leave"
        return f"no skills are left in {where}: {whose} {verb} out {hidden}"
    text = f"no skills found in {where}: a skill is a folder with a SKILL.md"
    errors = [d for d in library.diagnostics if d.level == "error"]
    if errors:
        text += f"; {len(errors)} skipped, the first: {errors[0].path}: {errors[0].message}"
    if any(root.scope != "given" for root in library.roots):
        text += _elsewhere(library.roots)
    rest = [d for d in library.left_out if d.level != "error"]
    text += "".join(f"; left out: {d.path}: {d.message}" for d in rest[:_SHOWN])
    return text + (f"; and {len(rest) - _SHOWN} more" if len(rest) > _SHOWN else "")


def _remarks(library: Library, *, errors_only: bool) -> str:
    """How many files were skipped or odd; told in full by `skillret index build`."""
    errors = sum(d.level == "error" for d in library.diagnostics)
    warnings = 0 if errors_only else len(library.diagnostics) - errors
    parts = [f"{errors} skipped"] * bool(errors) + [counted(warnings, "remark")] * bool(warnings)
    given = "".join(f" --library {quote(str(r.path))}" for r in library.roots if r.scope == "given")
    if any(r.scope != "given" for r in library.roots):  # also what the settings add
        given = f" --agent {library.agent}" if library.agent else ""
    return (
        f" ({', '.join(parts)}: `skillret index build --verbose{given}` lists them)"
        if parts
        else ""
    )


def _check_folders(known: Sources, sources: Sources) -> None:
    """An index that someone named keeps the skills that it was built from."""
    places = [place for place, _ in known.roots]
    if known.dataset is not None or places != [place for place, _ in sources.roots]:
        of = f"the data set {known.dataset}" if known.dataset else " and ".join(places)
        of = f"the skills of {of}" if of else "skills that were added one by one"
        folders = " ".join(f"--library {quote(place)}" for place, _ in sources.roots)
        raise InputError(
            f"this index holds {of}: search it without --library, give another"
            f" --index, or replace them by `skillret index build --index FILE {folders}`"
        )


def _latest(files: Iterable[Path]) -> list[Path]:
    """Those that were written last."""
    times = {}
    for file in files:
        with suppress(OSError):  # another process removes it
            times[file] = file.stat().st_mtime
    return sorted(times, key=lambda file: -times[file])[:_MOST_LENDERS]


def in_turn(write: Callable[[float | None], _T], tell: Callable[[str], None]) -> _T:
    """What writing gives once it is our turn; who has to wait for another process is told so.

    Args:
        write: Takes the seconds to wait for another writer, None for as long as an index does.
        tell: Told in one line.

    Raises:
        IndexBusyError: If the other process does not end.
    """
    try:
        return write(_PATIENCE)
    except IndexBusyError:
        tell("another process is writing this index; waiting for it")
        return write(None)


def refresh(
    index: Index,
    folders: Folders,
    library: Library,
    tell: Callable[[str], None],
    progress: Progress | None = None,
    *,
    ours: bool = False,
) -> UpdateReport | None:
    """Bring an index up to date with its library; use it as it is where that cannot be.

    An index that was built before is still good to search while another process writes it, or
    on a disk that is full or read-only, so then `tell` is told why and nothing is raised. One that
    nobody named (`ours`) is re-encoded where it must be, after an upgrade for example.

    Args:
        index: The index.
        folders: Where to look again: what another writer has stored meanwhile may be newer than
            `library`.
        library: What was there a moment ago.
        tell: Told in one line what was done.
        progress: Called with the documents encoded so far and in all.
        ours: Whether nobody named the index.

    Raises:
        InputError: If the library holds no skill, or the index those of other folders and its
            encoder may not be replaced either.
        EncoderMismatchError: If the index holds another encoder's vectors.
        StoreError: If there is nothing to search and it cannot be built.
    """
    info = index.info()
    sources = Sources.of(library)
    profile = index.encoder.profile
    same_encoder = info.profile is None or info.profile.identity == profile.identity
    if not same_encoder and not ours:
        index.check_encoder(info)
    known = Sources.from_info(info) if info.generation > 0 else None
    if known is not None and not ours:
        _check_folders(known, sources)
    usable = known == sources and same_encoder
    if usable and info.fingerprint == library.fingerprint:
        return None
    if not library.skills:
        raise NoSkillsError(nothing_found(library))
    # Otherwise the vectors are known, and whatever is done takes no time to speak of.
    if not info.skills or not same_encoder:
        tell(
            f"building the index of {counted(len(library.skills), 'skill')} (once; later runs only"
            " refresh it)"
        )

    def update(timeout: float | None) -> tuple[UpdateReport, Library]:
        with index.writing(timeout):
            # Nobody writes now: what is seen from here on is not older than what is stored.
            current = folders.library()
            if current.fingerprint == library.fingerprint:
                current = library  # which has been read
            if not current.skills:
                raise NoSkillsError(nothing_found(current))
            if ours and not info.skills:
                # Another project's, or another agent's, may hold most of the same skills.
                index.borrow(current.skills, _latest(default_indexes()))
            report = index.update(
                current.skills,
                sources=Sources.of(current),
                fingerprint=current.fingerprint,
                replace_encoder=ours,
                progress=progress,
            )
            return report, current

    try:
        report, library = update(0) if usable else in_turn(update, tell)
    except EncoderMismatchError:
        raise
    except StoreError as e:
        if not usable:
            raise
        tell(f"searching the index as it is: {e}")
        return None
    if report.dirty:
        tell(
            f"{'refreshed' if usable else 'built'} the index in {report.seconds:.1f} s:"
            f" {counted(report.total, 'skill')}, {report.added} added, {report.changed} changed,"
            f" {report.removed} removed, {report.encoded} encoded"
            + _remarks(library, errors_only=usable)
        )
    elif _remarks(library, errors_only=True):
        tell(f"the index is up to date{_remarks(library, errors_only=True)}")
    return report
