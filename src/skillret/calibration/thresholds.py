"""Choosing thresholds: which queries get nothing, and how many skills the others get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skillret.calibration.examples import Example, Float64, Pool
from skillret.retrieval.selection import MAX_SELECTED, choose

__all__ = ["Judged", "choose_thresholds", "gold_rows", "selected_rows"]

_KEPT = 5.0  # a skill withheld costs as much as five that nobody needs
_FLAT = 0.005  # of F2: a difference within its chance
_SHARES = np.linspace(0.05, 0.95, 37)


@dataclass(frozen=True, slots=True)
class Judged:
    """An example with what a ranker that never saw it says.

    Attributes:
        example: The query with its candidates.
        likely: Probability that each candidate is needed if any is, float64 `(m,)`.
        need: Probability that any is.
    """

    example: Example
    likely: Float64
    need: float


def gold_rows(pool: Pool, example: Example) -> frozenset[int]:
    """Rows of the skills that a query needs; empty where it needs none."""
    return pool.gold.get(example.query.id, frozenset())


def selected_rows(pool: Pool, judged: Judged, share: float) -> list[int]:
    """Rows that would be selected for a query, if it is one that needs a skill.

    The one place where sets are chosen: for thresholds, and for the figures.
    """
    order = np.argsort(-judged.likely, kind="stable")[: 2 * MAX_SELECTED]
    rows = judged.example.rows[order]
    parts = judged.example.parts[order].tolist()
    positions = choose(judged.likely[order].tolist(), pool.vectors[rows], parts, share)
    return [int(rows[p]) for p in positions]


def choose_thresholds(
    pool: Pool, judged: Sequence[Judged], stored: float | None
) -> tuple[float | None, float]:
    """Threshold of need, and the share of the best probability from which a skill is selected too.

    By the former as many as possible of the needless queries are turned away and of the others
    kept, the latter counting five times. The share is the smallest by which the mean F2 of the
    selected sets is hardly below its best: there the curve is flat, and queries for several skills
    gain. Kinds of queries are weighted.

    Args:
        pool: The library.
        judged: Its queries, of which some need a skill.
        stored: Threshold where none of them is needless.
    """
    threshold = stored
    if any(not gold_rows(pool, j.example) for j in judged):
        threshold = _need_threshold(pool, judged)
    needed = [j for j in judged if gold_rows(pool, j.example)]
    gold = [gold_rows(pool, j.example) for j in needed]
    weights = [j.example.weight for j in needed]
    values = []
    for share in _SHARES.tolist():
        sets = [selected_rows(pool, j, share) for j in needed]
        values.append(np.average([_f2(*s) for s in zip(sets, gold, strict=True)], weights=weights))
    return threshold, float(_SHARES[np.array(values) >= max(values) - _FLAT].min())


def _need_threshold(pool: Pool, judged: Sequence[Judged]) -> float:
    ordered = sorted(judged, key=lambda j: j.need)
    needed = np.array([bool(gold_rows(pool, j.example)) for j in ordered])
    weights = np.array([j.example.weight for j in ordered])
    kept = 1 - np.cumsum(weights * needed) / (weights * needed).sum()
    away = np.cumsum(~needed) / (~needed).sum()
    cut = int(np.argmax(_KEPT * kept + away))
    # Halfway to the next query, which is kept.
    return float(np.mean([j.need for j in ordered[cut : cut + 2]]))


def _f2(chosen: Sequence[int], gold: frozenset[int]) -> float:
    """F-measure that counts recall twice: a skill too many costs an agent less than one missing."""
    return 5 * len(gold.intersection(chosen)) / (len(chosen) + 4 * len(gold))
