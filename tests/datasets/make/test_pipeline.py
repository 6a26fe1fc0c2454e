import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.cli.test_search import fails, run
from tests.conftest import ROOT
from tests.datasets.make.conftest import write_library

from skillret import evaluate
from skillret.datasets.check import check_dataset
from skillret.datasets.dataset import load_dataset
from skillret.datasets.make.config import parse_config
from skillret.datasets.make.pipeline import STEPS, Pipeline
from skillret.datasets.row_files import read_rows
from skillret.errors import InputError

TWO = {"split": {"shares": {"train": 0.6, "test": 0.4}}, "sample": {"per_skill": 3.0}}


def make(library, folder, table=TWO, steps=STEPS, **more):
    pipeline = Pipeline(str(library), folder, parse_config(table), **more)
    return {report.name: report for report in pipeline.run(steps)}


def contents(folder, but=()):
    return {
        str(f.relative_to(folder)): f.read_bytes()
        for f in folder.rglob("*")
        if f.is_file() and f.name not in (".lock", *but)
    }


def test_the_examples_become_a_data_set_that_can_be_evaluated(tmp_path):
    reports = make(ROOT / "examples" / "skills", tmp_path / "out", {})
    assert list(reports) == list(STEPS)
    assert all(report.fresh for report in reports.values())
    check = check_dataset(tmp_path / "out")
    assert check.ok
    assert check.splits["test"]["skills"] == 46
    assert check.splits["test"]["k=2"] > 5
    data = load_dataset(tmp_path / "out")
    assert {q.extra["kind"].partition("-")[0] for q in (*data.queries, *data.negatives)} == {
        "template"
    }
    assert {n.extra["kind"] for n in data.negatives} == {"template-near-miss", "template-needless"}
    assert evaluate(data, mode="lexical").metrics["ndcg@10"] > 0.5
    card = (tmp_path / "out" / "README.md").read_text()
    assert "None: everything is made of what the skills' authors wrote." in card
    assert "Apache-2.0 46" in card


def test_every_step_says_what_it_dropped_and_a_second_run_does_nothing(library, tmp_path):
    twin = library / "repo1" / "skills" / "pdf2"
    twin.mkdir()
    text = (library / "repo0" / "skills" / "pdf" / "SKILL.md").read_text()
    (twin / "SKILL.md").write_text(text.replace("name: pdf", "name: pdf2"))
    (library / "repo2" / "broken").mkdir()
    (library / "repo2" / "broken" / "SKILL.md").write_text("---\nname: broken\n---\n")
    reports = make(library, tmp_path / "out")
    assert reports["filter"].summary == (
        "12 skills; dropped 2: 1 description cannot be read, 1 same body"
    )
    dropped = list(read_rows(tmp_path / "out" / "steps" / "filter.dropped.jsonl"))
    assert {row["reason"]: row.get("of") for row in dropped} == {
        "description cannot be read": None,
        "same body": "pdf",
    }
    before = contents(tmp_path / "out")
    again = make(library, tmp_path / "out")
    assert [report.fresh for report in again.values()] == [False] * len(STEPS)
    assert contents(tmp_path / "out") == before


def test_splits_share_no_repository(library, tmp_path):
    make(library, tmp_path / "out")
    repos = {
        split: {skill.extra["repo"] for skill in load_dataset(tmp_path / "out", split).skills}
        for split in ("train", "test")
    }
    assert repos["train"] and repos["test"]
    assert repos["train"].isdisjoint(repos["test"])
    gold = {
        split: {
            g for labels in load_dataset(tmp_path / "out", split).qrels.values() for g in labels
        }
        for split in ("train", "test")
    }
    assert gold["train"].isdisjoint(gold["test"])


def test_a_change_does_again_what_hangs_on_it_and_nothing_else(library, tmp_path):
    make(library, tmp_path / "out")
    changed = {**TWO, "check": {"max_run": 3}}
    fresh = [
        name for name, report in make(library, tmp_path / "out", changed).items() if report.fresh
    ]
    # Whatever was checked otherwise: the same requests stayed, so `review` is still up to date.
    assert fresh[0] == "check"
    assert set(fresh) <= {"check", "review", "card"}
    (library / "repo2" / "skills" / "mail" / "SKILL.md").write_text(
        "---\nname: mail\ndescription: Answer letters from angry customers of a shop.\n---\nSo."
    )
    reports = make(library, tmp_path / "out", changed)
    assert reports["filter"].fresh and reports["write"].fresh and reports["card"].fresh


def test_a_step_alone_wants_those_before_it(library, tmp_path):
    with pytest.raises(InputError, match="write needs the step filter: run `--step filter` first"):
        make(library, tmp_path / "out", steps=("write",))
    for step in STEPS:
        assert make(library, tmp_path / "out", steps=(step,))[step].fresh
    whole = make(library, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert whole["card"].fresh


def test_what_a_person_changed_in_a_step_is_kept(library, tmp_path):
    make(library, tmp_path / "out")
    file = tmp_path / "out" / "steps" / "write.jsonl"
    rows = list(read_rows(file))
    rows[0]["query"] = "something quite different that nobody has thought of yet"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reports = make(library, tmp_path / "out")
    assert reports["write"].edited and not reports["write"].fresh
    assert reports["check"].fresh
    queries = load_dataset(tmp_path / "out", rows[0]["split"]).queries
    assert rows[0]["query"] in [query.text for query in queries]


def test_a_row_that_a_person_broke_is_named(library, tmp_path):
    make(library, tmp_path / "out")
    file = tmp_path / "out" / "steps" / "sample.jsonl"
    file.write_text(file.read_text().replace('"skill_ids"', '"skills"', 1))
    with pytest.raises(InputError, match=r"steps/sample\.jsonl was changed by hand.*'skill_ids'"):
        make(library, tmp_path / "out")


def test_a_data_set_is_a_library_too(library, tmp_path):
    make(library, tmp_path / "out")
    reports = make(tmp_path / "out", tmp_path / "next", {}, split="train")
    count = len(load_dataset(tmp_path / "out", "train").skills)
    assert reports["filter"].summary.startswith(f"{count} skills")


def test_splits_that_are_no_more_wanted_go(library, tmp_path):
    make(library, tmp_path / "out")
    make(library, tmp_path / "out", {})
    assert [f.name for f in (tmp_path / "out" / "data" / "skills").iterdir()] == ["test.jsonl.gz"]


def test_nothing_else_is_written_over(library, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("all of it")
    with pytest.raises(InputError, match="holds something else; give a new folder"):
        make(library, tmp_path / "out")


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_goes_on_and_ends_as_one_that_was_not(step, tmp_path):
    library = write_library(tmp_path / "library")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    make(library, whole, {})
    command = [sys.executable, "-m", "skillret", "data", "make", str(library)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    started = subprocess.Popen(
        [*command, "--output", str(killed)], env=environment, stdout=subprocess.DEVNULL
    )
    # Whatever the step is doing when its file appears, or the one behind it.
    end = time.monotonic() + 60
    while not (killed / "steps" / f"{step}.jsonl").exists() and started.poll() is None:
        assert time.monotonic() < end
    started.send_signal(signal.SIGKILL)
    started.wait()
    reports = make(library, killed, {})
    assert list(reports) == list(STEPS)
    rest = {n: b for n, b in contents(killed).items() if not n.endswith(".tmp")}
    assert rest == contents(whole)


def test_the_command(library, tmp_path, capsys):
    out = str(tmp_path / "out")
    status, printed, _ = run(capsys, "data", "make", str(library), "--output", out)
    lines = printed.splitlines()
    assert status == 0
    assert [line.partition(":")[0] for line in lines] == list(STEPS)
    assert lines[0] == "filter: 12 skills"
    status, printed, _ = run(capsys, "data", "make", str(library), "--output", out, "--json")
    document = json.loads(printed)
    assert [s["fresh"] for s in document["steps"]] == [False] * len(STEPS)
    line = fails(capsys, "data", "make", str(library), "--output", out, "--estimate")
    assert "neither a [model] nor a [judge]" in line
    line = fails(capsys, "data", "make", str(library), "--output", out, "--reviewer", "ann")
    assert "--reviewer goes with --step review alone" in line
    config = tmp_path / "make.toml"
    config.write_text("[filter]\nlicences = ['GPL-9']\n")
    line = fails(capsys, "data", "make", str(library), "--output", out, "--config", str(config))
    assert "filter: nothing is left: 0 skills; dropped 12: 12 licence: none named" in line
