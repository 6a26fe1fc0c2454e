import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillret.errors import InputError
from skillret.evaluation.significance import (
    bootstrap_mean,
    compare,
    cuts_of,
    randomization_test,
)


def enumerated(differences):
    """The definition, spelled out: all sign patterns, one after the other."""
    observed = abs(sum(differences))
    patterns = list(itertools.product((-1, 1), repeat=len(differences)))
    reached = sum(
        abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - 1e-9
        for signs in patterns
    )
    return reached / len(patterns)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0, 0.1]), min_size=1, max_size=9))
def test_few_queries_are_enumerated(differences):
    (p,) = randomization_test(np.array(differences)[:, None])
    assert p == pytest.approx(enumerated(differences))


def test_random_signs_come_near_the_enumeration():
    differences = np.random.default_rng(3).normal(0.3, 1.0, (14, 2))
    exact = randomization_test(differences, permutations=2**14)
    sampled = randomization_test(differences, permutations=2**14 - 1)
    # Four standard errors of a share.
    error = 4 * np.sqrt(exact * (1 - exact) / 2**14)
    assert (np.abs(exact - sampled) < error + 1e-4).all()
    assert not np.array_equal(exact, sampled)


def test_p_is_uniform_without_a_difference_and_small_with_one():
    generator = np.random.default_rng(0)
    p = randomization_test(generator.normal(0, 1, (300, 400)), permutations=400)
    assert abs((p < 0.05).mean() - 0.05) < 0.04
    assert abs((p < 0.5).mean() - 0.5) < 0.1
    (p,) = randomization_test(generator.normal(0.5, 1, (300, 1)))
    assert p == pytest.approx(1 / 20_001)


def test_no_difference_at_all_has_p_1():
    assert randomization_test(np.zeros((50, 2))).tolist() == [1.0, 1.0]


def test_the_interval_is_the_usual_one_of_a_mean():
    values = np.random.default_rng(1).normal(2.0, 3.0, (900, 1))
    (interval,) = bootstrap_mean(values)
    half = 1.96 * values.std() / 30
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)
    assert bootstrap_mean(values) == [interval]
    assert bootstrap_mean(values, seed=1) != [interval]


def test_a_constant_and_nothing_have_no_spread():
    (one,) = bootstrap_mean(np.full((7, 1), 0.25))
    assert (one.mean, one.low, one.high) == (0.25, 0.25, 0.25)
    (none,) = bootstrap_mean(np.empty((0, 1)))
    assert np.isnan(none.mean)


def test_compare_counts_and_has_its_sign():
    a = {"q1": {"m": 0.0, "n": 1.0}, "q2": {"m": 0.5, "n": 1.0}, "q3": {"m": 0.1 + 0.2, "n": 0.0}}
    b = {"q1": {"m": 1.0, "n": 0.0}, "q2": {"m": 0.5, "n": 1.0}, "q3": {"m": 0.3, "n": 0.0}}
    m, n = compare(a, b, ["m", "n"])
    assert (m.wins, m.losses, m.ties) == (1, 0, 2)
    assert (n.wins, n.losses, n.ties) == (0, 1, 2)
    assert m.interval.mean == pytest.approx(1 / 3)
    assert n.interval.mean == pytest.approx(-1 / 3)
    assert (m.p, n.p) == (1.0, 1.0)  # one difference proves nothing
    back = compare(b, a, ["m"])[0]
    assert (back.wins, back.losses) == (0, 1)
    assert back.interval.low == pytest.approx(-m.interval.high)


def test_other_queries_are_refused():
    with pytest.raises(InputError, match="same queries"):
        compare({"q": {"m": 1.0}}, {"r": {"m": 1.0}}, ["m"])
    with pytest.raises(InputError, match="at least one"):
        compare({}, {}, ["m"])


def test_cuts_come_from_the_names():
    assert cuts_of(["ndcg@10", "completeness@3", "hit@1"]) == [3, 10]
    for name in ("ndcg", "ndcg@0", "ndcg@ten", "hit@2", "speed@10", "@5"):
        with pytest.raises(InputError, match="no metric"):
            cuts_of([name])
