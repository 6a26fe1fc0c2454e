import json
import shutil

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.conftest import HashEncoder

from skillret import Profile, load_encoder
from skillret.errors import EncoderError, InputError, TrainingError
from skillret.evaluation.significance import Difference, Interval
from skillret.training.dev_split import Dev
from skillret.training.export import export_onnx, model_profile
from skillret.training.verify import Agreement, compare, find_texts, refuse_loss

TEXTS = ["badofi", "use kemina for it " * 12, "", "gu vo", "do badofi please " * 3]


@pytest.fixture(scope="module")
def with_pooling(bert, qwen, tmp_path_factory):
    """A copy of a tiny model with another pooling."""

    def make(name, pooling):
        folder = tmp_path_factory.mktemp("pooling") / name
        shutil.copytree({"bert": bert, "qwen": qwen}[name], folder)
        config = folder / "1_Pooling" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"pooling_mode": pooling}))
        return folder

    return make


def _least_cosine() -> float:
    """Of int8 vectors: less where the processor's products saturate, as on x86 without VNNI.

    There these random weights, unlike trained ones, are off by up to 0.13.
    """
    k = 64
    product = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    graph = helper.make_graph(
        [product],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, k])],
        [helper.make_tensor_value_info("c", TensorProto.INT32, [1, k])],
        [numpy_helper.from_array(np.full((k, k), 127, np.int8), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"a": np.full((1, k), 255, np.uint8)})
    return 0.97 if (found == k * 255 * 127).all() else 0.8


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("name", ["bert", "qwen"])
@pytest.mark.parametrize("quantize", [False, True])
def test_every_pooling_gives_the_original_s_vectors(
    with_pooling, tmp_path, name, pooling, quantize
):
    folder = with_pooling(name, pooling)
    if name == "qwen" and pooling == "cls":
        # The first token of a left-padded batch is padding; right padding is what `cls` means.
        config = folder / "tokenizer_config.json"
        config.write_text(config.read_text().replace('"left"', '"right"'))
    export_onnx(folder, tmp_path / "onnx", model_profile(folder), quantize=quantize)
    original, exported = load_encoder(str(folder)), load_encoder(str(tmp_path / "onnx"))
    assert exported.profile.pooling == pooling
    texts = TEXTS if name == "bert" else [t for t in TEXTS if t]
    for a, b in (
        (original.encode_documents(texts), exported.encode_documents(texts)),
        (original.encode_queries(texts), exported.encode_queries(texts)),
    ):
        assert (a * b).sum(axis=1).min() > (_least_cosine() if quantize else 0.9999)
    assert np.allclose(np.linalg.norm(b, axis=1), 1, atol=1e-5)


def test_the_profile_is_the_folder_s_own_or_its_configuration_s(bert, tmp_path):
    profile = model_profile(bert)
    assert (profile.name, profile.max_query_tokens) == ("tiny-bert", 48)
    shutil.copytree(bert, tmp_path / "own")
    stored = Profile("mine", query_prompt="q: ", dense_weight=0.3).to_json()
    (tmp_path / "own" / "profile.json").write_text(json.dumps(stored))
    assert model_profile(tmp_path / "own").dense_weight == 0.3
    shutil.copytree(bert, tmp_path / "e5-small")
    family = model_profile(tmp_path / "e5-small")
    assert (family.query_prompt, family.max_query_tokens) == ("query: ", 48)


def test_what_cannot_be_exported_is_named(bert, with_pooling, tmp_path):
    with pytest.raises(InputError, match="no sentence-transformers folder"):
        model_profile(tmp_path)
    with pytest.raises(InputError, match=r"holds no tokenizer\.json"):
        export_onnx(tmp_path, tmp_path / "out", Profile("x"))
    folder = with_pooling("bert", "max")
    with pytest.raises(EncoderError, match="its pooling is none of mean, cls, lasttoken"):
        export_onnx(folder, tmp_path / "out", model_profile(folder))
    shutil.copytree(bert, tmp_path / "dense")
    modules = json.loads((tmp_path / "dense" / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3_Dense", "type": "x.Dense"})
    (tmp_path / "dense" / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EncoderError, match="its module Dense is not supported"):
        export_onnx(tmp_path / "dense", tmp_path / "out", Profile("x"))


def test_weights_above_protobuf_s_limit_are_kept_beside_the_graph(bert, tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.training.graph._LARGE", 0)
    export_onnx(bert, tmp_path / "onnx", model_profile(bert), quantize=False)
    a = load_encoder(str(tmp_path / "onnx")).encode_documents(TEXTS)
    b = load_encoder(str(bert)).encode_documents(TEXTS)
    np.testing.assert_allclose(a, b, atol=1e-5)


DEV = Dev(
    skill_ids=("a", "b", "c"),
    documents=("read pdf tables", "cook a meal", "write release notes"),
    query_ids=("q1", "q2"),
    queries=("tables of a pdf", "notes for the release"),
    qrels={"q1": {"a": 1}, "q2": {"c": 1}},
    origin="three skills",
)


def test_an_encoder_agrees_with_itself():
    same = compare(HashEncoder(dim=512), HashEncoder(dim=512), DEV, labelled=True)
    assert same.cosine == pytest.approx(1)
    assert (same.texts, same.overlap, same.ndcg.interval.mean) == (5, 1.0, 0.0)
    assert same.ndcg.a == pytest.approx(1)
    assert len(same.lines()) == 3
    other = compare(HashEncoder(dim=512), HashEncoder("other", 512), DEV, labelled=False)
    assert other.worst < 0.5
    assert other.ndcg is None
    refuse_loss(same)


def test_vectors_unlike_the_original_s_are_refused_whatever_few_queries_say():
    chance = Difference("ndcg@10", 0.5, 0.4, Interval(-0.1, -0.3, 0.1), 0.4, 1, 2, 3)
    for ndcg in (None, chance):
        with pytest.raises(TrainingError, match=r"mean cosine is 0\.60, less than 0\.9; nothing"):
            refuse_loss(Agreement(5, 0.6, 0.1, 0.2, ndcg))
        refuse_loss(Agreement(5, 0.97, 0.5, 0.9, ndcg))


@pytest.mark.parametrize(
    ("mean", "high", "refused", "told"),
    [(-0.0049, -0.001, False, False), (-0.02, 0.01, False, True), (-0.006, -0.001, True, False)],
)
def test_a_loss_is_refused_where_it_is_large_and_no_chance(mean, high, refused, told):
    ndcg = Difference("ndcg@10", 0.5, 0.5 + mean, Interval(mean, 2 * mean, high), 0.1, 1, 2, 3)
    agreement = Agreement(5, 0.99, 0.98, 0.9, ndcg)
    assert "by 6 queries" in agreement.lines()[2]
    assert ("cannot tell this loss from chance" in agreement.lines()[-1]) == told
    if refused:
        with pytest.raises(TrainingError, match=r"costs 0\.60 points .* more than 0\.5; nothing"):
            refuse_loss(agreement)
    else:
        refuse_loss(agreement)


def test_texts_come_from_the_data_set_the_run_or_the_package(dataset, bert, tmp_path):
    template = "{name} | {body}"
    dev, labelled = find_texts(bert, str(dataset), "dev", template, 3)
    assert labelled
    assert (len(dev.queries), len(dev.documents)) == (3, 8)
    assert set(dev.qrels) == set(dev.query_ids)
    dev, labelled = find_texts(bert, None, "dev", template, 0)
    assert not labelled
    assert (len(dev.queries), len(dev.documents)) == (12, 24)
