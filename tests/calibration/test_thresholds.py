import numpy as np
import pytest
from tests.conftest import make_skill

from skillret.calibration.examples import Example, Pool
from skillret.calibration.thresholds import Judged, choose_thresholds, selected_rows
from skillret.types import Query

N = 12
VECTORS = np.eye(N, dtype=np.float32)


def judged(query_id, likely, need, fold=0):
    query = Query(query_id, "text", {"kind": "k"})
    rows, parts = np.arange(N), np.full(N, -1)
    features, labels = np.zeros((N, 1), dtype=np.float32), np.zeros(N)
    example = Example(query, rows, features, parts, 0.0, labels, 0, fold, N)
    values = np.full(N, 1e-3)
    values[list(likely)] = list(likely.values())
    return Judged(example, values, need)


def pool(gold):
    queries = [Query(q, "text") for q in gold]
    skills = [make_skill(f"s{i}") for i in range(N)]
    return Pool(skills, VECTORS, queries, {q: frozenset(rows) for q, rows in gold.items() if rows})


def test_a_set_holds_what_reaches_a_share_of_the_best():
    j = judged("a", {3: 0.8, 5: 0.5, 7: 0.3}, 0.9)
    assert selected_rows(pool({"a": [3]}), j, 0.5) == [3, 5]
    assert selected_rows(pool({"a": [3]}), j, 0.2) == [3, 5, 7]


def test_the_share_lets_in_what_is_needed_and_little_else():
    gold = {f"q{i}": [3, 5] for i in range(10)}
    found = [judged(q, {3: 0.8, 5: 0.5, 7: 0.3}, 0.9) for q in gold]
    threshold, share = choose_thresholds(pool(gold), found, 0.125)
    assert threshold == 0.125  # none is needless
    assert 0.3 / 0.8 < share <= 0.5 / 0.8


def test_the_threshold_parts_what_needs_a_skill_from_what_needs_none():
    gold = {**{f"q{i}": [3] for i in range(10)}, **{f"n{i}": [] for i in range(5)}}
    found = [judged(q, {3: 0.8}, 0.7 if q[0] == "q" else 0.2) for q in gold]
    threshold, _ = choose_thresholds(pool(gold), found, None)
    assert threshold == pytest.approx(0.45)
