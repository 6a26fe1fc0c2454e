"""A tiny reranker from recipe to model folder."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training import ranks

from skillret.cli import main
from skillret.errors import EncoderError, InputError, TrainingError
from skillret.retrieval.rerank import load_reranker
from skillret.training.run import train


def log(output):
    with (output / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("objective", ["pointwise", "listwise"])
def test_an_encoder_learns(reranker_recipe, twin_dataset, tmp_path, objective):
    told = []
    recipe = reranker_recipe(
        data={"source": str(twin_dataset)},
        loss={"objective": objective, "duplicate_threshold": 1.0},
        negatives={"per_pair": 1, "last_rank": 2, "max_overlap": 1.0},
        train={"max_steps": 60},
        evaluate={"every_steps": 20, "pool": 4},
    )
    model = train(recipe, tmp_path / "run", say=told.append)
    rows = log(tmp_path / "run")
    assert [r["step"] for r in rows] == ["0", "20", "40", "60"]
    assert float(rows[-1]["loss"]) < 0.3 < float(rows[1]["loss"])
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    pool, result = run["data"]["pool"], run["result"]["dev"]
    assert pool["by"] == "BM25"
    assert result["ndcg@10"] > pool["found"]["ndcg@10"]
    assert result["ndcg@10"] <= pool["best"]["ndcg@10"]
    assert f"{pool['best']['ndcg@10']:.4f} if ordered perfectly" in "\n".join(told)
    assert (tmp_path / "run" / "curve.png").is_file()
    reranker = load_reranker(model)
    assert (reranker.name, reranker.profile.max_tokens) == ("toy-reranker", 40)
    wanted, other = reranker.scores("please gu", ["x | today today Does | y", "x | Does it | y"])
    assert wanted > other
    card = (model / "README.md").read_text()
    assert "pipeline_tag: text-ranking" in card
    assert f"({objective})" in card
    assert "one gold skill and 1 hard negatives from ranks 1 to 2 of bm25" in card
    assert "| NDCG@10 |" in card


def test_a_decoder_learns_at_the_last_token(reranker_recipe, decoder_base, twin_dataset, tmp_path):
    recipe = reranker_recipe(
        decoder_base,
        data={"source": str(twin_dataset)},
        model={"max_tokens": 900},
        loss={"objective": "listwise", "duplicate_threshold": 1.0},
        negatives={"per_pair": 1, "last_rank": 2, "max_overlap": 1.0},
        train={"max_steps": 30, "precision": "bf16", "activation_checkpointing": True},
        evaluate={"every_steps": 15, "pool": 4},
    )
    model = train(recipe, tmp_path / "run")
    rows = log(tmp_path / "run")
    assert float(rows[-1]["loss"]) < 0.6 < float(rows[1]["loss"]) + 0.2
    reranker = load_reranker(model)
    assert (reranker.profile.kind, reranker.profile.max_tokens) == ("decoder", 900)
    assert json.loads((model / "config.json").read_text())["architectures"] == ["Qwen3ForCausalLM"]
    assert "log-odds of `yes`" in (model / "README.md").read_text()
    assert main(["export", str(model), "--output", str(tmp_path / "int8")]) == 1


def weights(model):
    return load_file(model / "model.safetensors")


def test_two_processes_and_accumulated_steps_do_what_one_large_step_does(reranker_recipe, tmp_path):
    """Without dropout: 1 x 8 groups, 2 processes x 4 groups, 2 steps x 4 groups."""
    base = tmp_path / "base"

    def make(**keys):
        return reranker_recipe(
            base,
            train={"max_steps": 2, "learning_rate": 1e-3, **keys},
            evaluate={"every_steps": 2, "keep": "last"},
        )

    shutil.copytree(reranker_recipe().model.base, base)
    config = json.loads((base / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (base / "config.json").write_text(json.dumps(config))
    whole = weights(train(make(batch_size=8), tmp_path / "whole"))
    added = weights(train(make(batch_size=4, accumulate=2), tmp_path / "added"))
    ranks.finish(ranks.train_reranker, make(batch_size=4, devices=2), tmp_path / "two")
    both = weights(tmp_path / "two" / "model")
    start = weights(base)
    name = "bert.embeddings.word_embeddings.weight"
    assert (whole[name] - start[name.removeprefix("bert.")]).abs().max() > 1e-4
    for key, value in whole.items():
        if "classifier" not in key:  # its start is drawn
            torch.testing.assert_close(added[key], value, atol=2e-4, rtol=0)
            torch.testing.assert_close(both[key], value, atol=2e-4, rtol=0)
    logs = [log(tmp_path / n) for n in ("whole", "added", "two")]
    for rows in logs[1:]:
        assert [float(r["ndcg@10"]) for r in rows] == pytest.approx(
            [float(r["ndcg@10"]) for r in logs[0]], abs=0.02
        )


@pytest.mark.parametrize("step", [1, 6])
def test_a_killed_run_goes_on_where_it_was(reranker_recipe, tmp_path, step):
    recipe = reranker_recipe(train={"max_steps": 8})
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train(recipe, tmp_path / "whole")
        context = ranks.start(ranks.reranker_that_dies, recipe, tmp_path / "run", step, world=1)
        for process in context.processes:
            process.join()
        assert [p.exitcode for p in context.processes] == [-9]
        found = train(recipe, tmp_path / "run", resume=True)
    finally:
        torch.set_num_threads(before)
    for key, value in weights(whole).items():
        torch.testing.assert_close(weights(found)[key], value, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match=r"cannot resume: loss\.objective was 'pointwise'"):
        train(
            reranker_recipe(train={"max_steps": 8}, loss={"objective": "listwise"}),
            tmp_path / "run",
            resume=True,
        )


def test_a_loss_that_is_no_number_names_its_groups(reranker_recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"the loss is .* its batch: sq\d+-\d -> s\d+"):
        train(reranker_recipe(train={"learning_rate": 1e30}), tmp_path / "run")


def test_what_no_reranker_starts_from_is_said(reranker_recipe, qwen, tmp_path):
    with pytest.raises(EncoderError, match="is a Qwen3Model: a reranker starts from an encoder"):
        train(reranker_recipe(qwen), tmp_path / "run")


def test_from_training_to_an_export_that_search_and_evaluate_take(
    reranker_recipe, twin_dataset, tmp_path, capsys
):
    recipe = reranker_recipe(
        data={"source": str(twin_dataset)},
        negatives={"sources": ["retriever"], "per_pair": 2, "last_rank": 4, "max_overlap": 1.0},
        loss={"objective": "listwise", "duplicate_threshold": 1.0},
    )
    model = train(recipe, tmp_path / "run")
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["data"]["pool"]["by"].startswith("hybrid search with ")
    out = str(tmp_path / "int8")
    capsys.readouterr()
    whole = str(tmp_path / "float32")
    assert main(["export", str(model), "--output", whole, "--quantize", "none"]) == 0
    told = capsys.readouterr()
    assert "use it with --rerank" in told.out
    assert "NDCG@10 on dev: original" in told.out
    texts = ["today badofi | gu", "x | y | z " * 20, ""]
    scores = load_reranker(model).scores("please", texts)
    np.testing.assert_allclose(load_reranker(whole).scores("please", texts), scores, atol=1e-4)
    # What eight bits cost a tiny model that has hardly learned says nothing.
    assert main(["export", str(model), "--output", out, "--allow-loss"]) == 0
    assert (tmp_path / "int8" / "model.onnx.data").stat().st_size < (
        tmp_path / "float32" / "model.onnx.data"
    ).stat().st_size
    np.testing.assert_allclose(load_reranker(out).scores("please", texts), scores, atol=0.3)
    capsys.readouterr()
    metrics = {}
    for name, more in {"plain": [], "torch": [str(model)], "onnx": [whole]}.items():
        rerank = [word for path in more for word in ("--rerank", path)]
        assert main(["evaluate", str(twin_dataset), "--split", "dev", "--json", "-", *rerank]) == 0
        metrics[name] = json.loads(capsys.readouterr().out)
    assert metrics["onnx"]["model"].endswith(" + toy-reranker")
    plain, original, exported = (m["metrics"]["ndcg@10"] for m in metrics.values())
    assert plain != original  # the order is another one
    assert exported == pytest.approx(original, abs=1e-6)
    (tmp_path / "int8" / "model.onnx").write_bytes(b"no graph")
    assert main(["evaluate", str(twin_dataset), "--split", "dev", "--rerank", out]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "are not those of its reranker.json" in line
