import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skillret.retrieval.selection import MAX_SELECTED, SAME, choose


def unlike(count):
    return np.eye(max(count, 1), dtype=np.float32)[:count]


def test_the_best_is_joined_by_what_is_likely_enough():
    likely = [0.9, 0.6, 0.2]
    assert choose(likely, unlike(3), [0, 0, 0], 0.5) == [0, 1]
    assert choose(likely, unlike(3), [-1, -1, -1], 0.95) == [0]
    assert choose([0.3, 0.2, 0.01], unlike(3), [0, 0, 0], 0.5) == [0, 1]
    assert choose([], unlike(0), [], 0.1) == []


def test_what_is_hardly_likely_is_no_answer():
    assert choose([0.009, 0.008], unlike(2), [0, 0], 0.1) == []
    assert choose([0.012, 0.008], unlike(2), [0, 0], 0.1) == [0]


def test_another_part_of_the_request_needs_less():
    likely = [0.9, 0.3, 0.3, 0.2]
    assert choose(likely, unlike(4), [0, 0, 1, 1], 0.5) == [0, 2]
    assert choose(likely, unlike(4), [0, -1, -1, -1], 0.5) == [0]
    assert choose([0.9, 0.1], unlike(2), [0, 1], 0.5) == [0]


def test_a_near_duplicate_adds_nothing():
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    assert choose([0.9, 0.8, 0.7], vectors, [0, 0, 0], 0.1) == [0, 2]


@given(st.lists(st.floats(0, 1), max_size=25), st.floats(0, 1), st.integers(1, MAX_SELECTED))
def test_selections_are_ordered_limited_and_unlike(likely, share, limit):
    likely = sorted(likely, reverse=True)
    draw = np.random.default_rng(len(likely))
    vectors = draw.normal(size=(len(likely), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    parts = draw.integers(-1, 3, len(likely)).tolist()
    chosen = choose(likely, vectors, parts, share, limit)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= limit
    assert bool(chosen) == (max(likely, default=0) >= 0.01)
    old = [
        i for n, i in enumerate(chosen) if n and parts[i] in {-1, *(parts[j] for j in chosen[:n])}
    ]
    assert all(likely[i] >= share * likely[0] for i in old)
    similar = vectors[chosen] @ vectors[chosen].T
    assert (similar[~np.eye(len(chosen), dtype=bool)] < SAME).all()
