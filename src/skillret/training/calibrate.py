"""Calibration: probabilities and thresholds, and the ranker itself, from labelled requests.

What is reported comes from requests that nothing was fitted on: outputs are out of fold, and the
thresholds that judge a fold were chosen on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skillret.encoders import Encoder, Profile
from skillret.errors import DatasetError, InputError
from skillret.evaluation.abstention import TURNED_AWAY, auroc
from skillret.evaluation.datasets import Dataset
from skillret.evaluation.systems import encode_corpus
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.selection import MAX_SELECTED, choose
from skillret.training.rank import (
    FOLDS,
    Example,
    Float64,
    Pool,
    cross_fit,
    examples,
    fit_ranker,
    fold_numbers,
    platt,
    subpools,
    weighted,
)
from skillret.types import Query

__all__ = ["FIXED", "Calibration", "calibrate"]

Progress = Callable[[int, int], None]

FIXED = (1, 3, 5, 10)  # fixed numbers of hits that a selection is compared with
_LEAST = 30  # labelled requests that thresholds can be fitted on
_LEAST_RANKER = 500  # and a ranker
_SEEDS = 3  # rankers that are averaged into one
_SMALL = ((300, 1), (60, 2))  # size and seed of the smaller libraries a ranker is fitted on too
_INCLUDE = np.linspace(0.02, 0.9, 89)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted, and how well it does on requests it was not fitted on.

    Attributes:
        profile: The encoder's profile with what was fitted.
        n_queries: Requests that need a skill.
        n_negatives: Requests that need none.
        ndcg: NDCG@10 out of fold, over all and by kind.
        auroc: Of the best hit's probability, for both sorts of requests; None without negatives.
        turned_away: Share of the needless requests that got an empty selection.
        kept: Share of the others that did not.
        sets: Precision, recall, completeness and mean size of the selection (`selected`) and of
            fixed numbers of hits (`k=3` ...), over requests that need a skill.
        notes: What a reader should know.
    """

    profile: Profile
    n_queries: int
    n_negatives: int
    ndcg: Mapping[str, float]
    auroc: float | None
    turned_away: float | None
    kept: float | None
    sets: Mapping[str, Mapping[str, float]]
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, without the profile."""
        return {
            "model": self.profile.name,
            "threshold": self.profile.threshold,
            "n_queries": self.n_queries,
            "n_negatives": self.n_negatives,
            "ndcg@10": dict(self.ndcg),
            "auroc": self.auroc,
            "turned_away": self.turned_away,
            "kept": self.kept,
            "sets": {name: dict(values) for name, values in self.sets.items()},
        }


def calibrate(
    dataset: Dataset,
    encoder: Encoder,
    *,
    refit_ranker: bool = False,
    progress: Progress | None = None,
    searched: Progress | None = None,
) -> Calibration:
    """Fit probabilities and thresholds on labelled requests, and the ranker if asked to.

    Args:
        dataset: Skills, requests and, for abstaining, requests that need no skill.
        encoder: The encoder whose profile is completed.
        refit_ranker: Fit a ranker of its own instead of keeping the profile's.
        progress: Called with the documents encoded so far and in all.
        searched: Called with the requests searched so far and in all.

    Raises:
        DatasetError: If there are too few labelled requests.
        InputError: If the profile has no ranker and none is to be fitted.
    """
    stored = encoder.profile.ranker
    ranker = Ranker.from_json(stored, encoder.profile.name) if stored else None
    if ranker is None and not refit_ranker:
        raise InputError(
            f"{encoder.profile.name} has no ranker to calibrate; fit one with --fit-ranker"
        )
    least = _LEAST_RANKER if refit_ranker else _LEAST
    if len(dataset.queries) < least:
        raise DatasetError(
            f"{dataset.name} has {len(dataset.queries)} labelled requests; at least {least} are"
            " needed" + (" to fit a ranker, 30 without --fit-ranker" if refit_ranker else "")
        )
    notes: list[str] = []
    pool = _pool(dataset, encoder, progress)
    folds = fold_numbers(pool.queries, pool.gold)
    found = weighted(list(examples(pool, encoder, folds, searched)))
    if refit_ranker:
        extra = [
            e
            for size, seed in _SMALL
            if len(pool.skills) >= 2 * size
            for part in subpools(pool, size, seed)
            for e in examples(part, encoder, folds)
        ]
        outputs = cross_fit(found, extra, _SEEDS)
        ranker = _average([fit_ranker(weighted([*found, *extra]), s) for s in range(_SEEDS)])
    else:
        assert ranker is not None
        outputs = [ranker.outputs(e.features).astype(np.float64) for e in found]
    assert ranker is not None
    slope, intercept = _platt(found, outputs)
    likely = [_logistic(slope * o + intercept) for o in outputs]
    threshold, include = _thresholds(pool, found, likely, encoder.profile.threshold)
    if not dataset.negatives:
        notes.append("no requests that need no skill: the threshold for abstaining is kept")
    ranker = replace(ranker, slope=slope, intercept=intercept, include=include)
    measured = _Measured(pool, found, likely, encoder.profile.threshold)
    return Calibration(
        profile=replace(encoder.profile, ranker=ranker.to_json(), threshold=threshold),
        n_queries=len(dataset.queries),
        n_negatives=len(dataset.negatives),
        ndcg=measured.ndcg(),
        auroc=measured.auroc(),
        turned_away=measured.turned_away(),
        kept=measured.kept(),
        sets=measured.sets(),
        notes=notes,
    )


def _pool(dataset: Dataset, encoder: Encoder, progress: Progress | None) -> Pool:
    rows = {s.id: i for i, s in enumerate(dataset.skills)}
    gold = {q: frozenset(rows[s] for s in found) for q, found in dataset.qrels.items()}
    needless = [
        Query(f"negative-{i}", q.text, {"kind": "negative"})
        for i, q in enumerate(dataset.negatives)
    ]
    vectors = encode_corpus(dataset.skills, encoder, progress)
    return Pool(dataset.skills, vectors, [*dataset.queries, *needless], gold)


def _average(rankers: Sequence[Ranker]) -> Ranker:
    """One ranker whose output is the mean of several of the same features."""
    return replace(
        rankers[0],
        hidden=np.concatenate([r.hidden for r in rankers]),
        hidden_bias=np.concatenate([r.hidden_bias for r in rankers]),
        output=np.concatenate([r.output for r in rankers]) / np.float32(len(rankers)),
    )


def _logistic(x: Float64) -> Float64:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), dtype=np.float64)


def _platt(found: Sequence[Example], outputs: Sequence[Float64]) -> tuple[float, float]:
    weights = np.concatenate([np.full(len(e.rows), e.weight) for e in found])
    return platt(np.concatenate(outputs), np.concatenate([e.labels for e in found]), weights)


def _select(pool: Pool, e: Example, likely: Float64, threshold: float, include: float) -> list[int]:
    """Rows that would be selected for one request."""
    order = np.argsort(-likely, kind="stable")[: 2 * MAX_SELECTED]
    rows = e.rows[order]
    positions = choose(
        likely[order].tolist(), pool.vectors[rows], threshold=threshold, include=include
    )
    return [int(rows[p]) for p in positions]


def _thresholds(
    pool: Pool,
    found: Sequence[Example],
    likely: Sequence[Float64],
    stored: float | None,
) -> tuple[float, float]:
    """Threshold for abstaining, and the probability from which a skill joins a selection.

    The former turns away 95 % of the needless requests; the latter has the best mean F1 of the
    selected sets over the others, weighted by kind.
    """
    needless = [float(p.max()) for e, p in zip(found, likely, strict=True) if not _gold(pool, e)]
    threshold = stored or 0.0
    if needless:
        threshold = float(np.nextafter(np.quantile(needless, TURNED_AWAY, method="higher"), 1.0))
    needed = [(e, p) for e, p in zip(found, likely, strict=True) if _gold(pool, e)]
    best = (-1.0, 0.5)
    for include in _INCLUDE.tolist():
        total = 0.0
        for e, p in needed:
            chosen = _select(pool, e, p, 0.0, include)
            total += e.weight * _f1(chosen, _gold(pool, e))
        best = max(best, (total, include))
    return threshold, best[1]


def _gold(pool: Pool, e: Example) -> frozenset[int]:
    return pool.gold.get(e.query.id, frozenset())


def _f1(chosen: Sequence[int], gold: frozenset[int]) -> float:
    return 2 * len(gold.intersection(chosen)) / (len(chosen) + len(gold))


class _Measured:
    """Figures over requests that need a skill and those that need none, out of fold."""

    def __init__(
        self,
        pool: Pool,
        found: Sequence[Example],
        likely: Sequence[Float64],
        stored: float | None,
    ) -> None:
        self._pool = pool
        self._all = list(zip(found, likely, strict=True))
        self._needed = [(e, p) for e, p in self._all if _gold(pool, e)]
        self._needless = [(e, p) for e, p in self._all if not _gold(pool, e)]
        self._chosen: dict[str, list[int]] = {}
        self._included: dict[str, list[int]] = {}
        for fold in range(FOLDS):
            others = [(e, p) for e, p in self._all if e.fold != fold]
            if not others:
                continue
            threshold, include = _thresholds(
                pool, [e for e, _ in others], [p for _, p in others], stored
            )
            for e, p in self._all:
                if e.fold == fold:
                    self._chosen[e.query.id] = _select(pool, e, p, threshold, include)
                    self._included[e.query.id] = _select(pool, e, p, 0.0, include)

    def auroc(self) -> float | None:
        if not self._needless:
            return None
        return auroc(
            [float(p.max()) for _, p in self._needed], [float(p.max()) for _, p in self._needless]
        )

    def turned_away(self) -> float | None:
        if not self._needless:
            return None
        return float(np.mean([not self._chosen[e.query.id] for e, _ in self._needless]))

    def kept(self) -> float | None:
        if not self._needless:
            return None
        return float(np.mean([bool(self._chosen[e.query.id]) for e, _ in self._needed]))

    def ndcg(self) -> dict[str, float]:
        discount = 1 / np.log2(np.arange(2, 12))
        by_kind: dict[str, list[float]] = {"all": []}
        for e, p in self._needed:
            gains = e.labels[np.argsort(-p, kind="stable")[:10]]
            ideal = discount[: min(10, len(_gold(self._pool, e)))].sum()
            value = float((gains * discount[: len(gains)]).sum() / ideal)
            by_kind["all"].append(value)
            by_kind.setdefault(str(e.query.extra.get("kind") or "none"), []).append(value)
        return {kind: float(np.mean(values)) for kind, values in by_kind.items()}

    def sets(self) -> dict[str, dict[str, float]]:
        sets = {
            "selected": self._chosen,
            "selected, never abstaining": self._included,
            **{
                f"k={k}": {
                    e.query.id: e.rows[np.argsort(-p, kind="stable")[:k]].tolist()
                    for e, p in self._needed
                }
                for k in FIXED
            },
        }
        return {name: self._judge(chosen) for name, chosen in sets.items()}

    def _judge(self, chosen: Mapping[str, Sequence[int]]) -> dict[str, float]:
        rows = []
        several = []
        for e, _ in self._needed:
            gold, mine = _gold(self._pool, e), chosen[e.query.id]
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
