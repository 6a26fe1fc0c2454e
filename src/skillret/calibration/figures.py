"""What a calibration is worth: figures over queries that nothing was fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skillret.calibration.examples import FOLDS
from skillret.calibration.selections import Judged, Selector
from skillret.evaluation.abstention import TURNED_AWAY, auroc
from skillret.evaluation.sets import Sets, measure_sets
from skillret.retrieval.selection import SelectionPolicy

__all__ = ["Figures", "measure"]

_COLUMNS = ("precision", "recall", "completeness", "completeness, k > 1", "size")


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures out of fold.

    Attributes:
        ndcg: NDCG@10 over all and by kind.
        sets: Precision, recall, completeness and mean size of the selection (`selected`) and of
            fixed numbers of hits (`k=3` ...), over queries that need a skill; NaN over none.
        auroc: Of the probability of need, for both sorts of queries; None without needless ones.
        turned_away: Share of the needless queries that got an empty selection.
        kept: Share of the others that did not.
        kept_at_95: Share of the others that is kept where 95 % of the needless are turned away.
    """

    ndcg: Mapping[str, float]
    sets: Mapping[str, Mapping[str, float]]
    auroc: float | None = None
    turned_away: float | None = None
    kept: float | None = None
    kept_at_95: float | None = None


def measure(
    selector: Selector,
    judged: Sequence[Judged],
    choose: Callable[[Sequence[Judged]], SelectionPolicy],
) -> Figures:
    """Measure probabilities and selections; the thresholds of a fold are chosen on the others.

    Args:
        selector: Of the library.
        judged: Its queries, some of which need a skill.
        choose: Chooses the thresholds, just as those that are kept were chosen on all queries.
    """
    chosen, included = _selections(selector, judged, choose)
    needed = {j.query.id: j for j in judged if j.gold}
    needless = [j for j in judged if not j.gold]
    gold = {id_: j.gold for id_, j in needed.items()}
    ranked = {id_: j.whole.keys.tolist() for id_, j in needed.items()}
    sets = Sets.of(chosen, ranked, gold, [chosen[j.query.id] for j in needless])
    rows = {
        "selected": sets.selected,
        "selected, never abstaining": measure_sets(included, gold),
        **{f"k={k}": values for k, values in sets.fixed.items()},
    }
    figures = Figures(
        ndcg=_ndcg(list(needed.values())),
        sets={n: {c: values.get(c, math.nan) for c in _COLUMNS} for n, values in rows.items()},
    )
    if not needless:
        return figures
    cut = np.quantile([j.need for j in needless], TURNED_AWAY, method="higher")
    sure = [j.need for j in needed.values()]
    return replace(
        figures,
        auroc=auroc(sure, [j.need for j in needless]),
        turned_away=sets.turned_away,
        kept=sets.kept,
        kept_at_95=float(np.mean([need > cut for need in sure])),
    )


def _selections(
    selector: Selector,
    judged: Sequence[Judged],
    choose: Callable[[Sequence[Judged]], SelectionPolicy],
) -> tuple[dict[str, Sequence[int]], dict[str, Sequence[int]]]:
    """Selected rows by id of the query: as they are, and with a threshold of 0."""
    chosen: dict[str, Sequence[int]] = {}
    included: dict[str, Sequence[int]] = {}
    for fold in range(FOLDS):
        others = [j for j in judged if j.fold != fold]
        if not any(j.gold for j in others):
            others = list(judged)
        own = choose(others)
        for j in judged:
            if j.fold == fold:
                chosen[j.query.id] = selector.rows(j, own)
                included[j.query.id] = selector.rows(j, replace(own, threshold=0.0))
    return chosen, included


def _ndcg(needed: Sequence[Judged]) -> dict[str, float]:
    discount = 1 / np.log2(np.arange(2, 12))
    by_kind: dict[str, list[float]] = {"all": []}
    for j in needed:
        gains = np.isin(j.whole.keys[:10], list(j.gold))
        ideal = discount[: min(10, len(j.gold))].sum()
        value = float((gains * discount[: len(gains)]).sum() / ideal)
        by_kind["all"].append(value)
        by_kind.setdefault(str(j.query.extra.get("kind") or "none"), []).append(value)
    return {kind: float(np.mean(values)) for kind, values in by_kind.items()}
