"""`skillret data`: check a data set, convert or make one, pool hits to be judged."""

from __future__ import annotations

import argparse

from skillret.cli.common import DATASET_HELP, add_file_library, note, print_json, printable
from skillret.cli.data_make import configure_make, make
from skillret.cli.data_pool import configure_pool, run_pool
from skillret.datasets.check import Check, check_dataset
from skillret.datasets.convert import FORMATS, LAYOUTS, convert
from skillret.datasets.make.pipeline import STEPS
from skillret.errors import DatasetError
from skillret.files import expand
from skillret.messages import counted

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret data check path/to/data
  skillret data check .claude/skills --json
  skillret data convert path/to/data out --to beir --split dev
  skillret data convert .claude/skills out --to skillret --format jsonl
  skillret data convert queries.csv out --to skillret --library .claude/skills
  skillret data pool path/to/data --split dev --sample 60 --output judge.jsonl
  skillret data make .claude/skills --output benchmark
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="count, and find what makes evaluation impossible or doubtful",
        description="Read every split and print counts and faults: labels of skills that are not"
        " there, duplicates, empty texts, skills and queries that two splits share. Exit status 1"
        " if `skillret evaluate` would refuse a split.",
        epilog="example: skillret data check path/to/data",
        allow_abbrev=False,
    )
    check.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    check.add_argument("--json", action="store_true", help="print JSON")
    change = actions.add_parser(
        "convert",
        help="write a data set in another layout or format",
        description="Write a data set in another layout or format, with all of its columns.",
        epilog="example: skillret data convert path/to/data out --to beir --split dev",
        allow_abbrev=False,
    )
    change.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    change.add_argument("output", metavar="OUTPUT", help="new folder")
    change.add_argument("--to", choices=LAYOUTS, required=True, help="layout")
    change.add_argument("--format", choices=FORMATS, help="default: jsonl.gz; jsonl for BEIR")
    change.add_argument(
        "--split",
        metavar="S",
        help="only this split (default: all); what a file of queries is called from then on",
    )
    configure_pool(actions)
    for action in (check, change):
        add_file_library(action)
    configure_make(
        actions.add_parser(
            "make",
            help="make a benchmark out of a library of skills",
            description="Make labelled requests for the skills of a library, in steps: "
            + ", ".join(STEPS)
            + ". Each prints what is left and what was dropped and why, and leaves its rows in"
            " DIR/steps; run the same command again to go on after an interruption, with another"
            " configuration to do again what that changes. Without a [model] in the configuration"
            " requests are made of what the skills' authors wrote.",
            epilog="example: skillret data make .claude/skills --output benchmark",
            allow_abbrev=False,
        )
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.action == "pool":
        return run_pool(args)
    if args.action == "make":
        return make(args)
    if args.action == "convert":
        output = expand(args.output)
        names = convert(
            args.dataset,
            output,
            args.to,
            file_format=args.format,
            split=args.split,
            libraries=args.library,
            on_note=note,
        )
        note(f"wrote {', '.join(names)} to {output}; `skillret data check {output}` checks it")
        return 0
    check = check_dataset(args.dataset, args.library)
    if args.json:
        print_json(check.to_json())
    else:
        _print(check)
    if not check.ok:
        n = sum(f.refused for f in check.findings)
        faults = f"{counted(n, 'kind')} of fault"
        raise DatasetError(f"{args.dataset} cannot be evaluated as it is: {faults}")
    return 0


def _print(check: Check) -> None:
    columns = ("skills", "queries", "qrels", "negatives")
    sizes = sorted({key for counts in check.splits.values() for key in counts if key[:2] == "k="})
    width = max(12, *(len(name) + 2 for name in check.splits))
    print(f"{printable(check.dataset)}, {check.layout} layout\n")
    titles = [*columns, "million chars", *sizes, "revision"]
    print(f"{'split':{width}}" + "  ".join(f"{title:>9}" for title in titles))
    for name, counts in check.splits.items():
        cells = [f"{counts.get(c, 0):,}" for c in columns]
        cells.append(f"{counts['characters'] / 1e6:.1f}")
        cells += [f"{counts.get(size, 0):,}" for size in sizes]
        cells.append(counts["revision"][:12])
        row = "  ".join(f"{c:>{max(9, len(t))}}" for c, t in zip(cells, titles, strict=True))
        print(f"{printable(name):{width}}{row}")
    for refused, title in ((True, "evaluation refuses"), (False, "worth knowing")):
        found = [f for f in check.findings if f.refused == refused]
        if found:
            print(f"\n{title}:")
        for f in found:
            text = f.what
            if f.examples:
                more = [*map(printable, f.examples), *["..."] * (f.count > len(f.examples))]
                text = f"{f.count:,} {f.what}: {'; '.join(more)}"
            print(f"  {printable(f.split)}: {text}")
    if not check.findings:
        print("\nno faults found")
