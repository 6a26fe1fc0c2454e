from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import HashEncoder, TokenHashEncoder

from skillret.errors import EncoderError
from skillret.retrieval import query as module
from skillret.retrieval.query import (
    clean_query,
    plain_query,
    read_queries,
    unread_language,
    valid_query,
)
from skillret.retrieval.sentences import segments

SENTENCES = ["Why do my pods crash?", "Plan all my meals.", "Write the release notes.", "Thanks!"]
TEXTS = st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1).map(" ".join), max_size=12)


@given(texts=TEXTS, block=st.integers(1, 5))
def test_queries_read_together_are_those_read_alone(texts, block):
    encoder = HashEncoder()
    with patch.object(module, "_BLOCK", block):
        together = list(read_queries(texts, encoder))
    assert [r.text for r in together] == texts
    for query in together:
        (alone,) = read_queries([query.text], encoder)
        parts = [query.text[start:end] for start, end in segments(query.text)]
        assert list(query.parts) == list(alone.parts) == parts
        np.testing.assert_array_equal(query.vectors, alone.vectors)
        expected = encoder.encode_queries([query.text, *query.parts])
        np.testing.assert_array_equal(query.vectors, expected)
        assert query.vectors.dtype == np.float32


def test_a_block_s_texts_are_encoded_at_once_and_each_once(monkeypatch):
    encoder, calls = HashEncoder(), []
    encode = encoder.encode_queries
    monkeypatch.setattr(encoder, "encode_queries", lambda t: calls.append(list(t)) or encode(t))
    pods, meals, notes, _ = SENTENCES
    texts = [f"{pods} {meals}", pods, f"{meals} {notes}"]
    list(read_queries(texts, encoder))
    assert calls == [[texts[0], pods, meals, texts[2], notes]]
    calls.clear()
    read = list(read_queries(texts, encoder, split=False))
    assert calls == [texts]
    assert not any(r.parts for r in read)


def test_no_more_queries_are_taken_ahead_than_a_block(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 3)
    taken = []
    texts = (taken.append(n) or f"query {n}" for n in range(20))
    read = read_queries(texts, HashEncoder())
    for number in range(20):
        assert next(read).text == f"query {number}"
        assert len(taken) == min(20, 3 * (number // 3 + 1))


def test_a_part_is_the_mean_of_its_tokens():
    encoder, text = TokenHashEncoder(), " ".join(SENTENCES[:2])
    (query,) = read_queries([text], encoder, tokens=True)
    assert list(query.parts) == SENTENCES[:2]
    np.testing.assert_array_equal(query.vectors[0], encoder.encode_queries([text])[0])
    assert query.tokens is not None
    mean = query.tokens.vectors[1:6].mean(axis=0)  # the first is the encoder's own
    np.testing.assert_allclose(query.vectors[1], mean / np.linalg.norm(mean), rtol=1e-5)


def test_parts_of_a_query_that_is_long_or_was_cut_are_read_alone(monkeypatch):
    encoder, text = TokenHashEncoder(), " ".join(SENTENCES[:3])
    (whole,) = encoder.encode_tokens([text])
    cut = whole._replace(vectors=whole.vectors[:8], spans=whole.spans[:8])
    with monkeypatch.context() as patched:
        patched.setattr(encoder, "encode_tokens", lambda texts: [cut] * len(texts))
        (unread,) = read_queries([text], encoder, tokens=True)
    monkeypatch.setattr(module, "_ONE_PASS", len(whole.vectors) - 1)
    (long,) = read_queries([text], encoder, tokens=True)
    for query in (unread, long):
        np.testing.assert_array_equal(query.vectors[1:], encoder.encode_queries(SENTENCES[:3]))


def test_other_poolings_read_every_part_alone():
    encoder, text = TokenHashEncoder(), " ".join(SENTENCES[:2])
    encoder.profile = replace(encoder.profile, pooling="lasttoken")
    (query,) = read_queries([text], encoder, tokens=True)
    np.testing.assert_array_equal(query.vectors[1:], encoder.encode_queries(SENTENCES[:2]))


def test_tokens_need_an_encoder_that_shows_them():
    with pytest.raises(EncoderError, match="does not show"):
        list(read_queries(["pods"], HashEncoder(), tokens=True))


def test_damaged_vectors_are_refused(monkeypatch):
    encoder = HashEncoder()
    monkeypatch.setattr(encoder, "encode_queries", lambda t: np.full((len(t), 32), np.nan))
    with pytest.raises(EncoderError, match="NaN"):
        list(read_queries(["pods"], encoder))


def test_a_query_is_searched_in_normal_form_by_its_own_words():
    pasted = "\n".join(f"> line {n} of a mail about pods" for n in range(5))
    assert clean_query(f" Translate the cafe\u0301 menu:\n{pasted}") == "Translate the café menu:"
    assert valid_query(" Ｐ ") == "Ｐ"
    assert clean_query("\u200b") == "\u200b"  # nothing else is there
    assert plain_query(f" Translate the cafe\u0301 menu:\n{pasted} ").endswith(pasted.strip())
    assert plain_query(" Translate the cafe\u0301 menu ") == "Translate the caf\xe9 menu"


def test_only_encoders_known_to_read_english_alone_have_unread_languages():
    profile = replace(HashEncoder().profile, language="en")
    assert unread_language("检查发票", profile) == "Chinese"
    assert unread_language("check the invoice", profile) is None
    assert unread_language("检查发票", HashEncoder().profile) is None
