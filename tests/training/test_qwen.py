"""A tiny model of Qwen3's architecture: what the published recipe needs of one."""

import json

import numpy as np
import pytest

from skillret import load_encoder
from skillret.training.dev_evaluator import DevEvaluator
from skillret.training.export import export_onnx, model_profile
from skillret.training.run import train
from skillret.training.sections import ModelSection
from skillret.training.starting_model import load_base

TEXTS = ["badofi", "a much longer text with many more words in it than the others have " * 3, "gu"]


@pytest.fixture(scope="module")
def model(qwen):
    return load_base(ModelSection(base=str(qwen), query_prompt="ask: ", max_tokens=64), "cpu")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_batch_equals_single_texts(model, side):
    model.tokenizer.padding_side = side
    try:
        alone = np.vstack([model.encode([t]) for t in TEXTS])
        np.testing.assert_allclose(model.encode(TEXTS), alone, atol=1e-5)
    finally:
        model.tokenizer.padding_side = "left"


def test_the_end_token_is_there_also_after_truncation(model):
    end = model.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    features = model.preprocess(["word " * 500])
    assert features["input_ids"].shape == (1, 64)
    assert features["input_ids"][0, -1] == end
    assert (features["input_ids"][0] == end).sum() == 1


def test_padding_is_on_the_left(model):
    features = model.preprocess(["ba", "a longer text"])
    assert features["attention_mask"][0, 0] == 0
    assert features["attention_mask"][0, -1] == 1


def test_prompts_are_applied_once(model):
    once = model.encode(["ask: badofi"])
    np.testing.assert_allclose(model.encode_query(["badofi"]), once, atol=1e-6)
    assert not np.allclose(model.encode(["badofi"]), once, atol=1e-3)
    np.testing.assert_allclose(
        model.encode_document(["badofi"]), model.encode(["badofi"]), atol=1e-6
    )


def test_the_prompt_of_training_is_the_prompt_of_the_recipe(recipe, qwen, tmp_path, monkeypatch):
    from skillret.training.loss import MaskedRankingLoss

    seen = []
    honest = MaskedRankingLoss.forward

    def spy(self, features, labels):
        seen.append([f["input_ids"].clone() for f in features])
        return honest(self, features, labels)

    monkeypatch.setattr(MaskedRankingLoss, "forward", spy)
    folder = train(recipe(base=qwen, train={"max_steps": 1}), tmp_path / "out")
    tokenizer = load_base(ModelSection(base=str(folder), max_tokens=64), "cpu").tokenizer
    queries, documents = (
        [tokenizer.decode(row, skip_special_tokens=True) for row in rows] for rows in seen[0]
    )
    assert all(q.startswith("ask: ") and q.count("ask: ") == 1 for q in queries)
    assert all(" | Does " in d and "ask: " not in d for d in documents)


def test_it_learns_the_toy_set_by_heart_saves_reloads_and_exports(recipe, qwen, tmp_path):
    sections = {
        "model": {"max_tokens": 64},
        "train": {"max_steps": 60, "batch_size": 24, "learning_rate": 1e-2},
        "evaluate": {"every_steps": 30},
        # The dev split of the toy set has other words; what was learned is measured on train.
    }
    folder = train(recipe(base=qwen, **sections), tmp_path / "out")
    from sentence_transformers import SentenceTransformer

    from skillret.training.dev_split import Dev
    from skillret.training.rows import open_tables

    tables = open_tables(tmp_path / "out" / "data")
    ids = list(tables.skills["id"])
    learned = Dev(
        skill_ids=tuple(ids),
        documents=tuple(tables.skills["document"]),
        query_ids=tuple(tables.queries["id"]),
        queries=tuple(tables.queries["text"]),
        qrels={
            q: {ids[s]: 1 for s in gold}
            for q, gold in zip(tables.queries["id"], tables.gold, strict=True)
        },
        origin="train",
    )
    checkpoint = tmp_path / "out" / "checkpoints" / "checkpoint-60"
    model = SentenceTransformer(str(checkpoint), device="cpu")
    metrics = DevEvaluator(learned, "ask: ", "", 16, "ndcg@10")(model)
    assert metrics["ndcg@10"] == pytest.approx(1.0)

    encoder = load_encoder(str(folder))
    assert encoder.profile.query_prompt == "ask: "
    for quantize, least in ((False, 0.9999), (True, 0.97)):
        exported = tmp_path / f"onnx-{quantize}"
        export_onnx(folder, exported, model_profile(folder), quantize=quantize)
        onnx = load_encoder(str(exported))
        assert onnx.profile.pooling == "lasttoken"
        cosines = (
            onnx.encode_documents(learned.documents) * encoder.encode_documents(learned.documents)
        ).sum(axis=1)
        assert cosines.min() > least
        # The runtime pads on the right and batches by length: single texts agree.
        texts = [*TEXTS, "badofi " * 100]
        together = onnx.encode_queries(texts)
        alone = np.vstack([onnx.encode_queries([t]) for t in texts])
        assert (together * alone).sum(axis=1).min() > least


def test_the_published_recipe_s_shape_fits_it(qwen, dataset, tmp_path):
    """The 0.6B recipe itself, on a small model, small data and one CPU process."""
    from pathlib import Path

    from skillret.training.recipe import load_recipe

    file = Path(__file__).parents[2] / "recipes" / "skillret-embedding-0.6b.toml"
    overrides = [
        f"model.base={json.dumps(str(qwen))}",
        "model.max_tokens=64",
        "train.devices=1",
        "train.batch_size=8",
        "train.device=cpu",
        "loss.mini_batch_size=4",
        "evaluate.every_steps=3",
    ]
    model = train(load_recipe(file, overrides), tmp_path / "out", data=str(dataset))
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["result"]["steps"] == 6
    assert "ndcg@15" in run["result"]["dev"]
    assert "Instruct: Given a skill search query" in (model / "README.md").read_text()
