"""Choosing thresholds: which queries get nothing, and how many skills the others get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skillret.calibration.selections import Judged, Selector
from skillret.retrieval.selection import SelectionPolicy

__all__ = ["choose_thresholds"]

_KEPT = 5.0  # a skill withheld costs as much as five that nobody needs
_FLAT = 0.005  # of F2: a difference within its chance
_SHARES = np.linspace(0.05, 0.95, 37)


def choose_thresholds(
    selector: Selector, judged: Sequence[Judged], policy: SelectionPolicy
) -> SelectionPolicy:
    """The policy with the threshold of need and the share of the best score that fit best.

    By the former as many as possible of the needless queries are turned away and of the others
    kept, the latter counting five times; it stays where no query is needless. The share is the
    smallest by which the mean F2 of the selected sets is hardly below its best: there the curve is
    flat, and queries for several skills gain. Kinds of queries are weighted.

    Args:
        selector: Of the library.
        judged: Queries, of which some need a skill.
        policy: Gets them.
    """
    if not all(j.gold for j in judged):
        policy = replace(policy, threshold=_need_threshold(judged))
    needed = [j for j in judged if j.gold]
    weights = [j.weight for j in needed]
    values = []
    for share in _SHARES.tolist():
        cut = replace(policy, share=share)
        values.append(
            np.average([_f2(selector.rows(j, cut), j.gold) for j in needed], weights=weights)
        )
    share = float(_SHARES[np.array(values) >= max(values) - _FLAT].min())
    return replace(policy, share=share)


def _need_threshold(judged: Sequence[Judged]) -> float:
    ordered = sorted(judged, key=lambda j: j.need)
    needed = np.array([bool(j.gold) for j in ordered])
    weights = np.array([j.weight for j in ordered])
    kept = 1 - np.cumsum(weights * needed) / (weights * needed).sum()
    away = np.cumsum(~needed) / (~needed).sum()
    cut = int(np.argmax(_KEPT * kept + away))
    # Halfway to the next query, which is kept.
    return float(np.mean([j.need for j in ordered[cut : cut + 2]]))


def _f2(chosen: Sequence[int], gold: frozenset[int]) -> float:
    """F-measure that counts recall twice: a skill too many costs an agent less than one missing."""
    return 5 * len(gold.intersection(chosen)) / (len(chosen) + 4 * len(gold))
