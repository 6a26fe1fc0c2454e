import json

import numpy as np
import pytest

from skillret.errors import EncoderError
from skillret.retrieval.features import FEATURES
from skillret.retrieval.ranker import Ranker

F = len(FEATURES)


def make_ranker(seed=0, **fields):
    draw = np.random.default_rng(seed)
    values = {
        "mean": draw.normal(size=F),
        "scale": draw.uniform(0.5, 2, F),
        "hidden": draw.normal(size=(3, F)),
        "hidden_bias": draw.normal(size=3),
        "output": draw.normal(size=3),
        "probe": draw.normal(size=32),
    }
    arrays = {name: np.asarray(v, dtype=np.float32) for name, v in values.items()}
    numbers = {"slope": 1.5, "intercept": -2.0, "need_slope": 0.8, "need_intercept": 0.5}
    return Ranker(**{**arrays, **numbers, "include": 0.3, **fields})


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
    again = Ranker.from_json(stored, "here")
    x = np.random.default_rng(2).normal(size=(4, F)).astype(np.float32)
    np.testing.assert_allclose(again.outputs(x), ranker.outputs(x), atol=1e-3)
    vector = np.random.default_rng(3).normal(size=32).astype(np.float32)
    outputs = ranker.outputs(x)
    assert again.need(outputs, vector) == pytest.approx(ranker.need(outputs, vector), abs=1e-3)


def test_need_grows_with_the_best_output_and_along_the_probe():
    ranker = make_ranker()
    outputs = np.array([-1.0, 0.5])
    vector = np.zeros(32, dtype=np.float32)
    odds = 0.8 * 0.5 + 0.5
    assert ranker.need(outputs, vector) == pytest.approx(1 / (1 + np.exp(-odds)))
    assert ranker.need(outputs + 1, vector) > ranker.need(outputs, vector)
    assert ranker.need(outputs, ranker.probe) > ranker.need(outputs, vector)


def test_a_ranker_of_other_features_is_left_aside():
    assert Ranker.from_json({**make_ranker().to_json(), "features": ["dense"]}, "here") is None


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": [1.0]},
        {"output": [float("nan")] * 3},
        {"hidden": "x"},
        {"slope": None},
        {"hidden": [[1.0] * F]},
    ],
)
def test_a_malformed_ranker_is_an_error(damage):
    with pytest.raises(EncoderError, match="the ranker in here is malformed"):
        Ranker.from_json({**make_ranker().to_json(), **damage}, "here")
