"""`skillret data pool`: what systems found, in one list to be judged."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from skillret.cli.common import (
    DATASET_HELP,
    add_calibration,
    add_file_library,
    add_model_arguments,
    check_output,
    non_negative,
    note,
    positive,
    progress_bar,
)
from skillret.errors import InputError
from skillret.messages import counted

__all__ = ["configure_pool", "run_pool"]

_EPILOG = """\
examples:
  skillret data pool path/to/data --split dev --sample 60 --output judge.jsonl
  skillret data pool path/to/data --split dev --run other.run --output judge.jsonl
  skillret evaluate path/to/data --split dev --judgements judge.jsonl

Each row is one query with one skill. Write a whole number into its column `grade`:
0 wrong, 1 helps with a part, 2 does it as well as any; or grades of your own, up to any number.
"""


def configure_pool(actions: Any) -> None:
    """Add the action."""
    pool = actions.add_parser(
        "pool",
        help="list what systems found for queries, to be judged",
        description="Write one list a query of what BM25, dense and hybrid retrieval and other"
        " systems' runs have among their first hits, together with its gold skills, in random"
        " order: JSON lines to be judged, by a person or a model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    pool.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    pool.add_argument(
        "--split", help="default: test; folders of skills and query files have only one"
    )
    add_file_library(pool)
    pool.add_argument("--output", required=True, metavar="FILE", help="new file, .jsonl[.gz]")
    add_model_arguments(pool)
    add_calibration(pool)
    pool.add_argument(
        "--mode",
        action="append",
        choices=("lexical", "dense", "hybrid"),
        help="a system of ours, repeatable (default: all three)",
    )
    pool.add_argument(
        "--run", action="append", default=[], metavar="FILE", help="TREC run of another system"
    )
    pool.add_argument(
        "-k", type=positive, default=10, metavar="N", help="hits of each system (default: 10)"
    )
    pool.add_argument("--sample", type=positive, metavar="N", help="draw N queries at random")
    pool.add_argument("--seed", type=non_negative, default=0, metavar="N", help="default: 0")
    pool.add_argument("--judgements", metavar="FILE", help="leave out what is judged there already")
    pool.add_argument(
        "--characters",
        type=non_negative,
        default=1500,
        metavar="N",
        help="of a skill's text (default: 1500)",
    )


def run_pool(args: argparse.Namespace) -> int:
    """Write the list."""
    from skillret.datasets.dataset import load_dataset
    from skillret.datasets.judgements import read_judgements
    from skillret.datasets.row_files import write_rows
    from skillret.encoders import load_encoder
    from skillret.evaluation.pool import MODES, pool_rows, pool_runs, sample_queries
    from skillret.evaluation.runs import check_run, read_run
    from skillret.files import expand
    from skillret.retrieval.calibration import load_calibration

    output = check_output(args.output)
    if not output.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError(f"{args.output}: a pool is written as .jsonl or .jsonl.gz")
    if output.exists():
        raise InputError(
            f"{args.output} is there already, and may hold judgements; give another name, and that"
            " file with --judgements to leave out what it says"
        )
    done = read_judgements(expand(args.judgements)) if args.judgements else None
    encoder = load_encoder(args.model, trust_remote_code=args.trust_remote_code)
    calibration = load_calibration(encoder, args.calibration)
    dataset = load_dataset(args.dataset, args.split, libraries=args.library)
    for remark in dataset.notes:
        note(remark)
    runs = [read_run(expand(name)) for name in args.run]
    for name, run in zip(args.run, runs, strict=True):
        check_run(run, dataset.qrels, (s.id for s in dataset.skills), Path(name).name)
    queries = sample_queries(dataset, args.sample, args.seed)
    with progress_bar("encoding", "skill") as progress:
        runs += pool_runs(
            dataset,
            queries,
            encoder,
            depth=args.k,
            modes=args.mode or MODES,
            calibration=calibration,
            progress=progress,
        )
    rows = pool_rows(
        dataset,
        queries,
        runs,
        depth=args.k,
        judgements=done,
        characters=args.characters,
        seed=args.seed,
    )
    n = write_rows(output, rows)
    print(f"{counted(n, 'skill')} to judge for {counted(len(queries), 'query')}: {output}")
    return 0
