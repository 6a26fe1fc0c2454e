"""Queries for skills that a library lacks: how often something is handed over. Prints a table.

    python benchmarks/absent.py ../shared/data/openskillret --split dev

Two sorts of libraries: parts of a split with 60 skills, asked for skills of other parts, and the
example skills without the one that a query of theirs is for. Beside them what a higher floor
costs: queries for skills that are there. The packaged ranker was fitted on dev, so these figures
flatter it. Never choose a floor by this on a test split.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skillret import load_encoder
from skillret.calibration.examples import dataset_pool, subpools
from skillret.datasets.dataset import load_dataset
from skillret.encoders import Encoder
from skillret.evaluation.systems import open_searcher
from skillret.retrieval.searcher import Searcher
from skillret.types import Skill

EXAMPLES = Path(__file__).parents[1] / "examples" / "skills"
FLOORS = (0.01, 0.02, 0.05)  # the first is the packaged one
PER_LIBRARY = 12  # queries of each sort that a part is asked
Asked = tuple[str, str, frozenset[str]]  # sort, query, ids of the skills that it needs
Case = tuple[Sequence[Skill], list[Asked]]


def parts(dataset: str, split: str, encoder: Encoder) -> Iterator[Case]:
    pool = dataset_pool(load_dataset(dataset, split), encoder)
    for part in subpools(pool, 60, 2, absent=True):
        sorts: dict[str, list[Asked]] = defaultdict(list)
        for q in part.queries:
            gold = frozenset(part.skills[row].id for row in part.gold.get(q.id, ()))
            if gold or q.extra.get("kind") == "absent":
                sort = "60 skills, there" if gold else "60 skills, absent"
                sorts[sort].append((sort, q.text, gold))
        yield list(part.skills), [a for rows in sorts.values() for a in rows[:PER_LIBRARY]]


def examples(dataset: str, split: str) -> Iterator[Case]:
    data = load_dataset(EXAMPLES)
    asked: dict[frozenset[str], list[str]] = defaultdict(list)
    for q in data.queries:
        asked[frozenset(data.qrels[q.id])].append(q.text)
    there = [("examples, there", t, gold) for gold, texts in asked.items() for t in texts]
    needless = load_dataset(dataset, split).negatives
    none: list[Asked] = [("examples, needless of the split", q.text, frozenset()) for q in needless]
    yield list(data.skills), [*there, *none]
    for gold, texts in asked.items():
        rest = [s for s in data.skills if s.id not in gold]
        yield rest, [("examples, absent", t, frozenset()) for t in texts]


def measure(
    searcher: Searcher, skills: Sequence[Skill], asked: Sequence[Asked]
) -> Iterator[tuple[str, list[float]]]:
    """Sort of each query; whether need is seen, and for each floor what is selected and right."""
    policies = [replace(searcher.policy, least=floor) for floor in FLOORS]
    for sort, text, gold in asked:
        ranking = searcher.rank(text, searcher.policy.depth)
        row: list[float] = []
        for policy in policies:
            picked, _ = searcher.select(text, policy, ranking=ranking)
            ids = {skills[p.key].id for p in picked}
            row += [bool(ids), bool(ids & gold)]
        yield sort, [(ranking.need or 0) >= searcher.policy.threshold, *row]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="../shared/data/openskillret")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--model", default="default")
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    rows: dict[str, list[list[float]]] = defaultdict(list)
    cases = [*examples(args.dataset, args.split), *parts(args.dataset, args.split, encoder)]
    for skills, asked in cases:
        searcher = open_searcher(skills, "hybrid", encoder, cache=False)
        for sort, row in measure(searcher, skills, asked):
            rows[sort].append(row)
    titles = [f"some at {f:g} | right" for f in FLOORS]
    print(f"| queries | n | need | {' | '.join(titles)} |")
    print("|---|---:|---:|" + "---:|---:|" * len(FLOORS))
    for sort, found in rows.items():
        cells = " | ".join(f"{value:.1%}" for value in np.mean(found, axis=0).tolist())
        print(f"| {sort} | {len(found)} | {cells} |")


if __name__ == "__main__":
    main()
