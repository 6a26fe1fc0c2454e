"""Sets of skills, as an agent would be handed them: how right and how complete they are."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FIXED", "SHOWN_FIXED", "Sets", "measure_sets"]

FIXED = (1, 3, 5, 10)  # fixed numbers of hits that a selection is compared with
SHOWN_FIXED = (1, 3, 5)  # those that are shown to people


@dataclass(frozen=True, slots=True)
class Sets:
    """What selections are worth.

    Attributes:
        selected: Precision, recall, completeness (also over queries for several skills) and mean
            size of the sets, over queries that need a skill; those that got none count as 0.
        fixed: The same of fixed numbers of hits, by that number.
        kept: Share of the queries that need a skill and got a set.
        turned_away: Share of the needless queries that got an empty one; None without such.
        n_needless: How many of those there are.
    """

    selected: Mapping[str, float]
    fixed: Mapping[int, Mapping[str, float]]
    kept: float
    turned_away: float | None
    n_needless: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            **self.selected,
            "kept": self.kept,
            "turned_away": self.turned_away,
            "n_needless": self.n_needless,
            "fixed": {f"k={k}": dict(values) for k, values in self.fixed.items()},
        }

    @classmethod
    def of(
        cls,
        chosen: Mapping[str, Sequence[Hashable]],
        ranked: Mapping[str, Sequence[Hashable]],
        gold: Mapping[str, Collection[Hashable]],
        needless: Sequence[Sequence[Hashable]],
    ) -> Sets:
        """Judge sets.

        Args:
            chosen: The set of each query that needs a skill.
            ranked: The ranking of each.
            gold: The skills that each needs.
            needless: The sets of queries that need none.
        """
        fixed = {
            k: measure_sets({id_: hits[:k] for id_, hits in ranked.items()}, gold) for k in FIXED
        }
        away = float(np.mean([not s for s in needless])) if needless else None
        kept = float(np.mean([bool(chosen[id_]) for id_ in gold]))
        return cls(measure_sets(chosen, gold), fixed, kept, away, len(needless))


def measure_sets(
    chosen: Mapping[str, Sequence[Hashable]], gold: Mapping[str, Collection[Hashable]]
) -> dict[str, float]:
    """Means over all queries with gold skills; `completeness, k > 1` only if some need several."""
    rows, several = [], []
    for id_, wanted in gold.items():
        mine = chosen.get(id_, ())
        hit = len(set(mine) & set(wanted))
        complete = float(hit == len(set(wanted)))
        rows.append((hit / len(mine) if mine else 0.0, hit / len(set(wanted)), complete, len(mine)))
        if len(set(wanted)) > 1:
            several.append(complete)
    names = ("precision", "recall", "completeness", "size")
    means = dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
    if several:
        means["completeness, k > 1"] = float(np.mean(several))
    return means
