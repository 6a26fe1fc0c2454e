"""`skillret compare`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillret.cli.common import (
    add_file_library,
    add_judgements,
    given_judgements,
    non_negative,
    note,
    print_json,
    printable,
)
from skillret.cli.terminal import fold
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.datasets.judgements import merge_labels
from skillret.errors import InputError
from skillret.evaluation.board import Board, System, make_board, write_board
from skillret.evaluation.costs import read_about
from skillret.evaluation.metrics import measure
from skillret.evaluation.pages import prepare_folder
from skillret.evaluation.runs import Run, check_run, order, read_run
from skillret.evaluation.significance import (
    PERMUTATIONS,
    RESAMPLES,
    Difference,
    compare,
    cuts_of,
)
from skillret.extras import require
from skillret.files import expand
from skillret.messages import counted

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret evaluate path/to/data --split dev --mode lexical --run lexical.run
  skillret evaluate path/to/data --split dev --mode hybrid --run hybrid.run
  skillret compare lexical.run hybrid.run --dataset path/to/data --split dev
  skillret compare a.run b.run --dataset path/to/data --split dev --metric ndcg@5 --json
  skillret compare *.run --dataset path/to/data --split dev --report leaderboard

Of two runs A is the baseline: a positive difference means that B is better. Of more than two, or
with --report, each is compared with the best. p is the paired randomization test's (Smucker, Allan
and Carterette 2007), the interval a paired bootstrap's; both by query.
"""
_BY_ALL = "by all labels, those judged since among them: not to be compared with other figures"
_METRICS = ("ndcg@10", "recall@10", "completeness@10")


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="TREC runs: the baseline and one that is compared with it, or several for a"
        " leaderboard",
    )
    parser.add_argument("--dataset", required=True, metavar="DATASET", help="what all are runs of")
    parser.add_argument(
        "--split", help="default: test; folders of skills and query files have only one"
    )
    add_file_library(parser)
    parser.add_argument(
        "--metric",
        action="append",
        metavar="NAME@K",
        help="repeatable; the first ranks systems, or queries of two runs (default:"
        f" {', '.join(_METRICS)})",
    )
    parser.add_argument(
        "--top",
        type=non_negative,
        default=5,
        metavar="N",
        help="queries to list that moved most, up and down (default: 5)",
    )
    parser.add_argument("--seed", type=non_negative, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--allow-missing", action="store_true", help="drop gold labels whose skill is not there"
    )
    add_judgements(parser, metrics=False)
    parser.add_argument(
        "--report", metavar="DIR", help="write the leaderboard into a folder, as report.html"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    metrics = list(dict.fromkeys(args.metric or _METRICS))
    cuts = cuts_of(metrics)
    require("evaluate", "comparing runs", ("pytrec_eval",))
    if len(args.runs) < 2 and not args.report:
        raise InputError("one run is compared with nothing: give two, or several, or --report DIR")
    folder = prepare_folder(args.report) if args.report else None
    judgements = given_judgements(args)
    dataset = load_dataset(
        args.dataset, args.split, libraries=args.library, allow_missing=args.allow_missing
    )
    for remark in dataset.notes:
        note(remark)
    if judgements is not None or args.also:
        labels = merge_labels(dataset, judgements, also=args.also)
        for remark in labels.notes:
            note(remark)
        dataset = replace(
            dataset, qrels=labels.relevant, notes=(*dataset.notes, *labels.notes, _BY_ALL)
        )
    runs = [_read(expand(name), dataset) for name in args.runs]
    if folder is not None or len(runs) != 2:
        return _leaderboard(args, dataset, runs, metrics, folder)
    a, b = (measure(order(r), dataset.qrels, cuts) for r in runs)
    found = compare(a, b, metrics, seed=args.seed)
    change = {q: b[q][metrics[0]] - a[q][metrics[0]] for q in a}
    ranked = sorted((q for q in change if abs(change[q]) > 1e-9), key=lambda q: -abs(change[q]))
    moved = [
        _moved(q, metrics[0], a, b, runs, dataset)
        for better in (True, False)
        for q in [q for q in ranked if (change[q] > 0) == better][: args.top]
    ]
    document = {
        "dataset": dataset.name,
        "revision": dataset.revision,
        "split": dataset.split,
        "n_queries": len(a),
        "a": args.runs[0],
        "b": args.runs[1],
        "test": f"paired randomization, {PERMUTATIONS} sign flips",
        "interval": f"95 %, paired bootstrap, {RESAMPLES} resamples",
        "seed": args.seed,
        "metrics": {d.metric: _numbers(d) for d in found},
        "moved": moved,
    }
    if args.json:
        print_json(document)
        return 0
    _print(document, found)
    return 0


def _leaderboard(
    args: argparse.Namespace,
    dataset: Dataset,
    runs: Sequence[Run],
    metrics: Sequence[str],
    folder: Path | None,
) -> int:
    abouts = [read_about(expand(name)) for name in args.runs]
    stems = [Path(name).stem for name in args.runs]
    names = [
        stem if about is None else about.system for stem, about in zip(stems, abouts, strict=True)
    ]
    systems = [
        System(
            f"{name} ({stem})" if names.count(name) > 1 else name,
            run,
            None if about is None else about.cost,
            () if about is None else about.notes,
        )
        for name, stem, run, about in zip(names, stems, runs, abouts, strict=True)
    ]
    board = make_board(dataset, systems, metrics, seed=args.seed)
    if folder is not None:
        note(f"the leaderboard is {write_board(board, folder)}")
    if args.json:
        print_json(board.to_json())
    else:
        _print_board(board)
    return 0


def _print_board(board: Board) -> None:
    data = board.dataset
    head = f"{data.name}@{data.revision}, {data.split}: {counted(board.n_queries, 'query')}"
    print(printable(head) + "\n")
    width = max(len(printable(row)) for row in _row_names(board)) + 2
    wide = {m: max(10, len(m) + 2) for m in board.metrics}
    costs = any(e.cost is not None for e in board.entries)
    heads = "".join(f"{m:>{w}}" for m, w in wide.items()) + f"{'from the best':>15}{'p':>10}"
    print(f"{'':{width}}{heads}" + f"{'ms a query':>12}{'model, MB':>11}" * costs)
    for e in board.entries:
        cells = "".join(f"{e.metrics[m].mean:>{w}.4f}" for m, w in wide.items())
        d = e.against_best.get(board.metrics[0])
        cells += f"{'-':>15}{'':10}" if d is None else f"{d.interval.mean:>+15.4f}{_p(d.p):>10}"
        if e.cost is not None:
            size = e.cost.model_bytes
            megabytes = "" if size is None else f"{size / 1e6:.1f}"
            cells += f"{e.cost.ms_per_query:>12.1f}{megabytes:>11}"
        print(f"{printable(e.name):{width}}{cells}".rstrip())
    for p in board.published:
        cells = "".join(
            f"{p.metrics[m]:>{w}.4f}" if m in p.metrics else f"{'-':>{w}}" for m, w in wide.items()
        )
        print(f"{p.system:{width}}{cells}  published: {p.source}")
    print("\nEach p-value is of its system alone, not adjusted for testing several.")
    for e in board.entries:
        for remark in e.notes:
            print(printable(f"{e.name}: {remark}"))


def _row_names(board: Board) -> list[str]:
    return [*(e.name for e in board.entries), *(p.system for p in board.published)]


def _read(file: Path, dataset: Dataset) -> Run:
    found = read_run(file)
    for remark in check_run(found, dataset.qrels, (s.id for s in dataset.skills), file.name):
        note(remark)
    return found


def _numbers(d: Difference) -> dict[str, Any]:
    return {
        "a": d.a,
        "b": d.b,
        "difference": d.interval.mean,
        "low": d.interval.low,
        "high": d.interval.high,
        "p": d.p,
        "wins": d.wins,
        "losses": d.losses,
        "ties": d.ties,
    }


def _moved(
    query: str,
    metric: str,
    a: Mapping[str, Mapping[str, float]],
    b: Mapping[str, Mapping[str, float]],
    runs: Sequence[Run],
    dataset: Dataset,
) -> dict[str, Any]:
    """One query that moved, with its gold skills' names and ranks in both runs."""
    names = {s.id: s.name for s in dataset.skills}
    text = next(q.text for q in dataset.queries if q.id == query)
    ranks = [{id_: n for n, (id_, _) in enumerate(r.get(query, ()), start=1)} for r in runs]
    return {
        "id": query,
        "query": text,
        "a": a[query][metric],
        "b": b[query][metric],
        "gold": [
            {"id": g, "name": names[g], "rank_a": ranks[0].get(g), "rank_b": ranks[1].get(g)}
            for g in dataset.qrels[query]
        ],
    }


def _print(document: Mapping[str, Any], found: Sequence[Difference]) -> None:
    print(
        printable(
            f"{document['dataset']}@{document['revision']}, {document['split']}:"
            f" {counted(document['n_queries'], 'query')}"
        )
    )
    print(f"A  {printable(document['a'])}\nB  {printable(document['b'])}\n")
    width = max(len(d.metric) for d in found) + 2
    print(
        f"{'':{width}}{'A':>8}{'B':>9}{'B - A':>10}{'95 % interval':>21}{'p':>10}"
        f"{'B better':>11}{'worse':>8}{'equal':>8}"
    )
    for d in found:
        i = d.interval
        between = f"{i.low:+.4f} .. {i.high:+.4f}"
        print(
            f"{d.metric:{width}}{d.a:>8.4f}{d.b:>9.4f}{i.mean:>+10.4f}{between:>21}"
            f"{_p(d.p):>10}{d.wins:>11}{d.losses:>8}{d.ties:>8}"
        )
    print(f"\n{_verdict(found[0])}")
    if len(found) > 1:
        print("Each p-value is of its metric alone, not adjusted for looking at several.")
    for better, title in ((True, "B is better most"), (False, "B is worse most")):
        shown = [m for m in document["moved"] if (m["b"] > m["a"]) == better]
        if shown:
            print(f"\n{title}, by {found[0].metric} (gold skills with their ranks in A -> B):")
        for m in shown:
            gold = "; ".join(
                f"{m_['name']} {m_['rank_a'] or '-'} -> {m_['rank_b'] or '-'}" for m_ in m["gold"]
            )
            print(f"{m['b'] - m['a']:+8.3f}  {printable(m['id'])}: {printable(gold)}")
            print(fold(m["query"], 100, " " * 10, 3))


def _p(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _verdict(d: Difference) -> str:
    """What the first metric's test says, in words."""
    if d.wins + d.losses == 0:
        return f"Both runs have the same {d.metric} for every query."
    if d.p < 0.05:
        return f"By {d.metric}, B is {'better' if d.interval.mean > 0 else 'worse'} than A."
    return (
        f"By {d.metric}, no difference is shown: one of this size comes up by chance"
        f" {100 * d.p:.0f} times in 100."
    )
