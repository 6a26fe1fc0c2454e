"""A tiny reranker from recipe to model folder."""

import csv
import json

import pytest

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
