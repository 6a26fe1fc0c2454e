import json

import pytest
from tests.conftest import write_skill

from skillret.cli import main


@pytest.fixture
def project(tmp_path, home, monkeypatch):
    """A repository with two agents' places; a hidden folder and a link that lead to nothing."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    write_skill(folder / ".claude" / "skills", "deploy", "Of the project.")
    write_skill(home / ".claude" / "skills", "deploy", "Of the home.")
    write_skill(home / ".claude" / "skills", "tide", "Plan arrivals.")
    write_skill(home / ".claude" / "skills" / ".trash", "old")
    write_skill(folder / "apps" / ".claude" / "skills", "nested")
    (home / ".claude" / "skills" / "lost").symlink_to("nowhere")
    monkeypatch.chdir(folder)
    return folder


def test_places_that_exist_are_printed_with_what_they_give(project, capsys):
    assert main(["places"]) == 0
    out, err = capsys.readouterr()
    lines = [line.strip() for line in out.splitlines()]
    assert "2 skills  ~/.claude/skills" in lines
    assert f"1 skill  {project}/.claude/skills" in lines
    assert any(line.startswith("project: Claude Code, Cursor") for line in lines)
    assert "~/.claude/skills/lost: a link that leads nowhere is not followed; remove it" in lines
    assert any(line.startswith("~/.claude/skills/.trash: a hidden folder") for line in lines)
    assert any(line.startswith(f"{project}/apps/.claude/skills: Claude Code") for line in lines)
    assert lines[-1] == "3 skills in 2 places"
    assert "missing" not in out
    assert "--all lists them" in err


def test_what_is_left_out_is_not_counted(project, home, capsys):
    skills = home / ".claude" / "skills"
    (home / ".config" / "skillret").mkdir(parents=True)
    (home / ".config" / "skillret" / "skillret.toml").write_text('hide = ["draft-*"]\n')
    for name in ("draft-one", "draft-two"):
        write_skill(skills, name)
    (skills / "odd").mkdir()
    (skills / "odd" / "SKILL.md").write_text("No front matter.\n")
    for agents in ([], ["--agent", "claude-code"]):
        assert main(["places", *agents]) == 0
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert "2 skills  ~/.claude/skills" in lines
        assert lines[-1] == "3 skills in 2 places"
        for name in ("draft-one", "draft-two", "odd"):
            assert sum(f"/{name}/SKILL.md: " in line for line in lines) == 1


def test_the_missing_ones_are_printed_if_asked_for(project, capsys):
    assert main(["places", "--agent", "codex", "--all"]) == 0
    out, err = capsys.readouterr()
    assert "missing  ~/.agents/skills" in out
    assert "admin: Codex" in out
    assert out.endswith("0 skills in 0 places\n")
    assert err == ""


def test_json_says_by_what_name_a_skill_is_invoked(project, home, capsys):
    assert main(["places", "--agent", "claude", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["agent"], found["skills"]) == ("claude-code", 3)
    there = [(p["scope"], p["skills"], p["agents"]) for p in found["places"] if p["exists"]]
    assert there == [("user", 2, ["claude-code"]), ("project", 1, ["claude-code"])]
    assert len(found["left_out"]) == 4
    winner = str(home / ".claude" / "skills" / "deploy" / "SKILL.md")
    assert [(i["invocable_name"], i["shadowed_by"]) for i in found["invocable"]] == [
        ("deploy", None),
        ("tide", None),
        (None, winner),
    ]


def test_what_permission_rules_leave_to_the_user_is_told(project, home, capsys):
    settings = home / ".claude" / "settings.json"
    for rules, expected in (
        (
            ["Skill(tide *)"],
            "~/.claude/skills/tide/SKILL.md: `permissions.deny` of ~/.claude/settings.json keeps"
            " Claude Code from starting it",
        ),
        (
            ["Skill(tide)", "Skill"],
            "~/.claude/settings.json: denies the tool `Skill`: Claude Code starts none of its"
            " skills by itself",
        ),
    ):
        settings.write_text(json.dumps({"permissions": {"deny": rules}}))
        assert main(["places"]) == 0
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert lines[lines.index("left to you by permission rules:") + 1 :][:2] == [expected, ""]
        assert lines[-1] == "3 skills in 2 places"
    assert main(["places", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["left_to_user"]
    assert (told["path"], told["reason"][:21]) == (str(settings), "denies the tool `Skil")


def test_no_place_is_one_line_that_says_what_to_do(tmp_path, home, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for arguments in ([], ["--agent", "codex"], ["--agent", "codex", "--agent", "amp"]):
        assert main(["places", *arguments]) == 1
        assert "--library DIR" in capsys.readouterr().err
    assert main(["places", "--agent", "cursr"]) == 1
    assert "did you mean cursor?" in capsys.readouterr().err


def test_a_search_for_one_agent_tells_its_names(project, home, capsys):
    (home / ".claude" / "skills" / "tide").rename(home / ".claude" / "skills" / "tide-table")
    assert (
        main(["search", "plan arrivals of the project", "--agent", "claude-code", "--explain"]) == 0
    )
    out, _ = capsys.readouterr()
    assert "invoked as tide-table" in out
    assert "not invoked: ~/.claude/skills/deploy/SKILL.md has its name" in out
    assert main(["search", "plan arrivals", "--agent", "claude-code", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert {h["description"]: h["invocable_name"] for h in hits} == {
        "Plan arrivals.": "tide-table",
        "Of the home.": "deploy",
        "Of the project.": None,
    }
    assert main(["search", "plan", "--agent", "codex", "--library", str(project)]) == 1
    assert "not both" in capsys.readouterr().err
    assert main(["index", "status", "--agent", "claude-code"]) == 0
    assert "up_to_date  True" in capsys.readouterr().out


def test_nested_places_are_named_where_there_are_no_others(tmp_path, home, monkeypatch, capsys):
    folder = tmp_path / "empty"
    write_skill(folder / "apps" / "web" / ".claude" / "skills", "nested")
    (folder / "node_modules" / ".claude" / "skills").mkdir(parents=True)
    (folder / "bare" / ".claude" / "skills").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for command in (["places"], ["search", "nested"]):
        assert main(command) == 1
        err = capsys.readouterr().err
        nested = folder / "apps" / "web" / ".claude" / "skills"
        assert f"skills lie in {nested}, which is none of these places" in err
    (folder / ".claude" / "skills").mkdir(parents=True)
    assert main(["search", "nested"]) == 1
    assert f"skills lie in {nested}, which" in capsys.readouterr().err
