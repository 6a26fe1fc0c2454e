"""Two gloo processes against one with twice the batch."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training import ranks
from tests.training.conftest import recipe_table, toy

from skillret.training.dev_split import Dev
from skillret.training.prepare import prepare
from skillret.training.recipe import parse_recipe
from skillret.training.sections import DistillSection, LossSection

NEGATIVES = ([4, 4, 0, 2, 1, 3],)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    generator = np.random.default_rng(3)
    files = []
    for name, rows in (("queries", 5), ("documents", 6)):
        found = generator.standard_normal((rows, 8)).astype(np.float32)
        np.save(folder / f"{name}.npy", found / np.linalg.norm(found, axis=1, keepdims=True))
        files.append(folder / f"{name}.npy")
    teachers = {
        target: (*files, DistillSection(teacher="t", target=target))
        for target in ("scores", "margins", "embeddings")
    }
    plain, cached = LossSection(), LossSection(mini_batch_size=2)
    return {
        "published": ("none", (), plain, None),
        "masked": ("duplicates", (), plain, None),
        "hard negatives": ("gold", NEGATIVES, plain, None),
        "cached": ("none", (), cached, None),
        "cached and masked": ("duplicates", NEGATIVES, cached, None),
        "matryoshka": ("duplicates", (), LossSection(matryoshka=(4,)), None),
        **{f"teacher's {t}": ("duplicates", (), plain, v) for t, v in teachers.items()},
        "teacher's scores, cached": ("none", NEGATIVES, cached, teachers["scores"]),
    }


@pytest.fixture(scope="module")
def halves(cases, tmp_path_factory):
    out = tmp_path_factory.mktemp("ranks") / "halves.pt"
    ranks.finish(ranks.half_a_batch, list(cases.values()), out)
    return dict(zip(cases, torch.load(out), strict=True))


@pytest.mark.parametrize(
    "case",
    [
        "published",
        "masked",
        "hard negatives",
        "cached",
        "cached and masked",
        "matryoshka",
        "teacher's scores",
        "teacher's margins",
        "teacher's embeddings",
        "teacher's scores, cached",
    ],
)
def test_two_halves_make_the_loss_and_gradients_of_the_whole(cases, halves, case):
    model, value = ranks.one_loss(cases[case])
    loss, gradient = halves[case]
    assert loss == pytest.approx(value.item(), abs=1e-6)
    torch.testing.assert_close(gradient, model.layer.weight.grad, atol=1e-6, rtol=1e-6)


def test_masks_change_what_is_compared(halves):
    assert halves["published"][0] > halves["masked"][0] + 0.01


def test_evaluation_is_shared_and_equal(bert, tmp_path):
    from sentence_transformers import SentenceTransformer

    from skillret.training.dev_evaluator import DevEvaluator

    tables = toy(9, 1, 1, "d")
    dev = Dev(
        skill_ids=tuple(r["id"] for r in tables["skills"]),
        documents=tuple(f"{r['name']} | {r['description']}" for r in tables["skills"]),
        query_ids=tuple(r["id"] for r in tables["queries"]),
        queries=tuple(r["query"] for r in tables["queries"]),
        qrels={r["query_id"]: {r["skill_id"]: 1} for r in tables["qrels"]},
        origin="toy",
    )
    ranks.finish(ranks.evaluate, str(bert), dev, tmp_path / "m.pt")
    metrics, counts = torch.load(tmp_path / "m.pt")
    alone = DevEvaluator(dev, "ask: ", "", 4, "ndcg@10")(
        SentenceTransformer(str(bert), device="cpu")
    )
    assert metrics == pytest.approx(alone, abs=1e-9)
    assert sorted(counts) == [8, 10]  # 9 queries and 9 documents, halved


def losses(output):
    with (output / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["ndcg@10"]) > 0  # of the base model
    return [(r["step"], float(r["loss"])) for r in rows if r["loss"]], rows[0]["ndcg@10"]


def test_a_run_on_two_processes_is_the_run_on_one_with_twice_the_batch(qwen, dataset, tmp_path):
    from skillret.training.run import train

    for name, size, devices in (("one", 8, 1), ("two", 4, 2)):
        table = recipe_table(qwen, dataset, train={"batch_size": size, "devices": devices})
        recipe = parse_recipe(table, "toy")
        if devices == 1:
            train(recipe, tmp_path / name)
        else:
            ranks.finish(ranks.train, recipe, tmp_path / name, 0)
    (one, before), (two, before_) = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert before == before_
    assert [s for s, _ in one] == [s for s, _ in two] == ["2", "4", "6"]
    np.testing.assert_allclose([v for _, v in two], [v for _, v in one], atol=1e-4)


def test_a_killed_rank_ends_the_run_with_a_clear_error(bert, dataset, tmp_path):
    table = recipe_table(bert, dataset, train={"batch_size": 4, "devices": 2})
    context = ranks.start(ranks.train, parse_recipe(table, "toy"), tmp_path / "out", 3)
    survivor, killed = context.processes
    killed.join()
    survivor.join(timeout=120)  # far below the time that gloo would wait for a silent process
    assert [p.exitcode for p in context.processes] == [1, -9]
    message = (tmp_path / "out" / "error-0.txt").read_text()
    assert "another process of the run is gone" in message
    assert "--resume" in message


@pytest.fixture
def nodes(tmp_path):
    """Run folders of two nodes that share no file system."""
    return [tmp_path / "node-0", tmp_path / "node-1"]


def on_nodes(recipe, nodes, resume=False):
    """Run on both; the exit statuses and the errors."""
    context = ranks.start(ranks.train, recipe, nodes, 0, resume)
    for process in context.processes:
        process.join()
    files = [node / f"error-{rank}.txt" for rank, node in enumerate(nodes)]
    errors = [f.read_text() for f in files if f.is_file()]
    return [p.exitcode for p in context.processes], errors


def test_nodes_need_no_shared_file_system_but_to_resume(bert, dataset, nodes):
    table = recipe_table(bert, dataset, train={"batch_size": 4, "devices": 2, "max_steps": 2})
    recipe = parse_recipe(table, "toy")
    assert on_nodes(recipe, nodes) == ([0, 0], [])
    assert (nodes[0] / "model" / "model.safetensors").is_file()
    assert not (nodes[1] / "model").exists()
    codes, errors = on_nodes(recipe, nodes, resume=True)
    assert codes == [1, 1]
    assert all("process 1 does not see" in e and "share the run folder" in e for e in errors)


def test_nodes_must_have_the_same_data(bert, dataset, nodes):
    table = recipe_table(bert, dataset, train={"batch_size": 4, "devices": 2, "max_steps": 2})
    other = parse_recipe({**table, "data": {"source": str(dataset), "max_pairs": 20}}, "toy")
    # What a run of another recipe has left on the second node.
    prepare(other, nodes[1] / "data", None, (), "cpu", print)
    codes, errors = on_nodes(parse_recipe(table, "toy"), nodes)
    assert codes == [1, 1]
    assert all("process 1 prepared other data than process 0; delete" in e for e in errors)


def test_torchrun_starts_it(bert, dataset, tmp_path):
    """The command of the recipes, as it stands there but for the number of processes."""
    lines = ["[data]", f"source = {json.dumps(str(dataset))}", "[loss]", "[evaluate]"]
    (tmp_path / "toy.toml").write_text("\n".join(lines))
    sets = [
        f"model.base={bert}",
        "model.max_tokens=40",
        "train.devices=2",
        "train.batch_size=4",
        "train.max_steps=2",
        "train.precision=fp32",
        "train.device=cpu",
    ]
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "skillret", "train", str(tmp_path / "toy.toml"), "--output", "out"]
    command += [word for s in sets for word in ("--set", s)]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(Path("out") / "model")  # from one process
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["status"], run["device"]["processes"]) == ("finished", 2)
