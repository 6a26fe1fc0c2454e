import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import skillret.encoders
from skillret import load_encoder
from skillret.encoders import Profile, TokenEncoder, check_vectors
from skillret.encoders.base import Encoder
from skillret.errors import EncoderError

DEFAULT = Path(skillret.encoders.__file__).parent / "default"
TEXTS = [
    "turn this scanned PDF into a spreadsheet",
    "pods restart",
    "a longer text about release notes, commits and what readers want to know " * 8,
    "",
    "将扫描件转换为表格",
    "🎉",
]


@pytest.fixture(scope="module")
def default():
    return load_encoder()


def test_the_default_is_an_encoder_of_unit_vectors(default):
    assert isinstance(default, Encoder)
    for vectors in (default.encode_queries(TEXTS), default.encode_documents(TEXTS)):
        assert vectors.shape == (len(TEXTS), default.profile.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert default.encode_queries([]).shape == (0, default.profile.dim)


def test_a_text_s_vector_does_not_depend_on_its_neighbours(default):
    together = default.encode_documents(TEXTS)
    alone = np.vstack([default.encode_documents([t]) for t in TEXTS])
    np.testing.assert_array_equal(together, alone)


def test_it_is_what_onnxruntime_says(default):
    ids = default.tokenize([TEXTS[0]], "", 128)[0]
    session = ort.InferenceSession(str(DEFAULT / "model.onnx"))
    inputs = {
        "input_ids": np.array([ids]),
        "attention_mask": np.ones((1, len(ids)), dtype=np.int64),
    }
    (expected,) = session.run(["embedding"], inputs)
    assert float((default.encode_queries([TEXTS[0]]) @ expected.T)[0, 0]) > 0.999


def test_tokens_are_those_behind_a_request_s_vector(default):
    assert isinstance(default, TokenEncoder)
    for text, found in zip(TEXTS, default.encode_tokens(TEXTS), strict=True):
        np.testing.assert_array_equal(found.pooled, default.encode_queries([text])[0])
        mean = found.vectors.mean(axis=0)
        np.testing.assert_allclose(found.pooled, mean / np.linalg.norm(mean), atol=1e-5)
        assert found.spans.shape == (len(found.vectors), 2)
        assert found.spans[0].tolist() == found.spans[-1].tolist() == [0, 0]
    spans = default.encode_tokens([TEXTS[1]])[0].spans
    assert [TEXTS[1][start:end] for start, end in spans.tolist()] == ["", "pods", "restart", ""]


def test_spans_do_not_count_the_prompt(default, monkeypatch):
    monkeypatch.setattr(default, "profile", replace(default.profile, query_prompt="query: "))
    spans = default.encode_tokens(["pods"])[0].spans.tolist()
    assert spans == [[0, 0], [0, 0], [0, 0], [0, 4], [0, 0]]


def test_a_model_without_tokens_says_what_to_do(default, monkeypatch):
    class Older:
        def get_outputs(self):
            return []

    monkeypatch.setitem(default.__dict__, "_query_session", Older())
    with pytest.raises(EncoderError, match="skillret export"):
        default.encode_tokens(["pods"])


def test_texts_are_cut_at_the_profile_s_limits(default):
    long = "word " * 1000
    for limit in (default.profile.max_query_tokens, 40, default.profile.max_document_tokens):
        assert len(default.tokenize([long], "", limit)[0]) == limit


def test_progress_counts_every_document(default):
    steps = []
    default.encode_documents(TEXTS * 4, steps.append)
    assert sum(steps) == len(TEXTS) * 4


def test_a_lone_surrogate_is_no_reason_to_fail(default):
    assert np.isfinite(default.encode_queries(["caf\udce9"])).all()


def test_the_packaged_files_are_those_of_the_profile(default):
    import hashlib

    data = (DEFAULT / "model.onnx").read_bytes() + (DEFAULT / "model.onnx.data").read_bytes()
    assert hashlib.sha256(data).hexdigest() == default.profile.weights
    assert sum(f.stat().st_size for f in DEFAULT.iterdir()) < 30_000_000


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path, missing):
    shutil.copytree(DEFAULT, tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    from skillret.encoders.onnx import OnnxEncoder

    with pytest.raises(EncoderError, match=f"holds no {missing}"):
        OnnxEncoder(tmp_path / "model")


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json", "profile.json"])
def test_a_broken_file_is_one_clear_error(tmp_path, broken):
    shutil.copytree(DEFAULT, tmp_path / "model")
    (tmp_path / "model" / broken).write_text("{")
    with pytest.raises(EncoderError, match=r"cannot (load|read).*model"):
        load_encoder(str(tmp_path / "model")).encode_queries(["x"])


def test_a_copied_folder_is_the_same_encoder(tmp_path, default):
    shutil.copytree(DEFAULT, tmp_path / "model")
    copy = load_encoder(str(tmp_path / "model"))
    assert copy.profile.identity == default.profile.identity
    np.testing.assert_array_equal(copy.encode_queries(TEXTS[:1]), default.encode_queries(TEXTS[:1]))


def test_a_missing_folder_is_named():
    with pytest.raises(EncoderError, match=r"no model folder \./nowhere"):
        load_encoder("./nowhere")


@pytest.mark.parametrize("name", ["", "default ", "a b", "a\nb", "\x1b[31m", "a/b/c", "a/b@"])
def test_what_is_no_name_of_a_model_is_looked_up_nowhere(name):
    with pytest.raises(EncoderError, match="neither a folder nor a hub id"):
        load_encoder(name)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(EncoderError, match="holds no model"):
        load_encoder(str(tmp_path))


def test_nan_from_an_encoder_is_refused():
    with pytest.raises(EncoderError, match="1 of 2 vectors"):
        check_vectors(np.array([[1, 2], [np.nan, 0]], dtype=np.float32), "bad")


def test_profiles_ignore_what_later_versions_add():
    profile = Profile("x", dim=3)
    data = json.loads(json.dumps({**profile.to_json(), "invented": 1}))
    assert Profile.from_json(data, "here") == profile
    with pytest.raises(EncoderError, match="here is not a profile"):
        Profile.from_json([1], "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dense_weight", float("nan")),
        ("dense_weight", -0.1),
        ("dense_weight", 10**400),
        ("dense_weight", None),
        ("dim", -1),
        ("dim", True),
        ("dim", 10**12),
        ("max_query_tokens", 0),
        ("max_document_tokens", 10**12),
        ("query_prompt", 5),
        ("template", ""),
        ("template", "{x}"),
        ("template", "{0}"),
        ("template", "{name.__class__}"),
        ("template", "{name:>300000000}"),
        ("template", "{name!r}"),
        ("template", "{name} {{"),
    ],
)
def test_a_profile_that_no_skillret_writes_is_refused(key, value):
    data = Profile("x", dim=3).to_json()
    with pytest.raises(EncoderError, match=f"here is not a profile: '{key}' cannot be"):
        Profile.from_json({**data, key: value}, "here")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"name": "\\ud800"}', '{"dim": ' + "9" * 5000 + "}"]
)
def test_a_profile_that_is_no_json_is_refused(tmp_path, text):
    file = tmp_path / "profile.json"
    file.write_text(text)
    with pytest.raises(EncoderError, match="cannot read the profile"):
        Profile.load(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 0}, "does not say the vectors' dim"),
        ({"dim": 5}, "makes vectors of shape"),
        ({"max_query_tokens": 5000}, "fails on a text of"),
    ],
)
def test_a_profile_that_does_not_fit_the_model_is_an_error(tmp_path, changes, message):
    model = tmp_path / "model"
    shutil.copytree(DEFAULT, model)
    data = json.loads((model / "profile.json").read_text())
    (model / "profile.json").write_text(json.dumps({**data, **changes}))
    with pytest.raises(EncoderError, match=message):
        load_encoder(str(model)).encode_queries(["word " * 3000])


def test_what_earlier_profiles_held_of_a_ranker_is_no_part_of_one():
    data = {**Profile("x", dim=3).to_json(), "ranker": {"a": 1}, "threshold": 5}
    assert Profile.from_json(data, "here") == Profile("x", dim=3)
