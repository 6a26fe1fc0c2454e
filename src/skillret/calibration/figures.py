"""What a calibration is worth: figures over queries that nothing was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skillret.calibration.examples import FOLDS, Pool
from skillret.calibration.thresholds import Judged, choose_thresholds, gold_rows, selected_rows
from skillret.evaluation.abstention import TURNED_AWAY, auroc

__all__ = ["FIXED", "Figures", "measure"]

FIXED = (1, 3, 5, 10)  # fixed numbers of hits that a selection is compared with


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


def measure(pool: Pool, judged: Sequence[Judged], stored: float | None) -> Figures:
    """Measure probabilities and selections; the thresholds of a fold are chosen on the others.

    Args:
        pool: The library.
        judged: Its queries, some of which need a skill.
        stored: Threshold of need where none of them is needless.
    """
    chosen, included = _selections(pool, judged, stored)
    needed = [j for j in judged if gold_rows(pool, j.example)]
    needless = [j for j in judged if not gold_rows(pool, j.example)]
    fixed = {f"k={k}": {j.example.query.id: _best(j, k) for j in needed} for k in FIXED}
    sets = {"selected": chosen, "selected, never abstaining": included, **fixed}
    figures = Figures(
        ndcg=_ndcg(pool, needed),
        sets={name: _judge(pool, needed, rows) for name, rows in sets.items()},
    )
    if not needless:
        return figures
    cut = np.quantile([j.need for j in needless], TURNED_AWAY, method="higher")
    return replace(
        figures,
        auroc=auroc([j.need for j in needed], [j.need for j in needless]),
        turned_away=float(np.mean([not chosen[j.example.query.id] for j in needless])),
        kept=float(np.mean([bool(chosen[j.example.query.id]) for j in needed])),
        kept_at_95=float(np.mean([j.need > cut for j in needed])),
    )


def _selections(
    pool: Pool, judged: Sequence[Judged], stored: float | None
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Selected rows by id of the query: as they are, and whatever need says."""
    chosen: dict[str, list[int]] = {}
    included: dict[str, list[int]] = {}
    for fold in range(FOLDS):
        others = [j for j in judged if j.example.fold != fold]
        if not any(gold_rows(pool, j.example) for j in others):
            others = list(judged)
        threshold, share = choose_thresholds(pool, others, stored)
        for j in judged:
            if j.example.fold == fold:
                rows = selected_rows(pool, j, share)
                included[j.example.query.id] = rows
                chosen[j.example.query.id] = rows if j.need >= (threshold or 0) else []
    return chosen, included


def _best(judged: Judged, k: int) -> list[int]:
    order = np.argsort(-judged.likely, kind="stable")[:k]
    return [int(row) for row in judged.example.rows[order]]


def _ndcg(pool: Pool, needed: Sequence[Judged]) -> dict[str, float]:
    discount = 1 / np.log2(np.arange(2, 12))
    by_kind: dict[str, list[float]] = {"all": []}
    for j in needed:
        e = j.example
        gains = e.labels[np.argsort(-j.likely, kind="stable")[:10]]
        ideal = discount[: min(10, len(gold_rows(pool, e)))].sum()
        value = float((gains * discount[: len(gains)]).sum() / ideal)
        by_kind["all"].append(value)
        by_kind.setdefault(str(e.query.extra.get("kind") or "none"), []).append(value)
    return {kind: float(np.mean(values)) for kind, values in by_kind.items()}


def _judge(
    pool: Pool, needed: Sequence[Judged], chosen: Mapping[str, Sequence[int]]
) -> dict[str, float]:
    rows, several = [], []
    for e in (j.example for j in needed):
        gold, mine = gold_rows(pool, e), chosen[e.query.id]
        hit = len(gold.intersection(mine))
        complete = float(hit == len(gold))
        rows.append((hit / len(mine) if mine else 0.0, hit / len(gold), complete, len(mine)))
        if len(gold) > 1:
            several.append(complete)
    precision, recall, complete, size = np.mean(rows, axis=0).tolist()
    return {
        "precision": precision,
        "recall": recall,
        "completeness": complete,
        "completeness, k > 1": float(np.mean(several)) if several else float("nan"),
        "size": size,
    }
