import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from skillret.encoders.families import SKILL_INSTRUCTION
from skillret.errors import InputError
from skillret.retrieval.rerankers.profile import RERANK_INSTRUCTION
from skillret.training.recipe import load_recipe, parse_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


def test_the_published_recipe_is_as_published():
    r = load_recipe(RECIPES / "skillret-embedding-0.6b.toml")
    assert r.model.base == "Qwen/Qwen3-Embedding-0.6B"
    assert r.model.query_prompt == SKILL_INSTRUCTION
    assert r.model.template == "{name} | {description} | {body}"
    assert r.model.max_tokens == 8192
    assert (r.train.batch_size, r.train.devices, r.train.epochs) == (96, 4, 1.0)
    assert (r.train.learning_rate, r.train.warmup, r.train.schedule) == (2e-5, 0.1, "linear")
    assert (r.train.precision, r.train.activation_checkpointing) == ("bf16", True)
    assert (r.loss.scale, r.loss.gather, r.loss.mask) == (20.0, True, "duplicates")
    assert (r.evaluate.every_steps, r.evaluate.metric) == (50, "ndcg@15")


def test_the_larger_one_has_smaller_batches():
    r = load_recipe(RECIPES / "skillret-embedding-8b.toml")
    assert r.model.base == "Qwen/Qwen3-Embedding-8B"
    assert (r.train.batch_size, r.train.devices) == (20, 4)


def test_the_small_one_runs_on_a_cpu():
    r = load_recipe(RECIPES / "minilm-cpu.toml")
    assert (r.train.device, r.train.batch_size, r.train.learning_rate) == ("cpu", 64, 6e-5)
    assert (r.model.max_tokens, r.data.max_pairs, r.loss.mask) == (160, 25000, "skill")


def test_the_stages_for_a_gpu_fit_together():
    first, second = (load_recipe(RECIPES / f"minilm-gpu-{n}.toml") for n in (1, 2))
    assert first.train.batch_size == 4 * second.train.batch_size == 1024
    assert second.model.base == second.negatives.encoder == "runs/gpu-1/model"
    assert first.model.max_tokens == second.model.max_tokens == 256


def test_the_published_reranker_is_as_published():
    r = load_recipe(RECIPES / "skillret-reranker-0.6b.toml")
    assert (r.kind, r.model.base) == ("reranker", "Qwen/Qwen3-Reranker-0.6B")
    assert r.model.instruction == RERANK_INSTRUCTION
    assert (r.model.max_tokens, r.model.template) == (8192, "{name} | {description} | {body}")
    assert (r.train.batch_size * r.train.devices, r.train.devices) == (96, 8)
    assert (r.train.learning_rate, r.train.warmup, r.train.epochs) == (2e-5, 0.1, 1.0)
    assert (r.train.precision, r.loss.objective) == ("bf16", "pointwise")
    n = r.negatives
    assert (n.per_pair, n.first_rank, n.last_rank, n.max_share) == (7, 21, 60, 0)
    assert n.encoder == "ThakiCloud/SkillRet-Embedding-0.6B"
    assert (r.evaluate.every_steps, r.evaluate.pool) == (50, 20)


def test_the_small_reranker_orders_what_search_finds():
    r = load_recipe(RECIPES / "reranker-minilm-cpu.toml", kind="reranker")
    assert (r.train.device, r.loss.objective) == ("cpu", "listwise")
    assert (r.negatives.sources, r.negatives.last_rank) == (("retriever",), r.evaluate.pool)


def test_values_are_overridden():
    r = load_recipe(
        RECIPES / "minilm-cpu.toml",
        [
            "train.batch_size=8",
            "loss.mask=none",
            'negatives.sources=["bm25"]',
            "model.base=/some where/x=y",
            "train.learning_rate=1",
        ],
    )
    assert (r.train.batch_size, r.loss.mask) == (8, "none")
    assert r.negatives.sources == ("bm25",)
    assert r.model.base == "/some where/x=y"
    assert r.train.learning_rate == 1.0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"trian": {}}, "unknown section 'trian'; it has data, distill"),
        ({"train": {"batchsize": 8}}, "unknown key train.batchsize; known: activation_check"),
        ({"train": 3}, r"train is 3; it must be a section \[train\]"),
        ({"train": {"batch_size": "8"}}, "train.batch_size is '8'; allowed: a whole number of at"),
        ({"train": {"batch_size": 8.0}}, "train.batch_size is 8.0"),
        ({"train": {"batch_size": True}}, "train.batch_size is True"),
        (
            {"train": {"batch_size": 1}},
            "batch_size is 1; allowed: a whole number of at least 2",
        ),
        ({"train": {"learning_rate": 0}}, "learning_rate is 0; allowed: a number above 0"),
        ({"train": {"learning_rate": float("nan")}}, "learning_rate is nan"),
        ({"train": {"learning_rate": float("inf")}}, "learning_rate is inf"),
        ({"train": {"learning_rate": 10**400}}, "learning_rate is 1000"),
        ({"train": {"warmup": 1.5}}, "train.warmup is 1.5; allowed: a number from 0 to below 1"),
        ({"train": {"activation_checkpointing": 1}}, "is 1; allowed: true or false"),
        ({"train": {"precision": "fp8"}}, "precision is 'fp8'; allowed: one of 'fp32', 'bf16'"),
        ({"loss": {"mask": "all"}}, "loss.mask is 'all'; allowed: one of 'none', 'skill'"),
        ({"loss": {"matryoshka": 64}}, "loss.matryoshka is 64; allowed: a list of dimensions"),
        ({"loss": {"matryoshka": ["64"]}}, "a list of dimensions"),
        ({"model": {"template": "{nme}"}}, "model.template is '{nme}'; allowed: text with {name}"),
        ({"model": {"template": "{"}}, "model.template is '{'"),
        ({"model": {"base": " "}}, "model.base is ' '; allowed: a folder or hub id"),
        (
            {"evaluate": {"metric": "ndcg@7"}},
            "metric is 'ndcg@7'; allowed: such as ndcg@10",
        ),
        (
            {"data": {"dev_split": "test"}},
            "dev_split is 'test'; allowed: a split, never one",
        ),
        ({"data": {"dev_split": "Test-small"}}, "never one called test"),
        ({"data": {"train_split": "test"}}, "never one called test"),
        ({"data": {"dev_split": "train"}}, "dev_split is 'train', the split it trains on"),
        ({"negatives": {"first_rank": 9, "last_rank": 3}}, "last_rank is 3; allowed: at least"),
        ({"negatives": {"sources": []}}, "negatives.sources"),
        ({"train": {"device": "cpu", "precision": "fp16"}}, "on a CPU allowed: 'fp32' or 'bf16'"),
        ({"loss": {"mini_batch_size": 200}}, "mini_batch_size is 200; allowed: at most"),
        ({"output": {"report_to": ["excel"]}}, "output.report_to"),
        ({"kind": "oracle"}, "kind is 'oracle'; allowed: 'embedding' or 'reranker'"),
        ({"loss": {"objective": "listwise"}}, "loss.objective is for recipes of kind 'reranker'"),
        ({"kind": "reranker", "loss": {"scale": 3}}, "loss.scale is for recipes of kind 'embedd"),
        ({"kind": "reranker", "negatives": {"sources": ["encoder"]}}, "name the model that mines"),
        ({"kind": "reranker", "negatives": {"per_pair": 0}}, "a reranker learns from at least 1"),
        ({"negatives": {"sources": ["run"]}}, "a run is a file and one of the sources"),
        ({"name": "a/b"}, "name is 'a/b'; allowed: letters"),
        (
            {"distill": {"teacher": "t", "target": "embeddings"}, "loss": {"matryoshka": [8]}},
            "distill.target is 'embeddings'; with loss.matryoshka allowed",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(table, message):
    with pytest.raises(InputError, match=message) as e:
        parse_recipe(table, "x")
    assert "\n" not in str(e.value)


def test_a_reranker_s_recipe_has_the_published_one_s_defaults(tmp_path):
    r = parse_recipe({"kind": "reranker"}, "x")
    assert r.model.base == "Qwen/Qwen3-Reranker-0.6B"
    assert (r.loss.objective, r.negatives.per_pair) == ("pointwise", 7)
    assert "scale" not in r.to_json()["loss"]
    assert "distill" not in r.to_json()
    stored = json.loads(json.dumps(r.to_json()))
    assert parse_recipe(stored, "x") == dataclasses.replace(r, name="x")
    (tmp_path / "r.toml").write_text("[train]\nbatch_size = 1\n")
    assert load_recipe(tmp_path / "r.toml", kind="reranker").kind == "reranker"
    (tmp_path / "r.toml").write_text('kind = "embedding"\n')
    with pytest.raises(InputError, match="is of kind 'embedding', not 'reranker'"):
        load_recipe(tmp_path / "r.toml", kind="reranker")


@pytest.mark.parametrize("override", ["batch_size=8", "train.batch_size", "=3", "train.=3", ".x=3"])
def test_an_override_has_a_form(override):
    with pytest.raises(InputError, match=r"not of the form section\.key=value"):
        load_recipe(RECIPES / "minilm-cpu.toml", [override])


def test_a_file_that_is_no_recipe_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the recipe .*nowhere\.toml"):
        load_recipe(tmp_path / "nowhere.toml")
    for text in ("[train\nbatch_size = 3", "x = " + "[" * 50_000, "x = " + "9" * 5000):
        (tmp_path / "x.toml").write_text(text)
        with pytest.raises(InputError, match="is not TOML"):
            load_recipe(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("[train\nbatch_size = 3")
    with pytest.raises(InputError, match="is not TOML"):
        load_recipe(tmp_path / "x.toml")


def test_checking_a_recipe_imports_nothing_heavy():
    code = (
        "import sys\nfrom pathlib import Path\nfrom skillret.training.recipe import load_recipe\n"
        f"load_recipe(Path({str(RECIPES / 'minilm-cpu.toml')!r}))\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'datasets', 'onnxruntime'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
