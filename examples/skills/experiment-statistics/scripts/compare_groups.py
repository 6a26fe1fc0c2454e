#!/usr/bin/env python3
"""Compare two groups with a permutation test and a bootstrap interval.

python compare_groups.py data.csv --group variant --value seconds
"""

import argparse
import csv
import random
import statistics
import sys


def load(path, group, value):
    groups, skipped = {}, 0
    with open(path, encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            try:
                groups.setdefault(row[group], []).append(float(row[value]))
            except (TypeError, ValueError):
                skipped += 1
    return groups, skipped


def permutation_p(a, b, stat, rounds, rng):
    observed = abs(stat(b) - stat(a))
    pooled, cut, hits = a + b, len(a), 0
    for _ in range(rounds):
        rng.shuffle(pooled)
        if abs(stat(pooled[cut:]) - stat(pooled[:cut])) >= observed - 1e-12:
            hits += 1
    return (hits + 1) / (rounds + 1)


def bootstrap_interval(a, b, stat, rounds, rng, level=0.95):
    diffs = sorted(
        stat(rng.choices(b, k=len(b))) - stat(rng.choices(a, k=len(a))) for _ in range(rounds)
    )
    tail = int(rounds * (1 - level) / 2)
    return diffs[tail], diffs[rounds - 1 - tail]


def hedges_g(a, b):
    na, nb = len(a), len(b)
    pooled = (
        ((na - 1) * statistics.variance(a) + (nb - 1) * statistics.variance(b)) / (na + nb - 2)
    ) ** 0.5
    if pooled == 0:
        return float("nan")
    d = (statistics.mean(b) - statistics.mean(a)) / pooled
    return d * (1 - 3 / (4 * (na + nb) - 9))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--group", required=True, help="column naming the group")
    parser.add_argument("--value", required=True, help="numeric column")
    parser.add_argument("--stat", choices=("mean", "median"), default="mean")
    parser.add_argument("--rounds", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)

    groups, skipped = load(args.file, args.group, args.value)
    if len(groups) != 2:
        parser.error(f"need exactly two groups, found {sorted(groups)}")
    (name_a, a), (name_b, b) = sorted(groups.items())
    if min(len(a), len(b)) < 3:
        parser.error("need at least three values in each group")
    stat = statistics.fmean if args.stat == "mean" else statistics.median
    rng = random.Random(args.seed)

    for name, values in ((name_a, a), (name_b, b)):
        print(
            f"{name}: n={len(values)} mean={statistics.fmean(values):.4g} "
            f"median={statistics.median(values):.4g} sd={statistics.stdev(values):.4g}"
        )
    low, high = bootstrap_interval(a, b, stat, args.rounds, rng)
    print(
        f"{args.stat} difference ({name_b} - {name_a}): {stat(b) - stat(a):.4g} "
        f"[95% CI {low:.4g} to {high:.4g}]"
    )
    print(f"Hedges g: {hedges_g(a, b):.3f}")
    print(
        f"permutation p (two-sided, {args.rounds} rounds): "
        f"{permutation_p(a, b, stat, args.rounds, rng):.4f}"
    )
    if skipped:
        print(f"note: {skipped} rows skipped (value missing or not a number)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
