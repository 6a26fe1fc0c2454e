import csv
import hashlib
import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from tests.training.conftest import recipe_table

from skillret import load_encoder
from skillret.errors import EncoderError, InputError, TrainingError
from skillret.training.recipe import parse_recipe
from skillret.training.run import train


@pytest.fixture(scope="module")
def finished(tmp_path_factory, bert, dataset):
    """A run of six steps, as the command does it."""
    output = tmp_path_factory.mktemp("run") / "toy"
    told = []
    recipe = parse_recipe(recipe_table(bert, dataset), "toy")
    model = train(recipe, output, say=told.append)
    return output, model, told


def read_log(output):
    with (output / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_is_trained_on_is_told_before_training_starts(finished):
    _, _, told = finished
    text = "\n".join(told)
    assert "train: 48 pairs of 48; 48 queries, 24 skills, 0 of them near-duplicates" in text
    assert "dev: split dev of toy; 8 queries, 8 skills" in text
    lengths = re.compile(r"documents: median \d+ tokens, 90 % \d+, .*; \d+\.\d% cut at 40")
    assert lengths.search(text)
    assert text.index("dev: split") < text.index("step 0/6")


def test_log_and_curve_are_written(finished):
    output, _, _ = finished
    rows = read_log(output)
    assert [int(r["step"]) for r in rows] == [0, 2, 4, 6]
    assert rows[0]["loss"] == ""
    assert all(float(r["loss"]) > 0 for r in rows[1:])
    assert all(0 <= float(r[m]) <= 1 for r in rows for m in ("ndcg@15", "completeness@5"))
    assert float(rows[-1]["epoch"]) == 1.0
    assert (output / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_run_json_holds_what_is_needed_to_repeat_the_run(finished, bert):
    output, _, _ = finished
    run = json.loads((output / "run.json").read_text())
    assert run["status"] == "finished"
    assert run["seed"] == 42
    assert run["recipe"]["loss"]["mask"] == "duplicates"
    assert run["versions"]["torch"]
    assert len(run["data"]["revision"]) == 12
    assert run["device"]["kind"] == "cpu"
    assert run["result"]["best_step"] in (2, 4, 6)
    for digest in ("skills_sha256", "queries_sha256", "pairs_sha256"):
        assert re.fullmatch(r"[0-9a-f]{64}", run["data"][digest])
    weights = (bert / "model.safetensors").read_bytes()
    assert run["base"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert run["base"]["dimension"] == 32


def test_the_best_checkpoint_by_dev_is_kept(finished):
    output, model, _ = finished
    run = json.loads((output / "run.json").read_text())
    scores = {int(r["step"]): float(r["ndcg@10"]) for r in read_log(output) if r["loss"]}
    best = run["result"]["best_step"]
    assert scores[best] == max(scores.values())
    kept = output / "checkpoints" / f"checkpoint-{best}" / "model.safetensors"
    assert (model / "model.safetensors").read_bytes() == kept.read_bytes()


def test_the_card_s_usage_code_runs_as_it_stands(finished, tmp_path, monkeypatch, capsys):
    _, model, _ = finished
    card = (model / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    shutil.copytree(model, tmp_path / "toy")
    monkeypatch.chdir(tmp_path)  # the card calls the model by its name
    space = {}
    exec(code, space)
    assert space["similarities"].shape == (1, 2)
    assert capsys.readouterr().out.startswith("[[")
    for part in ("Training Logs", "| **", "| NDCG |", "Limitations", "@article{cho2026skillret"):
        assert part in card


def test_the_published_card_s_snippet_runs_on_it(finished, monkeypatch):
    """The code of ThakiCloud/SkillRet-Embedding-0.6B's card, as it stands there."""
    _, folder, _ = finished
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), trust_remote_code=True)
    query_prompt = "ask: "
    queries = [query_prompt + "Help me set up a CI/CD pipeline for my Python project"]
    skills = [
        "ci-cd-setup | Configure continuous integration and deployment pipelines ...",
        "python-debugging | Debug Python applications using pdb and logging ...",
    ]
    q_emb = model.encode(queries, normalize_embeddings=True)
    s_emb = model.encode(skills, normalize_embeddings=True)
    similarities = q_emb @ s_emb.T
    assert similarities.shape == (1, 2)
    # No prompt is put on top of the one in the text.
    encoder = load_encoder(str(folder))
    np.testing.assert_allclose(encoder.encode_queries([queries[0][5:]]), q_emb, atol=1e-5)


def test_the_model_folder_is_an_encoder_with_the_recipe_s_prompts(finished):
    _, model, _ = finished
    profile = load_encoder(str(model)).profile
    assert (profile.query_prompt, profile.max_document_tokens) == ("ask: ", 40)
    assert profile.name == "toy"


def test_two_runs_of_one_recipe_are_equal(finished, recipe, tmp_path):
    output, model, _ = finished
    again = train(recipe(), tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert read_log(tmp_path / "again") == read_log(output)


def test_a_used_output_folder_is_refused(finished, recipe):
    output, _, _ = finished
    with pytest.raises(InputError, match="not empty; give another one with --output"):
        train(recipe(), output)


def test_what_a_failed_start_has_left_is_in_nobody_s_way(recipe, tmp_path):
    output = tmp_path / "run"
    with pytest.raises(InputError, match="larger than the data"):
        train(recipe(train={"batch_size": 1000}), output)
    assert {entry.name for entry in output.iterdir()} == {"prepare.lock", "data"}
    theirs = tmp_path / "theirs"
    (theirs / "data" / "skills").mkdir(parents=True)
    (theirs / "prepare.lock").touch()
    with pytest.raises(InputError, match="not empty"):
        train(recipe(), theirs)
    assert (theirs / "data" / "skills").is_dir()
    with FileLock(output / "prepare.lock"), pytest.raises(InputError, match="not empty"):
        train(recipe(), output)
    with pytest.raises(InputError, match="larger than the data"):
        train(recipe(train={"batch_size": 999}), output)
    (output / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        train(recipe(), output)
    assert (output / "data").is_dir()


def test_resuming_with_another_recipe_is_refused(finished, recipe):
    output, _, _ = finished
    with pytest.raises(InputError, match=r"train.seed was 42 and is 1 now"):
        train(recipe(train={"seed": 1}), output, resume=True)


def test_resuming_with_other_data_is_refused(finished, recipe, dataset, tmp_path):
    output, _, _ = finished
    other = tmp_path / "other"
    shutil.copytree(dataset, other)
    with pytest.raises(InputError, match=r"prepared from toy .*, not from other"):
        train(recipe(), output, data=str(other), resume=True)


def test_there_must_be_a_run_to_resume(recipe, tmp_path):
    with pytest.raises(InputError, match="nothing to resume"):
        train(recipe(), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("sections", "parts"),
    [
        ({"negatives": {"per_pair": 2, "max_share": 1.0}}, ["Hard negatives: 2 per pair"]),
        ({"loss": {"mini_batch_size": 4, "mask": "gold"}}, ["Gradient caching: mini-batches of 4"]),
        ({"loss": {"matryoshka": [8, 16]}}, ["Matryoshka dimensions: 8, 16"]),
        ({"train": {"precision": "bf16", "activation_checkpointing": True}}, ["Precision: BF16"]),
    ],
    ids=["hard negatives", "gradient caching", "matryoshka", "bf16"],
)
def test_every_option_trains_and_is_on_the_card(recipe, tmp_path, sections, parts):
    model = train(recipe(**sections), tmp_path / "out")
    card = (model / "README.md").read_text()
    assert all(part in card for part in parts)
    assert all(np.isfinite(float(r["loss"])) for r in read_log(tmp_path / "out")[1:])


def test_a_terminal_shows_a_bar_with_an_estimate(recipe, tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(recipe(train={"max_steps": 2}), tmp_path / "out")
    shown = capsys.readouterr().err
    assert re.search(r"training: +50%\|.*\| 1/2 \[\d\d:\d\d<\d\d:\d\d,", shown)
    assert "2/2" in shown


def test_old_checkpoints_are_deleted_but_for_the_best(recipe, tmp_path):
    sections = {"evaluate": {"every_steps": 1}, "output": {"keep_checkpoints": 2}}
    train(recipe(**sections), tmp_path / "out")
    best = json.loads((tmp_path / "out" / "run.json").read_text())["result"]["best_step"]
    kept = {int(p.name[11:]) for p in (tmp_path / "out" / "checkpoints").glob("checkpoint-*")}
    assert kept == ({5, 6} if best in (5, 6) else {best, 6})


def test_tensorboard_is_told_when_asked(recipe, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(recipe(output={"report_to": ["tensorboard"]}), tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    assert [e.step for e in events.Scalars("train/loss")] == [2, 4, 6]
    assert [e.step for e in events.Scalars("eval/ndcg@10")] == [0, 2, 4, 6]


def test_a_tracker_that_is_not_installed_is_refused_at_once(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.training.run.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"asks for trackio, .* pip install trackio"):
        train(recipe(output={"report_to": ["trackio"]}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["scores", "margins", "embeddings"])
def test_a_teacher_can_be_learned_from(recipe, bert, tmp_path, target):
    sections = {"distill": {"teacher": str(bert), "target": target}}
    model = train(recipe(**sections), tmp_path / "out")
    assert f"Distillation: {target} of tiny-bert" in (model / "README.md").read_text()


def test_a_teacher_shorter_than_the_student_has_no_vectors_to_match(recipe, tmp_path, qwen):
    from skillret.training.teacher import write_teacher

    class Short:
        profile = type("P", (), {"dim": 3, "name": "short"})

    with pytest.raises(InputError, match="the teacher has 3 dimensions and the student 32"):
        write_teacher(Short(), None, (tmp_path / "a", tmp_path / "b"), 32)


def test_a_loss_that_is_no_number_stops_with_step_and_batch(recipe, tmp_path, monkeypatch):
    import torch

    from skillret.training.loss import MaskedRankingLoss

    honest = MaskedRankingLoss.forward
    calls = []

    def broken(self, features, labels):
        calls.append(1)
        loss = honest(self, features, labels)
        return loss * torch.nan if len(calls) == 3 else loss

    monkeypatch.setattr(MaskedRankingLoss, "forward", broken)
    with pytest.raises(TrainingError, match=r"loss is nan at step 3 .*its batch: sq\d+-\d -> s\d+"):
        train(recipe(), tmp_path / "out")
    (file,) = (tmp_path / "out" / "checkpoints").glob("nonfinite-*.json")
    assert len(json.loads(file.read_text())["batch"]) == 8
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["status"] == "stopped"
    assert "the loss is nan at step 3" in run["reason"]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 704 vs 592")]
)
def test_a_full_disk_at_a_checkpoint_is_one_clear_error(recipe, tmp_path, monkeypatch, error):
    import torch

    honest = torch.save

    def full(value, file, *args, **kwargs):
        if "checkpoint-4" in str(file):
            raise error
        return honest(value, file, *args, **kwargs)

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(TrainingError, match=r"checkpoint of step 4 .*the disk is full.*--resume"):
        train(recipe(), tmp_path / "out")
    kept = {p.name for p in (tmp_path / "out" / "checkpoints").glob("checkpoint-*")}
    assert kept == {"checkpoint-2"}
    monkeypatch.undo()
    train(recipe(), tmp_path / "out", resume=True)
    assert [int(r["step"]) for r in read_log(tmp_path / "out")] == [0, 2, 4, 6]


def test_a_batch_larger_than_the_data_is_refused(recipe, tmp_path):
    with pytest.raises(InputError, match=r"batch of 64 \(64 x 1\) is larger than the data: 48"):
        train(recipe(train={"batch_size": 64}), tmp_path / "out")


def test_a_missing_base_model_is_named(recipe, tmp_path):
    with pytest.raises(EncoderError, match=r"no model folder \./nowhere"):
        train(recipe(base="./nowhere"), tmp_path / "out")


def test_a_hub_model_that_is_not_there_offline_is_one_line(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderError, match=r"cannot load the base model 'no/such'.*offline") as e:
        train(recipe(base="no/such"), tmp_path / "out")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("where", ["config.json", "modules.json"])
def test_remote_code_is_refused_without_permission(recipe, bert, tmp_path, where):
    shutil.copytree(bert, tmp_path / "remote")
    file = tmp_path / "remote" / where
    config = json.loads(file.read_text())
    if where == "config.json":
        config["auto_map"] = {"AutoModel": "evil.Model"}
    else:
        config[0]["type"] = "evil.Transformer"
    file.write_text(json.dumps(config))
    (tmp_path / "remote" / "evil.py").write_text("raise SystemExit('this code was run')")
    with pytest.raises(EncoderError, match="say so: --trust-remote-code"):
        train(recipe(base=tmp_path / "remote"), tmp_path / "out")


def test_more_tokens_than_the_model_has_positions_are_refused(recipe, tmp_path):
    with pytest.raises(InputError, match="max_tokens is 512; allowed: at most 64"):
        train(recipe(model={"max_tokens": 512}), tmp_path / "out")


def test_a_recipe_for_more_devices_than_processes_says_how_to_start(recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"made for 4 devices.*torchrun --nproc-per-node 4"):
        train(recipe(train={"devices": 4}), tmp_path / "out")


def test_a_recipe_for_more_gpus_than_there_are_is_refused(recipe, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(TrainingError, match="4 processes on this machine want a GPU each"):
        train(recipe(train={"devices": 4, "device": "auto"}), tmp_path / "out")


def test_a_dimension_beyond_the_model_s_is_refused(recipe, tmp_path):
    with pytest.raises(InputError, match="matryoshka holds 64; allowed: at most 32"):
        train(recipe(loss={"matryoshka": [64]}), tmp_path / "out")


def test_the_last_checkpoint_can_be_kept(bert, dataset, tmp_path):
    table = recipe_table(bert, dataset)
    table["evaluate"] = {**table["evaluate"], "keep": "last"}
    model = train(parse_recipe(table, "toy"), tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["result"]["best_step"] == run["result"]["steps"] == 6
    assert "Last checkpoint, kept at step 6" in (model / "README.md").read_text()
    kept = tmp_path / "out" / "checkpoints" / "checkpoint-6" / "model.safetensors"
    assert (model / "model.safetensors").read_bytes() == kept.read_bytes()
