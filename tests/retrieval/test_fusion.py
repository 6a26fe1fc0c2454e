import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skillret.retrieval.fusion import fuse

N = st.shared(st.integers(1, 30), key="n")
COSINES = N.flatmap(lambda n: hnp.arrays(np.float32, n, elements=st.floats(-1, 1, width=32)))
BM25 = N.flatmap(lambda n: hnp.arrays(np.float32, n, elements=st.floats(0, 50, width=32)))


@given(COSINES, BM25, st.floats(0, 1))
def test_scores_stay_between_0_and_1(dense, lexical, weight):
    fused = fuse(dense, lexical, weight, float(dense.min()))
    assert fused.dtype == np.float32
    assert fused.min() >= 0
    assert fused.max() <= 1 + 1e-6


def test_the_weight_decides_between_the_two():
    dense = np.array([0.2, 0.8], dtype=np.float32)
    lexical = np.array([9.0, 3.0], dtype=np.float32)
    np.testing.assert_allclose(fuse(dense, lexical, 0.25, 0.2), [0.75, 0.5], atol=1e-6)
    assert fuse(dense, lexical, 1.0, 0.2).argmax() == 1
    assert fuse(dense, lexical, 0.0, 0.2).argmax() == 0


def test_without_shared_words_the_cosines_decide():
    dense = np.array([0.2, 0.8, 0.5], dtype=np.float32)
    fused = fuse(dense, np.zeros(3, dtype=np.float32), 0.25, 0.2)
    assert fused.argsort().tolist() == [0, 2, 1]


def test_a_single_skill_that_shares_words_scores_1():
    one = np.array([0.3], dtype=np.float32)
    np.testing.assert_allclose(fuse(one, one, 0.25, 0.3), [1.0])


def test_nothing_fuses_to_nothing():
    empty = np.empty(0, dtype=np.float32)
    assert fuse(empty, empty, 0.5, 0.0).shape == (0,)


def test_where_all_candidates_are_further_than_was_thought_cosines_still_decide():
    dense = np.array([0.1, 0.3, 0.2], dtype=np.float32)  # a filter left these
    fused = fuse(dense, np.zeros(3, dtype=np.float32), 0.25, 0.4)
    assert fused.argsort().tolist() == [0, 2, 1]
    assert fused.min() == 0
