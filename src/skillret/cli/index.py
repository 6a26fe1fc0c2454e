"""`skillret index build|update|status|list|remove|verify|copy|clean`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.cli import index_directory
from skillret.cli.common import (
    DATASET_HELP,
    add_agent,
    add_model_arguments,
    current_settings,
    note,
    print_json,
    printable,
    progress_bar,
)
from skillret.cli.index_told import SHOWN_ERRORS, SHOWN_WARNINGS, tell, tell_suspects
from skillret.cli.workers import add_workers, open_encoder
from skillret.datasets.labelled import open_split
from skillret.encoders import DEFAULT_MODEL, Encoder
from skillret.errors import (
    DatasetError,
    EncoderError,
    IndexCorruptError,
    InputError,
    MissingExtraError,
    StoreError,
)
from skillret.files import expand, index_place
from skillret.index import Index, Sources, default_index_path
from skillret.index.copying import copy_store
from skillret.index.suspects import find_suspects
from skillret.messages import counted, meant
from skillret.retrieval.own_index import renewed
from skillret.retrieval.refresh import Folders, in_turn, nothing_found
from skillret.settings import load_settings
from skillret.skills import Library
from skillret.types import Diagnostic, Skill, UpdateReport

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret index build --library ~/team/skills --library .claude/skills
  skillret index build --dataset path/to/data --split train
  skillret index update --index team.db
  skillret index status --index team.db --json
"""
_USUAL = "train"  # the split that is indexed if none is named


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary, example, action in _actions():
        sub = actions.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example: skillret index {name} {example}",
            allow_abbrev=False,
        )
        sub.set_defaults(run_action=action)
        _add_arguments(sub, name)


def _actions() -> Sequence[tuple[str, str, str, Callable[[argparse.Namespace], int]]]:
    """Name, summary and example of each action, and what runs it."""
    return (
        (
            "build",
            "make an index, or make it anew from other folders or with another model",
            "--library ~/team/skills --index team.db",
            _build,
        ),
        (
            "update",
            "take in what changed in the folders of an index",
            "--index team.db",
            _update,
        ),
        (
            "status",
            "say what an index holds and whether it is up to date",
            "--library ~/team/skills --json",
            _status,
        ),
        ("list", "list the skills of an index", "--index team.db", _list),
        (
            "remove",
            "remove skills from an index, by id or name",
            "release-notes --index team.db",
            _remove,
        ),
        (
            "verify",
            "look at every stored text and vector, and name the skills that are damaged",
            "--index team.db",
            _verify,
        ),
        (
            "copy",
            "copy an index, to a file or to Milvus; vectors are taken over, nothing is encoded",
            "team.db milvus://127.0.0.1:19530/team",
            _copy,
        ),
        (
            "clean",
            "delete the indexes in the data directory whose folders are gone",
            "--dry-run",
            _clean,
        ),
    )


def _add_arguments(sub: argparse.ArgumentParser, name: str) -> None:
    """The arguments of an action."""
    if name == "clean":
        sub.add_argument("--dry-run", action="store_true", help="name them, and delete nothing")
        return
    if name == "copy":
        sub.add_argument("source", metavar="FROM", help="index file, or address of Milvus")
        sub.add_argument("target", metavar="TO", help="the same; it must not be there yet")
        return
    if name == "list":
        sub.add_argument(
            "--all", action="store_true", help="list the indexes in the data directory instead"
        )
    if name == "remove":
        sub.add_argument("skills", nargs="+", metavar="SKILL", help="id or name")
    sub.add_argument(
        "--index",
        metavar="FILE",
        help="index file, or milvus://HOST:PORT/COLLECTION (default: one per library or data set)",
    )
    sub.add_argument(
        "--library",
        action="append",
        metavar="DIR",
        help="folder that holds skills, repeatable (default: the usual places)",
    )
    add_agent(sub)
    sub.add_argument(
        "--dataset",
        metavar="DATASET",
        help=f"instead of folders: {DATASET_HELP}",
    )
    sub.add_argument("--split", help="of the data set (default: train)")
    if name == "build":
        sub.add_argument("--verbose", action="store_true", help="name every odd skill")
        add_workers(sub)
    if name in ("status", "list"):
        sub.add_argument("--json", action="store_true", help="print one JSON document")
    add_model_arguments(sub, by_settings=True)


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    action: Callable[[argparse.Namespace], int] = args.run_action
    if args.action in ("clean", "copy"):
        return action(args)
    try:
        if args.model:
            return action(args)
        settings = load_settings()
        args.model = settings.model or DEFAULT_MODEL
        with settings.blamed("model", EncoderError, MissingExtraError):
            return action(args)
    except IndexCorruptError as e:
        if args.index is not None or args.action == "build":
            raise
        raise IndexCorruptError(
            e.what, f"`skillret index build{_options(args)}` makes it anew"
        ) from None


@dataclass(frozen=True, slots=True)
class _Input:
    """The skills an index is to hold, and where they come from."""

    skills: Sequence[Skill]
    sources: Sources
    fingerprint: str
    diagnostics: Sequence[Diagnostic] = ()


def _build(args: argparse.Namespace) -> int:
    # Before the file is made: a model that cannot be loaded should leave nothing behind.
    with open_encoder(args) as encoder:
        return _build_with(encoder, args)


def _build_with(encoder: Encoder, args: argparse.Namespace) -> int:
    dataset = _dataset(args)
    if dataset is not None:
        given = _from_dataset(dataset)
    else:
        library = _library(args)
        given = _from_library(library)
        if not given.skills:
            raise InputError(nothing_found(library))
    named = args.index is not None
    path = index_place(args.index) if named else default_index_path(given.sources, args.model)

    def build() -> tuple[UpdateReport, _Input]:
        with Index.open(path, create=True, model=encoder) as index:
            return _write(index, given, anew=True)

    report, given = build() if named else renewed(path, build, note)
    remarks = sys.maxsize if args.verbose else SHOWN_WARNINGS
    tell("built", path, report, given.diagnostics, remarks=remarks)
    if dataset is not None:
        words = shlex.join(["--index", str(path), *_model(args)])
        note(f'search it with: skillret search "..." {words}')
    return 0


def _update(args: argparse.Namespace) -> int:
    path = _path(args)
    # By its name, which errors say.
    with Index.open(path, model=args.model, trust_remote_code=args.trust_remote_code) as index:
        index.encoder  # noqa: B018 (an unusable one is said before anything is read)
        index.check_built()
        sources = Sources.from_info(index.info())
        if not sources:
            raise InputError(
                "the skills of this index were added one by one, so there is no folder to look"
                " into; `skillret index build --library DIR` makes it hold those of a folder"
            )
        report, given = _write(index, _given(sources), anew=False)
    tell("updated", path, report, given.diagnostics, remarks=0)
    return 0


def _status(args: argparse.Namespace) -> int:
    path = _path(args)
    with Index.open(path) as index:
        info = index.info()
        suspects = find_suspects(list(index.skills()))
    sources = Sources.from_info(info)
    fresh = not sources or _is_fresh(sources, info.fingerprint)
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
        "bytes": path.stat().st_size if isinstance(path, Path) else None,
    }
    if args.json:
        status["suspects"] = [
            {"id": s.skill.id, "name": s.skill.name, "path": s.skill.path, "reason": s.reason}
            for s in suspects
        ]
        print_json(status)
    else:
        for key, value in status.items():
            if value not in (None, []):
                text = ", ".join(value) if isinstance(value, list) else str(value)
                print(f"{key:<11} {printable(text)}")
        if not info.generation:
            again = sources.command("build", path, _model(args))
            note(f"its build has not finished: run `{again}` again to go on")
        elif not fresh:
            changed = "data set has" if sources.dataset else "folders have"
            update = sources.command("update", path, _model(args))
            note(f"the {changed} changed since: run `{update}`")
        tell_suspects(suspects)
    return 0


def _list(args: argparse.Namespace) -> int:
    if args.all:
        return index_directory.list_all(json_wanted=args.json)
    with Index.open(_path(args)) as index:
        skills = sorted(index.skills(), key=lambda skill: skill.name)
    if args.json:
        print_json(
            [
                {
                    "id": s.id,
                    "name": s.name,
                    "description": s.description,
                    "path": s.path,
                    "aliases": list(s.aliases),
                    "shadowed_by": s.shadowed_by,
                    "metadata": dict(s.metadata),
                    "user_only": s.user_only,
                }
                for s in skills
            ]
        )
    else:
        for s in skills:
            only = ("only you can start it",) * s.user_only
            print("\t".join(printable(text) for text in (s.id, s.name, s.path or "", *only)))
    return 0


def _remove(args: argparse.Namespace) -> int:
    with Index.open(_path(args)) as index:
        sources = Sources.from_info(index.info())
        skills = list(index.skills())
        ids = []
        for wanted in args.skills:
            matching = [s.id for s in skills if s.id == wanted] or [
                s.id for s in skills if s.name == wanted
            ]
            if not matching:
                likely = meant(wanted, {x for s in skills for x in (s.name, s.id)})
                remedy = likely or "; see `skillret index list`"
                raise InputError(f"no skill {wanted!r} in this index{remedy}")
            if len(matching) > 1:
                raise InputError(
                    f"{wanted!r} names {len(matching)} skills, give an id: {', '.join(matching)}"
                )
            ids += matching
        count = index.remove(ids)
    back = "; the next update or search of its folder brings back what is still there"
    note(f"removed {counted(count, 'skill')}" + (back if sources else ""))
    return 0


def _verify(args: argparse.Namespace) -> int:
    path = _path(args)
    with Index.open(path) as index:
        index.check_built()
        broken = sorted(index.store.damaged())
        skills, sources = len(index), Sources.from_info(index.info())
    for id_ in broken[:SHOWN_ERRORS]:
        note(f"damaged: {id_}")
    if broken:
        raise StoreError(
            f"{counted(len(broken), 'skill')} of {skills} in {path} are not what was stored",
            f"`{sources.command('build', path, _model(args))}` makes these anew",
        )
    note(f"{path} is whole: {counted(skills, 'skill')}")
    return 0


def _copy(args: argparse.Namespace) -> int:
    source, target = index_place(args.source), index_place(args.target)
    if os.path.realpath(source) == os.path.realpath(target):
        raise InputError(f"{target} is the index that is copied; give another name to copy it to")
    with (
        Index.open(source) as old,
        Index.open(target, create=True) as new,
        progress_bar("copying") as progress,
    ):
        count = copy_store(old.store, new.store, progress)
    note(f"copied {counted(count, 'skill')} from {source} to {target}")
    return 0


def _clean(args: argparse.Namespace) -> int:
    return index_directory.clean(dry_run=args.dry_run)


def _path(args: argparse.Namespace) -> Path | str:
    """The index that an action other than `build` is about."""
    if args.index is not None:
        if args.library or args.dataset or args.agent:
            raise InputError(
                "give either --index or where the skills come from: an index knows its sources,"
                " and `skillret index build` changes them"
            )
        return index_place(args.index)
    sources = _dataset(args)
    if sources is None:
        sources = Sources.of(_library(args))
    path = default_index_path(sources, args.model)
    if not path.is_file():
        what = "this data set" if sources.dataset else "these folders"
        build = f"skillret index build{_options(args)}"
        raise StoreError(f"there is no index of {what} yet: run `{build}`")
    return path


def _options(args: argparse.Namespace) -> str:
    """What was given of where the skills come from, and of the model."""
    named = [("--library", d) for d in args.library or ()]
    named += [("--agent", name) for name in args.agent or ()]
    named += [(f"--{key}", getattr(args, key)) for key in ("dataset", "split")]
    words = [word for option, value in named if value for word in (option, value)]
    return "".join(f" {shlex.quote(word)}" for word in (*words, *_model(args)))


def _model(args: argparse.Namespace) -> list[str]:
    """The options that name the model, if it is not the one that is taken without them."""
    if args.model == (load_settings().model or DEFAULT_MODEL):
        return []
    return ["--model", args.model, *["--trust-remote-code"] * args.trust_remote_code]


def _dataset(args: argparse.Namespace) -> Sources | None:
    """The data set that was asked for, if one was."""
    if args.dataset is None:
        if args.split is not None:
            raise InputError("--split is for a data set: give --dataset DIR as well")
        return None
    if args.library or args.agent:
        raise InputError("give either --dataset, or --library or --agent, not both")
    place = expand(args.dataset)
    dataset = str(place.resolve()) if place.exists() else args.dataset
    try:
        split = open_split(dataset, args.split, usual=_USUAL).split
    except DatasetError:
        if args.action == "build":
            raise
        split = args.split or _USUAL  # an index outlives its data set
    return Sources(dataset=dataset, split=split)


def _library(args: argparse.Namespace) -> Library:
    settings = None if args.library else current_settings()
    return Folders.of(args.library or (), settings, args.agent or ()).library()


def _from_library(library: Library, sources: Sources | None = None) -> _Input:
    return _Input(
        library.skills, sources or Sources.of(library), library.fingerprint, library.diagnostics
    )


def _from_dataset(sources: Sources) -> _Input:
    data = open_split(sources.dataset or "", sources.split, usual=_USUAL)
    stamp = data.stamp()  # before it is read: what changes meanwhile is seen the next time
    return _Input([*data.skills()], sources, stamp)


def _is_fresh(sources: Sources, fingerprint: str) -> bool:
    """Whether the sources still hold what was read; not so if they are gone."""
    try:
        if sources.dataset:
            return open_split(sources.dataset, sources.split).stamp() == fingerprint
        return sources.library().fingerprint == fingerprint
    except (DatasetError, InputError):
        return False


def _given(sources: Sources) -> _Input:
    """What the sources of an index hold now."""
    if sources.dataset:
        return _from_dataset(sources)
    return _from_library(sources.library(), sources)


def _write(index: Index, given: _Input, *, anew: bool) -> tuple[UpdateReport, _Input]:
    """Store what the sources hold: what they hold once nobody else is writing."""

    def update(timeout: float | None) -> tuple[UpdateReport, _Input]:
        with index.writing(timeout), progress_bar("encoding") as progress:
            # Another writer may have stored something newer while this one waited.
            current = (
                given if _is_fresh(given.sources, given.fingerprint) else _given(given.sources)
            )
            report = index.update(
                current.skills,
                sources=current.sources,
                fingerprint=current.fingerprint,
                replace_encoder=anew,
                verify=anew,
                progress=progress,
            )
            return report, current

    return in_turn(update, note)
