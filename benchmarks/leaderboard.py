"""A leaderboard on any data set, as Markdown: NDCG@10 with 95 % bootstrap intervals, by kind too.

    python benchmarks/leaderboard.py examples/skills
    python benchmarks/leaderboard.py DATASET --split dev --model runs/minilm/export --mode hybrid
    python benchmarks/leaderboard.py queries.csv --library examples/skills

Lexical retrieval (bm25s as the reference, and ours), the packaged encoder alone and both together;
every --model gets a dense and a hybrid row; --mode leaves only rows of some kinds. The last table
tests each system against the one that the package uses, or the last row without it. Corpora are
encoded once and cached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from skillret.datasets.dataset import load_dataset
from skillret.encoders import DEFAULT_MODEL
from skillret.errors import SkillretError
from skillret.evaluation.evaluator import DEFAULT_GROUPS, Result, evaluate, group_queries
from skillret.evaluation.significance import Interval, bootstrap_mean, compare

METRICS = ("ndcg@10", "recall@10", "completeness@10")
OURS = "**hybrid, as packaged**"
MODES = ("lexical", "dense", "hybrid")


def systems(
    models: Sequence[str], modes: Sequence[str] = MODES
) -> dict[str, Callable[..., Result]]:
    """What is measured, by name; a reference whose library is missing is left out."""

    def make(**settings: object) -> Callable[..., Result]:
        return lambda dataset: evaluate(dataset, **settings)  # type: ignore[arg-type]

    rows: dict[str, Callable[..., Result]] = {}
    if "lexical" in modes and find_spec("bm25s") is None:
        sys.stderr.write("bm25s is not installed: its row is left out\n")
    else:
        rows["lexical, bm25s"] = make(mode="lexical", lexical="bm25s")
    rows["lexical, ours"] = make(mode="lexical")
    rows["dense, as packaged"] = make(mode="dense", model=DEFAULT_MODEL)
    rows[OURS] = make(mode="hybrid", model=DEFAULT_MODEL)
    for model in models:
        rows[f"dense, {model}"] = make(mode="dense", model=model)
        rows[f"hybrid, {model}"] = make(mode="hybrid", model=model)
    return {name: row for name, row in rows.items() if name.strip("*").split(",")[0] in modes}


def interval(i: Interval) -> str:
    return f"{i.mean:.4f} [{i.low:.3f}, {i.high:.3f}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"| {' | '.join(head)} |")
    print("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |")


def means(result: Result, metrics: Sequence[str], queries: Sequence[str]) -> list[Interval]:
    return bootstrap_mean(np.array([[result.per_query[q][m] for m in metrics] for q in queries]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", metavar="DATASET", help="as skillret evaluate takes it")
    parser.add_argument("--split", help="default: dev; own tests have but one")
    parser.add_argument("--library", action="append", default=[], help="of a file of queries")
    parser.add_argument("--model", action="append", default=[], help="repeatable")
    parser.add_argument("--mode", action="append", choices=MODES, help="repeatable; default: all")
    args = parser.parse_args()
    try:
        dataset = load_dataset(args.dataset, args.split, usual="dev", libraries=args.library)
        results: dict[str, Result] = {}
        for name, system in systems(args.model, args.mode or MODES).items():
            sys.stderr.write(f"{name.strip('*')} ...\n")
            results[name] = system(dataset)
    except SkillretError as e:
        raise SystemExit(f"leaderboard: {e}") from None

    everything = list(next(iter(results.values())).per_query)
    groups = group_queries(dataset, DEFAULT_GROUPS)
    kinds = {name: ids for name, ids in groups.items() if name.startswith("kind=")}
    print(
        f"{dataset.split} of {dataset.name}, revision {dataset.revision}:"
        f" {len(everything)} queries, {len(dataset.skills)} skills; 95 % bootstrap intervals over"
        " queries.\n"
    )
    table(
        ["system", *METRICS],
        [[n, *map(interval, means(r, METRICS, everything))] for n, r in results.items()],
    )
    if kinds:
        print("\nNDCG@10 by kind of query:\n")
        table(
            ["system", *(f"{k.removeprefix('kind=')} ({len(ids)})" for k, ids in kinds.items())],
            [
                [n, *(interval(means(r, METRICS[:1], ids)[0]) for ids in kinds.values())]
                for n, r in results.items()
            ],
        )
    base = OURS if OURS in results else [*results][-1]
    others = {name: r for name, r in results.items() if name != base}
    if not others:
        return
    print(
        f"\nEach system's NDCG@10 minus that of {base} (paired randomization test, not adjusted for"
        " several):\n"
    )
    scores = results[base].per_query
    found = {n: compare(scores, r.per_query, METRICS[:1])[0] for n, r in others.items()}
    table(
        ["system", "difference", "p", "better", "worse", "equal"],
        [
            [
                n,
                f"{d.interval.mean:+.4f} [{d.interval.low:+.3f}, {d.interval.high:+.3f}]",
                f"{d.p:.4f}" if d.p >= 0.0001 else "< 0.0001",
                *map(str, (d.wins, d.losses, d.ties)),
            ]
            for n, d in found.items()
        ],
    )


if __name__ == "__main__":
    main()
