import json

import pytest

from skillret.evaluation.sets import (
    FIXED,
    SHOWN_FIXED,
    Sets,
    measure_named,
    measure_sets,
    name_skills,
)

GOLD = {"a": {"x"}, "b": {"x", "y"}, "c": {"z"}}


def test_sets_are_measured_query_by_query():
    chosen = {"a": ["x", "q"], "b": ["x"], "c": []}
    assert measure_sets(chosen, GOLD) == pytest.approx(
        {
            "precision": (0.5 + 1 + 0) / 3,
            "recall": (1 + 0.5 + 0) / 3,
            "completeness": 1 / 3,
            "size": 1.0,
            "completeness, k > 1": 0.0,
        }
    )
    assert "completeness, k > 1" not in measure_sets({"a": ["x"]}, {"a": ["x"]})
    assert measure_sets({}, {"a": ["x"]})["precision"] == 0


def test_all_that_is_told_of_sets():
    ranked = {"a": ["q", "x"], "b": ["x", "y", "q"], "c": ["z"]}
    sets = Sets.of({"a": ["x"], "b": ["x", "y"], "c": []}, ranked, GOLD, [[], ["x"], [], []])
    assert sets.kept == pytest.approx(2 / 3)
    assert (sets.turned_away, sets.n_needless) == (0.75, 4)
    assert tuple(sets.fixed) == FIXED
    assert set(SHOWN_FIXED) <= set(FIXED)
    assert sets.fixed[1]["precision"] == pytest.approx(2 / 3)
    assert sets.fixed[3]["completeness"] == 1
    document = json.loads(json.dumps(sets.to_json(), allow_nan=False))
    assert document["precision"] == sets.selected["precision"]
    assert document["fixed"]["k=3"] == sets.fixed[3]
    assert document["turned_away"] == 0.75
    assert Sets.of(ranked, ranked, GOLD, []).turned_away is None


def test_what_is_named_by_eagerness():
    chosen = {"a": ["x", "q"], "b": ["q", "y"], "c": ["w"], "n": ["x"]}
    scores = {"a": [0.8, 0.3], "b": [0.2, 0.11], "c": [0.08], "n": [0.5]}
    named = name_skills(chosen, scores, {"a": 0.95, "b": 0.95, "c": 0.8, "n": 0.6})
    assert named["quiet"] == {"a": ["x"], "b": ["q", "y"], "c": [], "n": []}
    assert named["eager"] == chosen
    measured = measure_named(named, GOLD, ["n"])
    assert measured["quiet"] == pytest.approx({"right": 2 / 3, "any": 2 / 3, "needless": 0})
    assert measured["eager"] == pytest.approx({"right": 2 / 3, "any": 1, "needless": 1})
    assert "needless" not in measure_named(named, GOLD, [])["normal"]
