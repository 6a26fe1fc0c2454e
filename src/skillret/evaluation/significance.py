"""Is a difference real? Paired randomization test, bootstrap intervals, the queries that moved.

Everything is by query: two systems answered the same queries, so what is tested is the list of
their differences, one a query. Queries that share a skill or an author are not independent, which
neither method knows; take a p-value near 0.05 for what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skillret.errors import InputError
from skillret.evaluation.metrics import metric_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "PERMUTATIONS",
    "RESAMPLES",
    "Difference",
    "Interval",
    "bootstrap_mean",
    "compare",
    "cuts_of",
    "randomization_test",
]

PERMUTATIONS = 20_000  # sign flips; a p-value of 0.05 is then known to 0.003 (two standard errors)
RESAMPLES = 5_000
_BLOCK = 500  # samples drawn at a time: memory stays flat


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """As plain JSON types."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two systems, A the baseline and B what is compared with it.

    Attributes:
        metric: Its name.
        a: Mean of A.
        b: Mean of B.
        interval: Mean of B - A over queries, with its interval.
        p: Of the paired randomization test, two-sided.
        wins: Queries for which B is better.
        losses: Queries for which B is worse.
        ties: Queries for which both are equal.
    """

    metric: str
    a: float
    b: float
    interval: Interval
    p: float
    wins: int
    losses: int
    ties: int


def cuts_of(metrics: Sequence[str]) -> list[int]:
    """The ks that some metrics ask for, ascending.

    Raises:
        InputError: If one of them is no metric.
    """
    cuts = {10}
    for name in metrics:
        k = name.partition("@")[2]
        # Only `hit@1` has a cut of its own.
        whole = k.isascii() and k.isdigit() and len(k) < 7 and int(k) >= 1
        if whole and name in (*metric_names([int(k)]),):
            cuts |= set() if name == "hit@1" else {int(k)}
            continue
        families = ", ".join(m.removesuffix("@1") for m in metric_names([1])[:-1])
        raise InputError(f"no metric {name!r}: choose one of {families} with @K, or hit@1")
    return sorted(cuts)


def compare(
    a: Mapping[str, Mapping[str, float]],
    b: Mapping[str, Mapping[str, float]],
    metrics: Sequence[str],
    *,
    seed: int = 0,
) -> list[Difference]:
    """Compare two systems by every metric.

    P-values are of each metric alone, not adjusted for testing several.

    Args:
        a: Metrics by query of the baseline, as `measure` returns them.
        b: The same queries' of the other system.
        metrics: Names of metrics that both have.
        seed: Of the random samples.

    Raises:
        InputError: If there is no query, or not the same ones.
    """
    if not a or set(a) != set(b):
        raise InputError("both systems must be measured on the same queries, at least one")
    left = np.array([[a[q][m] for m in metrics] for q in a])
    right = np.array([[b[q][m] for m in metrics] for q in a])
    differences = right - left
    # Sums of the same terms in another order may differ in the last bits: no win, no loss.
    differences[np.abs(differences) < 1e-9] = 0.0
    intervals = bootstrap_mean(differences, seed=seed)
    p = randomization_test(differences, seed=seed)
    return [
        Difference(
            metric=name,
            a=float(left[:, i].mean()),
            b=float(right[:, i].mean()),
            interval=intervals[i],
            p=float(p[i]),
            wins=int((differences[:, i] > 0).sum()),
            losses=int((differences[:, i] < 0).sum()),
            ties=int((differences[:, i] == 0).sum()),
        )
        for i, name in enumerate(metrics)
    ]


def randomization_test(
    differences: NDArray[np.float64], *, permutations: int = PERMUTATIONS, seed: int = 0
) -> NDArray[np.float64]:
    """Two-sided p-values of the paired randomization test (Fisher's) on means.

    If both systems were the same, each query's difference could as well have had the other sign;
    the p-value is the share of sign patterns whose mean is at least as far from 0 as the observed
    one. Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for
    Information Retrieval Evaluation" (CIKM 2007), recommend it over the sign and Wilcoxon tests.
    All patterns are counted where there are no more than `permutations` of them; otherwise random
    ones, the observed pattern counted among them, so that p is never 0 (Phipson and Smyth, 2010).

    Args:
        differences: `(queries, metrics)`.
        permutations: Random sign patterns.
        seed: Of the random patterns.

    Returns:
        `(metrics,)`.
    """
    # A query without any difference has the same sum under either sign.
    moved = differences[(differences != 0).any(axis=1)]
    n = len(moved)
    observed = np.abs(moved.sum(axis=0))
    limit = observed - 1e-9 * max(1, n)  # equal sums count, whatever the order of addition
    exact = n < 63 and 2**n <= permutations
    signs = _all_signs(n) if exact else _random_signs(n, permutations, seed)
    reached = np.zeros(differences.shape[1])
    for block in signs:
        reached += (np.abs(block @ moved) >= limit).sum(axis=0)
    result = reached / 2**n if exact else (reached + 1) / (permutations + 1)
    return np.asarray(result, dtype=np.float64)


def bootstrap_mean(values: NDArray[np.float64], *, seed: int = 0) -> list[Interval]:
    """Means over queries with their 95 % percentile bootstrap intervals, queries resampled.

    Args:
        values: `(queries, metrics)`; each metric's queries are resampled together.
        seed: Of the random samples.
    """
    n = len(values)
    if not n:
        return [Interval(float("nan"), float("nan"), float("nan"))] * values.shape[1]
    generator = np.random.default_rng(seed)
    means = np.empty((RESAMPLES, values.shape[1]))
    for start in range(0, RESAMPLES, _BLOCK):
        size = min(_BLOCK, RESAMPLES - start)
        # How often each query is drawn: one product then serves all metrics.
        drawn = generator.multinomial(n, np.full(n, 1.0 / n), size=size)
        means[start : start + size] = drawn @ values / n
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [
        Interval(float(m), float(lo), float(hi))
        for m, lo, hi in zip(values.mean(axis=0), low, high, strict=True)
    ]


def _random_signs(n: int, count: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        bits = np.frombuffer(generator.bytes(size * n // 8 + 1), dtype=np.uint8)
        flips = np.unpackbits(bits)[: size * n].reshape(size, n)
        yield np.where(flips, 1.0, -1.0)


def _all_signs(n: int) -> Iterator[NDArray[np.float64]]:
    for start in range(0, 2**n, _BLOCK):
        patterns = np.arange(start, min(start + _BLOCK, 2**n))
        yield np.where(patterns[:, None] >> np.arange(n) & 1, 1.0, -1.0)
