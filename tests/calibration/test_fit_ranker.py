from dataclasses import replace

import numpy as np
import pytest

from skillret.calibration import fit_ranker as rank
from skillret.calibration.examples import FOLDS, Example, weighted
from skillret.calibration.fit_ranker import (
    average,
    cross_fit,
    fit_logistic,
    fit_probability,
    fit_ranker,
)
from skillret.retrieval.features import FITTED
from skillret.retrieval.ranker import Probe
from skillret.types import Query

F = len(FITTED)
PROBE = Probe(np.zeros(4, dtype=np.float32), 0.0)


def toy(count=120, seed=0):
    """Queries whose gold skill is the candidate that is best in two features together."""
    draw = np.random.default_rng(seed)
    found = []
    for i in range(count):
        x = draw.normal(size=(20, F)).astype(np.float32)
        labels = np.zeros(20)
        labels[int((x[:, 0] + 0.7 * x[:, 6]).argmax())] = 1.0
        query = Query(f"q{i}", "text", {"kind": "even" if i % 4 else "odd"})
        parts = np.zeros(20, dtype=np.int64)
        none = np.zeros(20, dtype=np.float32)
        found.append(Example(query, np.arange(20), x, none, parts, 0.0, labels, 0, i % FOLDS, 50))
    return found


def hit_rate(found, scores):
    return np.mean([e.labels[int(s.argmax())] for e, s in zip(found, scores, strict=True)])


def test_it_learns_what_the_labels_follow_and_does_so_out_of_fold():
    found = toy(600)
    assert hit_rate(found, cross_fit(found)) > 0.7
    shuffled = toy(200)
    for e in shuffled:
        np.random.default_rng(1).shuffle(e.labels)
    assert hit_rate(shuffled, cross_fit(shuffled)) < 0.3


def test_others_are_judged_and_never_learnt_from():
    found, others = toy(400), toy(50, seed=9)
    alone, both = cross_fit(found), cross_fit(found, others)
    assert len(both) == 450
    for a, b in zip(alone, both, strict=False):
        np.testing.assert_array_equal(a, b)
    assert hit_rate(others, both[400:]) > 0.5


def test_examples_of_no_fold_are_learnt_from_in_every_fold():
    few, many = toy(60), weighted(toy(500, seed=5))
    alone, both = cross_fit(few), cross_fit(few, also=many)
    assert len(both) == len(few)
    assert hit_rate(few, both) > hit_rate(few, alone) + 0.1


def test_the_hardest_candidates_are_the_best_by_each_score_and_the_gold_ones(monkeypatch):
    monkeypatch.setattr(rank, "_HARDEST", 2)
    for e in toy(20):
        e.labels[:] = 0
        e.labels[3] = 1
        kept = rank._hardest(e, FITTED)
        columns = [list(FITTED).index(n) for n in ("lexical", "dense", "sentence_dense")]
        best = {int(i) for c in columns for i in np.argsort(-e.features[:, c])[:2]}
        assert set(kept.rows.tolist()) == best | {3}
        assert kept.labels.sum() == 1
        np.testing.assert_array_equal(kept.features, e.features[kept.rows])


def test_without_those_scores_all_candidates_are_learnt_from():
    for e in toy(5):
        assert rank._hardest(e, [f"new{i}" for i in range(F)]) is e


def test_a_ranker_is_fitted_on_the_columns_that_it_is_told_of():
    names = ("dense", "a new one", "name")
    found = [replace(e, features=e.features[:, [0, 6, 1]]) for e in toy(300)]
    ranker = fit_ranker(found, PROBE, features=names)
    assert ranker.features == names
    assert ranker.hidden.shape[1] == 3
    assert hit_rate(found, cross_fit(found, features=names)) > 0.7


def test_an_average_is_one_ranker():
    found = toy(40)
    rankers = [fit_ranker(found, PROBE, seed) for seed in range(3)]
    x = found[0].features
    mean = np.mean([r.outputs(x) for r in rankers], axis=0)
    np.testing.assert_allclose(average(rankers).outputs(x), mean, atol=1e-5)


def test_probabilities_are_fitted_to_what_needs_a_skill():
    found = toy(200)
    outputs = [3.0 * e.labels - 1.0 + e.features[:, 1] for e in found]
    strange = np.full(20, 1e3)  # of a query that needs none: it says nothing here
    needed = [False, *[True] * 200]
    ranker = fit_ranker(found[:30], PROBE)
    ranker = fit_probability(ranker, [found[0], *found], [strange, *outputs], needed)
    likely = np.concatenate([ranker.probabilities(o) for o in outputs])
    labels = np.concatenate([e.labels for e in found])
    assert likely.mean() == pytest.approx(labels.mean(), abs=0.005)
    assert ranker.slope > 1


def test_fitting_is_repeatable():
    found = weighted(toy(30))
    a, b, c = (fit_ranker(found, PROBE, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.hidden, b.hidden)
    assert not np.array_equal(a.hidden, c.hidden)
    assert a.probe is PROBE


def test_gradients_are_those_of_the_loss():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3, 5, F)).astype(np.float32)
    y = np.zeros((3, 5), dtype=np.float32)
    y[0, 1] = y[1, 0] = y[1, 2] = 1  # the third query needs no skill
    mask = np.ones((3, 5), dtype=bool)
    mask[0, 4] = False
    w = np.array([1.0, 2.0, 0.5], dtype=np.float32)
    shapes = [(4, F), (4,), (4,), (1,)]
    start = [draw.normal(0, 0.5, s).astype(np.float32) for s in shapes]

    def loss(parameters):
        hidden, bias, output, intercept = (p.astype(np.float64) for p in parameters)
        scores = np.tanh(x @ hidden.T + bias) @ output
        total = 0.0
        for i in range(3):
            s, t = scores[i][mask[i]], y[i][mask[i]]
            if t.sum():
                total += w[i] * -(t / t.sum() * (s - np.log(np.exp(s).sum()))).sum()
            p = 1 / (1 + np.exp(-(s + intercept[0])))
            total += w[i] * rank._POINTWISE * -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum()
        return total / 3

    for number, gradient in enumerate(rank._gradients(start, x, y, mask, w)):
        for place in list(np.ndindex(gradient.shape))[:6]:
            up, down = ([p.astype(np.float64) for p in start] for _ in range(2))
            up[number][place] += 1e-4
            down[number][place] -= 1e-4
            assert gradient[place] == pytest.approx((loss(up) - loss(down)) / 2e-4, abs=1e-3)


def test_logistic_regression_finds_what_made_the_labels():
    draw = np.random.default_rng(0)
    x = draw.normal(0, 2, (20_000, 2))
    odds = 1.7 * x[:, 0] - 0.6 * x[:, 1] - 2.5
    labels = (draw.random(20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    weights, intercept = fit_logistic(x, labels, np.ones(20_000))
    np.testing.assert_allclose(weights, [1.7, -0.6], atol=0.1)
    assert intercept == pytest.approx(-2.5, abs=0.1)


def test_a_ridge_keeps_separable_labels_finite():
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    loose, _ = fit_logistic(x, labels, np.ones(4), ridge=0.01)
    tight, _ = fit_logistic(x, labels, np.ones(4), ridge=10.0)
    assert 0 < tight[0] < loose[0] < 50
