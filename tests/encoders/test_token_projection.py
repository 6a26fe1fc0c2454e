import hashlib
import io
import json
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import skillret.encoders
from skillret import load_encoder
from skillret.encoders import LateEncoder, read_documents
from skillret.encoders.token_projection import PROJECTION_FILE, TokenProjection, widen
from skillret.errors import EncoderError

DEFAULT = Path(skillret.encoders.__file__).parent / "default"
TEXTS = ["Turn a scanned PDF into a table, and a table into a PDF.", "?!", "the pods"]


def ids(*values):
    return np.array(values, dtype=np.int64)


def some_projection(dim=6, width=3, **fields):
    """A seeded one that drops the tokens 0 and 1 of both, and 2 of documents."""
    draw = np.random.default_rng(0)
    mean, matrix = (draw.normal(size=s).astype(np.float32) for s in (dim, (dim, width)))
    made = TokenProjection(0.1 * mean, matrix, ids(0, 1), ids(2), read=8, kept=4)
    return replace(made, **fields)


def states(count, dim=6):
    return np.random.default_rng(count).normal(size=(count, dim)).astype(np.float32)


def expected(projection, rows):
    """Projected token by token, in double precision."""
    out = []
    for row in rows.astype(np.float64):
        made = (row / np.linalg.norm(row) - projection.mean) @ projection.matrix
        out.append(made / np.linalg.norm(made))
    return np.array(out).reshape(-1, projection.matrix.shape[1])


def test_a_query_keeps_all_tokens_that_say_something():
    projection, given = some_projection(), states(6)
    found = projection.query([0, 5, 2, 5, 1, 7], given)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(projection, given[[1, 2, 3, 5]]), atol=1e-6)
    assert projection.query([0, 1], states(2)).shape == (0, 3)


def test_a_document_keeps_the_first_of_its_telling_tokens():
    projection, given = some_projection(), states(9)
    found = projection.document([0, 5, 2, 5, 6, 1, 7, 8, 9], given)  # 9 is not read
    assert found.dtype == np.int8
    assert np.abs(found).max(axis=1).tolist() == [127] * 4
    np.testing.assert_allclose(widen(found), expected(projection, given[[1, 4, 6, 7]]), atol=0.01)
    few = replace(projection, kept=2).document([0, 5, 2, 5, 6, 1, 7, 8, 9], given)
    np.testing.assert_array_equal(few, found[:2])
    assert projection.document([0, 2, 1], states(3)).shape == (0, 3)
    assert projection.document([5], np.zeros((1, 6), np.float32)).dtype == np.int8


def test_it_is_read_as_it_was_written_always_by_the_same_bytes(tmp_path):
    projection = some_projection()
    sha256 = projection.save(tmp_path)
    assert some_projection().save(tmp_path) == sha256
    read = TokenProjection.load(tmp_path, sha256, (6, 3))
    for name in ("mean", "matrix", "silent", "stop_words"):
        np.testing.assert_array_equal(getattr(read, name), getattr(projection, name))
    assert (read.read, read.kept) == (8, 4)


def test_a_missing_file_and_another_one_are_named(tmp_path):
    with pytest.raises(EncoderError, match=rf"cannot read .*{PROJECTION_FILE}"):
        TokenProjection.load(tmp_path, "", (6, 3))
    sha256 = some_projection().save(tmp_path)
    some_projection(read=9).save(tmp_path)
    with pytest.raises(EncoderError, match=r"is not the one that profile\.json names"):
        TokenProjection.load(tmp_path, sha256, (6, 3))


def _bad(**fields):
    return lambda folder: some_projection(**fields).save(folder)


def _pickled(folder):
    """A file that would run code."""
    memory = io.BytesIO()
    np.savez(memory, mean=np.array([print], dtype=object))
    return _write(folder, memory.getvalue())


def _large(folder):
    """A small file that unpacks to a large one."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mean.npy", bytes(1 << 25))
    return _write(folder, memory.getvalue())


def _write(folder, data):
    (folder / PROJECTION_FILE).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "make",
    [
        _bad(dim=7),
        _bad(width=4),
        _bad(mean=np.full(6, np.nan, np.float32)),
        _bad(matrix=np.zeros((6, 3))),
        _bad(silent=ids(1, 0)),
        _bad(stop_words=ids(1, 1)),
        _bad(silent=np.zeros((1, 1), np.int64)),
        _bad(kept=0),
        _bad(read=3),
        _bad(read=1 << 20),
        _bad(read="many"),
        _pickled,
        _large,
        lambda folder: _write(folder, b""),
        lambda folder: _write(folder, b"PK\x03\x04"),
        lambda folder: _write(folder, pickle.dumps({})),
    ],
)
def test_what_nobody_wrote_like_that_is_refused(tmp_path, make):
    sha256 = make(tmp_path)
    with pytest.raises(EncoderError, match=rf"{PROJECTION_FILE} is malformed"):
        TokenProjection.load(tmp_path, sha256, (6, 3))


def _packaged(folder, **fields):
    """A copy of the packaged model, with other fields of its profile."""
    shutil.copytree(DEFAULT, folder, dirs_exist_ok=True)
    profile = json.loads((folder / "profile.json").read_text())
    (folder / "profile.json").write_text(json.dumps({**profile, "query_tokens": "", **fields}))
    return load_encoder(folder)


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    """The packaged model with a seeded projection to 8 values, which drops special tokens."""
    folder = tmp_path_factory.mktemp("late")
    projection = some_projection(384, 8, silent=ids(101, 102), stop_words=ids(1037), read=12)
    fields = {"token_dim": 8, "token_projection": projection.save(folder)}
    encoder = _packaged(folder, **fields)
    projection.save(folder)  # in the place of the packaged one, if there is any
    return encoder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The packaged model without a projection."""
    return _packaged(tmp_path_factory.mktemp("plain"), token_dim=0, token_projection="")


def test_a_model_with_a_projection_shows_the_tokens_of_documents(late, plain):
    encoder = late
    assert isinstance(encoder, LateEncoder)
    steps = []
    read = read_documents(encoder, TEXTS, steps.append)
    assert len(steps) == len(TEXTS)
    np.testing.assert_array_equal(read.vectors, plain.encode_documents(TEXTS))
    assert read.tokens is not None
    assert [t.dtype for t in read.tokens] == [np.int8] * 3
    # Of the first: turn, scanned, pdf, into; "a" (1037) is a stop word here.
    assert [t.shape for t in read.tokens] == [(4, 8), (2, 8), (2, 8)]
    (token,) = encoder.encode_tokens(["turn this into the pods"])
    assert token.late is not None
    assert token.late.shape == (5, 8)
    np.testing.assert_allclose(np.linalg.norm(token.late, axis=1), 1, atol=1e-5)
    # A text that is all query and all document meets itself.
    (same,) = encoder.encode_tokens([TEXTS[2]])
    assert same.late is not None
    np.testing.assert_allclose((same.late * widen(read.tokens[2])).sum(axis=1), 1, atol=0.01)


def test_a_model_without_one_shows_none(plain):
    read = read_documents(plain, TEXTS)
    assert read.tokens is None
    np.testing.assert_array_equal(read.vectors, plain.encode_documents(TEXTS))
    assert plain.encode_tokens(["pods"])[0].late is None
    with pytest.raises(EncoderError, match="has no token_dim"):
        plain.encode_document_tokens(TEXTS)


def test_a_profile_that_promises_tokens_is_held_to_it(encoder):
    encoder.profile = replace(encoder.profile, token_dim=4, token_projection="a")
    with pytest.raises(EncoderError, match="HashEncoder shows no tokens of documents"):
        read_documents(encoder, TEXTS)
