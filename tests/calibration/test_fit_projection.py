from pathlib import Path

import numpy as np
import pytest
from tests.conftest import TokenHashEncoder

import skillret.encoders
from skillret.calibration.fit_projection import fit_projection
from skillret.encoders.tokenizer import load_tokenizer

DEFAULT = Path(skillret.encoders.__file__).parent / "default"
TEXTS = [f"why do w{i} pods crash after w{i * 7 % 50} and w{i % 3} restarts" for i in range(60)]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(DEFAULT)


def fit(tokenizer, texts=TEXTS, dim=5, **limits):
    return fit_projection(TokenHashEncoder(), texts, tokenizer, dim, **limits)


def states(texts=TEXTS, read=112):
    rows = np.concatenate([t.vectors[:read] for t in TokenHashEncoder().encode_tokens(texts)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_directions_are_those_in_which_tokens_differ(tokenizer):
    projection, rows = fit(tokenizer), states()
    np.testing.assert_allclose(projection.mean, rows.mean(axis=0), atol=1e-6)
    _, singular, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    deviations = singular[:5] / len(rows) ** 0.5
    expected = directions[:5] / deviations[:, None] ** 0.5
    signs = np.sign((projection.matrix.T * expected).sum(axis=1))
    np.testing.assert_allclose(projection.matrix.T, expected * signs[:, None], atol=1e-3)
    assert projection.matrix.dtype == projection.mean.dtype == np.float32
    assert (projection.read, projection.kept) == (112, 64)


def test_of_the_same_texts_it_is_always_the_same(tokenizer, tmp_path):
    assert fit(tokenizer).save(tmp_path) == fit(tokenizer).save(tmp_path)
    assert fit(tokenizer, TEXTS[:50]).save(tmp_path) != fit(tokenizer).save(tmp_path)


def test_only_the_start_of_a_text_counts(tokenizer):
    projection = fit(tokenizer, read=4, kept=3)
    np.testing.assert_allclose(projection.mean, states(read=4).mean(axis=0), atol=1e-6)
    assert (projection.read, projection.kept) == (4, 3)


def test_special_tokens_and_punctuation_say_nothing_and_stop_words_little(tokenizer):
    projection, ids = fit(tokenizer), tokenizer.get_vocab()
    silent, stop_words = set(projection.silent.tolist()), set(projection.stop_words.tolist())
    assert {ids[t] for t in ("[CLS]", "[SEP]", "[UNK]", "[PAD]", ",", "?", "-")} <= silent
    assert {ids[t] for t in ("the", "and", "please", "do", "would")} <= stop_words
    assert not silent & stop_words
    # "##s" is a piece of a word, "s" what is left of an apostrophe.
    assert {ids[t] for t in ("pod", "kraken", "##ing", "##s", "7", "é") if t in ids}.isdisjoint(
        silent | stop_words
    )
    assert ids["s"] in stop_words


def test_too_few_tokens_are_refused(tokenizer):
    with pytest.raises(ValueError, match="3 tokens are too few for vectors of 5 values"):
        fit(tokenizer, ["pods crash"])
