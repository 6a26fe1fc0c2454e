"""What looking at each part of a query by itself brings to selections: prints a table.

    python benchmarks/selection.py ../shared/data/openskillret --split dev

Pairs are made of the queries that stand beside the example skills, which nothing was fitted on:
two of them joined by a phrase ("... After that, ..."), as two sentences, and in one sentence. Kinds
of the data set's queries show what it costs where one skill is needed. Never choose settings by
this on a split that is reported as a test.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skillret import load_encoder
from skillret.calibration.composed import join
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.evaluation.systems import open_searcher
from skillret.retrieval.searcher import Searcher
from skillret.retrieval.selection import TASKS
from skillret.types import Query

EXAMPLES = Path(__file__).parents[1] / "examples" / "skills"
Asked = tuple[str, str, frozenset[str]]  # kind, query, ids of the skills it needs


def pairs(data: Dataset, count: int, seed: int) -> Iterator[Asked]:
    """Queries for two skills, a third of each style."""
    draw = random.Random(seed)
    short = [q for q in data.queries if len(q.text.split()) <= 25]
    for number in range(count):
        first, second = draw.sample(short, 2)
        gold = frozenset([*data.qrels[first.id], *data.qrels[second.id]])
        a, b = first.text.strip(), second.text.strip()
        sentence = a if a.endswith((".", "?", "!")) else f"{a}."
        if len(gold) < 2:
            continue
        if number % 3 == 0:
            yield "pair, joined by a phrase", f"{sentence} {join(b, draw)}", gold
        elif number % 3 == 1:
            yield "pair, two sentences", f"{sentence} {b}", gold
        elif "?" not in a + b and "." not in a[:-1]:
            word = draw.choice((" and ", " and then ", ", then "))
            yield "pair, one sentence", a.rstrip(".!") + word + b[0].lower() + b[1:], gold


def of_kinds(data: Dataset, count: int, seed: int) -> Iterator[Asked]:
    """At most `count` queries of each kind, and those that need no skill."""
    draw = random.Random(seed)
    kinds: dict[str, list[Query]] = {}
    for query in data.queries:
        kinds.setdefault(str(query.extra.get("kind")), []).append(query)
    for kind, queries in kinds.items():
        for query in draw.sample(queries, min(count, len(queries))):
            yield kind, query.text, frozenset(data.qrels[query.id])
    for query in data.negatives:
        yield "needs none", query.text, frozenset()


def measure(
    searcher: Searcher, ids: Sequence[str], asked: Sequence[Asked], parts: int
) -> dict[str, list[float]]:
    """Completeness, precision and size of the selected sets, by kind."""
    policy = replace(searcher.policy, tasks=parts)
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for kind, text, gold in asked:
        chosen = {ids[p.key] for p in searcher.select(text, policy).picked}
        hit = len(gold & chosen)
        precision = hit / len(chosen) if chosen else float(not gold)
        complete = float(chosen >= gold if gold else not chosen)
        rows.setdefault(kind, []).append((complete, precision, float(len(chosen))))
    return {kind: [len(v), *np.mean(v, axis=0).tolist()] for kind, v in rows.items()}


def compare(data: Dataset, asked: Sequence[Asked]) -> None:
    """A row for each kind, without and with parts."""
    searcher, ids = (
        open_searcher(data.skills, "hybrid", load_encoder()),
        [s.id for s in data.skills],
    )
    whole, both = (measure(searcher, ids, asked, parts) for parts in (0, TASKS))
    for kind, (count, *before) in whole.items():
        cells = " | ".join(f"{value:.3f}" for value in (*before, *both[kind][1:]))
        print(f"| {kind} | {count:.0f} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="../shared/data/openskillret")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--sample", type=int, default=150, help="requests of each kind")
    args = parser.parse_args()
    print("| queries | number | complete | precision | size | with parts | precision | size |")
    print("|---|" + "---:|" * 7)
    examples = load_dataset(EXAMPLES)
    single = [("for one skill", q.text, frozenset(examples.qrels[q.id])) for q in examples.queries]
    compare(examples, [*single, *pairs(examples, 600, 3)])
    data = load_dataset(args.dataset, args.split)
    compare(data, list(of_kinds(data, args.sample, 3)))


if __name__ == "__main__":
    main()
