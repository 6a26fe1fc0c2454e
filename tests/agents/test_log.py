import json
import os
from pathlib import Path

import pytest

from skillret.agents import log
from skillret.agents.private import private_folder, state_folder
from skillret.errors import InputError
from tests.cli.test_search import fails, run
from tests.conftest import write_skill


def decide(session, *names, query=None):
    named = [{"name": n, "invocation": f"p:{n}", "path": f"/s/{n}/SKILL.md"} for n in names]
    entry = {"session": session, "named": named, "silent": "" if names else "none fits"}
    log.record("decision", "codex", entry | ({"query": query} if query else {}))


def load(session, skill):
    log.record("loaded", "codex", {"session": session, "skill": skill})


def test_a_load_belongs_to_the_decision_that_named_it():
    decide("s", "pdf", "git")
    decide("s", "pods")
    decide("t", "pdf")
    for skill in ("p:pdf", "/s/pods/SKILL.md", "office:other"):
        load("s", skill)
    load("unheard-of", "pdf")
    first, second, third = log.logged(log.read_log())
    assert first["loaded"] == [{"name": "pdf", "named": True}]
    assert second["loaded"] == [{"name": "pods", "named": True}, {"name": "other", "named": False}]
    assert third["loaded"] == []


def test_the_log_is_private_bounded_and_survives_damage(home, monkeypatch):
    monkeypatch.setattr(log, "_MOST_BYTES", 2000)
    for number in range(31):
        log.failed("codex", f"{number} " + "x" * 1000)
    folder = Path(private_folder())
    assert folder.stat().st_mode & 0o777 == 0o700
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["log.jsonl", "log.jsonl.1"]
    assert all(file.stat().st_size < 3000 for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    entries = log.read_log()
    assert entries[-1]["why"].startswith("30 ")
    assert all(len(entry["why"]) == 300 for entry in entries)
    with files[0].open("ab") as file:
        file.write(b'{"time": 5}\n\xff\n[]\n{"kind"\n')
    assert len(log.read_log()) <= len(entries)


def test_a_folder_that_others_may_have_made_is_not_written_to(home, tmp_path):
    state = Path(state_folder())
    state.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (state / "agents").symlink_to(tmp_path / "elsewhere")
    assert private_folder() is None
    log.failed("codex", "x")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (state / "agents").unlink()
    folder = Path(private_folder())
    (folder / "log.jsonl").symlink_to(tmp_path / "target")
    log.failed("codex", "x")
    assert not (tmp_path / "target").exists()
    os.mkfifo(tmp_path / "pipe")
    (folder / "log.jsonl").unlink()
    (tmp_path / "pipe").rename(folder / "log.jsonl")
    log.failed("codex", "x")
    assert log.read_log() == []


def test_the_state_folder_is_that_of_platformdirs(monkeypatch):
    import platformdirs

    for name in ("", "relative", "/somewhere"):
        monkeypatch.setenv("XDG_STATE_HOME", name)
        if name != "relative":
            assert state_folder() == platformdirs.user_state_dir("skillret", appauthor=False)
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == platformdirs.user_state_dir("skillret", appauthor=False)


def test_what_users_see(capsys):
    status, out, err = run(capsys, "log")
    assert (status, out) == (0, "")
    assert "nothing is logged yet" in err
    decide("s", "pdf", query="read\x1b[1m a PDF")
    load("s", "pdf")
    decide("s")
    log.failed("gemini-cli", "no skills\x1b found")
    _, out, _ = run(capsys, "log")
    assert "\x1b" not in out
    assert 'asked: "read' in out
    assert "    pdf  ?  loaded" in out
    assert "    named nothing: none fits" in out
    assert out.endswith("after 1 of these (100%) an agent said that it loaded one of them\n")
    document = json.loads(run(capsys, "log", "--json", "-n", "1")[1])
    assert document["share_followed"] == 1.0
    assert [entry["kind"] for entry in document["entries"]] == ["failed"]


def test_an_export_is_what_evaluate_takes(capsys, tmp_path):
    file = tmp_path / "asked.jsonl"
    assert "set `log_queries = true`" in fails(capsys, "log", "--export", str(file))
    decide("s", "pdf", query="read a PDF")
    assert "no skill was loaded" in fails(capsys, "log", "--export", str(file))
    load("s", "pdf")
    decide("s", query="thanks")
    decide("t", query="/pdf-forms my file.pdf")
    load("t", "pdf-forms")
    assert "call the file x.jsonl" in fails(capsys, "log", "--export", "x")
    assert run(capsys, "log", "--export", str(file))[0] == 0
    assert json.loads(file.read_text()) == {"query": "read a PDF", "skills": ["pdf"]}
    write_skill(tmp_path / "library", "pdf")
    arguments = ("data", "check", str(file), "--library", str(tmp_path / "library"))
    assert run(capsys, *arguments)[0] == 0


@pytest.mark.parametrize("damage", [{"named": "x"}, {"named": [5]}, {"session": 5}])
def test_odd_entries_are_shown_all_the_same(capsys, damage):
    log.record("decision", "codex", damage)
    load("s", "pdf")
    assert run(capsys, "log")[0] == 0


def test_a_reason_has_the_kind_of_an_error_only_where_it_was_not_foreseen():
    assert log.why(InputError("unknown agent 'x'")) == "unknown agent 'x'"
    assert log.why(OSError("no space")) == "no space"
    assert log.why(ZeroDivisionError("by zero")) == "ZeroDivisionError: by zero"
