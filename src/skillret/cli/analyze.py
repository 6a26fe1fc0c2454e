"""`skillret analyze erasure`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from skillret.cli.common import (
    add_file_library,
    add_model_arguments,
    non_negative,
    note,
    positive,
    print_json,
    printable,
    progress_bar,
)
from skillret.datasets.dataset import load_dataset
from skillret.encoders import DEFAULT_MODEL, load_encoder
from skillret.evaluation.erasure import CONDITIONS, METRICS, SHORT_NAMES, Erasure, analyze_erasure
from skillret.evaluation.pages import prepare_folder
from skillret.extras import require
from skillret.messages import counted

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret analyze erasure path/to/data --split dev
  skillret analyze erasure path/to/data --split dev --mode dense --min-sentences 4
  skillret analyze erasure ThakiCloud/SKILLRET --model my-model --max-queries 500 --report erasure

Each sentence of a query is erased in turn; the one without which the gold skills' score drops
most is its most important one (SkillRet, arXiv:2605.05726, section 5.3). Reported are the metrics
of the whole queries and of those without their least important, a random, and their most
important sentence, and with nothing but the most important one.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ANALYSIS", required=True)
    sub = actions.add_parser(
        "erasure",
        help="what one sentence of a query is worth",
        description="What one sentence of a query is worth.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    sub.set_defaults(run_action=_erasure)
    sub.add_argument("dataset", metavar="DATASET", help="a data set, as of `skillret evaluate`")
    sub.add_argument(
        "--split", help="default: test; folders of skills and query files have only one"
    )
    add_file_library(sub)
    sub.add_argument(
        "--mode", choices=("hybrid", "dense", "lexical"), default="hybrid", help="default: hybrid"
    )
    add_model_arguments(sub)
    sub.add_argument(
        "--importance",
        choices=("score", "ndcg@10"),
        default="score",
        help="what a sentence's importance is the drop of (default: the gold skills' score)",
    )
    sub.add_argument(
        "--min-sentences",
        type=positive,
        default=2,
        metavar="N",
        help="leave out queries with fewer sentences (default: 2)",
    )
    sub.add_argument(
        "--max-queries", type=positive, metavar="N", help="a random sample of so many requests"
    )
    sub.add_argument(
        "--seed", type=non_negative, default=0, metavar="N", help="of the sample (default: 0)"
    )
    sub.add_argument(
        "--allow-missing", action="store_true", help="drop gold labels whose skill is not there"
    )
    sub.add_argument("--report", metavar="DIR", help="write report.html and its figure there")
    sub.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the analysis."""
    action: Callable[[argparse.Namespace], int] = args.run_action
    return action(args)


def _erasure(args: argparse.Namespace) -> int:
    require("evaluate", "an analysis", ("pytrec_eval",))
    folder = prepare_folder(args.report) if args.report else None
    dataset = load_dataset(
        args.dataset, args.split, libraries=args.library, allow_missing=args.allow_missing
    )
    for remark in dataset.notes:
        note(remark)
    model = DEFAULT_MODEL if args.mode == "lexical" else args.model
    with (
        progress_bar("encoding", "skill") as progress,
        progress_bar("searching", "text") as searched,
    ):
        found = analyze_erasure(
            dataset,
            args.mode,
            load_encoder(model, trust_remote_code=args.trust_remote_code),
            importance=args.importance,
            min_sentences=args.min_sentences,
            max_queries=args.max_queries,
            seed=args.seed,
            progress=progress,
            searched=searched,
        )
    if folder is not None:
        from skillret.evaluation.report import write_erasure_report

        note(f"the report is {write_erasure_report(dataset, found, folder)}")
    if args.json:
        print_json(found.to_json())
        return 0
    _print(found)
    return 0


def _print(found: Erasure) -> None:
    n = len(found.queries)
    sample = f" (a sample of {found.n_eligible})" if n < found.n_eligible else ""
    print(
        printable(f"{found.dataset}@{found.revision}, {found.split}; {found.mode}, {found.model}")
    )
    print(
        f"{counted(n, 'query')}{sample} of {found.min_sentences} sentences or more,"
        f" {found.mean_sentences:.1f} in the mean; {found.n_short} shorter ones are left out\n"
        f"importance of a sentence: drop of the {found.importance} without it\n"
    )
    width = max(map(len, CONDITIONS.values())) + 2
    print(
        f"{'':{width}}"
        + "".join(f"{m:>{len(m) + 2}}" for m in METRICS)
        + f"{'change of ndcg@10, points':>29}{'in %':>8}"
    )
    whole = found.values("whole")["ndcg@10"].mean
    for key, name in CONDITIONS.items():
        cells = "".join(f"{i.mean:>{len(m) + 2}.4f}" for m, i in found.values(key).items())
        c = found.changes(key)["ndcg@10"]
        change = ""
        if key != "whole":
            points = f"{100 * c.mean:+.1f}  [{100 * c.low:+.1f}, {100 * c.high:+.1f}]"
            change = f"{points:>29}" + (f"{100 * c.mean / whole:>+8.1f}" if whole else "")
        print(f"{name:{width}}{cells}{change}".rstrip())
    width = max(9, max(map(len, found.groups)) + 2)
    heads = "".join(f"{name:>15}" for name in SHORT_NAMES.values())
    print(f"\n{'ndcg@10':{width}}{'queries':>9}{heads}")
    for group, ids in found.groups.items():
        means = (found.values(c, ids)["ndcg@10"].mean for c in CONDITIONS)
        cells = "".join(f"{mean:>15.4f}" for mean in means)
        print(f"{printable(group):{width}}{len(ids):>9}{cells}")
