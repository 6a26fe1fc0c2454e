import numpy as np
import pytest
from tests.conftest import make_skill

from skillret.calibration.examples import Pool
from skillret.calibration.selections import Judged, RankedRows, Selector
from skillret.calibration.thresholds import choose_thresholds
from skillret.retrieval.selection import SelectionPolicy
from skillret.types import Query

N = 12
VECTORS = np.eye(N, dtype=np.float32)
POLICY = SelectionPolicy(0.125, 0.5)


def selector():
    return Selector(Pool([make_skill(f"s{i}") for i in range(N)], VECTORS, [], {}))


def ranked(likely, need, text="text"):
    values = np.full(N, 1e-3, dtype=np.float32)
    values[list(likely)] = list(likely.values())
    order = np.argsort(-values, kind="stable")
    return RankedRows(text, order, values[order], np.full(N, -1), VECTORS[order], need, 0.0)


def judged(query_id, gold, likely, need, fold=0):
    query = Query(query_id, "text", {"kind": "k"})
    return Judged(query, frozenset(gold), fold, 1.0, ranked(likely, need), {})


def test_the_share_lets_in_what_is_needed_and_little_else():
    found = [judged(f"q{i}", [3, 5], {3: 0.8, 5: 0.5, 7: 0.3}, 0.9) for i in range(10)]
    policy = choose_thresholds(selector(), found, POLICY)
    assert policy.threshold == 0.125  # none is needless
    assert 0.3 / 0.8 < policy.share <= 0.5 / 0.8


def test_the_threshold_parts_what_needs_a_skill_from_what_needs_none():
    found = [judged(f"q{i}", [3], {3: 0.8}, 0.7) for i in range(10)]
    found += [judged(f"n{i}", [], {3: 0.8}, 0.2) for i in range(5)]
    assert choose_thresholds(selector(), found, POLICY).threshold == pytest.approx(0.45)
