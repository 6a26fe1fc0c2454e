"""Sets of skills, as an agent would be handed them: how right and how complete they are."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skillret.retrieval.naming import LEVELS, sure

__all__ = ["FIXED", "SHOWN_FIXED", "Sets", "measure_named", "measure_sets", "name_skills"]

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
        named: What is named at a prompt, by eagerness; see `measure_named`. Empty where no score
            is a probability.
        near_turned_away: Share of the near misses of single skills that got an empty one, though
            another skill may fit them; None without such.
        n_near_misses: How many of those there are.
    """

    selected: Mapping[str, float]
    fixed: Mapping[int, Mapping[str, float]]
    kept: float
    turned_away: float | None
    n_needless: int
    named: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)
    near_turned_away: float | None = None
    n_near_misses: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            **self.selected,
            "kept": self.kept,
            "turned_away": self.turned_away,
            "n_needless": self.n_needless,
            "near_turned_away": self.near_turned_away,
            "n_near_misses": self.n_near_misses,
            "fixed": {f"k={k}": dict(values) for k, values in self.fixed.items()},
            "named": {level: dict(values) for level, values in self.named.items()},
        }

    @classmethod
    def of(
        cls,
        chosen: Mapping[str, Sequence[Hashable]],
        ranked: Mapping[str, Sequence[Hashable]],
        gold: Mapping[str, Collection[Hashable]],
        needless: Sequence[Sequence[Hashable]],
        named: Mapping[str, Mapping[str, float]] | None = None,
        near_misses: Sequence[Sequence[Hashable]] = (),
    ) -> Sets:
        """Judge sets.

        Args:
            chosen: The set of each query that needs a skill.
            ranked: The ranking of each.
            gold: The skills that each needs.
            needless: The sets of queries that need none.
            named: See `measure_named`.
            near_misses: The sets of near misses of single skills.
        """
        fixed = {
            k: measure_sets({id_: hits[:k] for id_, hits in ranked.items()}, gold) for k in FIXED
        }
        kept = float(np.mean([bool(chosen[id_]) for id_ in gold]))
        return cls(
            measure_sets(chosen, gold),
            fixed,
            kept,
            _empty(needless),
            len(needless),
            named or {},
            _empty(near_misses),
            len(near_misses),
        )


def _empty(sets: Sequence[Sequence[Hashable]]) -> float | None:
    return float(np.mean([not s for s in sets])) if sets else None


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


def name_skills(
    chosen: Mapping[str, Sequence[str]],
    scores: Mapping[str, Sequence[float]],
    need: Mapping[str, float],
) -> dict[str, dict[str, list[str]]]:
    """What would be named at each query, by eagerness; see `skillret.retrieval.naming`.

    Args:
        chosen: The selected skills of each query, best first.
        scores: The probability of each of them.
        need: The probability that each query needs a skill.
    """
    return {
        eagerness: {
            id_: [chosen[id_][place] for place in sure(scores[id_], need[id_], level)]
            for id_ in chosen
        }
        for eagerness, level in LEVELS.items()
    }


def measure_named(
    named: Mapping[str, Mapping[str, Sequence[Hashable]]],
    gold: Mapping[str, Collection[Hashable]],
    needless: Collection[str],
) -> dict[str, dict[str, float]]:
    """How often a right skill is named, and how often any is where none is needed.

    Args:
        named: The skills by eagerness and query.
        gold: The skills that each query needs, of those that need any.
        needless: The other queries.

    Returns:
        By eagerness: `right` and `any`, shares of the queries that need a skill for which a right
        one, or any, is named, and `needless`, the share of the others, if there are such.
    """
    measured = {}
    for eagerness, skills in named.items():
        right = [not set(gold[id_]).isdisjoint(skills[id_]) for id_ in gold]
        values = {"right": right, "any": [bool(skills[id_]) for id_ in gold]}
        if needless:
            values["needless"] = [bool(skills[id_]) for id_ in needless]
        measured[eagerness] = {name: float(np.mean(v)) for name, v in values.items()}
    return measured
