"""Keeping an index in step with its library, without the user asking for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from shlex import quote

from skillret.encoders import Encoder
from skillret.errors import EncoderMismatchError, IndexBusyError, InputError, StoreError
from skillret.index import Index, Sources
from skillret.index.index import Progress
from skillret.skills import Library
from skillret.types import UpdateReport

__all__ = ["NO_USUAL_PLACES", "nothing_found", "refresh"]

_PATIENCE = 1.0  # seconds until someone who waits for another writer is told so
NO_USUAL_PLACES = (
    "no skills found: neither this project (the current folder, and those above it up to the one"
    " with .git) nor the home directory has .agents/skills or .claude/skills; name a folder with"
    " --library DIR"
)


def nothing_found(library: Library) -> str:
    """What to tell someone whose folders hold no skill."""
    places = ", ".join(str(r.path) for r in library.roots)
    text = f"no skills found in {places}: a skill is a folder with a SKILL.md"
    errors = [d for d in library.diagnostics if d.level == "error"]
    if errors:
        text += f"; {len(errors)} skipped, the first: {errors[0].path}: {errors[0].message}"
    return text


def _remarks(library: Library, *, errors_only: bool) -> str:
    """How many files were skipped or odd; told in full by `skillret index build`."""
    errors = sum(d.level == "error" for d in library.diagnostics)
    warnings = 0 if errors_only else len(library.diagnostics) - errors
    parts = [f"{n} {what}" for n, what in ((errors, "skipped"), (warnings, "remarks")) if n]
    given = "".join(f" --library {quote(str(r.path))}" for r in library.roots if r.scope == "given")
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
        folders = " ".join(f"--library {quote(place)}" for place, _ in sources.roots)
        raise InputError(
            f"this index holds the skills of {of}: search it without --library, give another"
            f" --index, or replace them by `skillret index build --index FILE {folders}`"
        )


def refresh(
    index: Index,
    library: Library,
    encoder: Encoder,
    tell: Callable[[str], None],
    progress: Progress | None = None,
    *,
    ours: bool = False,
) -> UpdateReport | None:
    """Bring an index up to date with its library; use it as it is where that cannot be.

    An index that was built before is still good to search while another process writes it, or
    on a disk that is full or read-only, so then `tell` is told why and nothing is raised. One that
    nobody named (`ours`) is re-encoded where it must be, after an upgrade for example.

    Raises:
        InputError: If the library holds no skill, or the index those of other folders and its
            encoder may not be replaced either.
        EncoderMismatchError: If the index holds another encoder's vectors.
        StoreError: If there is nothing to search and it cannot be built.
    """
    info = index.info()
    sources = Sources.of(library)
    same_encoder = info.profile is None or info.profile.identity == encoder.profile.identity
    if not same_encoder and not ours:
        index.check_encoder(encoder.profile, info)
    known = Sources.from_info(info) if info.generation > 0 else None
    if known is not None and not ours:
        _check_folders(known, sources)
    usable = known == sources and same_encoder
    if usable and info.fingerprint == library.fingerprint:
        return None
    skills = library.skills
    if not skills:
        raise InputError(nothing_found(library))
    if not usable:
        tell(f"building the index of {len(skills)} skills (once; later runs only refresh it)")
    update = partial(
        index.update,
        skills,
        encoder,
        sources=sources,
        fingerprint=library.fingerprint,
        replace_encoder=ours,
        progress=progress,
    )
    try:
        report = update(timeout=0 if usable else _PATIENCE)
    except EncoderMismatchError:
        raise
    except StoreError as e:
        if usable:
            tell(f"searching the index as it is: {e}")
            return None
        if not isinstance(e, IndexBusyError):
            raise
        tell("another process is writing this index; waiting for it")
        report = update()
    if report.dirty:
        tell(
            f"{'refreshed' if usable else 'built'} the index in {report.seconds:.1f} s:"
            f" {report.total} skills, {report.added} added, {report.changed} changed,"
            f" {report.removed} removed, {report.encoded} encoded"
            + _remarks(library, errors_only=usable)
        )
    elif _remarks(library, errors_only=True):
        tell(f"the index is up to date{_remarks(library, errors_only=True)}")
    return report
