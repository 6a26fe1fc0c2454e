"""Scripts in benchmarks/ whose figures stand in the documentation."""

import importlib.util
import sys

import pytest

from tests.conftest import ROOT, make_skill


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_leaderboard_has_a_row_for_every_system(dataset, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", str(dataset), "--model", "default"])
    load("leaderboard").main()
    lines = capsys.readouterr().out.splitlines()
    for name in ("lexical, bm25s", "lexical, ours", "dense, as packaged", "hybrid, default"):
        assert sum(line.startswith(f"| {name} |") for line in lines) == 3, name
    assert "| system | long (1) | short (2) |" in lines
    # The same system under another name does not differ from itself.
    (same,) = [line for line in lines if line.startswith("| hybrid, default | +0.0000")]
    assert same.endswith("| 1.0000 | 0 | 0 | 3 |")


def test_without_bm25s_its_row_is_left_out(dataset, capsys, monkeypatch):
    leaderboard = load("leaderboard")
    monkeypatch.setattr(leaderboard, "find_spec", lambda name: None)
    assert "lexical, bm25s" not in leaderboard.systems([])
    assert "left out" in capsys.readouterr().err


def test_a_missing_data_set_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", str(tmp_path / "no")])
    with pytest.raises(SystemExit, match="leaderboard: no such data set"):
        load("leaderboard").main()


def test_wordings_are_counted_over_all_libraries(dataset, capsys, monkeypatch):
    wording = load("wording")
    monkeypatch.setattr(wording, "casual", list)
    arguments = ["--dataset", str(dataset), "--split", "dev", "--sizes", "2"]
    monkeypatch.setattr(sys, "argv", ["wording.py", *arguments])
    monkeypatch.setattr(wording, "parts_of", lambda skills, size, count: [part, part])
    part = (
        list(wording.open_split(dataset, "dev").skills())[:2],
        {"none": [("thanks", "")], "empty": []},
    )
    wording.main()
    *_, row = capsys.readouterr().out.splitlines()
    assert row == "| 2 | none | 2 | 0.0% | 0.0% | 0.0 |"


def test_first_words_of_a_description_are_a_task_if_they_begin_with_a_verb():
    wording = load("wording")
    texts = ("Resize many images at once. Use it.", "Use when images are large.", "Creates a page.")
    assert wording.tasks([make_skill(str(i), text) for i, text in enumerate(texts)]) == {
        "0": "Resize many images at once"
    }
    assert wording.said("can you {}?", "Resize images") == "can you resize images?"


def test_the_leaderboard_takes_own_tests_and_some_modes(library, capsys, monkeypatch):
    (library / "pdf-tables" / "eval_queries.json").write_text(
        '[{"query": "read a table", "should_trigger": true}]'
    )
    arguments = [str(library), "--mode", "lexical", "--model", "default"]
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", *arguments])
    load("leaderboard").main()
    out = capsys.readouterr().out
    assert "| lexical, ours |" in out
    assert "hybrid" not in out
    assert "dense" not in out
