import itertools
import json
import shutil

import pytest
from tests.training.conftest import bert, dataset  # noqa: F401

from skillret import load_encoder
from skillret.cli import main


def test_a_model_outside_a_run_is_checked_on_built_in_texts(bert, tmp_path, capsys):  # noqa: F811
    target = tmp_path / "a" / "onnx"
    assert main(["export", str(bert), "--output", str(target), "--quantize", "none"]) == 0
    out, err = capsys.readouterr()
    assert "comparing on a few built-in texts: 12 queries, 24 documents" in err
    assert "cosine to the original: mean 1.0000, worst 1.0000 (36 texts)" in out
    assert "top-10 overlap with the original: 100.0%" in out
    assert "NDCG" not in out
    assert {f.name for f in target.iterdir()} == {
        "model.onnx",
        "model.onnx.data",
        "profile.json",
        "tokenizer.json",
    }
    assert load_encoder(str(target)).encode_queries(["x"]).shape == (1, 32)


def test_a_data_set_is_checked_on(bert, dataset, tmp_path, capsys):  # noqa: F811
    command = ["export", str(bert), "--output", str(tmp_path / "onnx"), "--quantize", "none"]
    assert main([*command, "--dataset", str(dataset)]) == 0
    out, err = capsys.readouterr()
    assert "split dev of toy: 8 queries, 8 documents" in err
    assert "(+0.00 points, 95 % interval +0.00 to +0.00 by 8 queries)" in out


def test_a_loss_is_refused_and_leaves_nothing(bert, dataset, tmp_path, capsys, monkeypatch):  # noqa: F811
    # What a failed quantization would look like: every query finds less by every second model.
    values = itertools.cycle([0.9, 0.4])

    def measured(queries, documents, dev):
        value = next(values)
        return {q: {"ndcg@10": value} for q in dev.query_ids}

    monkeypatch.setattr("skillret.training.dev_evaluator.measure_dense_queries", measured)
    command = ["export", str(bert), "--output", str(tmp_path / "onnx"), "--dataset", str(dataset)]
    assert main(command) == 1
    assert "), more than 0.5; nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.glob("*onnx*"))
    assert not list(tmp_path.glob(".export-*"))
    assert main([*command, "--allow-loss"]) == 0
    assert (tmp_path / "onnx" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("model", "message"), [("nowhere", "no such model folder"), (".", "no modules.json")]
)
def test_what_is_no_model_is_named(model, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", model, "--output", "out"]) == 1
    assert message in capsys.readouterr().err


def test_a_used_folder_is_refused(bert, tmp_path, capsys):  # noqa: F811
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    assert main(["export", str(bert), "--output", str(tmp_path / "out")]) == 1
    assert "is not empty; give another one" in capsys.readouterr().err


def test_a_trained_model_s_profile_goes_along(bert, tmp_path, capsys):  # noqa: F811
    shutil.copytree(bert, tmp_path / "model")
    profile = {"name": "mine", "query_prompt": "q: ", "max_query_tokens": 20, "dense_weight": 0.7}
    (tmp_path / "model" / "profile.json").write_text(json.dumps(profile))
    command = ["export", str(tmp_path / "model"), "--output", str(tmp_path / "onnx")]
    assert main([*command, "--allow-loss"]) == 0
    exported = load_encoder(str(tmp_path / "onnx")).profile
    assert (exported.name, exported.query_prompt, exported.dense_weight) == ("mine", "q: ", 0.7)
