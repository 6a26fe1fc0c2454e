import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skillret.serving.page.clusters import Words, group, label, levels


def test_groups_are_where_points_are():
    rng = np.random.default_rng(1)
    of = np.repeat([0, 1, 2], [50, 30, 20])
    centres = np.array([[-1, 0], [1, 0], [0, 1]], dtype=np.float32)
    points = (centres[of] + 0.1 * rng.standard_normal((100, 2))).astype(np.float32)
    groups, middles = group(points, 3)
    assert np.array_equal(groups, of)  # from the largest
    assert np.abs(middles - centres).max() < 0.15
    assert all((points == middle).all(axis=1).any() for middle in middles)


def test_one_place_is_one_group():
    groups, middles = group(np.zeros((9, 2), dtype=np.float32), 4)
    assert groups.tolist() == [0] * 9
    assert len(middles) == 1


def test_small_libraries_have_few_levels():
    assert levels(5) == []
    assert levels(46) == [7]
    assert levels(17_000) == [10, 45, 200]
    assert levels(0) == []


def words_of(*texts):
    return Words.of(texts)


def test_a_label_is_what_others_have_not():
    texts = [(f"invoice-{i}", "Use this skill to write an invoice") for i in range(6)]
    texts += [(f"podDebug{i}", "Use this skill to debug pods of a cluster") for i in range(6)]
    groups = np.repeat([0, 1], 6)
    found = label(words_of(*texts), groups, np.zeros((2, 2), dtype=np.float32), 0)
    assert [item.size for item in found] == [6, 6]
    assert found[0].text.split(" · ")[0] == "invoice"
    assert set(found[1].text.split(" · ")) <= {"debug", "pod", "pods", "cluster"}


def test_a_group_without_a_word_of_its_own_has_no_label():
    texts = [("same", "the same words") for _ in range(8)]
    groups = np.repeat([0, 1], 4)
    assert label(words_of(*texts), groups, np.zeros((2, 2), dtype=np.float32), 0) == []


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), min_size=1, max_size=12))
def test_any_text_has_words(texts):
    words = Words.of(texts)
    assert words.total == len(texts)
    assert len(words.skills) == len(words.words) == len(words.weights)
    groups = np.arange(len(texts)) % 2
    groups = np.unique(groups, return_inverse=True)[1].reshape(-1)
    centres = np.zeros((groups.max() + 1, 2), dtype=np.float32)
    for item in label(words, groups, centres, 0):
        assert item.text
