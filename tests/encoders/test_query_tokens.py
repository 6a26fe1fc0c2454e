"""What reads queries for late interaction, beside the packaged encoder."""

import json
import shutil

import numpy as np
import onnx
import pytest
from tests.encoders.test_onnx import DEFAULT

from skillret import load_encoder
from skillret.encoders.onnx import QUERY_TOKENS
from skillret.encoders.weights import MODEL, hash_weights
from skillret.errors import EncoderError

QUERY = "please turn the scanned pages into one pdf"


@pytest.fixture
def folder(tmp_path):
    """A copy of the packaged model."""
    return shutil.copytree(DEFAULT, tmp_path / "model")


def promise(folder, **fields):
    profile = json.loads((folder / "profile.json").read_text())
    (folder / "profile.json").write_text(json.dumps({**profile, **fields}))
    return load_encoder(folder)


def test_tokens_of_a_query_are_as_long_as_they_count():
    (read,) = load_encoder().encode_tokens([QUERY])
    lengths = np.linalg.norm(read.late, axis=1)
    assert read.late.shape == (8, load_encoder().profile.token_dim)
    assert read.late.dtype == np.float32
    assert lengths.mean() == pytest.approx(1, abs=1e-4)
    assert lengths[3] > lengths[2]  # "scanned", "the"


def test_the_rest_of_a_query_is_read_as_without_it(folder):
    (read,) = load_encoder().encode_tokens([QUERY])
    (plain,) = promise(folder, query_tokens="").encode_tokens([QUERY])
    np.testing.assert_array_equal(read.pooled, plain.pooled)
    np.testing.assert_array_equal(read.vectors, plain.vectors)
    np.testing.assert_allclose(np.linalg.norm(plain.late, axis=1), 1, atol=1e-5)
    assert not np.allclose(read.late, plain.late, atol=0.1)


def test_nothing_that_says_something_is_no_tokens():
    (read,) = load_encoder().encode_tokens(["?!"])
    assert read.late.shape == (0, load_encoder().profile.token_dim)


def test_of_a_long_query_the_start_is_read_for_late_interaction(folder):
    (read,) = load_encoder().encode_tokens([f"{QUERY} " * 100])
    (plain,) = promise(folder, query_tokens="").encode_tokens([f"{QUERY} " * 100])
    assert 0 < len(read.late) <= 128 < len(read.vectors)
    np.testing.assert_array_equal(read.pooled, plain.pooled)
    np.testing.assert_array_equal(read.vectors, plain.vectors)


def test_what_encoder_and_reader_share_is_computed_once():
    graphs = [onnx.load(DEFAULT / name, load_external_data=False) for name in (MODEL, QUERY_TOKENS)]
    encoder, both = (sum("MatMul" in n.op_type for n in g.graph.node) for g in graphs)
    assert encoder + encoder * 4 / 6 <= both <= encoder + encoder * 4 / 6 + 3  # two layers of six


def test_weights_of_another_reader_read_nothing(folder):
    encoder = load_encoder(folder)
    data = folder / f"{QUERY_TOKENS}.data"
    content = bytearray(data.read_bytes())
    content[1000] ^= 1
    data.write_bytes(content)
    with pytest.raises(EncoderError, match=rf"{QUERY_TOKENS} \+ {QUERY_TOKENS}\.data have the SHA"):
        encoder.encode_tokens([QUERY])
    assert encoder.encode_queries([QUERY]).shape == (1, 384)
    shutil.copyfile(DEFAULT / data.name, data)
    assert len(encoder.encode_tokens([QUERY])[0].late) == 8


def test_a_reader_that_is_missing_is_named(folder):
    encoder = load_encoder(folder)
    (folder / QUERY_TOKENS).unlink()
    with pytest.raises(EncoderError, match=rf"cannot read the weights .*{QUERY_TOKENS}"):
        encoder.encode_tokens([QUERY])


def test_a_reader_that_makes_something_else_is_refused(folder):
    # The encoder itself: its outputs have other names.
    for end in ("", ".data"):
        shutil.copyfile(folder / f"model.onnx{end}", folder / f"{QUERY_TOKENS}{end}")
    encoder = promise(folder, query_tokens=hash_weights(folder, QUERY_TOKENS))
    with pytest.raises(EncoderError, match="fails on a text of 10 tokens"):
        encoder.encode_tokens([QUERY])


def test_tokens_of_another_length_are_refused(folder):
    encoder = promise(folder, token_dim=8)
    with pytest.raises(EncoderError, match=r"malformed|shape"):
        encoder.encode_tokens([QUERY])
