from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import SKILLS, HashEncoder, TokenHashEncoder

from skillret.errors import EncoderError
from skillret.retrieval import request as module
from skillret.retrieval.request import read_requests
from skillret.retrieval.sentences import segments

SENTENCES = ["Why do my pods crash?", "Plan all my meals.", "Write the release notes.", "Thanks!"]
TEXTS = st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1).map(" ".join), max_size=12)


def vectors(encoder):
    return encoder.encode_documents([s.description for s in SKILLS])


@given(texts=TEXTS, block=st.integers(1, 5), cosines=st.integers(1, 60), product=st.integers(1, 30))
def test_requests_read_together_are_those_read_alone(texts, block, cosines, product):
    encoder = HashEncoder()
    with patch.multiple(module, _BLOCK=block, _COSINES=cosines, _SMALL_PRODUCT=product):
        together = list(read_requests(texts, encoder, vectors(encoder)))
    assert [r.text for r in together] == texts
    for request in together:
        (alone,) = read_requests([request.text], encoder, vectors(encoder))
        parts = [request.text[start:end] for start, end in segments(request.text)]
        assert list(request.parts) == list(alone.parts) == parts
        np.testing.assert_array_equal(request.vectors, alone.vectors)
        np.testing.assert_allclose(request.cosines, alone.cosines, atol=1e-6)
        expected = encoder.encode_queries([request.text, *request.parts])
        np.testing.assert_array_equal(request.vectors, expected)
        np.testing.assert_allclose(request.cosines, expected @ vectors(encoder).T, atol=1e-6)


def test_a_block_s_texts_are_encoded_at_once_and_each_once(monkeypatch):
    encoder, calls = HashEncoder(), []
    encode = encoder.encode_queries
    monkeypatch.setattr(encoder, "encode_queries", lambda t: calls.append(list(t)) or encode(t))
    pods, meals, notes, _ = SENTENCES
    texts = [f"{pods} {meals}", pods, f"{meals} {notes}"]
    list(read_requests(texts, encoder, vectors(encoder)))
    assert calls == [[texts[0], pods, meals, texts[2], notes]]
    calls.clear()
    found = list(read_requests(texts, encoder, vectors(encoder), split=False))
    assert calls == [texts]
    assert not any(r.parts for r in found)


def test_a_part_is_the_mean_of_its_tokens():
    encoder, text = TokenHashEncoder(), " ".join(SENTENCES[:2])
    (request,) = read_requests([text], encoder, vectors(encoder), tokens=True)
    assert list(request.parts) == SENTENCES[:2]
    np.testing.assert_array_equal(request.vectors[0], encoder.encode_queries([text])[0])
    assert request.tokens is not None
    mean = request.tokens.vectors[1:6].mean(axis=0)  # the first is the encoder's own
    np.testing.assert_allclose(request.vectors[1], mean / np.linalg.norm(mean), rtol=1e-5)
    np.testing.assert_allclose(request.cosines, request.vectors @ vectors(encoder).T, atol=1e-6)


def test_parts_of_a_request_that_is_long_or_was_cut_are_read_alone(monkeypatch):
    encoder, text = TokenHashEncoder(), " ".join(SENTENCES[:3])
    (whole,) = encoder.encode_tokens([text])
    cut = replace(whole, vectors=whole.vectors[:8], spans=whole.spans[:8])
    with monkeypatch.context() as patched:
        patched.setattr(encoder, "encode_tokens", lambda texts: [cut] * len(texts))
        (unread,) = read_requests([text], encoder, vectors(encoder), tokens=True)
    monkeypatch.setattr(module, "_ONE_PASS", len(whole.vectors) - 1)
    (long,) = read_requests([text], encoder, vectors(encoder), tokens=True)
    for request in (unread, long):
        np.testing.assert_array_equal(request.vectors[1:], encoder.encode_queries(SENTENCES[:3]))


def test_other_poolings_read_every_part_alone():
    encoder, text = TokenHashEncoder(), " ".join(SENTENCES[:2])
    encoder.profile = replace(encoder.profile, pooling="lasttoken")
    (request,) = read_requests([text], encoder, vectors(encoder), tokens=True)
    np.testing.assert_array_equal(request.vectors[1:], encoder.encode_queries(SENTENCES[:2]))


def test_tokens_need_an_encoder_that_shows_them():
    with pytest.raises(EncoderError, match="does not show"):
        list(read_requests(["pods"], HashEncoder(), vectors(HashEncoder()), tokens=True))


def test_no_more_cosines_are_held_than_allowed(monkeypatch):
    encoder = HashEncoder()
    monkeypatch.setattr(module, "_COSINES", 12 * len(SKILLS))
    held = {
        r.cosines.base.shape[0]
        for r in read_requests([" ".join(SENTENCES)] * 20, encoder, vectors(encoder))
    }
    assert max(held) == 12


def test_damaged_vectors_are_refused(monkeypatch):
    encoder, library = HashEncoder(), vectors(HashEncoder())
    monkeypatch.setattr(encoder, "encode_queries", lambda t: np.full((len(t), 32), np.nan))
    with pytest.raises(EncoderError, match="NaN"):
        list(read_requests(["pods"], encoder, library))
