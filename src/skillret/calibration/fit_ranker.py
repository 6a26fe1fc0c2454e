"""Fitting the ranker on labelled queries: the last, small step after an encoder is trained.

The loss is the sum of two. Listwise softmax cross-entropy (ListNet's top one, Cao et al. 2007)
puts the gold skills of a query before its other candidates; binary cross-entropy over all
candidates, with queries that need no skill among them, makes outputs comparable between queries,
so that one logistic curve (Platt 1999) turns them into probabilities. Everything reported is out of
fold: folds share no gold skill.
NumPy alone: a few hundred weights need no torch, and `skillret calibrate` runs where
`skillret search` does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import Float32, Float64
from skillret.calibration.adamw import AdamW
from skillret.calibration.examples import FOLDS, Example, weighted
from skillret.retrieval.features import FITTED
from skillret.retrieval.ranker import Probe, Ranker

__all__ = ["average", "cross_fit", "fit_logistic", "fit_probability", "fit_ranker"]

_HIDDEN = 24
_EPOCHS = 30
_BATCH = 64  # queries of one step
_RATE = 1e-2
_DECAY = 0.1
_POINTWISE = 0.5  # weight of the binary loss
_HARD = ("lexical", "dense", "sentence_dense")  # features whose best candidates are learnt from
_HARDEST = 30  # by each of them
_SLIGHT = 1e-3  # keeps a curve finite where no query is in doubt


def fit_ranker(
    found: Sequence[Example],
    probe: Probe,
    seed: int = 0,
    features: Sequence[str] = FITTED,
) -> Ranker:
    """Fit the weights by AdamW; `slope` and `intercept` are those of the binary loss.

    Args:
        found: Training examples, of which the candidates that are hard to tell apart are taken.
        probe: Becomes the ranker's.
        seed: Of initial weights and order.
        features: Names of the columns of the examples' features, in their order.
    """
    found = [_hardest(e, features) for e in found]
    values = np.concatenate([e.features for e in found])
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-3)
    x, y, mask = _padded(found, mean, scale)
    w = np.array([e.weight for e in found], dtype=np.float32)
    draw = np.random.default_rng(seed)
    f = x.shape[2]
    parameters: list[Float32] = [
        draw.normal(0, f**-0.5, (_HIDDEN, f)).astype(np.float32),
        np.zeros(_HIDDEN, dtype=np.float32),
        draw.normal(0, _HIDDEN**-0.5, _HIDDEN).astype(np.float32),
        np.array([-4.0], dtype=np.float32),
    ]
    optimizer = AdamW(parameters, _RATE, _DECAY, _EPOCHS * -(-len(found) // _BATCH))
    for _ in range(_EPOCHS):
        order = draw.permutation(len(found))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            optimizer.step(_gradients(parameters, x[rows], y[rows], mask[rows], w[rows]))
    hidden, bias, output, intercept = parameters
    return Ranker(
        features=tuple(features),
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        hidden=hidden.astype(np.float32),
        hidden_bias=bias.astype(np.float32),
        output=output.astype(np.float32),
        slope=1.0,
        intercept=float(intercept[0]),
        probe=probe,
        terms=None,
        need_weight=0.0,
        need_slope=1.0,
        need_intercept=float(intercept[0]),
        need_size=0.0,
        need_skills=1.0,
        share=0.5,
    )


def _hardest(example: Example, features: Sequence[str]) -> Example:
    """The example with its gold skills and its best candidates by each of three scores.

    The others teach a ranker nothing, and take most of the time.
    """
    columns = [column for column, name in enumerate(features) if name in _HARD]
    if not columns:  # it cannot be said which ones are hard
        return example
    keep = example.labels > 0
    for column in columns:
        order = np.argsort(-example.features[:, column], kind="stable")
        keep[order[:_HARDEST]] = True
    return replace(
        example,
        rows=example.rows[keep],
        features=example.features[keep],
        excluded=example.excluded[keep],
        parts=example.parts[keep],
        labels=example.labels[keep],
    )


def _padded(
    found: Sequence[Example], mean: Float32, scale: Float32
) -> tuple[Float32, Float32, NDArray[np.bool_]]:
    longest = max(len(e.rows) for e in found)
    x = np.zeros((len(found), longest, len(mean)), dtype=np.float32)
    y = np.zeros((len(found), longest), dtype=np.float32)
    mask = np.zeros((len(found), longest), dtype=bool)
    for i, e in enumerate(found):
        x[i, : len(e.rows)] = (e.features - mean) / scale
        y[i, : len(e.rows)] = e.labels
        mask[i, : len(e.rows)] = True
    return x, y, mask


def _gradients(
    parameters: Sequence[Float32],
    x: Float32,
    y: Float32,
    mask: NDArray[np.bool_],
    w: Float32,
) -> list[Float32]:
    """Of the mean loss of a batch: features `(b, m, f)`, labels and mask `(b, m)`, weights."""
    hidden, bias, output, intercept = parameters
    # A small product for each query: of one large product BLAS makes threads of its own, and
    # those of several folds would wait for one another.
    layer = np.tanh(x @ hidden.T + bias)
    scores = np.where(mask, layer @ output, np.float32(-1e9))
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax = exp / exp.sum(axis=1, keepdims=True)
    count = y.sum(axis=1, keepdims=True)
    listwise = np.where(count > 0, softmax - y / np.maximum(count, 1), np.float32(0))
    likely = 1 / (1 + np.exp(-np.clip(scores + intercept, -60, 60)))
    pointwise = np.where(mask, likely - y, np.float32(0)) * np.float32(_POINTWISE)
    weight = w[:, None] / np.float32(len(x))
    d = (listwise + pointwise) * weight
    d_layer = d[:, :, None] * output * (1 - layer * layer)
    return [
        (d_layer.swapaxes(1, 2) @ x).sum(axis=0),
        d_layer.sum(axis=(0, 1)),
        (d[:, None, :] @ layer).sum(axis=(0, 1)),
        np.array([(pointwise * weight).sum()], dtype=np.float32),
    ]


def cross_fit(
    found: Sequence[Example],
    others: Sequence[Example] = (),
    seeds: int = 1,
    also: Sequence[Example] = (),
    features: Sequence[str] = FITTED,
) -> list[Float64]:
    """Out-of-fold outputs of every example, `(m,)` each, first of `found`, then of `others`.

    Args:
        found: Examples to fit rankers on.
        others: Further examples of the same folds, which no ranker is fitted on.
        seeds: Rankers fitted per fold, whose outputs are averaged.
        also: Examples that every ranker is fitted on, by their weights as they are.
        features: Names of the columns of all their features, in their order.
    """
    both, probe = [*found, *others], Probe(np.empty(0, dtype=np.float32), 0.0)
    scores: list[Float64] = [np.zeros(len(e.rows)) for e in both]

    def fit(fold: int) -> None:
        training = [*weighted([e for e in found if e.fold != fold]), *also]
        for seed in range(seeds):
            ranker = fit_ranker(training, probe, seed, features)
            for i, e in enumerate(both):
                if e.fold == fold:
                    scores[i] += ranker.outputs(e.features, e.excluded) / seeds

    # NumPy does the work, outside of Python's lock, and in the thread that asks for it.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fit, range(FOLDS)))
    return scores


def average(rankers: Sequence[Ranker]) -> Ranker:
    """One ranker whose output is the mean of several of the same features, means and scales."""
    return replace(
        rankers[0],
        hidden=np.concatenate([r.hidden for r in rankers]),
        hidden_bias=np.concatenate([r.hidden_bias for r in rankers]),
        output=np.concatenate([r.output for r in rankers]) / np.float32(len(rankers)),
    )


def fit_probability(
    ranker: Ranker, found: Sequence[Example], outputs: Sequence[Float64], needed: Sequence[bool]
) -> Ranker:
    """The ranker with the slope and intercept that make probabilities of its outputs.

    Args:
        ranker: Gets them.
        found: Examples.
        outputs: Of their candidates, `(m,)` each, in the same order; more may follow.
        needed: Which of the examples need a skill: the others say nothing here.
    """
    kept = [(e, o) for e, o, y in zip(found, outputs, needed, strict=False) if y]
    weights = np.concatenate([np.full(len(e.rows), e.weight) for e, _ in kept])
    labels = np.concatenate([e.labels for e, _ in kept])
    slope, intercept = fit_logistic(
        np.concatenate([o for _, o in kept])[:, None], labels, weights, _SLIGHT
    )
    return replace(ranker, slope=float(slope[0]), intercept=intercept)


def fit_logistic(
    x: Float64, labels: Float64, weights: Float64, ridge: float = 0.0
) -> tuple[Float64, float]:
    """Logistic regression by Newton's method: weights `(d,)` and intercept.

    Args:
        x: Inputs `(n, d)`.
        labels: 0 or 1 `(n,)`.
        weights: Of the rows `(n,)`.
        ridge: Penalty on the squared weights, not on the intercept.
    """
    inputs = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    penalty = np.diag([*[ridge] * x.shape[1], 0.0]) + 1e-9 * np.eye(inputs.shape[1])
    theta = np.zeros(inputs.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(inputs @ theta, -30, 30)))
        gradient = inputs.T @ (weights * (p - labels)) + penalty @ theta
        curvature = (inputs * (weights * p * (1 - p) + 1e-12)[:, None]).T @ inputs + penalty
        step = np.linalg.solve(curvature, gradient)
        # A step too long for the curve's flat ends would never come back.
        theta -= step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-7:
            break
    return theta[:-1], float(theta[-1])
