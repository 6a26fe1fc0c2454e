import errno
import json
import os
import sys
import threading

import pytest

from skillret.agents import commands
from skillret.agents.install import targets
from skillret.agents.install.manifest import Manifest
from skillret.agents.install.steps import install, status, uninstall
from skillret.errors import InputError, SkillretError
from skillret.files import parse_json
from skillret.skills.agents import find_agent

SETTINGS = '{\n  // by hand\n  "model": "opus",\n}\n'


@pytest.fixture
def program(monkeypatch):
    words = ["/opt/my tools/skillret"]
    monkeypatch.setattr(commands, "_program", lambda: list(words))
    monkeypatch.setenv("PATH", "/nowhere")
    return words


@pytest.fixture
def claude(home, program):
    file = home / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text(SETTINGS)
    return file


def tree(folder):
    return {f: f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


def done(steps):
    return [(step.target.agent, step.done) for step in steps]


def refused(*names, do=install):
    (step,) = do(names)
    assert step.done == "refused"
    assert "\n" not in step.message
    return step.message


def test_every_agent_is_given_something_once_and_it_all_goes_again(home, program):
    for target in targets.TARGETS:
        (home / target.folder).mkdir(parents=True)
    before = tree(home)
    assert done(install(dry_run=True)) == [*done(install())[:9], ("goose", "by hand")]
    written = tree(home)
    assert {step.done for step in install()} == {"unchanged", "by hand"}
    assert tree(home) == written
    assert [s.state for s in status()] == ["installed"] * 9 + ["no"]
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
        "timeout": 5,
    }
    gemini = json.loads((home / ".gemini/settings.json").read_text())
    assert gemini["hooks"]["BeforeAgent"][0]["hooks"][0]["timeout"] == 5000
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


def test_another_command_takes_the_place_of_the_old_one(claude, program):
    install()
    program[0] = "/new/skillret"
    assert [s.state for s in status()] == ["outdated"]
    assert done(install()) == [("claude-code", "written")]
    assert claude.read_text().count("skillret hook") == 3
    assert "my tools" not in claude.read_text()
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
    assert [(s.state, s.there) for s in status()] == [("installed", False)]
    uninstall()
    assert list(moved.iterdir()) == []


def test_a_project_has_files_of_its_own(claude, home, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    assert done(install([], project)) == [("claude-code", "written")]
    parse_json((project / ".claude" / "settings.local.json").read_text())
    assert claude.read_text() == SETTINGS
    (home / ".copilot").mkdir()
    (step,) = install(["copilot"], project)
    assert "no file of a project" in step.message
    install()
    assert len(uninstall([], project)) == 1
    assert list(project.iterdir()) == []
    assert "skillret" in claude.read_text()


def test_targets_are_agents_of_the_table():
    for target in targets.TARGETS:
        assert find_agent(target.agent).name == target.agent
