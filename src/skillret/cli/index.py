"""`skillret index build|update|status|list|remove`."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.cli.common import add_model_arguments, note, print_json, printable, progress_bar
from skillret.encoders import load_encoder
from skillret.errors import InputError, StoreError
from skillret.evaluation.tables import find_table, read_skills
from skillret.index import Index, Sources, default_index_path
from skillret.retrieval.refresh import NO_USUAL_PLACES
from skillret.skills import Library
from skillret.types import Diagnostic, Skill, UpdateReport

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret index build --library ~/team/skills --library .claude/skills
  skillret index build --dataset openskillret --split train --index train.db
  skillret index update --index train.db
  skillret index status --index train.db --json
"""
_SHOWN_DIAGNOSTICS = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary, action in (
        (
            "build",
            "make an index, or make it anew from other folders or with another model",
            _build,
        ),
        ("update", "take in what changed in the folders of an index", _update),
        ("status", "say what an index holds and whether it is up to date", _status),
        ("list", "list the skills of an index", _list),
        ("remove", "remove skills from an index, by id or name", _remove),
    ):
        sub = actions.add_parser(name, help=summary, description=summary.capitalize() + ".")
        sub.set_defaults(run_action=action)
        if name == "remove":
            sub.add_argument("skills", nargs="+", metavar="SKILL", help="id or name")
        sub.add_argument("--index", metavar="FILE", help="index file (default: one per library)")
        sub.add_argument(
            "--library",
            action="append",
            metavar="DIR",
            help="folder that holds skills, repeatable (default: the usual places)",
        )
        if name == "build":
            sub.add_argument("--dataset", metavar="DIR", help="a data set in SkillRet layout")
            sub.add_argument("--split", default="train", help="of the data set (default: train)")
        if name in ("status", "list"):
            sub.add_argument("--json", action="store_true", help="print one JSON document")
        add_model_arguments(sub)


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    action: Callable[[argparse.Namespace], int] = args.run_action
    return action(args)


@dataclass(frozen=True, slots=True)
class _Input:
    """The skills an index is to hold, and where they come from."""

    skills: Sequence[Skill]
    sources: Sources
    fingerprint: str
    diagnostics: Sequence[Diagnostic] = ()


def _build(args: argparse.Namespace) -> int:
    if args.dataset and args.library:
        raise InputError("give either --dataset or --library, not both")
    if args.dataset:
        given = _from_dataset(Path(args.dataset).expanduser().resolve(), args.split)
        if args.index is None:
            raise InputError("name the file: an index of a data set needs --index FILE")
        path = Path(args.index)
    else:
        library = Library.open(*(args.library or ()))
        given = _from_library(library)
        path = _path(args, library)
    if not given.skills:
        places = ", ".join(r for r, _ in given.sources.roots) or args.dataset or "the usual places"
        _show(given.diagnostics)
        raise InputError(f"no skills found in {places}: a skill is a folder with a SKILL.md")
    with Index.open(path, create=True) as index:
        report = _write(index, given, args, replace_encoder=True)
    _tell("built", path, report, given)
    return 0


def _update(args: argparse.Namespace) -> int:
    path = _path(args)
    with Index.open(path) as index:
        sources = Sources.from_info(index.info())
        if sources.dataset:
            given = _from_dataset(Path(sources.dataset), sources.split or "train")
        else:
            given = _from_library(sources.library(), sources)
        report = _write(index, given, args, replace_encoder=False)
    _tell("updated", path, report, given)
    return 0


def _status(args: argparse.Namespace) -> int:
    path = _path(args)
    with Index.open(path) as index:
        info = index.info()
    sources = Sources.from_info(info)
    fresh = _is_fresh(sources, info.fingerprint)
    profile = info.profile
    status: dict[str, Any] = {
        "index": str(path),
        "skills": info.skills,
        "generation": info.generation,
        "up_to_date": fresh,
        "model": profile.name if profile else None,
        "weights": profile.weights if profile else None,
        "dim": profile.dim if profile else None,
        "template": profile.template if profile else None,
        "roots": [r for r, _ in sources.roots],
        "dataset": sources.dataset,
        "split": sources.split,
        "pending": info.pending,
        "bytes": path.stat().st_size,
    }
    if args.json:
        print_json(status)
    else:
        for key, value in status.items():
            if value not in (None, []):
                print(f"{key:<11} {', '.join(value) if isinstance(value, list) else value}")
        if not fresh:
            note("the folders have changed since: run `skillret index update`")
    return 0


def _list(args: argparse.Namespace) -> int:
    with Index.open(_path(args)) as index:
        keys = [key for key, _, _ in index.store.states().values()]
        records = sorted(index.records(keys).values(), key=lambda r: (r.name, r.key))
    if args.json:
        print_json(
            [
                {
                    "id": r.id,
                    "name": r.name,
                    "description": r.description,
                    "path": r.path,
                    "aliases": list(r.aliases),
                    "shadowed_by": r.shadowed_by,
                }
                for r in records
            ]
        )
    else:
        for r in records:
            print(f"{printable(r.id)}\t{printable(r.path or '')}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    with Index.open(_path(args)) as index:
        keys = [key for key, _, _ in index.store.states().values()]
        records = index.records(keys).values()
        ids = []
        for wanted in args.skills:
            found = [r.id for r in records if r.id == wanted] or [
                r.id for r in records if r.name == wanted
            ]
            if not found:
                raise InputError(f"no skill {wanted!r} in this index; see `skillret index list`")
            if len(found) > 1:
                raise InputError(
                    f"{wanted!r} names {len(found)} skills, give an id: {', '.join(found)}"
                )
            ids += found
        count = index.remove(ids)
    note(f"removed {count} skills; an update brings them back as long as their files are there")
    return 0


def _path(args: argparse.Namespace, library: Library | None = None) -> Path:
    if args.index is not None:
        return Path(args.index).expanduser()
    library = library or Library.open(*(args.library or ()))
    if not library.roots:
        raise InputError(NO_USUAL_PLACES)
    path = default_index_path(library, args.model)
    if args.action != "build" and not path.is_file():
        raise StoreError("there is no index of these folders yet: run `skillret index build`")
    return path


def _from_library(library: Library, sources: Sources | None = None) -> _Input:
    return _Input(
        library.skills, sources or Sources.of(library), library.fingerprint, library.diagnostics
    )


def _from_dataset(folder: Path, split: str) -> _Input:
    skills = read_skills(folder, split)
    return _Input(skills, Sources(dataset=str(folder), split=split), _stamp(folder, split))


def _stamp(folder: Path, split: str) -> str:
    """State of a data set's skill file."""
    file = find_table(folder, "skills", split)
    if file is None:
        return ""
    status = file.stat()
    parts = [str(file), status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _is_fresh(sources: Sources, fingerprint: str) -> bool:
    if sources.dataset:
        return _stamp(Path(sources.dataset), sources.split or "train") == fingerprint
    try:
        return sources.library().fingerprint == fingerprint
    except InputError:
        return False


def _write(
    index: Index, given: _Input, args: argparse.Namespace, *, replace_encoder: bool
) -> UpdateReport:
    encoder = load_encoder(args.model, trust_remote_code=args.trust_remote_code)
    with progress_bar("encoding") as progress:
        return index.update(
            given.skills,
            encoder,
            sources=given.sources,
            fingerprint=given.fingerprint,
            replace_encoder=replace_encoder,
            progress=progress,
        )


def _tell(verb: str, path: Path, report: UpdateReport, given: _Input) -> None:
    _show(given.diagnostics)
    note(
        f"{verb} {path} in {report.seconds:.1f} s: {report.total} skills, {report.added} added,"
        f" {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged,"
        f" {report.encoded} encoded"
    )


def _show(diagnostics: Sequence[Diagnostic]) -> None:
    # Errors first: a skipped skill matters more than an unusual name.
    ordered = sorted(diagnostics, key=lambda d: d.level != "error")
    for d in ordered[:_SHOWN_DIAGNOSTICS]:
        note(f"{d.level}: {d.path}: {d.message}")
    if len(ordered) > _SHOWN_DIAGNOSTICS:
        note(f"... and {len(ordered) - _SHOWN_DIAGNOSTICS} more remarks")
