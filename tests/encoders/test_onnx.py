import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import skillret.encoders
from skillret import load_encoder
from skillret.encoders import TokenEncoder, onnx
from skillret.encoders.encoder import Encoder
from skillret.encoders.onnx import load_session
from skillret.encoders.token_projection import PROJECTION_FILE
from skillret.encoders.weights import hash_weights
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


def test_queries_are_read_alike_before_and_after_the_weights_are_packed():
    encoder = load_encoder()
    first, *_, last = [encoder.encode_tokens(["turn a PDF into Excel"])[0] for _ in range(20)]
    np.testing.assert_array_equal(first.pooled, last.pooled)
    np.testing.assert_array_equal(first.late, last.late)
    first, *_, last = [encoder.encode_queries(["turn a PDF into Excel"]) for _ in range(20)]
    np.testing.assert_array_equal(first, last)


def test_weights_are_packed_by_a_process_that_reads_many_queries(monkeypatch):
    loaded = []

    def noted(*arguments, packed=True):
        loaded.append(packed)
        return load_session(*arguments, packed=packed)

    monkeypatch.setattr(onnx, "load_session", noted)
    encoder = load_encoder()
    encoder.encode_tokens(["turn a PDF into Excel"])
    assert loaded == [False]
    for _ in range(20):
        encoder.encode_tokens(["turn a PDF into Excel"])
    assert loaded == [False, True]


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

    monkeypatch.setattr(default, "profile", replace(default.profile, query_tokens=""))
    monkeypatch.setattr(default, "_query_session", Older)
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
    assert hash_weights(DEFAULT) == default.profile.weights
    (tokens,) = default.encode_tokens(["pods"])
    assert (tokens.late is not None) == bool(default.profile.token_dim)
    assert (DEFAULT / PROJECTION_FILE).exists() == bool(default.profile.token_dim)
    assert sum(f.stat().st_size for f in DEFAULT.iterdir()) < 40_000_000


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path, missing):
    shutil.copytree(DEFAULT, tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    from skillret.encoders.onnx import OnnxEncoder

    with pytest.raises(EncoderError, match=f"holds no {missing}"):
        OnnxEncoder(tmp_path / "model")


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json", "profile.json"])
def test_a_broken_file_is_one_clear_error(tmp_path, broken):
    folder = tmp_path / "model"
    shutil.copytree(DEFAULT, folder)
    (folder / broken).write_text("{")
    if broken == "model.onnx":  # one that was exported like that
        profile = json.loads((folder / "profile.json").read_text())
        text = json.dumps({**profile, "weights": hash_weights(folder)})
        (folder / "profile.json").write_text(text)
    with pytest.raises(EncoderError, match=r"cannot (load|read).*model"):
        load_encoder(folder).encode_queries(["x"])


def test_other_weights_under_the_same_profile_encode_nothing(tmp_path, default):
    folder = tmp_path / "model"
    shutil.copytree(DEFAULT, folder)
    encoder = load_encoder(folder)
    data = bytearray((folder / "model.onnx.data").read_bytes())
    data[1000] ^= 1
    (folder / "model.onnx.data").write_bytes(data)
    for encode in (encoder.encode_queries, encoder.encode_tokens, encoder.encode_documents):
        with pytest.raises(EncoderError, match=r"not those of its profile\.json.*skillret export"):
            encode(["pods"])
    shutil.copyfile(DEFAULT / "model.onnx.data", folder / "model.onnx.data")
    vectors = encoder.encode_queries(["pods"])
    np.testing.assert_array_equal(vectors, default.encode_queries(["pods"]))


def test_threads_may_share_an_encoder(tmp_path):
    """With different limits too: it once took the limit of whichever thread came last."""
    encoder = load_encoder()
    encoder.profile = replace(encoder.profile, max_query_tokens=8)
    texts = [f"{text} " * 30 for text in TEXTS]
    jobs = [
        encoder.encode_queries,
        encoder.encode_documents,
        lambda texts: np.stack([found.pooled for found in encoder.encode_tokens(texts)]),
    ]
    expected = [job(texts) for job in jobs]
    assert not np.array_equal(expected[0], expected[1])
    fresh = load_encoder()  # loaded by all threads at once
    fresh.profile = encoder.profile
    jobs = [
        fresh.encode_queries,
        fresh.encode_documents,
        lambda texts: np.stack([found.pooled for found in fresh.encode_tokens(texts)]),
    ]
    with ThreadPoolExecutor(6) as threads:
        done = [(n % 3, threads.submit(jobs[n % 3], texts)) for n in range(30)]
        for which, one in done:
            np.testing.assert_array_equal(one.result(), expected[which])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("loaded", [True, False])
def test_a_child_forked_beside_a_search_encodes_and_ends(loaded):
    code = f"""
import os, sys, threading, numpy as np
from skillret import load_encoder
expected = [load_encoder().encode_queries(["pods"]), load_encoder().encode_documents(["a", "b"])]
encoder = load_encoder()
stop = False
def work():
    while not stop:
        encoder.encode_documents(["one two three " * 30, "four"])
        encoder.encode_queries(["five"])
if {loaded}:
    encoder.encode_queries(["x"]), encoder.encode_documents(["x"])
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(3):
    child = os.fork()
    if child == 0:
        same = [np.array_equal(encoder.encode_queries(["pods"]), expected[0]),
                np.array_equal(encoder.encode_documents(["a", "b"]), expected[1])]
        sys.exit(0 if all(same) else 3)  # the interpreter is taken apart
    assert os.waitpid(child, 0)[1] == 0
stop = True
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


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


def test_what_a_model_names_its_parts_reaches_no_terminal(tmp_path, capfd):
    from onnx import TensorProto, helper

    rows = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "l"])
        for name in ("input_ids", "attention_mask")
    ]
    shape = helper.make_tensor("unused\x1b[31m", TensorProto.INT64, [2], [7, 7])
    nodes = [
        helper.make_node("Constant", [], ["s"], value=shape),
        helper.make_node("Reshape", ["input_ids", "s"], ["r"], name="x\x1b[31mfails"),
        helper.make_node("Cast", ["r"], ["embedding"], to=TensorProto.FLOAT),
    ]
    out = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [5])]
    graph = helper.make_graph(nodes, "g", rows, out, [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = tmp_path / "model"
    shutil.copytree(DEFAULT, folder)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    profile = json.loads((folder / "profile.json").read_text())
    profile["weights"] = hash_weights(folder)
    (folder / "profile.json").write_text(json.dumps(profile))
    with pytest.raises(EncoderError, match="fails on a text"):
        load_encoder(folder).encode_queries(["pods"])
    assert capfd.readouterr() == ("", "")
