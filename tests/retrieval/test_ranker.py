import json

import numpy as np
import pytest

from skillret.errors import EncoderError
from skillret.retrieval.features import FITTED, LATE
from skillret.retrieval.ranker import Probe, Ranker
from skillret.retrieval.term_head import TermHead

WITHOUT_LATE = tuple(name for name in FITTED if name not in LATE)  # which every encoder has
F = len(WITHOUT_LATE)


def make_ranker(seed=0, **fields):
    draw = np.random.default_rng(seed)
    values = {
        "mean": draw.normal(size=F),
        "scale": draw.uniform(0.5, 2, F),
        "hidden": draw.normal(size=(3, F)),
        "hidden_bias": draw.normal(size=3),
        "output": draw.normal(size=3),
    }
    arrays = {name: np.asarray(v, dtype=np.float32) for name, v in values.items()}
    probe = Probe(draw.normal(size=32).astype(np.float32), 0.25)
    numbers = {"slope": 1.5, "intercept": -2.0, "share": 0.3}
    need = {"need_weight": 0.7, "need_slope": 0.8, "need_intercept": 0.5}
    size = {"need_size": 0.2, "need_skills": 100.0}
    terms = {"terms": TermHead(draw.normal(size=32).astype(np.float32), 0.5)}
    named = {"features": WITHOUT_LATE, "probe": probe, **terms}
    return Ranker(**{**named, **arrays, **numbers, **need, **size, **fields})


def bm25_ranker():
    """A ranker that goes by the share of BM25 alone."""
    hidden = np.zeros((1, F), dtype=np.float32)
    hidden[0, WITHOUT_LATE.index("lexical")] = 1.0
    return make_ranker(
        mean=np.zeros(F, dtype=np.float32),
        scale=np.ones(F, dtype=np.float32),
        hidden=hidden,
        hidden_bias=np.zeros(1, dtype=np.float32),
        output=np.ones(1, dtype=np.float32),
        slope=10.0,
        intercept=-4.0,
        probe=Probe(np.zeros(32, dtype=np.float32), 0.0),
        terms=TermHead(np.zeros(32, dtype=np.float32), 0.0),
        need_slope=10.0,
        need_intercept=-2.0,
        need_size=0.0,
        share=0.5,
    )


def test_it_computes_one_hidden_layer():
    ranker = make_ranker()
    x = np.random.default_rng(1).normal(size=(5, F)).astype(np.float32)
    for row, found in zip(x, ranker.outputs(x), strict=True):
        z = (row.astype(float) - ranker.mean) / ranker.scale
        layer = [
            np.tanh(ws @ z + b) for ws, b in zip(ranker.hidden, ranker.hidden_bias, strict=True)
        ]
        assert found == pytest.approx(float(np.dot(layer, ranker.output)), abs=1e-4)
    likely = ranker.probabilities(ranker.outputs(x))
    assert ((likely > 0) & (likely < 1)).all()
    assert (np.argsort(likely) == np.argsort(ranker.outputs(x))).all()


def test_it_survives_json():
    ranker = make_ranker()
    stored = json.loads(json.dumps(ranker.to_json()))
    again = Ranker.from_json(stored, "here", 32)
    x = np.random.default_rng(2).normal(size=(4, F)).astype(np.float32)
    np.testing.assert_allclose(again.outputs(x), ranker.outputs(x), atol=1e-3)
    outputs = ranker.outputs(x)
    assert again.need(outputs, 0.5, 9) == pytest.approx(ranker.need(outputs, 0.5, 9), abs=1e-3)
    vectors = np.random.default_rng(3).normal(size=(2, 32)).astype(np.float32)
    np.testing.assert_allclose(again.probe.asking(vectors), ranker.probe.asking(vectors), atol=1e-3)
    np.testing.assert_allclose(again.terms.weights, ranker.terms.weights, atol=1e-5)
    assert again.terms.bias == 0.5
    without = make_ranker(terms=None)
    assert Ranker.from_json(json.loads(json.dumps(without.to_json())), "here", 32).terms is None


def test_need_grows_with_the_best_output_and_with_the_evidence():
    ranker = make_ranker()
    outputs = np.array([-1.0, 0.5])
    odds = 0.7 * 2.0 + 0.8 * 0.5 + 0.5
    assert ranker.need(outputs, 2.0, 100) == pytest.approx(1 / (1 + np.exp(-odds)))
    assert ranker.need(outputs + 1, 2.0, 100) > ranker.need(outputs, 2.0, 100)
    assert ranker.need(outputs, 3.0, 100) > ranker.need(outputs, 2.0, 100)


def test_in_a_small_library_less_fits_by_chance():
    ranker, outputs = make_ranker(), np.array([0.5])
    odds = [ranker.need_odds(outputs, 1.0, n) for n in (0, 1, 10, 100, 10_000)]
    assert odds[2] - odds[3] == pytest.approx(0.2 * np.log(10))
    assert odds[0] == odds[1] > odds[2] > odds[3] == odds[4]


def test_evidence_is_that_of_the_request_and_of_its_best_sentence():
    probe = Probe(np.array([1.0, 0.0], dtype=np.float32), 0.5)
    vectors = np.array([[1, 0], [-1, 0], [3, 0], [0, 1]], dtype=np.float32)
    assert probe.evidence(vectors[:1]) == pytest.approx(1.5)
    assert probe.evidence(vectors) == pytest.approx(0.25 * 1.5 + 0.75 * 3.5)
    odds = np.array([1.5, -0.5, 3.5, 0.5])
    np.testing.assert_allclose(probe.asking(vectors), 1 / (1 + np.exp(-odds)), rtol=1e-5)
    assert probe.asking(vectors).dtype == np.float32


def test_what_is_stored_stays_the_same_however_often_it_is_stored():
    ranker = make_ranker(mean=np.linspace(-9e5, 9e5, F).astype(np.float32))
    stored = ranker.to_json()
    assert Ranker.from_json(stored, "here", 32).to_json() == stored


def test_it_names_the_features_that_it_was_fitted_on():
    stored = make_ranker().to_json()
    one = {"mean": [0.0], "scale": [1.0], "hidden": [[1.0]] * 3, "features": ["dense"]}
    ranker = Ranker.from_json({**stored, **one}, "here", 32)
    assert ranker.features == ("dense",)
    assert ranker.columns(("lexical", "dense", "name")) == [1]
    assert ranker.outputs(np.ones((4, 1), dtype=np.float32)).shape == (4,)
    with pytest.raises(KeyError):
        ranker.columns(("lexical",))


def test_an_unknown_feature_is_refused_with_the_remedy():
    stored = {**make_ranker().to_json(), "features": [*WITHOUT_LATE[1:], "tea leaves"]}
    with pytest.raises(EncoderError, match=r"'tea leaves'.*upgrade skillret.*--fit-ranker"):
        Ranker.from_json(stored, "here", 32)


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": [1.0]},
        {"output": [float("nan")] * 3},
        {"hidden": "x"},
        {"slope": None},
        {"hidden": [[1.0] * F]},
        {"probe": [1.0] * 31},
        {"slope": float("nan")},
        {"need_slope": float("inf")},
        {"slope": 10**400},
        {"scale": [0.0] * F},
        {"need_skills": 0},
        {"mean": [3e38] * F},
        {"scale": [1e-38] * F},
        {"slope": 1e30},
        {"slope": True},
        {"slope": "1.5"},
        {"mean": ["1"] * F},
        {"mean": [True] * F},
        {"terms": 5},
        {"terms_bias": None},
        {"features": "dense"},
        {"features": []},
        {"features": [1]},
        {"features": ["dense"] * F},
        {"features": ["dense"]},
    ],
)
def test_a_malformed_ranker_is_an_error(damage):
    with pytest.raises(EncoderError, match="the ranker in here is malformed"):
        Ranker.from_json({**make_ranker().to_json(), **damage}, "here", 32)


@pytest.mark.parametrize("data", ["abc", [1], 5])
def test_a_ranker_that_is_no_object_is_an_error(data):
    with pytest.raises(EncoderError, match="the ranker in here is malformed"):
        Ranker.from_json(data, "here", 32)


@pytest.mark.parametrize("part", ["features", "mean", "probe_bias", "terms", "share"])
def test_a_ranker_without_a_part_is_an_error(part):
    stored = make_ranker().to_json()
    del stored[part]
    with pytest.raises(EncoderError, match="the ranker in here is malformed"):
        Ranker.from_json(stored, "here", 32)


def test_without_a_feature_it_says_what_it_says_at_the_mean():
    ranker, x = make_ranker(), np.random.default_rng(1).normal(size=(5, F)).astype(np.float32)
    names = (ranker.features[3], ranker.features[-1], "unknown")
    fewer = ranker.without(names)
    assert fewer.features == (*ranker.features[:3], *ranker.features[4:-1])
    x[:, [3, -1]] = ranker.mean[[3, -1]]
    kept = x[:, fewer.columns(ranker.features)]
    np.testing.assert_allclose(fewer.outputs(kept), ranker.outputs(x), rtol=1e-5)
    assert Ranker.from_json(fewer.to_json(), "here", 32).features == fewer.features
