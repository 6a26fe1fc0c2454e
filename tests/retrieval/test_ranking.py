import numpy as np
import pytest

from skillret.retrieval.ranking import Ranking, nothing, reordered, without


@pytest.fixture
def ranking():
    """Three skills, whose every column says which one it is."""
    keys = np.array([7, 3, 5])
    column = keys.astype(np.float32)
    return Ranking(
        text="x",
        keys=keys,
        scores=np.array([0.9, 0.5, 0.1], np.float32),
        dense=column,
        lexical=column,
        parts=keys,
        vectors=column[:, None],
        need=0.9,
        terms=None,
        excluded=column,
        late=column,
    )


def columns(ranking):
    names = ("dense", "lexical", "parts", "excluded", "late")
    return [*(getattr(ranking, name).tolist() for name in names), ranking.vectors[:, 0].tolist()]


def test_all_that_is_known_of_a_skill_goes_where_it_goes(ranking):
    other = reordered(ranking, [5, 7], 3)
    assert other.keys.tolist() == [5, 7, 3]
    assert columns(other) == [[5, 7, 3]] * 6
    assert other.scores.tolist() == ranking.scores.tolist()
    assert columns(reordered(ranking, [5], 2)) == [[5, 7]] * 6


def test_what_is_left_out_takes_its_score_along(ranking):
    assert without(ranking, []) is ranking
    rest = without(ranking, [3, 99])
    assert rest.keys.tolist() == [7, 5]
    assert columns(rest) == [[7, 5]] * 6
    assert rest.scores.tolist() == ranking.scores[[0, 2]].tolist()


def test_nothing_is_found_in_nothing():
    assert len(nothing("x", "hybrid")) == 0
    assert nothing("x", "hybrid").need == 0.0
    assert nothing("x", "lexical").need is None
