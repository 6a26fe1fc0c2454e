"""Selections by the size of the library: prints a table.

    python benchmarks/small_libraries.py ../shared/data/openskillret-2 --split dev2

A split is cut into random parts of 20, 60 and 200 skills. Each is asked the queries that it can
answer, as many whose skill is elsewhere (`absent`), the split's own that need none (`negative`),
and messages that need none (`needless`), of files with a JSON object a line. Never choose settings
by this on a test split.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skillret import load_encoder
from skillret.calibration.examples import Pool, dataset_pool, some_of_each_kind, subpools
from skillret.datasets.dataset import load_dataset
from skillret.retrieval.calibration import load_calibration
from skillret.retrieval.searcher import Searcher
from skillret.types import Query

SIZES = (20, 60, 200, 0)  # 0: the whole
Row = tuple[str, list[float]]


def needless(files: Sequence[Path]) -> list[Query]:
    """Messages that need no skill, of files with a JSON object a line."""
    texts = [json.loads(line)["query"] for file in files for line in file.open(encoding="utf-8")]
    return [Query(f"\0message-{i}", text, {"kind": "needless"}) for i, text in enumerate(texts)]


def measure(searcher: Searcher, pool: Pool) -> Iterator[Row]:
    """Sort of each query, and what it got."""
    for query in pool.queries:
        gold = pool.gold.get(query.id, frozenset())
        ranking = searcher.rank(query.text, searcher.policy.depth)
        chosen = {p.key for p in searcher.select(query.text, ranking=ranking).picked}
        if not gold:
            yield str(query.extra["kind"]), [not chosen]
            continue
        hits = len(chosen & gold)
        row = [
            int(ranking.keys[0]) in gold,
            chosen == gold,
            hits == len(gold),
            hits / max(len(chosen), 1),
            not chosen,
            len(chosen),
        ]
        yield "all", [float(value) for value in row]
        yield str(query.extra.get("kind")), [float(value) for value in row]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="../shared/data/openskillret-2")
    parser.add_argument("--split", default="dev2")
    parser.add_argument("--kinds", nargs="*", default=["casual"], help="with rows of their own")
    parser.add_argument("--needless", nargs="*", type=Path, default=[], help="files of messages")
    parser.add_argument("--sample", type=int, default=10_000, help="queries of each kind")
    parser.add_argument("--calibration", type=Path)
    args = parser.parse_args()
    encoder = load_encoder()
    calibration = load_calibration(encoder, args.calibration)
    pool = dataset_pool(load_dataset(args.dataset, args.split), encoder)
    asked = some_of_each_kind(pool.queries, args.sample, 0)
    pool = replace(pool, queries=[*asked, *needless(args.needless)])
    print("| skills | queries | n | first | exact | complete | precision | nothing | size |")
    print("|---:|---|" + "---:|" * 7)
    for size in SIZES:
        parts = subpools(pool, size, 5, absent=True) if size else [pool]
        rows: dict[str, list[list[float]]] = defaultdict(list)
        for part in parts:
            searcher = Searcher(part.corpus(encoder.profile), encoder, calibration)
            for sort, row in measure(searcher, part):
                rows[sort].append(row)
        for sort in ("all", *args.kinds, "absent", "negative", "needless"):
            if not (found := rows.get(sort)):
                continue
            means = [f"{value:.3f}" for value in np.mean(found, axis=0).tolist()]
            if len(means) == 1:
                means = [*[""] * 4, *means, ""]
            cells = " | ".join([str(size or len(pool.skills)), sort, str(len(found)), *means])
            print(f"| {cells} |", flush=True)


if __name__ == "__main__":
    main()
