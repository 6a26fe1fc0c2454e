from dataclasses import replace

import numpy as np
import pytest
from tests.calibration.test_thresholds import POLICY, judged, selector

from skillret.calibration.figures import measure
from skillret.calibration.thresholds import choose_thresholds


def chosen(some):
    return choose_thresholds(selector(), some, POLICY)


def test_figures_are_those_of_the_sets():
    needed = [judged(f"q{i}", [3], {3: 0.8, 5: 0.1}, 0.7, fold=i % 5) for i in range(10)]
    needless = [judged(f"n{i}", [], {3: 0.8, 5: 0.1}, 0.2, fold=i % 5) for i in range(10)]
    figures = measure(selector(), [*needed, *needless], chosen)
    assert figures.ndcg == {"all": 1.0, "k": 1.0}
    assert (figures.auroc, figures.turned_away, figures.kept) == (1, 1, 1)
    assert figures.kept_at_95 == 1
    assert figures.sets["k=1"]["precision"] == 1
    assert figures.sets["k=5"]["precision"] == pytest.approx(0.2)
    assert figures.sets["k=5"]["size"] == 5
    assert figures.sets["selected"]["completeness"] == 1
    assert np.isnan(figures.sets["selected"]["completeness, k > 1"])
    alone = measure(selector(), needed, lambda some: replace(chosen(some), threshold=0.9))
    assert alone.auroc is alone.kept is alone.turned_away is alone.kept_at_95 is None
    assert alone.sets["selected"]["size"] == 0  # the stored threshold turns all away
    assert alone.sets["selected, never abstaining"]["size"] > 0


def test_a_query_for_several_skills_is_complete_with_all_of_them():
    found = [
        judged("a", [3, 5], {3: 0.8, 5: 0.7}, 0.9),
        judged("b", [3], {3: 0.8}, 0.9, fold=1),
    ]
    sets = measure(selector(), found, chosen).sets
    assert sets["k=1"]["completeness"] == 0.5
    assert sets["k=1"]["completeness, k > 1"] == 0
    assert sets["k=3"]["completeness, k > 1"] == 1
    assert sets["k=1"]["recall"] == 0.75
