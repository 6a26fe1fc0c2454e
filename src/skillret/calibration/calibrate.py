"""Calibration: probabilities and thresholds, and the ranker itself, from labelled requests.

What is reported comes from requests that nothing was fitted on: outputs are out of fold, and the
thresholds that judge a fold were chosen on the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skillret.calibration.examples import (
    FOLDS,
    Example,
    Float64,
    Pool,
    Progress,
    dataset_pool,
    examples,
    fold_numbers,
    train_examples,
    varied_examples,
    weighted,
)
from skillret.calibration.fit_need import fit_need, fit_probes, rescale_need, short_requests
from skillret.calibration.fit_ranker import cross_fit, fit_logistic, fit_ranker
from skillret.datasets.dataset import Dataset
from skillret.encoders import Encoder, Profile
from skillret.errors import DatasetError, InputError
from skillret.evaluation.abstention import TURNED_AWAY, auroc
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.selection import MAX_SELECTED, choose
from skillret.retrieval.term_head import TermHead

__all__ = ["FIXED", "Calibration", "calibrate"]

FIXED = (1, 3, 5, 10)  # fixed numbers of hits that a selection is compared with
_LEAST = 30  # labelled requests that thresholds can be fitted on
_LEAST_RANKER = 500  # and a ranker
_SEEDS = 3  # rankers that are averaged into one
_SLIGHT = 1e-3  # keeps a curve finite where no request is in doubt
_KEPT = 5.0  # a skill withheld costs as much as five that nobody needs
_FLAT = 0.005  # of F2: a difference within its chance
_SHARES = np.linspace(0.05, 0.95, 37)


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
        kept_at_95: Share of the others that is kept where 95 % of the needless are turned away.
        sets: Precision, recall, completeness and mean size of the selection (`selected`) and of
            fixed numbers of hits (`k=3` ...), over requests that need a skill; NaN over none.
        notes: What a reader should know.
    """

    profile: Profile
    n_queries: int
    n_negatives: int
    ndcg: Mapping[str, float]
    auroc: float | None
    turned_away: float | None
    kept: float | None
    kept_at_95: float | None
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
            "kept_at_95": self.kept_at_95,
            "sets": {
                name: {k: None if math.isnan(v) else v for k, v in values.items()}
                for name, values in self.sets.items()
            },
        }


def calibrate(
    dataset: Dataset,
    encoder: Encoder,
    *,
    refit_ranker: bool = False,
    head: TermHead | None = None,
    train: Dataset | None = None,
    progress: Progress | None = None,
    searched: Progress | None = None,
) -> Calibration:
    """Fit probabilities and thresholds on labelled requests, and the ranker if asked to.

    Args:
        dataset: Skills, requests and, for abstaining, requests that need no skill.
        encoder: The encoder whose profile is completed.
        refit_ranker: Fit a ranker of its own instead of keeping the profile's.
        head: Says how much terms count, for a ranker that is fitted; the profile's own if None.
        train: Skills and requests that help to fit a ranker and judge nothing, so the encoder may
            have been trained on them: with them a ranker sees more kinds of skills.
        progress: Called with the documents encoded so far and in all.
        searched: Called with the requests searched so far and in all.

    Raises:
        DatasetError: If there are too few labelled requests.
        InputError: If the profile has no ranker and none is to be fitted.
    """
    stored = _stored_ranker(encoder, refit_ranker)
    labelled = _check_size(dataset, refit_ranker)
    pool = dataset_pool(dataset, encoder, progress)
    if head is None and stored is not None:
        head = stored.terms
    if refit_ranker:
        fit = _fit(dataset.name, pool, encoder, head, train, progress, searched)
    else:
        assert stored is not None
        fit = _keep(pool, encoder, stored, head, searched)
    found = fit.found
    needed = [bool(_gold(pool, e)) for e in found]
    ranker = _fit_probability(fit.ranker, found, fit.outputs, needed)
    likely = [ranker.probabilities(o) for o in fit.outputs[: len(found)]]
    notes: list[str] = []
    stored_threshold = encoder.profile.threshold
    if not dataset.negatives and refit_ranker:
        notes.append("no requests that need no skill: need is not judged, nothing is turned away")
        stored_threshold = None
        need = [1.0] * len(found)
    elif not dataset.negatives:
        notes.append("no requests that need no skill: the judgement of need is kept as it is")
        scored = zip(fit.outputs, found, strict=True)
        need = [ranker.need(o, e.evidence, e.skills) for o, e in scored]
    elif refit_ranker:
        everything = [*fit.fitted, *fit.typed]
        ranker, need = fit_need(
            ranker, everything, fit.outputs, whole=len(found), short=len(fit.typed)
        )
    else:
        ranker, need = rescale_need(ranker, found, fit.outputs, needed)
    judged = [_Judged(e, p, n) for e, p, n in zip(found, likely, need, strict=True)]
    threshold, share = _thresholds(pool, judged, stored_threshold)
    ranker = replace(ranker, share=share)
    measured = _Measured(pool, judged, stored_threshold)
    return Calibration(
        profile=replace(encoder.profile, ranker=ranker.to_json(), threshold=threshold),
        n_queries=labelled,
        n_negatives=len(dataset.negatives),
        ndcg=measured.ndcg(),
        auroc=measured.auroc(),
        turned_away=measured.turned_away(),
        kept=measured.kept(),
        kept_at_95=measured.kept_at_95(),
        sets=measured.sets(),
        notes=notes,
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """An example with its candidates' probabilities `(m,)` and that of need, out of fold."""

    example: Example
    likely: Float64
    need: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """A ranker with the examples that it is judged by.

    Attributes:
        ranker: Its `slope`, `intercept` and judgement of need are not fitted yet.
        found: The pool's requests.
        fitted: All that the ranker was fitted on beside the train split, `found` first.
        typed: Commands and turns of a conversation, which no ranker is fitted on.
        outputs: Of `fitted`, then of `typed`, `(m,)` each; out of fold where the ranker is new.
    """

    ranker: Ranker
    found: Sequence[Example]
    fitted: Sequence[Example]
    typed: Sequence[Example]
    outputs: Sequence[Float64]


def _stored_ranker(encoder: Encoder, refit: bool) -> Ranker | None:
    stored, name = encoder.profile.ranker, encoder.profile.name
    ranker = Ranker.from_json(stored, name, encoder.profile.dim) if stored else None
    if ranker is None and not refit:
        what = "a ranker of another version" if stored else "no ranker to calibrate"
        raise InputError(f"{name} has {what}; fit one with --fit-ranker")
    return ranker


def _check_size(dataset: Dataset, refit: bool) -> int:
    """How many labelled requests there are; an error if they are too few."""
    labelled = sum(q.id in dataset.qrels for q in dataset.queries)
    least = _LEAST_RANKER if refit else _LEAST
    if labelled < least:
        raise DatasetError(
            f"{dataset.name} has {labelled} labelled requests; at least {least} are"
            " needed" + (f" to fit a ranker, {_LEAST} without --fit-ranker" if refit else "")
        )
    return labelled


def _keep(
    pool: Pool,
    encoder: Encoder,
    ranker: Ranker,
    head: TermHead | None,
    searched: Progress | None,
) -> _Fit:
    """The ranker as it is."""
    folds = fold_numbers(pool.queries, pool.gold)
    read = examples(pool, encoder, folds, [ranker.probe] * FOLDS, head, searched)
    found = weighted(list(read))
    outputs = [ranker.outputs(e.features).astype(np.float64) for e in found]
    return _Fit(ranker, found, found, [], outputs)


def _fit(
    name: str,
    pool: Pool,
    encoder: Encoder,
    head: TermHead | None,
    train: Dataset | None,
    progress: Progress | None,
    searched: Progress | None,
) -> _Fit:
    """A new ranker; see `calibrate`."""
    short = short_requests(pool, 4)
    folds = fold_numbers([*pool.queries, *short.queries], {**pool.gold, **short.gold})
    if len({folds[query_id] for query_id in pool.gold}) < FOLDS:
        raise DatasetError(
            f"{name}: requests that share skills, also by way of others, are kept together, and"
            f" these are fewer than {FOLDS} groups; a ranker needs requests for more skills"
        )
    probes = fit_probes(pool, short, folds, encoder)
    found = weighted(list(examples(pool, encoder, folds, probes, head, searched)))
    others = train_examples(train, encoder, probes[-1], head, progress) if train else []
    extra = [e for part in varied_examples(pool, encoder, folds, probes, head) for e in part]
    typed = list(examples(short, encoder, folds, probes, head))
    fitted = weighted([*found, *extra])
    outputs = cross_fit(fitted, typed, _SEEDS, others)
    everyone = [*fitted, *others]
    ranker = _average([fit_ranker(everyone, probes[-1], s) for s in range(_SEEDS)])
    return _Fit(replace(ranker, terms=head), found, fitted, typed, outputs)


def _fit_probability(
    ranker: Ranker, found: Sequence[Example], outputs: Sequence[Float64], needed: Sequence[bool]
) -> Ranker:
    """Slope and intercept, from requests that need a skill."""
    kept = [(e, o) for e, o, y in zip(found, outputs, needed, strict=False) if y]
    weights = np.concatenate([np.full(len(e.rows), e.weight) for e, _ in kept])
    labels = np.concatenate([e.labels for e, _ in kept])
    slope, intercept = fit_logistic(
        np.concatenate([o for _, o in kept])[:, None], labels, weights, _SLIGHT
    )
    return replace(ranker, slope=float(slope[0]), intercept=intercept)


def _average(rankers: Sequence[Ranker]) -> Ranker:
    """One ranker whose output is the mean of several of the same features."""
    return replace(
        rankers[0],
        hidden=np.concatenate([r.hidden for r in rankers]),
        hidden_bias=np.concatenate([r.hidden_bias for r in rankers]),
        output=np.concatenate([r.output for r in rankers]) / np.float32(len(rankers)),
    )


def _select(pool: Pool, e: Example, likely: Float64, share: float) -> list[int]:
    """Rows that would be selected for one request that needs a skill."""
    order = np.argsort(-likely, kind="stable")[: 2 * MAX_SELECTED]
    rows = e.rows[order]
    parts = e.parts[order].tolist()
    positions = choose(likely[order].tolist(), pool.vectors[rows], parts, share)
    return [int(rows[p]) for p in positions]


def _thresholds(
    pool: Pool, judged: Sequence[_Judged], stored: float | None
) -> tuple[float | None, float]:
    """Threshold of need, and the share of the best probability from which a skill is selected too.

    By the former as many as possible of the needless requests are turned away and of the others
    kept, the latter counting five times. The share is the smallest by which the mean F2 of the
    selected sets is hardly below its best: there the curve is flat, and requests for several skills
    gain. Kinds of requests are weighted.
    """
    threshold = stored
    if any(not _gold(pool, j.example) for j in judged):
        threshold = _need_threshold(pool, judged)
    needed = [j for j in judged if _gold(pool, j.example)]
    weights = [j.example.weight for j in needed]
    values = []
    for share in _SHARES.tolist():
        sets = [_select(pool, j.example, j.likely, share) for j in needed]
        f2 = [_f2(rows, _gold(pool, j.example)) for rows, j in zip(sets, needed, strict=True)]
        values.append(np.average(f2, weights=weights))
    return threshold, float(_SHARES[np.array(values) >= max(values) - _FLAT].min())


def _need_threshold(pool: Pool, judged: Sequence[_Judged]) -> float:
    ordered = sorted(judged, key=lambda j: j.need)
    needed = np.array([bool(_gold(pool, j.example)) for j in ordered])
    weights = np.array([j.example.weight for j in ordered])
    kept = 1 - np.cumsum(weights * needed) / (weights * needed).sum()
    away = np.cumsum(~needed) / (~needed).sum()
    cut = int(np.argmax(_KEPT * kept + away))
    # Halfway to the next request, which is kept.
    return float(np.mean([j.need for j in ordered[cut : cut + 2]]))


def _gold(pool: Pool, e: Example) -> frozenset[int]:
    return pool.gold.get(e.query.id, frozenset())


def _f2(chosen: Sequence[int], gold: frozenset[int]) -> float:
    """F-measure that counts recall twice: a skill too many costs an agent less than one missing."""
    return 5 * len(gold.intersection(chosen)) / (len(chosen) + 4 * len(gold))


class _Measured:
    """Figures over requests that need a skill and those that need none, out of fold."""

    def __init__(self, pool: Pool, judged: Sequence[_Judged], stored: float | None) -> None:
        self._pool = pool
        self._needed = [j for j in judged if _gold(pool, j.example)]
        self._needless = [j for j in judged if not _gold(pool, j.example)]
        self._chosen: dict[str, list[int]] = {}
        self._included: dict[str, list[int]] = {}
        for fold in range(FOLDS):
            others = [j for j in judged if j.example.fold != fold]
            if not any(_gold(pool, j.example) for j in others):
                others = list(judged)
            threshold, share = _thresholds(pool, others, stored)
            for j in judged:
                if j.example.fold == fold:
                    rows = _select(pool, j.example, j.likely, share)
                    self._included[j.example.query.id] = rows
                    self._chosen[j.example.query.id] = rows if j.need >= (threshold or 0) else []

    def auroc(self) -> float | None:
        if not self._needless:
            return None
        return auroc([j.need for j in self._needed], [j.need for j in self._needless])

    def turned_away(self) -> float | None:
        if not self._needless:
            return None
        return float(np.mean([not self._chosen[j.example.query.id] for j in self._needless]))

    def kept(self) -> float | None:
        if not self._needless:
            return None
        return float(np.mean([bool(self._chosen[j.example.query.id]) for j in self._needed]))

    def kept_at_95(self) -> float | None:
        if not self._needless:
            return None
        cut = np.quantile([j.need for j in self._needless], TURNED_AWAY, method="higher")
        return float(np.mean([j.need > cut for j in self._needed]))

    def ndcg(self) -> dict[str, float]:
        discount = 1 / np.log2(np.arange(2, 12))
        by_kind: dict[str, list[float]] = {"all": []}
        for e, p in ((j.example, j.likely) for j in self._needed):
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
                    j.example.query.id: j.example.rows[
                        np.argsort(-j.likely, kind="stable")[:k]
                    ].tolist()
                    for j in self._needed
                }
                for k in FIXED
            },
        }
        return {name: self._judge(chosen) for name, chosen in sets.items()}

    def _judge(self, chosen: Mapping[str, Sequence[int]]) -> dict[str, float]:
        rows = []
        several = []
        for e in (j.example for j in self._needed):
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
