"""`--resume` after `kill -9`: the curve goes on as if nothing had happened."""

import csv
import json

import numpy as np
import pytest
import torch
from tests.training import ranks

from skillret.training.run import train
from skillret.training.trainer import newest_checkpoint

STEPS = 14  # of 6 in an epoch, so that the third has begun


@pytest.fixture(scope="module")
def make(bert, dataset):
    from tests.training.conftest import recipe_table

    from skillret.training.recipe import parse_recipe

    table = recipe_table(bert, dataset, train={"max_steps": STEPS})
    return lambda: parse_recipe(table, "toy")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums in one order everywhere: a run and its resumption are compared to the byte."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # of the processes that are killed
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(make, tmp_path_factory):
    """The uninterrupted run. Its model has dropout, so random states matter."""
    output = tmp_path_factory.mktemp("whole") / "run"
    return output, train(make(), output)


def rows(output):
    with (output / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("where", "step", "left"),
    [("step", 1, None), ("step", 6, 4), ("step", 12, 10), ("save", 8, 6)],
    ids=["before any checkpoint", "in an epoch", "in a later epoch", "while writing a checkpoint"],
)
def test_a_killed_run_goes_on_where_it_was(make, whole, tmp_path, where, step, left):
    output = tmp_path / "run"
    context = ranks.start(ranks.train_and_die, make(), output, where, step, world=1)
    for process in context.processes:
        process.join()
    assert [p.exitcode for p in context.processes] == [-9]
    checkpoint = newest_checkpoint(output / "checkpoints")
    assert (checkpoint and checkpoint.name) == (left and f"checkpoint-{left}")

    told = []
    model = train(make(), output, resume=True, say=told.append)
    total = json.loads((output / "run.json").read_text())["result"]["seconds"]
    state = json.loads(
        (newest_checkpoint(output / "checkpoints") / "trainer_state.json").read_text()
    )
    kept = [e["seconds"] for e in state["log_history"]]
    assert kept == sorted(kept)  # goes on with the time of the part before
    assert total >= kept[-1]
    assert any(("resuming from" if left else "starting from step 0") in line for line in told)
    expected, found = rows(whole[0]), rows(output)
    assert [r["step"] for r in found] == [r["step"] for r in expected]
    for column in ("loss", "ndcg@10", "learning_rate"):
        a = [float(r[column] or 0) for r in found]
        b = [float(r[column] or 0) for r in expected]
        np.testing.assert_allclose(a, b, atol=1e-4, err_msg=column)
    ours, theirs = ((m / "model.safetensors").read_bytes() for m in (model, whole[1]))
    assert ours == theirs


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_make_tokens_change_nothing(make, whole, tmp_path, monkeypatch):
    from skillret.training import fit

    assert fit._workers("cpu") == 0
    monkeypatch.setattr(fit, "_workers", lambda device: 2)
    train(make(), tmp_path / "run")
    assert rows(tmp_path / "run") == rows(whole[0])
