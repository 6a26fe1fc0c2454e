import numpy as np
import pytest
from tests.conftest import SKILLS, HashEncoder

from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.retrieval.features import FEATURES, find_candidates
from skillret.retrieval.request import read_requests
from skillret.skills import document_text


def find(text, skills=SKILLS, asking=None, factors=None):
    encoder = HashEncoder()
    vectors = encoder.encode_documents([document_text(s, "{name} {description}") for s in skills])
    lexical = LexicalIndex(write_lexical(None, enumerate(skills)))
    (request,) = read_requests([text], encoder, vectors)
    if asking is None:
        asking = np.ones(len(request.vectors))
    return find_candidates(request, lexical, None, np.asarray(asking, dtype=np.float32), factors)


def column(found, name):
    return found.features[:, FEATURES.index(name)]


def test_shares_and_gaps_are_best_at_the_best_skill():
    found = find("tables from PDF files")
    best = int(np.flatnonzero(found.rows == 0)[0])
    for name in ("lexical", "sentence_lexical", "sentence_lexical_absolute"):
        assert column(found, name)[best] == pytest.approx(1.0)
        assert column(found, name).max() <= 1.0 + 1e-6
    assert column(found, "dense_gap").max() == pytest.approx(0.0)
    assert np.isfinite(found.features).all()
    assert found.features.dtype == np.float32


def test_each_need_is_best_in_its_own_sentence():
    found = find("I want tables from PDF files. Then tell me why pods crash.")
    for name in ("sentence_lexical", "sentence_dense_gap"):
        best = column(found, name).max()
        at = {int(r) for r in found.rows[np.isclose(column(found, name), best, atol=1e-5)]}
        assert at == {0, 1}, name


def test_a_sentence_that_asks_for_nothing_says_little():
    text = "I want tables from PDF files. Then tell me why pods crash."
    plain, weighted = find(text), find(text, asking=[0.9, 1.0, 0.1])
    np.testing.assert_array_equal(column(plain, "lexical"), column(weighted, "lexical"))
    for name in ("asking_lexical", "asking_lexical_absolute"):
        assert column(weighted, name)[1] == pytest.approx(0.1 * column(plain, name)[1]), name
        assert column(weighted, name)[0] == pytest.approx(column(plain, name)[0]), name
    assert (column(weighted, "asking_dense") <= np.abs(column(plain, "sentence_dense"))).all()
    gaps = [column(f, "asking_dense_gap")[1] for f in (plain, weighted)]
    assert gaps[0] == pytest.approx(0.0, abs=1e-6)
    assert -0.3 < gaps[1] < -0.1


def test_neighbours_count_by_how_likely_their_sentence_asks():
    text = "I want tables from PDF files. Then find out why pods crash."
    plain, weighted = find(text), find(text, asking=[0.9, 0.5, 1.0])
    place = np.searchsorted(plain.rows, [0, 1])
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
    pods = int(np.flatnonzero(plain.rows == 1)[0])
    for name in ("lexical", "sentence_lexical", "asking_lexical"):
        assert column(weighted, name)[pods] < 0.6 * column(plain, name)[pods], name


def test_every_candidate_knows_the_part_it_fits_if_that_asks_for_something():
    text = "I want tables from PDF files. Tell me why pods crash."
    found = find(text, asking=[1, 1, 0.4])
    place = np.searchsorted(found.rows, [0, 1])
    assert find(text).parts[place].tolist() == [0, 1]
    assert found.parts[place].tolist() == [0, -1]
    assert set(find("pods crash").parts.tolist()) == {0}


@pytest.mark.parametrize("text", ["zebra", "你好", "🎉", "a"])
def test_without_a_known_word_everything_is_finite(text):
    found = find(text)
    assert np.isfinite(found.features).all()
    assert not column(found, "lexical").any()
    assert len(found.rows) == len(SKILLS)


def test_keys_of_an_index_are_turned_into_rows():
    encoder = HashEncoder()
    vectors = encoder.encode_documents([s.description for s in SKILLS])
    keys = np.array([5, 9, 12, 40], dtype=np.int64)
    lexical = LexicalIndex(write_lexical(None, zip(keys.tolist(), SKILLS, strict=True)))
    (request,) = read_requests(["pods crash"], encoder, vectors)
    found = find_candidates(request, lexical, keys, np.ones(1, dtype=np.float32))
    assert int(found.lexical.argmax()) == 1
