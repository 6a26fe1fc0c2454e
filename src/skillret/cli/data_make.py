"""`skillret data make`: a benchmark out of a library of skills."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from skillret.cli.common import note, print_json, printable, progress_bar
from skillret.datasets.make.config import (
    ENDPOINTS,
    Config,
    EndpointSection,
    TaxonomySection,
    load_config,
)
from skillret.datasets.make.pipeline import STEPS, Pipeline, check_folder
from skillret.datasets.make.reviews import agreement
from skillret.errors import InputError
from skillret.extras import require
from skillret.files import expand
from skillret.messages import counted

if TYPE_CHECKING:
    from skillret.datasets.make.models.asker import Asker
    from skillret.datasets.make.models.ledger import Ledger

__all__ = ["configure_make", "make"]

_PLANNED = ("filter", "tag", "taxonomy", "split", "sample")


def configure_make(parser: argparse.ArgumentParser) -> None:
    """Fill in the arguments of `data make`."""
    parser.add_argument("library", metavar="LIBRARY", help="folder of skills, or a data set")
    parser.add_argument("--output", metavar="DIR", required=True, help="folder of the benchmark")
    parser.add_argument("--config", metavar="FILE", help="TOML; the defaults without one")
    parser.add_argument(
        "--step",
        action="append",
        choices=STEPS,
        help="only this step, also if it is up to date; or only these (default: all steps)",
    )
    parser.add_argument("--split", metavar="S", help="of a LIBRARY that is a data set")
    parser.add_argument(
        "--estimate", action="store_true", help="say what the models would cost, and ask nothing"
    )
    parser.add_argument(
        "--reviewer",
        metavar="NAME",
        help="with `--step review`: open a page to accept, correct or reject requests",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="of the reviewer's page (default: any free one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def make(args: argparse.Namespace) -> int:
    """Run `data make`."""
    config = load_config(expand(args.config) if args.config else None)
    folder = expand(args.output)
    check_folder(folder)
    if args.estimate:
        return _estimate(args, config)
    if args.reviewer is not None:
        if args.step != ["review"]:
            raise InputError("--reviewer goes with --step review alone")
        from skillret.serving.review import serve_reviews

        serve_reviews(folder, args.reviewer, args.port, note)
    steps = []
    with _askers(folder, config) as (askers, ledger):
        pipeline = Pipeline(args.library, folder, config, split=args.split, ledger=ledger, **askers)
        for report in pipeline.run(tuple(args.step or STEPS)):
            state = "" if report.fresh else " (up to date)"
            steps.append(dataclasses.asdict(report))
            if not args.json:
                print(f"{report.name}{state}: {printable(report.summary)}", flush=True)
            if report.edited:
                note(f"steps/{report.name}.jsonl was changed by hand; it is kept")
        spent = ledger.report() if ledger is not None else []
    agreed = agreement(folder)
    if args.json:
        print_json({"steps": steps, "calls": spent, "agreement": agreed})
        return 0
    for line in (*spent, *agreed):
        print(printable(line))
    return 0


@contextmanager
def _askers(folder: Path, config: Config) -> Iterator[tuple[dict[str, Asker], Ledger | None]]:
    """Who is asked, by section of the configuration, and the ledger of all."""
    sections = [s for s in ENDPOINTS if getattr(config, s).kind]
    if not sections:
        yield {}, None
        return
    for section in sections:
        kind = getattr(config, section).kind
        require("make", f"[{section}] of kind {kind}", (kind, "pydantic"))
    from skillret.datasets.make.models.asker import Asker
    from skillret.datasets.make.models.clients import make_client
    from skillret.datasets.make.models.ledger import Ledger

    with progress_bar("asking", "question") as progress:
        ledger = Ledger(folder / "steps" / "answers.sqlite", config.budget)
        askers: dict[str, Asker] = {}
        try:
            for section in sections:
                endpoint: EndpointSection = getattr(config, section)
                connect = partial(make_client, endpoint, section)
                askers[section] = Asker(endpoint, connect, ledger, progress)
            yield askers, ledger
        finally:
            for asker in askers.values():
                asker.close()
            ledger.close()


def _estimate(args: argparse.Namespace, config: Config) -> int:
    """Print what the models would be asked; plans are made in a folder that is thrown away."""
    if not (config.model.kind or config.judge.kind):
        raise InputError("the configuration names neither a [model] nor a [judge]: nothing costs")
    require("make", "an estimate", ("pydantic",))
    from skillret.datasets.make.models.estimate import estimate

    taxonomy = config.taxonomy
    if taxonomy.source == "discover":
        taxonomy = TaxonomySection()
    free = dataclasses.replace(
        config, model=EndpointSection(), test_model=EndpointSection(), taxonomy=taxonomy
    )
    with TemporaryDirectory() as scratch:
        pipeline = Pipeline(args.library, Path(scratch) / "plan", free, split=args.split)
        for _ in pipeline.run(_PLANNED):
            pass
        rows = estimate(pipeline.rows("filter"), pipeline.rows("sample"), config)
    if args.json:
        names = ("step", "calls", "input_tokens", "output_tokens", "cost")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return 0
    total = ("together", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    for step, calls, input_, output, cost in (*rows, total):
        tokens = f"{input_:,} tokens in, {output:,} out"
        print(f"{step}: {counted(int(calls), 'call')}, {tokens}, cost {cost:.2f}")
    print("retries come on top, answers that are kept come off")
    return 0
