import csv
import json
import re

import pytest
from tests.conftest import write_skill
from tests.training.conftest import bert, dataset, recipe_table, words  # noqa: F401

from skillret.cli import main


@pytest.fixture
def recipe_file(bert, dataset, tmp_path):  # noqa: F811
    lines = []
    for section, keys in recipe_table(bert, dataset).items():
        lines.append(f"[{section}]")
        lines += [f"{k} = {json.dumps(v)}" for k, v in keys.items()]
    file = tmp_path / "toy.toml"
    file.write_text("\n".join(lines))
    return file


def test_it_trains_and_exports_and_searches(recipe_file, library, tmp_path, capsys):
    output = tmp_path / "run"
    assert main(["train", str(recipe_file), "--output", str(output)]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(output / "model")
    assert "skillret: train: 48 pairs" in err
    assert re.search(r"epoch 1.00 step 6/6 loss \d\.\d+ dev ndcg@10 \d\.\d+", err)

    onnx = tmp_path / "onnx"
    assert main(["export", str(output / "model"), "--output", str(onnx), "--allow-loss"]) == 0
    out, _ = capsys.readouterr()
    assert "cosine to the original: mean" in out
    assert "top-10 overlap with the original" in out
    assert "NDCG@10 on dev: original" in out

    for model in (output / "model", onnx):
        command = ["search", "write notes", "--library", str(library), "--model", str(model)]
        assert main([*command, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["model"] == "toy"
        assert found["hits"]


def test_values_are_overridden_and_runs_named(recipe_file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["train", str(recipe_file), "--set", "train.max_steps=2", "--set", "loss.mask=none"]
    assert main(command) == 0
    run = json.loads((tmp_path / "runs" / "toy" / "run.json").read_text())
    assert run["recipe"]["loss"]["mask"] == "none"
    assert run["result"]["steps"] == 2
    assert main(command) == 1
    assert "the output folder runs/toy is not empty" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert "resuming from checkpoint-2" in capsys.readouterr().err


def test_a_library_of_one_s_own(recipe_file, tmp_path, capsys):
    names = words(30)
    library = tmp_path / "library"
    for name in names:
        write_skill(library, name, f"Does {name}.")
    file = tmp_path / "requests.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["request", "skill"])
        writer.writerows(
            [f"please {verb} {name}", name] for name in names for verb in ("do", "use")
        )
    command = ["train", str(recipe_file), "--output", str(tmp_path / "run"), "--data", str(file)]
    assert main([*command, "--library", str(library), "--set", "data.dev_share=0.2"]) == 0
    err = capsys.readouterr().err
    assert "train: 48 pairs of 48; 60 queries, 30 skills" in err
    assert "dev: 6 skills held out of train; 12 queries, 30 skills" in err


def test_it_is_said_where_the_pairs_went_and_one_skill_for_all_is_refused(
    recipe_file, tmp_path, capsys
):
    library, file = tmp_path / "library", tmp_path / "queries.csv"
    for name in words(10):
        write_skill(library, name, f"Does {name}.")
    rows = [f"do {name},{name}\nuse {name},{name}\n" for name in words(10)]
    file.write_text("query,skill\n" + "".join(rows) + rows[0] + "what now,\n")
    command = ["train", str(recipe_file), "--library", str(library), "--data", str(file)]
    sets = ["--set", "data.dev_share=0.2", "--set", "train.batch_size=64"]
    assert main([*command, *sets, "--output", str(tmp_path / "run")]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert (
        "20 labelled queries, 2 rows repeat another one, 1 queries have no gold skill, 4 pairs"
        in told
    )
    assert "16 pairs are left. Add --set train.batch_size=16 or less" in told
    file.write_text("query,skill\n" + "".join(f"do {i},{words(10)[0]}\n" for i in range(9)))
    assert main([*command, "--output", str(tmp_path / "one")]) == 1
    assert "all 9 queries have one gold skill" in capsys.readouterr().err


def test_the_eval_queries_of_a_library(recipe_file, tmp_path, capsys):
    library = tmp_path / "library"
    for name in words(20):
        rows = [{"query": f"{verb} {name}", "should_trigger": True} for verb in ("do", "use")]
        folder = write_skill(library, name, f"Does {name}.").parent
        (folder / "eval_queries.json").write_text(json.dumps(rows))
    command = ["train", str(recipe_file), "--output", str(tmp_path / "run")]
    assert main([*command, "--library", str(library), "--set", "train.max_steps=2"]) == 0
    assert "data: library, revision " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "train.batchsize=3"], "unknown key train.batchsize"),
        (["--set", "train.batch_size=three"], "train.batch_size is 'three'; allowed: a whole"),
        (
            ["--set", "train.batch_size=500"],
            "is larger than the data: 48 labelled queries; 48 pairs are left. Add --set"
            " train.batch_size=48",
        ),
        (["--set", "model.trust_remote_code=true"], "add --trust-remote-code if you trust"),
        (["--set", "train.devices=4"], "torchrun --nproc-per-node 4"),
        (["--set", "model.base=./nowhere"], "no model folder ./nowhere"),
        (["--data", "./nowhere"], "no such data set: ./nowhere is neither a folder nor a hub id"),
        (["--data", "x.csv"], "no such file: x.csv"),
        (["--resume"], "nothing to resume"),
    ],
)
def test_bad_input_is_one_line_and_status_1(recipe_file, tmp_path, capsys, arguments, message):
    command = ["train", str(recipe_file), "--output", str(tmp_path / "run"), *arguments]
    assert main(command) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("skillret: ")
    assert message in last


@pytest.mark.parametrize("command", ["train", "export"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as e:
        main([command, "--help"])
    assert e.value.code == 0
    assert f"examples:\n  skillret {command} " in capsys.readouterr().out
