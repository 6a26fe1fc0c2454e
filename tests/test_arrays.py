import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skillret.arrays import distinct, top_rows


@given(
    hnp.arrays(
        np.float32, st.integers(0, 40), elements=st.sampled_from([-1.0, 0.0, 0.5, 0.5001, 1.0])
    ),
    st.integers(1, 50),
)
def test_rows_come_best_first_and_ties_in_order(scores, k):
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    assert top_rows(scores, k).tolist() == expected


@given(hnp.arrays(np.uint32, st.integers(0, 40), elements=st.integers(0, 9)))
def test_distinct_numbers_are_those_of_numpy(values):
    np.testing.assert_array_equal(distinct(values), np.unique(values))
    assert distinct(values).dtype == values.dtype
