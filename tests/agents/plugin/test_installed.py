import json

import pytest

from skillret.agents.install.steps import install, status, uninstall
from skillret.agents.plugin.installed import installed_plugin

KEY = "skillret@team"
CLAUDE = {"version": 2, "plugins": {"a@b": [], KEY: [{"scope": "user", "version": "0.1.0"}]}}
CODEX = f'[plugins."{KEY}"]\nenabled = true\n'
GEMINI = {"name": "skillret", "version": "0.1.0"}


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text if isinstance(text, str) else json.dumps(text))


def test_it_is_found_where_agents_record_it(home):
    agents = ("claude-code", "codex", "gemini-cli", "cursor")
    assert [installed_plugin(agent, home) for agent in agents] == [None] * 4
    write(home / ".claude/plugins/installed_plugins.json", CLAUDE)
    write(home / ".codex/config.toml", CODEX)
    write(home / ".gemini/extensions/skillret/gemini-extension.json", GEMINI)
    found = [installed_plugin(agent, home) for agent in agents]
    assert [f and f.id for f in found] == [KEY, KEY, "skillret", None]
    assert found[1].remove == f"codex plugin remove {KEY}"


def test_one_that_is_turned_off_does_not_count(home):
    write(home / ".claude/plugins/installed_plugins.json", CLAUDE)
    write(home / ".claude/settings.json", {"enabledPlugins": {KEY: False}})
    write(home / ".codex/config.toml", CODEX.replace("true", "false"))
    assert installed_plugin("claude-code", home) is None
    assert installed_plugin("codex", home) is None


def test_folders_that_were_moved_are_looked_into(home, tmp_path, monkeypatch):
    write(tmp_path / "cache" / "installed_plugins.json", CLAUDE)
    monkeypatch.setenv("CLAUDE_CODE_PLUGIN_CACHE_DIR", str(tmp_path / "cache"))
    assert installed_plugin("claude-code", home).id == KEY


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plugins": []}', "\0", "[" * 100_000, "a = "])
def test_records_that_are_damaged_say_nothing(home, text):
    write(home / ".claude/plugins/installed_plugins.json", text)
    write(home / ".claude/settings.json", text)
    write(home / ".codex/config.toml", text)
    write(home / ".gemini/extensions/skillret/gemini-extension.json", text)
    for agent in ("claude-code", "codex", "gemini-cli"):
        assert installed_plugin(agent, home) is None


def test_install_writes_no_hooks_beside_it_and_says_so(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    write(home / ".claude/plugins/installed_plugins.json", CLAUDE)
    (step,) = install()
    assert (step.done, step.after) == ("unchanged", None)
    assert KEY in step.message
    assert step.message.endswith(f"claude plugin uninstall {KEY}")
    assert not (home / ".claude/settings.json").exists()
    (state,) = status()
    assert (state.state, KEY in state.message) == ("plugin", True)


def test_status_tells_of_hooks_beside_it(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (home / ".claude").mkdir()
    install()
    write(home / ".claude/plugins/installed_plugins.json", CLAUDE)
    (state,) = status()
    assert state.state == "plugin"
    assert "`skillret uninstall` takes those out" in state.message
    (step,) = uninstall()
    assert step.done == "removed"
    assert status()[0].message == f"it has the plugin {KEY}, which asks at each prompt"
