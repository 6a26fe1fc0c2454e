"""An index in Milvus beside the file that it was copied from: the same hits, and at what cost.

    skillret index copy train.db milvus://127.0.0.1:19530/train
    python benchmarks/milvus.py train.db milvus://127.0.0.1:19530/train --dataset DATA --split train

Prints for how many requests the first ten hits are the same ones, and in the same order, and what a
search takes there as a multiple of what it takes in the file. Both are searched in turn.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from skillret import Retriever
from skillret.datasets.labelled import open_split
from skillret.types import Hit

FIRST = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="index file")
    parser.add_argument("other", help="address of its copy")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--sample", type=int, default=100, help="requests")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    texts = [query.text for query in open_split(args.dataset, args.split).queries()]
    sample = random.Random(args.seed).sample(texts, min(args.sample, len(texts)))
    opening = {}
    found: dict[str, list[list[Hit]]] = {}
    times: dict[str, list[list[float]]] = {}
    retrievers = {}
    for name in (args.file, args.other):
        start = time.perf_counter()
        retrievers[name] = Retriever.open(index=name)
        retrievers[name].search(sample[0], k=FIRST)
        opening[name] = time.perf_counter() - start
        found[name], times[name] = [], [[], []]
    for turn in range(2):  # the second one finds in memory what the first has read
        for text in sample:
            for name, retriever in retrievers.items():
                start = time.perf_counter()
                hits = retriever.search(text, k=FIRST)
                times[name][turn].append(time.perf_counter() - start)
                if not turn:
                    found[name].append(hits)
    pairs = [
        ([h.id for h in a], [h.id for h in b])
        for a, b in zip(found[args.file], found[args.other], strict=True)
    ]
    print(f"skills: {len(retrievers[args.file].index)}, requests: {len(sample)}\n")
    print("| | requests |\n|---|---:|")
    print(f"| the same first ten | {sum(set(a) == set(b) for a, b in pairs)} |")
    print(f"| in the same order | {sum(a == b for a, b in pairs)} |")
    print(f"| the same first hit | {sum(a[:1] == b[:1] for a, b in pairs)} |\n")
    print("| | file | Milvus | ratio |\n|---|---:|---:|---:|")
    medians = [[statistics.median(t) * 1000 for t in times[name]] for name in retrievers]
    rows: list[tuple[str, float, float]] = [
        ("open, with the first search, s", opening[args.file], opening[args.other]),
        ("search, words read from the server, ms", medians[0][0], medians[1][0]),
        ("search, words in memory, ms", medians[0][1], medians[1][1]),
    ]
    for label, own, other in rows:
        print(f"| {label} | {own:.2f} | {other:.2f} | {other / own:.1f} |")


if __name__ == "__main__":
    main()
