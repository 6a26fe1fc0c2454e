import json
import sys

import pytest

from skillret import __version__
from skillret.agents import commands
from skillret.agents.plugin import plugin_files, write_plugin
from skillret.errors import InputError
from tests.conftest import ROOT


def test_the_repository_holds_what_is_written():
    for path, text in plugin_files().items():
        found = (ROOT / path).read_bytes().replace(b"\r\n", b"\n").decode()
        assert found == text, f"{path}: run `skillret plugin .` here"


def test_every_version_is_that_of_the_package():
    documents = [json.loads(t) for path, t in plugin_files().items() if path.endswith(".json")]
    found = [d.get("version", d.get("metadata", {}).get("version")) for d in documents]
    assert [v for v in found if v] == [__version__] * 4


@pytest.mark.parametrize(
    ("path", "agent", "events"),
    [
        (
            "hooks/hooks.json",
            "gemini-cli",
            ["BeforeAgent", "SessionStart", "PreCompress", "AfterTool"],
        ),
        (
            "plugins/skillret/hooks/hooks.json",
            "claude-code",
            ["UserPromptSubmit", "SessionStart", "PostToolUse"],
        ),
        ("plugins/skillret/hooks/codex.json", "codex", ["UserPromptSubmit", "SessionStart"]),
    ],
)
def test_its_hooks_call_skillret_by_its_name(path, agent, events):
    hooks = json.loads(plugin_files()[path])["hooks"]
    assert list(hooks) == events
    for (group,) in hooks.values():
        (hook,) = group["hooks"]
        assert hook["command"] == f"skillret hook {agent}"
        assert "args" not in hook


def test_it_can_call_this_very_program(monkeypatch):
    program = ["/opt/my tools/skillret"]
    monkeypatch.setattr(commands, "_program", lambda: list(program))
    files = plugin_files(absolute=True)
    assert f"const PROGRAM = {json.dumps(program)}\n" in files["plugins/skillret/hooks/register.js"]
    (group,) = json.loads(files["hooks/hooks.json"])["hooks"]["BeforeAgent"]
    assert "/opt/my tools/skillret" in group["hooks"][0]["command"]


def test_it_is_written_once_and_mended(tmp_path):
    folder = tmp_path / "a" / "plugin"
    assert set(write_plugin(folder).values()) == {"written"}
    assert set(write_plugin(folder).values()) == {"unchanged"}
    (folder / "hooks" / "hooks.json").write_bytes(b"\xff")
    (folder / "gemini-extension.json").unlink()
    (folder / "mine.txt").write_text("kept")
    done = write_plugin(folder)
    written = {path for path, what in done.items() if what == "written"}
    assert written == {"hooks/hooks.json", "gemini-extension.json"}
    assert {p: (folder / p).read_text() for p in done} == plugin_files()
    assert (folder / "mine.txt").read_text() == "kept"


def test_no_other_folder_is_written_to(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is no folder"):
        write_plugin(tmp_path / "file")
    mark = tmp_path / "other" / ".claude-plugin" / "marketplace.json"
    mark.parent.mkdir(parents=True)
    for text in ("{", "[]", '{"name": "other"}', "[" * 100_000):
        mark.write_text(text)
        with pytest.raises(InputError, match="holds something else"):
            write_plugin(mark.parents[1])
        assert list(mark.parents[1].rglob("*")) == [mark.parent, mark]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_no_link_leads_out_of_the_folder(tmp_path):
    folder, outside = tmp_path / "plugin", tmp_path / "outside"
    write_plugin(folder)
    (folder / "hooks" / "hooks.json").unlink()
    (folder / "hooks").rmdir()
    outside.mkdir()
    (folder / "hooks").symlink_to(outside)
    with pytest.raises(InputError, match="leads out of"):
        write_plugin(folder)
    assert list(outside.iterdir()) == []
