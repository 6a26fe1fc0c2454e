"""Calibration: probabilities and thresholds, and the ranker itself, from labelled queries.

Too few queries for a ranker of their own adapt the packaged one: its features mean the same for
every encoder, so its weights are kept, and what is fitted is drawn towards its own.

What is reported comes from queries that nothing was fitted on: outputs are out of fold, the
thresholds that judge a fold were chosen on the others, and a ranker that is kept as it is meets no
query that it was fitted on.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skillret.arrays import Float64
from skillret.calibration.examples import (
    FOLDS,
    Example,
    Pool,
    dataset_pool,
    examples,
    fold_numbers,
    train_examples,
    varied_examples,
    weighted,
)
from skillret.calibration.figures import Figures, measure
from skillret.calibration.fit_need import fit_need, fit_probes, rescale_need, short_queries
from skillret.calibration.fit_ranker import average, cross_fit, fit_probability, fit_ranker
from skillret.calibration.fit_reranker import fit_reranker, reread
from skillret.calibration.fit_terms import term_queries
from skillret.calibration.provenance import (
    check_held_out,
    fitted_on,
    judging_texts,
    merge,
    only,
    without,
)
from skillret.calibration.selections import Judged, Selector, judge, part_folds, parts_of
from skillret.calibration.thresholds import choose_thresholds
from skillret.calibration.written import digests
from skillret.datasets.dataset import Dataset
from skillret.datasets.labelled import one_gold
from skillret.encoders import Encoder, load_encoder
from skillret.errors import DatasetError, InputError
from skillret.retrieval.calibration import Calibration, FittedOn, load_calibration
from skillret.retrieval.features import LATE, RERANKED, features_of
from skillret.retrieval.ranker import Probe, Ranker
from skillret.retrieval.rerank import Reranker, reranker_identity
from skillret.retrieval.selection import TASKS, SelectionPolicy
from skillret.retrieval.term_head import TermHead
from skillret.types import Progress

__all__ = ["Calibrated", "calibrate"]

_LEAST = 30  # labelled queries that thresholds can be fitted on
_LEAST_RANKER = 500  # and a ranker; fewer adapt the packaged one
_PRIOR = 200  # queries that the packaged probabilities weigh as much as where they are adapted
_ADAPTED = (
    f"fewer than {_LEAST_RANKER} queries: the ranker's weights are those of the packaged model; its"
    " probabilities and thresholds are fitted here, drawn towards the packaged ones"
)
_FEW = (
    f"fewer than {_LEAST_RANKER} queries: probabilities and thresholds are drawn towards those that"
    " the model had"
)
_SEEDS = 3  # rankers that are averaged into one


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was fitted, and how well it does on queries it was not fitted on.

    Attributes:
        model: Name of the encoder.
        calibration: What was fitted.
        n_queries: Queries that need a skill.
        n_negatives: Queries that need none.
        figures: Out of fold.
        notes: What a reader should know.
    """

    model: str
    calibration: Calibration
    n_queries: int
    n_negatives: int
    figures: Figures
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, without what was fitted."""
        return {
            "model": self.model,
            "calibration": self.calibration.id,
            "threshold": self.calibration.threshold,
            "n_queries": self.n_queries,
            "n_negatives": self.n_negatives,
            "ndcg@10": dict(self.figures.ndcg),
            "auroc": self.figures.auroc,
            "turned_away": self.figures.turned_away,
            "kept": self.figures.kept,
            "kept_at_95": self.figures.kept_at_95,
            "sets": {
                name: {k: None if math.isnan(v) else v for k, v in values.items()}
                for name, values in self.figures.sets.items()
            },
        }


def calibrate(
    dataset: Dataset,
    encoder: Encoder,
    stored: Calibration | None = None,
    *,
    refit_ranker: bool = False,
    head: TermHead | None = None,
    train: Dataset | None = None,
    reranker: Reranker | None = None,
    progress: Progress | None = None,
    searched: Progress | None = None,
    read: Progress | None = None,
) -> Calibrated:
    """Fit probabilities and thresholds on labelled queries, and the ranker if asked to.

    Args:
        dataset: Skills, queries and, for abstaining, queries that need no skill.
        encoder: Whose calibration it will be.
        stored: The calibration whose ranker is kept.
        refit_ranker: Fit a ranker of its own instead; on fewer than 500 queries, adapt the packaged
            one.
        head: Says how much terms count, for a ranker that is fitted; the stored ranker's if None.
            It was fitted on `train`, where that is given.
        train: Skills and queries that help to fit a ranker and judge nothing, so the encoder may
            have been trained on them: with them a ranker sees more kinds of skills.
        reranker: Its score becomes a feature of the ranker that is kept; probabilities, need and
            thresholds are fitted to both.
        progress: Called with the documents encoded so far and in all.
        searched: Called with the queries searched so far and in all.
        read: Called with the queries that the reranker read so far, and all.

    Raises:
        DatasetError: If there are too few labelled queries, or the ranker that is to be kept was
            fitted on them.
        InputError: If there is no ranker and none is to be fitted, or one is to be fitted together
            with a reranker.
        EncoderError: If the reranker fails.
    """
    if refit_ranker and reranker is not None:
        raise InputError("fit the ranker first, then calibrate it with the reranker")
    if stored is not None and stored.reranker:
        stored = replace(stored, ranker=stored.ranker.without([RERANKED]), reranker="")
    labelled = _check_size(dataset)
    few = labelled < _LEAST_RANKER
    prior = _packaged() if refit_ranker and few else None
    kept = prior or (None if refit_ranker else stored)  # whose ranker stays
    if kept is not None:
        check_held_out(kept, dataset)
    elif not refit_ranker:
        raise InputError(
            f"{encoder.profile.name} has no ranker to calibrate; fit one with --fit-ranker"
        )
    pool = dataset_pool(dataset, encoder, progress)
    if prior is not None:
        fit = _adapt(pool, encoder, prior.ranker, searched)
    elif kept is None:
        known = head or (stored.ranker.terms if stored else None)
        fit = _fit(dataset.name, pool, encoder, known, train, progress, searched)
    else:
        fit = _keep(pool, encoder, kept.ranker, searched)
        fit = fit if reranker is None else _reread(pool, fit, reranker, read)
    ranker, notes = _judge_need(pool, fit, refit_ranker, adapted=prior is not None)
    if prior is not None:
        ranker, notes = _drawn(ranker, prior.ranker, labelled, len(pool.skills)), [_ADAPTED]
        if train is not None:
            notes.append("the train split is not used: it helps to fit a ranker, and none is")
    elif kept is not None and few:  # a small library's own queries alone make it too sure
        ranker = replace(
            ranker,
            slope=_mixed(ranker.slope, kept.ranker.slope, labelled),
            intercept=_mixed(ranker.intercept, kept.ranker.intercept, labelled),
        )
        notes = [*notes, _FEW]
    calibration = Calibration(
        encoder=encoder.profile.identity,
        ranker=ranker,
        # A threshold belongs to its judgement of need.
        threshold=kept.threshold if kept else None,
        fitted_on=_provenance(dataset, kept or stored, fit, kept is None, head, train, reranker),
        texts=digests() if refit_ranker or stored is None else stored.texts,
        created=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        reranker="" if reranker is None else reranker_identity(reranker),
    )
    calibration, figures = _with_thresholds(calibration, pool, fit, kept if few else None, labelled)
    return Calibrated(
        model=encoder.profile.name,
        calibration=calibration,
        n_queries=labelled,
        n_negatives=len(dataset.negatives),
        figures=figures,
        notes=notes,
    )


def _with_thresholds(
    calibration: Calibration, pool: Pool, fit: _Fit, before: Calibration | None, labelled: int
) -> tuple[Calibration, Figures]:
    """A calibration with the thresholds that its ranker's outputs call for, and its figures.

    Args:
        calibration: Without them.
        pool: What they are chosen on.
        fit: Its outputs.
        before: Whose thresholds they are drawn towards, if anyone's.
        labelled: How many queries there are.
    """
    selector = Selector(pool)
    policy = SelectionPolicy.of(calibration).among(len(pool.skills), calibration)
    judged = list(
        judge(
            pool,
            calibration.ranker,
            zip(fit.found, fit.outputs, strict=False),
            zip(fit.parts, fit.part_outputs, strict=True),
            policy,
        )
    )

    def choose(some: Sequence[Judged]) -> SelectionPolicy:
        chosen = choose_thresholds(selector, some, policy)
        if before is None:
            return chosen
        return replace(
            chosen,
            share=_mixed(chosen.share, before.ranker.share, labelled),
            threshold=_mixed(chosen.threshold, policy.threshold, labelled),
        )

    chosen = choose(judged)
    judged_need = any(not j.gold for j in judged)
    calibration = replace(
        calibration,
        ranker=replace(calibration.ranker, share=chosen.share),
        threshold=chosen.threshold if judged_need else calibration.threshold,
    )
    return calibration, measure(selector, judged, choose)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A ranker with the examples that it is judged by.

    Attributes:
        ranker: Its `slope`, `intercept` and judgement of need are not fitted yet.
        found: The pool's queries.
        fitted: All that the ranker was fitted on beside the train split, `found` first.
        typed: Commands and turns of a conversation, which no ranker is fitted on.
        outputs: Of `fitted`, then of `typed`, `(m,)` each; out of fold where the ranker is new.
        parts: Parts of the pool's queries that are searched by themselves.
        part_outputs: Of `parts`, as `outputs`.
        helped: Texts of the train split's queries that helped.
    """

    ranker: Ranker
    found: Sequence[Example]
    fitted: Sequence[Example]
    typed: Sequence[Example]
    outputs: Sequence[Float64]
    parts: Sequence[Example]
    part_outputs: Sequence[Float64]
    helped: Sequence[str] = ()


def _check_size(dataset: Dataset) -> int:
    """How many labelled queries there are; an error if they are too few."""
    gold = [dataset.qrels[q.id] for q in dataset.queries if q.id in dataset.qrels]
    if len(gold) < _LEAST:
        raise DatasetError(
            f"{dataset.name} has {len(gold)} labelled queries; at least {_LEAST} are needed to"
            f" calibrate, and {_LEAST_RANKER} for a ranker that owes nothing to the packaged one"
        )
    if same := one_gold(gold):
        raise DatasetError(f"{dataset.name}: {same}: nothing can be fitted to that")
    return len(gold)


def _packaged() -> Calibration:
    """What was fitted for the packaged model, all of it.

    It does not say what its weights of terms were fitted on: who adapts it does without them.
    """
    packaged = load_calibration(load_encoder())
    assert packaged is not None
    kept = only(packaged.fitted_on, "ranker", "helped", "need", "thresholds")
    return replace(packaged, fitted_on=tuple(kept))


def _mixed(own: float, packaged: float, queries: int) -> float:
    """What was fitted on some queries, drawn towards the packaged value."""
    return (queries * own + _PRIOR * packaged) / (queries + _PRIOR)


def _drawn(ranker: Ranker, prior: Ranker, queries: int, skills: int) -> Ranker:
    """The ranker with its probabilities and judgement of need drawn towards the packaged ones."""
    # The packaged one as it judges a library of this size.
    smaller = prior.need_size * max(0.0, math.log(prior.need_skills / skills))
    return replace(
        ranker,
        slope=_mixed(ranker.slope, prior.slope, queries),
        intercept=_mixed(ranker.intercept, prior.intercept, queries),
        need_weight=_mixed(ranker.need_weight, prior.need_weight, queries),
        need_slope=_mixed(ranker.need_slope, prior.need_slope, queries),
        need_intercept=_mixed(ranker.need_intercept, prior.need_intercept + smaller, queries),
        need_size=prior.need_size,
    )


def _keep(pool: Pool, encoder: Encoder, ranker: Ranker, searched: Progress | None) -> _Fit:
    """The ranker as it is."""
    folds, probes = fold_numbers(pool.queries, pool.gold), [ranker.probe] * FOLDS
    read = examples(pool, encoder, folds, probes, ranker.terms, searched)
    found = weighted(list(read))
    return _judged(pool, encoder, ranker, found, folds, probes, [])


def _reread(pool: Pool, fit: _Fit, reranker: Reranker, read: Progress | None) -> _Fit:
    """The ranker with the score of a reranker as one more feature."""
    texts, outputs = [*fit.found, *fit.parts], [*fit.outputs, *fit.part_outputs]
    scores = reread(reranker, pool.skills, texts, outputs, read)
    n = len(fit.found)
    fitted = fit_reranker(fit.found, fit.outputs, scores[:n])
    joined = [
        own + fitted.added(e.fold, s) for e, own, s in zip(texts, outputs, scores, strict=True)
    ]
    ranker = fitted.joined(fit.ranker)
    return replace(fit, ranker=ranker, outputs=joined[:n], part_outputs=joined[n:])


def _adapt(pool: Pool, encoder: Encoder, ranker: Ranker, searched: Progress | None) -> _Fit:
    """The packaged ranker for another encoder: its weights, with a probe for these vectors.

    What it learnt of tokens is left out where the other encoder shows none.
    """
    if not encoder.profile.token_dim:
        ranker = ranker.without(LATE)
    short = short_queries(pool, 4)
    folds = fold_numbers([*pool.queries, *short.queries], {**pool.gold, **short.gold})
    probes = fit_probes(pool, short, folds, encoder)
    found = weighted(list(examples(pool, encoder, folds, probes, None, searched)))
    typed = list(examples(short, encoder, folds, probes))
    ranker = replace(ranker, probe=probes[-1], terms=None)
    return _judged(pool, encoder, ranker, found, folds, probes, typed)


def _judged(
    pool: Pool,
    encoder: Encoder,
    ranker: Ranker,
    found: Sequence[Example],
    folds: Mapping[str, int],
    probes: Sequence[Probe],
    typed: Sequence[Example],
) -> _Fit:
    """What a ranker says that was fitted on none of these queries."""
    spoken = parts_of(pool, TASKS)
    parts = list(examples(spoken, encoder, part_folds(spoken, folds), probes, ranker.terms))
    columns = ranker.columns(features_of(encoder.profile))
    outputs, part_outputs = (
        [ranker.outputs(np.ascontiguousarray(e.features[:, columns]), e.excluded) for e in some]
        for some in ([*found, *typed], parts)
    )
    return _Fit(ranker, found, found, typed, outputs, parts, part_outputs)


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
    short = short_queries(pool, 4)
    folds = fold_numbers([*pool.queries, *short.queries], {**pool.gold, **short.gold})
    if len({folds[query_id] for query_id in pool.gold}) < FOLDS:
        raise DatasetError(
            f"{name}: queries that share skills, also by way of others, are kept together, and"
            f" these are fewer than {FOLDS} groups; a ranker needs queries for more skills"
        )
    features = features_of(encoder.profile)
    probes = fit_probes(pool, short, folds, encoder)
    found = weighted(list(examples(pool, encoder, folds, probes, head, searched)))
    others = train_examples(train, encoder, probes[-1], head, progress) if train else []
    extra = [e for part in varied_examples(pool, encoder, folds, probes, head) for e in part]
    typed = list(examples(short, encoder, folds, probes, head))
    spoken = parts_of(pool, TASKS)
    parts = list(examples(spoken, encoder, part_folds(spoken, folds), probes, head))
    fitted = weighted([*found, *extra])
    outputs = cross_fit(fitted, [*typed, *parts], _SEEDS, others, features)
    judged = len(fitted) + len(typed)
    everyone = [*fitted, *others]
    ranker = average([fit_ranker(everyone, probes[-1], s, features) for s in range(_SEEDS)])
    helped = [e.query.text for e in others]
    ranker = replace(ranker, terms=head)
    return _Fit(ranker, found, fitted, typed, outputs[:judged], parts, outputs[judged:], helped)


def _judge_need(pool: Pool, fit: _Fit, refit: bool, *, adapted: bool) -> tuple[Ranker, list[str]]:
    """The ranker with its probabilities and its judgement of need, and notes.

    Where the packaged one is adapted, written texts tell what needs nothing if no query does.
    """
    found = fit.found
    needed = [e.query.id in pool.gold for e in found]
    ranker = fit_probability(fit.ranker, found, fit.outputs, needed)
    if all(needed) and not adapted:
        what = "need is not judged, nothing is turned away"
        if not refit:
            what = "the judgement of need is kept as it is"
        return ranker, [f"no queries that need no skill: {what}"]
    if refit:
        everything = [*fit.fitted, *fit.typed]
        whole, short = len(found), len(fit.typed)
        return fit_need(ranker, everything, fit.outputs, whole=whole, short=short), []
    return rescale_need(ranker, found, fit.outputs, needed), []


def _provenance(
    dataset: Dataset,
    stored: Calibration | None,
    fit: _Fit,
    new_ranker: bool,
    head: TermHead | None,
    train: Dataset | None,
    reranker: Reranker | None,
) -> tuple[FittedOn, ...]:
    need = ("need",) if dataset.negatives else ()
    old = list(stored.fitted_on) if stored else []
    if new_ranker:
        # What the old terms were fitted on counts as long as they are used.
        old = only(old, "terms") if head is None else []
        new = fitted_on(dataset, judging_texts(dataset), "ranker", *need, "thresholds")
        if train is not None and head is not None:
            texts = {*fit.helped, *(q.text for q in term_queries(train))}
            old.append(fitted_on(train, sorted(texts), "helped", "terms"))
        elif train is not None:
            old.append(fitted_on(train, fit.helped, "helped"))
    else:
        ranker = () if reranker is None else ("ranker",)
        new = fitted_on(dataset, judging_texts(dataset), *ranker, *need, "thresholds")
        if need:
            # Stretching and shifting an earlier stretch leaves nothing of it.
            ranked = [f for f in old if "ranker" in f.purpose]
            rest = [f for f in old if "ranker" not in f.purpose]
            old = [*without(ranked, "thresholds"), *without(rest, "need", "thresholds")]
    return merge(old, new)
