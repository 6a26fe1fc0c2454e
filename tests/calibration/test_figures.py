import numpy as np
import pytest
from tests.calibration.test_thresholds import judged, pool

from skillret.calibration.figures import measure


def test_figures_are_those_of_the_sets():
    gold = {**{f"q{i}": [3] for i in range(10)}, **{f"n{i}": [] for i in range(10)}}
    found = [
        judged(q, {3: 0.8, 5: 0.1}, 0.7 if q[0] == "q" else 0.2, fold=i % 5)
        for i, q in enumerate(gold)
    ]
    for j in found:
        j.example.labels[3] = j.example.query.id[0] == "q"
    figures = measure(pool(gold), found, None)
    assert figures.ndcg == {"all": 1.0, "k": 1.0}
    assert (figures.auroc, figures.turned_away, figures.kept) == (1, 1, 1)
    assert figures.kept_at_95 == 1
    assert figures.sets["k=1"]["precision"] == 1
    assert figures.sets["k=5"]["precision"] == pytest.approx(0.2)
    assert figures.sets["k=5"]["size"] == 5
    assert figures.sets["selected"]["completeness"] == 1
    assert np.isnan(figures.sets["selected"]["completeness, k > 1"])
    alone = measure(pool(gold), [j for j in found if j.example.query.id[0] == "q"], 0.9)
    assert alone.auroc is alone.kept is alone.turned_away is alone.kept_at_95 is None
    assert alone.sets["selected"]["size"] == 0  # the stored threshold turns all away
    assert alone.sets["selected, never abstaining"]["size"] > 0


def test_a_query_for_several_skills_is_complete_with_all_of_them():
    gold = {"a": [3, 5], "b": [3]}
    found = [judged("a", {3: 0.8, 5: 0.7}, 0.9, fold=0), judged("b", {3: 0.8}, 0.9, fold=1)]
    sets = measure(pool(gold), found, None).sets
    assert sets["k=1"]["completeness"] == 0.5
    assert sets["k=1"]["completeness, k > 1"] == 0
    assert sets["k=3"]["completeness, k > 1"] == 1
    assert sets["k=1"]["recall"] == 0.75
