import numpy as np
import pytest

from skillret.serving.page.layout import lay_out, nearest, place_among


def clouds(count, each, dim=24, seed=0):
    """Unit vectors around some centres, and the centre of each."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((count, dim))
    of = np.repeat(np.arange(count), each)
    vectors = centres[of] + 0.25 * rng.standard_normal((count * each, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), of


def test_alike_ones_stand_near_each_other():
    vectors, of = clouds(5, 40)
    at = lay_out(vectors)
    near = np.square(at[:, None] - at).sum(-1).argsort(axis=1)[:, 1:6]
    assert (of[near] == of[:, None]).mean() > 0.95


def test_the_same_vectors_make_the_same_map():
    vectors, _ = clouds(3, 30)
    assert np.array_equal(lay_out(vectors), lay_out(vectors.copy()))


def test_it_fills_a_square_around_the_middle():
    at = lay_out(clouds(4, 25)[0])
    low, high = at.min(axis=0), at.max(axis=0)
    assert at.dtype == np.float32
    assert max(high - low) == pytest.approx(2, abs=1e-4)
    assert low + high == pytest.approx([0, 0], abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 12])
def test_small_libraries_have_a_place_for_each(count):
    vectors = clouds(1, max(count, 1))[0][:count]
    at = lay_out(vectors)
    assert at.shape == (count, 2)
    assert np.isfinite(at).all()
    assert len(np.unique(at.round(4), axis=0)) == count


def test_the_same_skill_many_times_is_no_trouble():
    at = lay_out(np.tile(np.eye(8, dtype=np.float32)[:1], (50, 1)))
    assert np.isfinite(at).all()


def test_more_than_are_laid_out_are_placed_among_them(monkeypatch):
    monkeypatch.setattr("skillret.serving.page.layout._MOST", 60)
    vectors, of = clouds(3, 50)
    at = lay_out(vectors)
    near = np.square(at[:, None] - at).sum(-1).argsort(axis=1)[:, 1:4]
    assert (of[near] == of[:, None]).mean() > 0.9


def test_a_new_one_comes_beside_those_that_it_is_like():
    vectors, of = clouds(3, 30)
    at = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)[of]
    placed = place_among(vectors[of == 1][:5], vectors, at)
    assert np.abs(placed - [1, 0]).max() < 0.1
    assert place_among(vectors[:0], vectors, at).shape == (0, 2)


def test_nearest_is_what_comparing_all_gives():
    vectors, _ = clouds(4, 40)
    expected = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")[:, :6]
    assert (nearest(vectors, vectors, 6) == expected).mean() > 0.99
