import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.evaluation.abstention import CURVE_POINTS, auroc, measure_abstention

SCORES = st.lists(st.integers(0, 12).map(lambda n: n / 4), min_size=1, max_size=30)


def test_auroc_is_the_probability_of_the_right_order():
    assert auroc([2, 3], [0, 1]) == 1
    assert auroc([0, 1], [2, 3]) == 0
    assert auroc([1, 1], [1, 1]) == 0.5
    assert auroc([1, 3], [2]) == 0.5
    assert np.isnan(auroc([], [1]))


@given(SCORES, SCORES)
def test_every_point_of_the_curve_is_what_counting_gives(needed, needless):
    found = measure_abstention("score", needed, needless)
    thresholds = [p["threshold"] for p in found.curve]
    assert thresholds == sorted(set(needed + needless))
    for point in found.curve:
        kept = sum(v >= point["threshold"] for v in needed)
        wrong = sum(v >= point["threshold"] for v in needless)
        assert point["recall"] == pytest.approx(kept / len(needed))
        assert point["precision"] == pytest.approx(kept / (kept + wrong))
        assert point["turned_away"] == pytest.approx(1 - wrong / len(needless))
    enough = [p for p in found.curve if p["turned_away"] >= 0.95 - 1e-12]
    if enough:
        assert found.threshold_at_95 == enough[0]["threshold"]
        assert found.kept_at_95 == enough[0]["recall"]
    else:
        assert (found.threshold_at_95, found.kept_at_95) == (None, 0.0)


def test_95_percent_of_twenty_are_nineteen():
    found = measure_abstention("score", [17.5, 18.5, 30], range(20))
    assert found.threshold_at_95 == 18.5
    assert found.kept_at_95 == pytest.approx(2 / 3)


def test_a_long_curve_is_bounded_and_keeps_its_ends_and_the_operating_point():
    generator = np.random.default_rng(0)
    needed, needless = generator.normal(1, 1, 3000), generator.normal(0, 1, 300)
    found = measure_abstention("score", needed, needless)
    thresholds = [p["threshold"] for p in found.curve]
    assert len(thresholds) <= CURVE_POINTS
    assert found.threshold_at_95 in thresholds
    assert thresholds[0] == min(needed.min(), needless.min())
    assert thresholds[-1] == max(needed.max(), needless.max())
    wins = (needed[:, None] > needless).mean()
    assert found.auroc == pytest.approx(wins)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["n_negatives"] == 300
    assert "needed" not in document


def test_nothing_can_be_said_without_requests_of_both_kinds():
    assert measure_abstention("score", [], [1]) is None
    assert measure_abstention("score", [1], []) is None
