import json
from pathlib import Path

import pytest
from tests.cli.test_search import run
from tests.conftest import write_skill

from skillret.agents.log import record
from skillret.agents.session import SessionMemory


@pytest.fixture
def claude(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(home)
    (home / ".claude").mkdir()
    return home / ".claude" / "settings.json"


def test_a_dry_run_shows_each_line_and_writes_none(claude, home, capsys):
    claude.write_text('{\n  "model": "opus"\n}\n')
    status, out, err = run(capsys, "install", "--dry-run")
    assert (status, err) == (0, "")
    assert out.startswith("Claude Code: would write ~/.claude/settings.json\n    {\n")
    assert '\n  +   "hooks": {\n' in out
    assert "hook claude-code" in out
    assert claude.read_text() == '{\n  "model": "opus"\n}\n'
    assert not (home / ".local").exists()


def test_install_status_and_uninstall_say_what_they_did(claude, capsys):
    _, out, err = run(capsys, "install", "claude-code")
    assert out == "Claude Code: wrote ~/.claude/settings.json\n"
    assert "`skillret uninstall` takes it back" in err
    assert "the skills of Claude Code are not read yet: no skills found" in err
    _, out, _ = run(capsys, "install")
    assert out == "Claude Code: nothing to do in ~/.claude/settings.json\n"
    _, out, _ = run(capsys, "status")
    assert out == (
        "Claude Code: installed  ~/.claude/settings.json\n"
        "mode: normal (how sure a skill must be to be named; see `skillret config`)\n"
    )
    _, out, _ = run(capsys, "status", "--json")
    document = json.loads(out)
    assert document["agents"][0]["state"] == "installed"
    assert document["command"]
    assert (document["mode"], document["problem"]) == ("normal", None)
    Path("skillret.toml").write_text("threshold = 5\n")
    status, out, err = run(capsys, "status")
    assert (status, out) == (1, "Claude Code: installed  ~/.claude/settings.json\n")
    assert err.count("\n") == 1
    assert "skillret.toml: threshold is 5; allowed: a number from 0 to 1; hooks here name" in err
    _, out, _ = run(capsys, "status", "--json")
    assert json.loads(out)["agents"] == document["agents"]
    assert "threshold is 5" in json.loads(out)["problem"]
    Path("skillret.toml").unlink()
    _, out, _ = run(capsys, "install", "--mode", "quiet")
    assert out.endswith("Settings: wrote ~/.config/skillret/skillret.toml\n")
    assert "mode: quiet" in run(capsys, "status")[1]
    assert run(capsys, "uninstall")[1].splitlines() == [
        "Claude Code: removed ~/.claude/settings.json",
        "Settings: removed ~/.config/skillret/skillret.toml",
    ]
    run(capsys, "install")
    status, out, _ = run(capsys, "uninstall")
    assert (status, out) == (0, "Claude Code: removed ~/.claude/settings.json\n")
    status, out, err = run(capsys, "uninstall")
    assert (status, out) == (0, "")
    assert "nothing is installed" in err


def test_the_skills_are_read_when_it_is_installed(claude, home, capsys):
    for name in ("pdf-tables", "meal-planner"):
        write_skill(home / ".claude" / "skills", name)
        write_skill(home / ".agents" / "skills", name)
    (home / ".codex").mkdir()
    (home / ".copilot").mkdir()
    _, _, err = run(capsys, "install", "--no-index")
    assert "skills of" not in err
    assert run(capsys, "index", "list", "--all")[1] == ""
    _, _, err = run(capsys, "install")
    assert [line for line in err.splitlines() if "are read" in line] == [
        "skillret: the skills of Claude Code are read: 2 skills",
        "skillret: the skills of Codex are read: 2 skills",
        "skillret: the skills of all agents are read: 2 skills",
    ]
    _, out, _ = run(capsys, "index", "list", "--all", "--json")
    assert len(json.loads(out)) == 3


def test_what_is_refused_is_one_line_and_a_status(claude, capsys):
    claude.write_text("{")
    status, out, err = run(capsys, "install")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "~/.claude/settings.json is left as it is: no JSON that can be edited: line 1" in err
    status, _, err = run(capsys, "install", "codex")
    assert status == 1
    assert "Codex: it is not there" in err
    assert run(capsys, "status")[1].startswith("Claude Code: not installed")


def test_a_purge_leaves_nothing_but_settings(claude, home, capsys):
    write_skill(home / ".claude" / "skills", "meal-planner")
    before = {f: f.read_bytes() for f in home.rglob("*") if f.is_file()}
    run(capsys, "install")
    own = home / ".config" / "skillret" / "skillret.toml"
    own.parent.mkdir(parents=True)
    own.write_text("limit = 3\n")
    record("decision", "claude-code", {"named": []})
    SessionMemory().tell("claude-code", "s", ["a"])
    status, _, err = run(capsys, "uninstall", "codex", "--purge")
    assert (status, "name no agent" in err) == (1, True)
    _, _, err = run(capsys, "uninstall")
    assert "stay: `skillret uninstall --purge` deletes them" in err
    there = [home / ".local/share/skillret/indexes", home / ".local/state/skillret/agents"]
    there.append(home / ".cache/skillret")
    _, out, _ = run(capsys, "uninstall", "--purge", "--dry-run")
    assert out.count("would delete") == 3
    assert all(folder.is_dir() for folder in there)
    status, out, _ = run(capsys, "uninstall", "--purge")
    assert (status, out.count("deleted")) == (0, 3)
    after = {f: f.read_bytes() for f in home.rglob("*") if f.is_file()}
    assert after == {**before, own: b"limit = 3\n"}
    assert not any(folder.parent.exists() for folder in there[:2])


@pytest.mark.parametrize("options", [("--purge",), ("--purge", "--dry-run")])
def test_a_purge_keeps_libraries_made_over_http_and_says_so(claude, home, capsys, options):
    served = home / ".local/share/skillret/served"
    served.mkdir(parents=True)
    assert "served" not in run(capsys, "uninstall", *options)[2]
    (served / "billing.db").write_bytes(b"x")
    status, _, err = run(capsys, "uninstall", *options)
    assert status == 0
    assert "~/.local/share/skillret/served stays: libraries made over HTTP" in err
    assert (served / "billing.db").is_file()


def test_a_link_is_not_purged(claude, home, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (home / ".cache").mkdir()
    (home / ".cache" / "skillret").symlink_to(tmp_path / "elsewhere")
    status, _, err = run(capsys, "uninstall", "--purge")
    assert (status, "it is a link" in err) == (1, True)
    assert (tmp_path / "elsewhere").is_dir()


def test_a_line_in_a_project_names_no_program(claude, home, tmp_path, monkeypatch, capsys):
    (home / ".copilot").mkdir()
    monkeypatch.chdir(tmp_path)
    _, out, err = run(capsys, "install", "copilot", "--project", "--no-index")
    assert "writes the MCP server that it needs" in out
    assert "keep them out of the repository" not in err
    _, _, err = run(capsys, "install", "claude-code", "--project", "--no-index")
    assert "keep them out of the repository" in err
