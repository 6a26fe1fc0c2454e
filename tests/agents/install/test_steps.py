import errno
import json
import os
import sys
import threading

import pytest

from skillret.agents.install import jsonc, targets
from skillret.agents.install.changes import Change
from skillret.agents.install.manifest import Manifest
from skillret.agents.install.steps import install, status, uninstall, write_change
from skillret.agents.mcp_clients import find_client
from skillret.errors import InputError, SkillretError
from skillret.files import parse_json
from skillret.skills.agents import find_agent
from tests.agents.install.conftest import SETTINGS


def tree(folder):
    return {f: f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


def done(steps):
    return [(step.owner, step.done) for step in steps]


def refused(*names, do=install):
    (step,) = do(names)
    assert step.done == "refused"
    assert "\n" not in step.message
    return step.message


def test_every_agent_is_given_something_once_and_it_all_goes_again(home, program):
    for target in targets.TARGETS:
        (home / target.folder).mkdir(parents=True)
    program[0] = sys.executable
    before = tree(home)
    planned = done(install(dry_run=True, mode="quiet"))
    assert done(install(mode="quiet")) == planned
    assert {owner.rpartition(" ")[2] for owner, _ in planned} == {
        *(target.agent for target in targets.TARGETS),
        "mode",
    }
    written = tree(home)
    assert {step.done for step in install(mode="quiet")} == {"unchanged", "by hand"}
    assert tree(home) == written
    states = [(s.agent, s.state) for s in status()]
    assert ("goose", "by hand") in states
    assert {state for agent, state in states if agent != "goose"} == {"installed"}
    assert {s.done for s in uninstall(dry_run=True)} == {"removed"}
    assert tree(home) == written
    uninstall()
    assert tree(home) == before
    assert uninstall() == []


def test_what_is_written_is_what_the_agents_read(home, program):
    for name in (".codex", ".gemini", ".cursor", ".kiro", ".config/opencode"):
        (home / name).mkdir(parents=True)
    install()
    codex = json.loads((home / ".codex/hooks.json").read_text())
    assert set(codex) == {"hooks"}
    (hook,) = codex["hooks"]["UserPromptSubmit"][0]["hooks"]
    assert hook == {
        "type": "command",
        "command": "'/opt/my tools/skillret' hook codex",
        "timeout": 10,
    }
    gemini = json.loads((home / ".gemini/settings.json").read_text())["hooks"]
    assert gemini["BeforeAgent"][0]["hooks"][0]["timeout"] == 10_000
    assert gemini["AfterTool"][0]["matcher"] == "activate_skill"
    assert gemini["SessionStart"][0]["matcher"] == "clear"
    assert "PreCompress" in gemini
    cursor = json.loads((home / ".cursor/hooks.json").read_text())
    assert cursor["version"] == 1
    assert list(cursor["hooks"]) == ["beforeSubmitPrompt"]
    kiro = json.loads((home / ".kiro/hooks/skillret.json").read_text())
    assert kiro["hooks"][0]["action"]["command"] == "'/opt/my tools/skillret' hook kiro"
    shim = (home / ".config/opencode/plugin/skillret.js").read_text()
    assert 'const COMMAND = ["/opt/my tools/skillret", "hook", "opencode"]' in shim


def test_a_file_that_changed_since_loses_ours_alone(claude):
    install(["claude"])
    text = claude.read_text()
    assert text.startswith(SETTINGS[:-3])
    claude.write_text(text.replace('"model": "opus"', '"model": "haiku", // cheaper'))
    assert done(install()) == [("claude-code", "unchanged")]
    assert done(uninstall()) == [("claude-code", "cleaned")]
    assert claude.read_text() == SETTINGS.replace('"model": "opus"', '"model": "haiku", // cheaper')


def test_a_file_that_the_agent_wrote_anew_loses_ours_alone(claude, home):
    claude.unlink()
    install()
    data = json.loads(claude.read_text())
    data["hooks"]["UserPromptSubmit"].append({"hooks": []})
    claude.write_text(json.dumps(data | {"later": 1}))
    uninstall()
    assert json.loads(claude.read_text()) == {
        "hooks": {"UserPromptSubmit": [{"hooks": []}]},
        "later": 1,
    }


def test_an_entry_that_was_edited_is_ours_as_long_as_it_calls_us_alone(claude, program, tmp_path):
    program[0] = str(tmp_path / "skillret")
    (tmp_path / "skillret").touch()
    install(["claude-code"])
    claude.write_text(claude.read_text().replace('"timeout": 10', '"timeout": 20'))
    assert next(s.state for s in status() if s.agent == "claude-code") == "installed"
    assert done(install(["claude-code"])) == [("claude-code", "unchanged")]
    assert '"timeout": 20' in claude.read_text()
    assert done(uninstall()) == [("claude-code", "cleaned")]
    assert claude.read_text() == SETTINGS
    install(["claude-code"])
    claude.write_text(claude.read_text().replace("skillret hook", "skillret --x hook", 1))
    (step,) = uninstall()
    assert step.done == "cleaned"
    assert "an entry that calls skillret is left" in step.message
    assert "PostToolUse" not in claude.read_text()
    assert "--x" in claude.read_text()


def test_copies_of_ours_and_what_was_moved_into_other_entries_go_too(claude):
    mine = {"type": "command", "command": "mine"}
    claude.write_text(json.dumps({"hooks": {"UserPromptSubmit": [{"hooks": [mine]}], "Stop": []}}))
    install(["claude-code"])
    data = json.loads(claude.read_text())
    own, ours = data["hooks"]["UserPromptSubmit"]
    own["hooks"] += [*ours["hooks"], {**ours["hooks"][0], "timeout": 60}]
    own["matcher"] = "x"
    data["hooks"]["UserPromptSubmit"] = [own]
    data["hooks"]["Stop"] = [ours, {"matcher": "y", **ours}, {"hooks": [mine]}]
    claude.write_text(json.dumps(data, indent=4))
    assert done(install(["claude-code"])) == [("claude-code", "written")]
    assert claude.read_text().count("hook claude-code") == 3
    claude.write_text(json.dumps(data, indent=4))
    assert done(uninstall()) == [("claude-code", "cleaned")]
    assert json.loads(claude.read_text())["hooks"] == {
        "UserPromptSubmit": [{"hooks": [mine], "matcher": "x"}],
        "Stop": [{"hooks": [mine]}],
    }


def test_another_command_takes_the_place_of_the_old_one(claude, program):
    install()
    assert [s.state for s in status()] == ["broken"]
    assert "it calls /opt/my tools/skillret, which is no more" in status()[0].message
    program[0] = sys.executable
    claude_state = status()[0]
    assert claude_state.state == "broken"  # what is written, not what would be
    assert done(install()) == [("claude-code", "written")]
    assert claude.read_text().count("hook claude-code") == 3
    assert "my tools" not in claude.read_text()
    assert [s.state for s in status()] == ["installed"]
    program[0] = "/new/skillret"
    assert [s.state for s in status()] == ["outdated"]
    uninstall()
    assert claude.read_text() == SETTINGS


def test_what_somebody_took_out_is_neither_missed_nor_put_back_by_uninstall(claude):
    install()
    claude.write_text("{}")
    assert [s.state for s in status()] == ["gone"]
    assert done(uninstall()) == [("claude-code", "unchanged")]
    assert claude.read_text() == "{}"
    install()
    claude.unlink()
    assert done(uninstall()) == [("claude-code", "unchanged")]
    assert status()[0].state == "no"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"model": ', "no JSON that can be edited: line 1: it ends too early"),
        (b'{"hooks": []}', "no JSON that can be edited: hooks is no object"),
        (b"model: opus", "no JSON that can be edited: line 1: a value is missing"),
        (b'{"a": "\xff"}', "no UTF-8"),
        (b" \n", "it is empty"),
        (b'{"hooks": {"UserPromptSubmit": [{"command": "skillret hook claude"}]}}', "already"),
    ],
)
def test_a_file_that_cannot_be_edited_stays(claude, home, content, message):
    claude.write_bytes(content)
    before = tree(home)
    assert message in refused("claude-code")
    assert tree(home) == before


def test_a_file_that_broke_since_stays_until_it_is_mended(claude):
    install()
    text = claude.read_text()
    claude.write_text(text + "}")
    assert "mend it" in refused(do=uninstall)
    claude.write_text(text)
    assert done(uninstall()) == [("claude-code", "restored")]


def test_a_read_only_file_stays(claude):
    claude.chmod(0o444)
    assert "it is read-only" in refused("claude")
    assert claude.read_text() == SETTINGS


def test_a_link_is_written_through_within_the_home_alone(claude, home, tmp_path):
    inside, outside = home / "dotfiles.json", tmp_path / "outside.json"
    for target in (inside, outside):
        target.write_text(SETTINGS)
    claude.unlink()
    claude.symlink_to(outside)
    assert "a link leads to" in refused("claude")
    claude.unlink()
    claude.symlink_to(inside)
    install()
    assert claude.is_symlink()
    assert "skillret" in inside.read_text()
    uninstall()
    assert inside.read_text() == outside.read_text() == SETTINGS


@pytest.mark.skipif(sys.platform == "win32", reason="FIFOs")
def test_a_pipe_in_its_place_keeps_nobody_waiting(claude):
    claude.unlink()
    os.mkfifo(claude)
    assert "no regular file" in refused("claude")


def test_a_full_disk_loses_nothing(claude, home, monkeypatch):
    (home / ".gemini").mkdir()
    before = tree(home)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("skillret.files.os.fsync", full)
    assert [step.done for step in install()] == ["refused", "refused"]
    assert tree(home) == before
    monkeypatch.undo()


def test_a_write_that_fails_is_forgotten(claude, home, monkeypatch):
    def full(file, *_):
        raise SkillretError("No space left on device")

    monkeypatch.setattr("skillret.agents.install.files.write", full)
    before = tree(home)
    assert "No space" in refused("claude")
    assert tree(home) == before


def test_two_installs_at_once_write_once(claude):
    threads = [threading.Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert claude.read_text().count("hook claude-code") == 3
    uninstall()
    assert claude.read_text() == SETTINGS


def test_a_damaged_manifest_stops_everything(claude, home):
    install()
    file = Manifest().folder / "manifest.json"
    for text in ("{", "[]", '{"version": 9}', '{"version": 1, "made": [], "files": [{}]}'):
        file.write_text(text)
        for do in (install, uninstall, status):
            with pytest.raises(SkillretError, match="is damaged: nothing was changed"):
                do()
        assert file.read_text() == text


def test_a_lost_backup_still_gives_a_clean_file(claude):
    install()
    for file in Manifest().folder.iterdir():
        if len(file.name) == 64:
            file.write_text("broken")
    assert done(uninstall()) == [("claude-code", "cleaned")]
    assert claude.read_text() == SETTINGS


def test_a_plugin_that_somebody_changed_stays(home, program):
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    install()
    file = folder / "plugin" / "skillret.js"
    file.write_text("// mine\n")
    assert "move it away" in refused("opencode")
    assert "delete it yourself" in refused("opencode", do=uninstall)
    assert file.read_text() == "// mine\n"


def test_agents_that_are_not_there(home, program):
    with pytest.raises(InputError, match="no agent is found here"):
        install()
    assert "neither" in refused("codex")
    with pytest.raises(InputError, match="did you mean claude-code"):
        install(["claude-cod"])
    with pytest.raises(InputError, match=r"'nosuch'; `skillret install --help` lists them$"):
        install(["nosuch"])
    with pytest.raises(InputError, match=r"'foo'; `skillret install --help` lists them$"):
        install(["foo"])  # near `roo`, for which nothing is known to install
    with pytest.raises(InputError, match="nothing is known to install for Amp"):
        uninstall(["amp"])
    assert tree(home) == {}


def test_folders_that_variables_name(home, tmp_path, program, monkeypatch):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(moved))
    assert done(install()) == [("codex", "written")]
    assert (moved / "hooks.json").exists()
    monkeypatch.delenv("CODEX_HOME")
    assert [(s.agent, s.state, s.there) for s in status()] == [("codex", "broken", True)]
    uninstall()
    assert list(moved.iterdir()) == []


def test_what_a_project_needs_besides_is_said(home, program, tmp_path):
    (home / ".codex").mkdir()
    (step,) = install()
    assert step.message == "Codex runs a new hook only once you trust it: open /hooks there"
    (step,) = install([], tmp_path)
    assert step.message.endswith("; it reads this file only in a project that you trust")


def test_a_project_has_files_of_its_own(claude, home, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    assert done(install([], project)) == [("claude-code", "written")]
    parse_json((project / ".claude" / "settings.local.json").read_text())
    assert claude.read_text() == SETTINGS
    (home / ".copilot").mkdir()
    install()
    assert [s.file.name for s in uninstall([], project)] == ["settings.local.json"]
    assert list(project.iterdir()) == []
    assert "skillret" in claude.read_text()


def instructions(home, project, *agents):
    for agent in agents:
        target = targets.find_target(agent)
        (home / target.folder).mkdir(parents=True, exist_ok=True)
    return done(install(agents, project))


@pytest.mark.parametrize(
    ("agent", "remedy"),
    [
        ("copilot", "`skillret mcp install --client copilot` writes the MCP server"),
        ("cline", "`skillret mcp install --client cline` writes the MCP server"),
        ("windsurf", "`skillret mcp install --client windsurf` writes the MCP server"),
        ("goose", "`skillret install goose` says how to add the MCP server"),
    ],
)
def test_what_a_project_does_not_get_is_said(home, program, tmp_path, agent, remedy):
    (home / targets.find_target(agent).folder).mkdir(parents=True)
    (step,) = install([agent], tmp_path)
    assert step.file == tmp_path / "AGENTS.md"
    assert "it gets the MCP server" not in step.message
    assert remedy in step.message
    # Also where the line is there already, for another agent.
    other = "goose" if agent != "goose" else "windsurf"
    (home / targets.find_target(other).folder).mkdir(parents=True)
    (step,) = install([other], tmp_path)
    assert step.done == "unchanged"
    assert other in step.message


@pytest.mark.parametrize("text", ["", "# Ours\n", "# Ours", "\ufeff# Ours\r\n\r\nBe kind.\r\n"])
def test_lines_for_several_agents_are_in_a_file_once(home, program, tmp_path, text):
    project = tmp_path / "project"
    project.mkdir()
    file = project / "AGENTS.md"
    file.write_bytes(text.encode())
    assert instructions(home, project, "copilot") == [("copilot", "written")]
    assert instructions(home, project, "cline", "goose") == [
        ("cline", "unchanged"),
        ("goose", "unchanged"),
    ]
    assert file.read_bytes().count(b"search_skills") == 1
    assert (b"\r\n" in file.read_bytes()) == ("\r\n" in text)
    assert done(uninstall(["copilot"])) == [("copilot", "unchanged")]
    assert done(uninstall(["goose"])) == [("goose", "unchanged")]
    assert b"search_skills" in file.read_bytes()
    assert done(uninstall()) == [("cline", "restored")]
    assert file.read_bytes() == text.encode()


def test_lines_are_taken_out_of_a_file_that_changed_since(home, program, tmp_path):
    file = tmp_path / "AGENTS.md"
    instructions(home, tmp_path, "windsurf")
    ours = file.read_text()
    file.write_text(f"# Ours\n\n{ours}\nBe kind.\n")
    assert done(install(["windsurf"], tmp_path)) == [("windsurf", "unchanged")]
    assert done(uninstall()) == [("windsurf", "cleaned")]
    assert file.read_text() == "# Ours\n\n\nBe kind.\n"
    file.write_text(ours)  # somebody else's copy, from the repository
    (step,) = install(["windsurf"], tmp_path)
    assert (step.done, step.message) == ("unchanged", "it is there already, not written by install")
    assert uninstall() == []


def test_two_owners_in_one_file_do_not_disturb_each_other(home, program):
    file = home / ".gemini" / "settings.json"
    file.parent.mkdir()
    client = find_client("gemini-cli")

    def serve(*more):
        edits = targets.server_edits(client, ["/bin/skillret", "mcp", *more])
        return write_change(Change("mcp gemini-cli", client.title, file, home, edits)).done

    for first in (True, False):
        for text in (None, SETTINGS):
            if text is not None:
                file.write_text(text)
            install() if first else serve()
            serve() if first else install()
            assert serve("--library", "/x") == "written"
            assert set(jsonc.parse(file.read_text())) >= {"hooks", "mcpServers"}
            assert done(uninstall(clients=["gemini"])) == [("mcp gemini-cli", "cleaned")]
            assert "mcpServers" not in file.read_text()
            serve()
            if first:
                uninstall()
            else:
                file.write_text(file.read_text().replace('"model"', '"Model"'))
                assert {s.state for s in status()} == {"broken", "installed"}  # no such program
                uninstall(["gemini-cli"])
            got = file.read_text() if file.exists() else None
            assert got == (text if first or text is None else text.replace("model", "Model"))
            file.unlink(missing_ok=True)


def test_targets_are_agents_of_the_table():
    for target in targets.TARGETS:
        assert find_agent(target.agent).name == target.agent


def test_an_agent_with_two_parts_in_one_file_is_called_once(home, program):
    file = home / ".gemini" / "settings.json"
    file.parent.mkdir()
    install(["gemini"])
    client = find_client("gemini-cli")
    edits = targets.server_edits(client, ["skillret", "mcp"])
    write_change(Change("mcp gemini-cli", client.title, file, home, edits))
    assert [step.title for step in uninstall(dry_run=True)] == ["Gemini CLI, hooks and MCP"]
    assert [step.title for step in uninstall(clients=["gemini-cli"])] == ["Gemini CLI, MCP"]
    assert [step.title for step in uninstall()] == ["Gemini CLI"]
