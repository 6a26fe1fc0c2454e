import numpy as np
import pytest
from tests.conftest import TokenHashEncoder

from skillret.encoders import Tokens
from skillret.lexical.analyzer import Word
from skillret.retrieval.query import read_queries
from skillret.retrieval.term_head import TermHead, term_factors, term_tokens


def tokens(*spans):
    vectors = np.arange(2 * len(spans), dtype=np.float32).reshape(-1, 2)
    return Tokens(vectors[0], vectors, np.array(spans, dtype=np.int64).reshape(-1, 2))


def test_a_term_is_the_mean_of_its_tokens_wherever_it_stands():
    # "[CLS] re##views of review [SEP]"
    seen = tokens((0, 0), (0, 2), (2, 7), (8, 10), (11, 17), (0, 0))
    words = [Word(0, 7, ["review"]), Word(8, 10, []), Word(11, 17, ["review"])]
    means = dict(zip(*term_tokens(seen, words), strict=True))
    assert list(means) == ["review"]
    np.testing.assert_allclose(means["review"], seen.vectors[[1, 2, 4]].mean(axis=0))


def test_words_that_were_not_read_have_no_factor():
    seen = tokens((0, 0), (0, 4))
    terms, means = term_tokens(seen, [Word(0, 4, ["pod"]), Word(5, 9, ["crash"])])
    assert (terms, len(means)) == (["pod"], 1)
    assert TermHead(np.ones(2, np.float32), 0.0).weigh(seen, []) == {}


def test_a_word_of_several_terms_gives_each_its_tokens():
    _, means = term_tokens(tokens((0, 7), (7, 8), (8, 13)), [Word(0, 13, ["releas", "note"])])
    np.testing.assert_array_equal(means[0], means[1])


def test_a_factor_is_the_softplus_of_a_linear_function():
    seen = tokens((0, 4), (5, 9))
    head = TermHead(np.array([0.5, -0.25], dtype=np.float32), 0.1)
    factors = head.weigh(seen, [Word(0, 4, ["pod"]), Word(5, 9, ["crash"])])
    logits = seen.vectors @ head.weights + 0.1
    assert list(factors.values()) == pytest.approx(np.log1p(np.exp(logits)).tolist())


def test_without_a_head_or_tokens_nothing_is_said():
    encoder, texts = TokenHashEncoder(), ["why do pods crash?"]
    (query,) = read_queries(texts, encoder, tokens=True)
    head = TermHead(np.ones(32, np.float32), 0.0)
    assert set(term_factors(head, query)) == {"pod", "crash"}
    assert term_factors(None, query) == {}
    (bare,) = read_queries(texts, encoder)
    assert term_factors(head, bare) == {}
