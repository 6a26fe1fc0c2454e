import numpy as np
import pytest
from tests.conftest import SKILLS
from tests.retrieval.test_candidates import find

from skillret.retrieval.features import FEATURES, columns


def column(evidence, name):
    return columns([name], evidence)[:, 0]


def test_shares_and_gaps_are_best_at_the_best_skill():
    evidence = find("tables from PDF files")
    best = evidence.keys.tolist().index(0)
    for name in ("lexical", "sentence_lexical", "sentence_lexical_absolute"):
        assert column(evidence, name)[best] == pytest.approx(1.0)
        assert column(evidence, name).max() <= 1.0 + 1e-6
    assert column(evidence, "dense_gap").max() == pytest.approx(0.0)
    every = columns(list(FEATURES), evidence)
    assert np.isfinite(every).all()
    assert every.dtype == np.float32
    assert every.shape == (len(evidence.keys), len(FEATURES))


def test_each_need_is_best_in_its_own_sentence():
    evidence = find("I want tables from PDF files. Then tell me why pods crash.")
    for name in ("sentence_lexical", "sentence_dense_gap"):
        values = column(evidence, name)
        at = set(evidence.keys[np.isclose(values, values.max(), atol=1e-5)].tolist())
        assert at == {0, 1}, name


def test_a_sentence_that_asks_for_nothing_says_little():
    text = "I want tables from PDF files. Then tell me why pods crash."
    plain, weighted = find(text), find(text, asking=[0.9, 1.0, 0.1])
    np.testing.assert_array_equal(column(plain, "lexical"), column(weighted, "lexical"))
    for name in ("asking_lexical", "asking_lexical_absolute"):
        assert column(weighted, name)[1] == pytest.approx(0.1 * column(plain, name)[1]), name
        assert column(weighted, name)[0] == pytest.approx(column(plain, name)[0]), name
    assert (column(weighted, "asking_dense") <= np.abs(column(plain, "sentence_dense"))).all()
    gaps = [column(e, "asking_dense_gap")[1] for e in (plain, weighted)]
    assert gaps[0] == pytest.approx(0.0, abs=1e-6)
    assert -0.3 < gaps[1] < -0.1


def test_neighbours_count_by_how_likely_their_sentence_asks():
    text = "I want tables from PDF files. Then find out why pods crash."
    plain, weighted = find(text), find(text, asking=[0.9, 0.5, 1.0])
    place = np.searchsorted(plain.keys, [0, 1])
    for kind in ("pairs", "term_pairs"):
        a, b = column(plain, kind)[place]
        assert a > 0
        assert b > 0
        best = max(0.5 * a, b)
        np.testing.assert_allclose(
            column(weighted, kind)[place], [0.5 * a / best, b / best], rtol=1e-5
        )
        shares = column(weighted, f"{kind}_coverage")[place]
        np.testing.assert_allclose(shares, [0.5 * a / (0.5 * a + b), b / (0.5 * a + b)], rtol=1e-5)


def test_factors_of_terms_are_in_every_share():
    text = "tables of crash events"
    plain, weighted = find(text), find(text, factors={"crash": 0.1, "event": 0.1})
    pods = plain.keys.tolist().index(1)
    for name in ("lexical", "sentence_lexical", "asking_lexical"):
        assert column(weighted, name)[pods] < 0.6 * column(plain, name)[pods], name


@pytest.mark.parametrize("text", ["zebra", "你好", "🎉", "yours"])
def test_without_a_known_word_everything_is_finite(text):
    evidence = find(text)
    assert np.isfinite(columns(list(FEATURES), evidence)).all()
    assert not column(evidence, "lexical").any()
    assert len(evidence.keys) == len(SKILLS)


def test_columns_come_in_the_order_of_their_names(monkeypatch):
    evidence = find("tables from PDF files")
    both = columns(["name", "dense"], evidence)
    np.testing.assert_array_equal(both[:, 1], evidence.dense)
    np.testing.assert_array_equal(both[:, 0], column(evidence, "name"))
    assert columns([], evidence).shape == (4, 0)
    with pytest.raises(KeyError):
        columns(["tea leaves"], evidence)
    monkeypatch.setitem(FEATURES, "tea leaves", lambda e: np.float32(7))
    assert columns(["dense", "tea leaves"], evidence)[:, 1].tolist() == [7] * 4


def test_terms_of_the_name_count_by_their_weight_and_number():
    evidence = find("release my tables")
    shares = dict(zip(evidence.keys.tolist(), column(evidence, "name").tolist(), strict=True))
    weights = dict(zip(evidence.terms.names, evidence.terms.weights, strict=True))
    # pdf-tables and release-notes have two terms each, of which one is said.
    assert shares == pytest.approx({0: weights["tabl"] / 2, 1: 0, 2: weights["releas"] / 2, 3: 0})
