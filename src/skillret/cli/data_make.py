"""`skillret data make`: a benchmark out of a library of skills."""

from __future__ import annotations

import argparse

from skillret.cli.common import note, printable
from skillret.datasets.make.config import load_config
from skillret.datasets.make.pipeline import STEPS, Pipeline
from skillret.datasets.make.reviews import agreement
from skillret.files import expand

__all__ = ["configure_make", "make"]


def configure_make(parser: argparse.ArgumentParser) -> None:
    """Fill in the arguments of `data make`."""
    parser.add_argument("library", metavar="LIBRARY", help="folder of skills, or a data set")
    parser.add_argument("--output", metavar="DIR", required=True, help="folder of the benchmark")
    parser.add_argument("--config", metavar="FILE", help="TOML; the defaults without one")
    parser.add_argument(
        "--step",
        action="append",
        choices=STEPS,
        help="only this step, again; repeatable (default: all that are not up to date)",
    )
    parser.add_argument("--split", metavar="S", help="of a LIBRARY that is a data set")


def make(args: argparse.Namespace) -> int:
    """Run `data make`."""
    config = load_config(expand(args.config) if args.config else None)
    folder = expand(args.output)
    pipeline = Pipeline(args.library, folder, config, split=args.split)
    for report in pipeline.run(tuple(args.step or STEPS)):
        state = "" if report.fresh else " (up to date)"
        print(f"{report.name}{state}: {printable(report.summary)}", flush=True)
        if report.edited:
            note(f"steps/{report.name}.jsonl was changed by hand; it is kept")
    for line in agreement(folder):
        print(line)
    return 0
