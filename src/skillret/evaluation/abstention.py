"""How well a system tells queries that need a skill from those that need none.

Scores of how sure a system is of each query are judged over all thresholds at once, wherever they
come from: a query counts as needing a skill if its score reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CURVE_POINTS",
    "TURNED_AWAY",
    "Abstention",
    "auroc",
    "measure_abstention",
]

CURVE_POINTS = 101  # of a curve in JSON, at most
TURNED_AWAY = 0.95  # share of needless queries of the operating point that is reported


@dataclass(frozen=True, slots=True)
class Abstention:
    """What scores are worth for abstaining.

    Attributes:
        score: What the score is, for people.
        n_needed: Queries that need a skill.
        n_negatives: Queries that need none.
        auroc: Probability that one of the former scores above one of the latter.
        kept_at_95: Share of the former that reach the smallest threshold which turns away at
            least 95 % of the latter.
        threshold_at_95: That threshold; None if no observed score turns so many away.
        curve: At most 101 points, ascending by `threshold`: `precision` and `recall` of "a skill
            is needed" and the share `turned_away` of needless queries. Precision depends on how
            many of the queries are needless: here `n_negatives` of all.
        needed: Scores of the former.
        needless: Scores of the latter.
    """

    score: str
    n_needed: int
    n_negatives: int
    auroc: float
    kept_at_95: float
    threshold_at_95: float | None
    curve: Sequence[Mapping[str, float]] = field(repr=False)
    needed: Sequence[float] = field(repr=False)
    needless: Sequence[float] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, without the scores of every query."""
        return {
            "auroc": self.auroc,
            "n_needed": self.n_needed,
            "n_negatives": self.n_negatives,
            "score": self.score,
            "kept_at_95": self.kept_at_95,
            "threshold_at_95": self.threshold_at_95,
            "curve": [dict(point) for point in self.curve],
        }


def measure_abstention(
    score: str, needed: Collection[float], needless: Collection[float]
) -> Abstention | None:
    """Judge scores; None without queries of either kind.

    Args:
        score: What the score is, for people.
        needed: How sure a system is of each query that needs a skill; the larger, the surer.
        needless: The same of each query that needs none.
    """
    yes = np.sort(np.fromiter(needed, dtype=np.float64))
    no = np.sort(np.fromiter(needless, dtype=np.float64))
    if not len(yes) or not len(no):
        return None
    thresholds = np.unique(np.concatenate([yes, no]))  # all that can make a difference
    kept = len(yes) - np.searchsorted(yes, thresholds, side="left")
    turned_away = np.searchsorted(no, thresholds, side="left")
    precision = kept / (kept + len(no) - turned_away)
    # Compared as counts: 0.95 of 20 is 19.0 and must stay so.
    enough = np.flatnonzero(turned_away >= np.ceil(round(TURNED_AWAY * len(no), 6)))
    at = int(enough[0]) if len(enough) else None
    return Abstention(
        score=score,
        n_needed=len(yes),
        n_negatives=len(no),
        auroc=auroc(yes, no),
        kept_at_95=0.0 if at is None else float(kept[at] / len(yes)),
        threshold_at_95=None if at is None else float(thresholds[at]),
        curve=[
            {
                "threshold": float(thresholds[i]),
                "precision": float(precision[i]),
                "recall": float(kept[i] / len(yes)),
                "turned_away": float(turned_away[i] / len(no)),
            }
            for i in _spread(len(thresholds), at)
        ],
        needed=yes.tolist(),
        needless=no.tolist(),
    )


def auroc(
    positives: Sequence[float] | NDArray[np.float64],
    negatives: Sequence[float] | NDArray[np.float64],
) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney)."""
    if not len(positives) or not len(negatives):
        return float("nan")
    ordered = np.sort(np.asarray(negatives))
    values = np.asarray(positives)
    below = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    return float((below + upto).sum() / (2 * len(values) * len(ordered)))


def _spread(n: int, always: int | None) -> list[int]:
    """At most `CURVE_POINTS` of `n` positions: first, last, evenly between, and `always`."""
    spare = CURVE_POINTS if always is None else CURVE_POINTS - 1
    chosen = set(np.linspace(0, n - 1, min(n, spare)).round().astype(int).tolist())
    return sorted(chosen if always is None else chosen | {always})
