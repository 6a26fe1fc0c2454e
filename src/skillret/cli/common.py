"""What commands share: arguments, output, progress."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skillret.cli.terminal import tilde
from skillret.encoders import DEFAULT_MODEL
from skillret.errors import InputError
from skillret.files import expand, is_address
from skillret.messages import printable
from skillret.settings import Settings, load_settings

if TYPE_CHECKING:
    from skillret.datasets.judgements import Judgements

__all__ = [
    "DATASET_HELP",
    "add_agent",
    "add_calibration",
    "add_file_library",
    "add_judgements",
    "add_model_arguments",
    "add_reranker",
    "check_output",
    "check_places",
    "current_settings",
    "fit_ranker_command",
    "given_judgements",
    "non_negative",
    "note",
    "port",
    "positive",
    "print_json",
    "printable",
    "progress_bar",
]

DATASET_HELP = (
    "folder in SkillRet or BEIR layout, folder of skills with their own tests, .csv, .tsv, .txt,"
    " .jsonl or .parquet file of queries (with --library), or hub id"
)


def port(text: str) -> int:
    """An argument that must be a port."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, got {text[:40]!r}")


def positive(text: str) -> int:
    """An argument that must be a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return value


def non_negative(text: str) -> int:
    """An argument that must be a whole number of at least 0."""
    return 0 if text == "0" else positive(text)


def add_model_arguments(parser: argparse.ArgumentParser, *, by_settings: bool = False) -> None:
    """`--model` and `--trust-remote-code`; a model that nobody names may be that of the settings.

    Commands that measure or fit take none from there: what they report must not hang on it.
    """
    default = "that of the settings, or the packaged one" if by_settings else "the packaged one"
    parser.add_argument(
        "--model",
        default=None if by_settings else DEFAULT_MODEL,
        metavar="M",
        help="encoder: a model folder, a sentence-transformers name or a server's URL (default:"
        f" {default})",
    )
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run Python code that the model brings along (default: never)",
    )


def add_agent(parser: argparse.ArgumentParser) -> None:
    """`--agent`."""
    parser.add_argument(
        "--agent",
        action="append",
        metavar="NAME",
        help="only the usual places of this agent (claude-code, codex, ...), repeatable; of a"
        " single one its own precedence holds (default: all agents)",
    )


def add_calibration(parser: argparse.ArgumentParser) -> None:
    """`--calibration`."""
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="what `skillret calibrate` wrote (default: the model's own)",
    )


def add_reranker(parser: argparse.ArgumentParser) -> None:
    """`--rerank`."""
    parser.add_argument(
        "--rerank",
        "--reranker",
        dest="reranker",
        metavar="R",
        help="let a reranker read the best 20 hits again: a model folder, a hub id, or what an"
        " installed package offers; it orders them, or counts as --calibration says",
    )


def add_file_library(parser: argparse.ArgumentParser) -> None:
    """`--library` of the commands that take a data set."""
    parser.add_argument(
        "--library",
        action="append",
        default=[],
        metavar="DIR",
        help="folder of the skills that a file of queries names, repeatable",
    )


def add_judgements(parser: argparse.ArgumentParser, *, metrics: bool = True) -> None:
    """`--judgements` and `--also`, and `--least-grade` where metrics of both kinds are shown."""
    parser.add_argument(
        "--judgements",
        metavar="FILE",
        help="grades given since, 0 for a wrong skill: what `skillret data pool` wrote, filled in,"
        " or qrels",
    )
    parser.add_argument(
        "--also",
        action="store_true",
        help="count skills that the queries' column `also` says would do as well, with grade 1",
    )
    if metrics:
        parser.add_argument(
            "--least-grade",
            type=positive,
            default=1,
            metavar="G",
            help="lowest grade that is relevant in hit, mrr, precision and bpref (default: 1)",
        )


def given_judgements(args: argparse.Namespace) -> Judgements | None:
    """What `--judgements` names.

    Raises:
        InputError: As `read_judgements`.
    """
    if not args.judgements:
        return None
    from skillret.datasets.judgements import read_judgements

    return read_judgements(expand(args.judgements))


def fit_ranker_command(
    dataset: str, model: str, libraries: Sequence[str] = (), split: str | None = None
) -> str:
    """The command that gives a model a ranker."""
    given = [word for library in libraries for word in ("--library", library)]
    given += ["--split", split] if split else []
    return shlex.join(["skillret", "calibrate", dataset, *given, "--model", model, "--fit-ranker"])


def check_output(name: str) -> Path:
    """A file to be written in the end: that it cannot be is found before hours of work.

    Raises:
        InputError: If it is a folder, or lies where nothing can be written.
    """
    file = expand(name)
    try:
        if file.is_dir() or name == "-":
            raise InputError(f"{name} is no file; give the name of one")
        place = file if file.exists() else next(p for p in file.absolute().parents if p.exists())
        if not os.access(place, os.W_OK) or not (place.is_dir() or place == file):
            raise InputError(f"cannot write {name}: {place} cannot be written to")
    except OSError as e:
        raise InputError(f"cannot write {name}: {e.strerror}") from None
    return file


def check_places(args: argparse.Namespace) -> None:
    """What `--library`, `--agent` and `--index` name is there, before anything is begun.

    Raises:
        InputError: If a folder or an index is missing, or an agent is unknown.
    """
    from skillret.skills.agents import find_agent  # which reads YAML: not for every command

    for folder in args.library or ():
        if not expand(folder).is_dir():
            raise InputError(f"there is no folder {folder}: give one that holds skills")
    for agent in args.agent or ():
        find_agent(agent)
    named = args.index and not args.library and not args.agent
    if named and not is_address(args.index) and not expand(args.index).exists():
        make = f"skillret index build --index {shlex.quote(args.index)}"
        raise InputError(f"no index at {args.index}: make one with `{make}`")


def note(message: str) -> None:
    """One line on stderr for people."""
    sys.stderr.write(f"skillret: {tilde(printable(message))}\n")


def current_settings() -> Settings:
    """The settings that hold here; what was left out of them is said.

    Raises:
        InputError: As in `load_settings`.
    """
    settings = load_settings()
    for remark in settings.remarks:
        note(remark)
    return settings


def print_json(document: Any) -> None:
    """One JSON document on stdout and nothing else."""
    # Where stdout is no UTF-8, JSON's own escapes say the same.
    ascii_only = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(document, ensure_ascii=ascii_only, indent=2, allow_nan=False) + "\n"
    if not text.replace("\n", "").isprintable():
        # Control characters and direction marks that JSON allows; a terminal would obey them.
        text = "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(text)


@contextmanager
def progress_bar(label: str, unit: str = "skill") -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, if that is a terminal; it appears with the first step."""
    bar: Any = None

    def advance(done: int, total: int) -> None:
        nonlocal bar
        if not sys.stderr.isatty():
            return
        if bar is None:
            from tqdm import tqdm

            # Some terminals say that they are 0 columns wide and 0 rows high; tqdm believes them.
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            bar = tqdm(
                total=total,
                desc=label,
                unit=unit,
                file=sys.stderr,
                leave=False,
                ncols=min(max(columns - 1, 40), 100),
                nrows=24,
            )
        bar.total = total
        bar.update(done - bar.n)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.close()
