"""Real agents with the plugin, installed as each of them installs one, offline."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from tests.conftest import SKILLS, write_skill
from tests.real_agents.calls import CLIENTS, FITTING, NEEDLESS, sent

from skillret.agents.install.steps import status
from skillret.cli import main

HEAD = "skillret found installed skills"
NOTE = "Most of the installed skills are not listed here"
ADD = {
    "claude-code": [
        ["claude", "plugin", "marketplace", "add", "{folder}"],
        ["claude", "plugin", "install", "skillret@skillret"],
    ],
    "codex": [
        ["codex", "plugin", "marketplace", "add", "{folder}"],
        ["codex", "plugin", "add", "skillret@skillret"],
    ],
    "gemini-cli": [["gemini", "extensions", "install", "{folder}", "--consent"]],
}
REMOVE = {
    "claude-code": ["claude", "plugin", "uninstall", "skillret@skillret"],
    "codex": ["codex", "plugin", "remove", "skillret@skillret"],
    "gemini-cli": ["gemini", "extensions", "uninstall", "skillret"],
}


class Agent:
    """A client with a home of its own, and the plugin's folder."""

    def __init__(self, name, programs, program, home, tmp_path, state):
        place, files, variables, self.command = CLIENTS[name]
        self.name, self.work, self.folder = name, tmp_path / "work", tmp_path / "plugin"
        self.work.mkdir()
        for skill in SKILLS:
            write_skill(home / place, skill.name, skill.description, skill.body)
        for file, text in files.items():
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            (home / file).write_text(text)
        path = f"{program.parent}:{programs}:{os.environ['PATH']}"
        self.variables = {"HOME": str(home), "PATH": path, "XDG_STATE_HOME": state, **variables}
        assert main(["plugin", str(self.folder)]) == 0

    def run(self, *words, text="y\n"):
        command = [word.format(folder=self.folder) for word in words]
        return subprocess.run(
            ["unshare", "-n", "env", *(f"{k}={v}" for k, v in self.variables.items()), *command],
            cwd=self.work,
            env={},
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def done(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def warm(self, state):
        """Start what answers quickly: some clients wait for a hook no longer than it says."""
        event = {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": FITTING}
        self.run("skillret", "hook", self.name, text=json.dumps(event))
        end = time.monotonic() + 120
        while not list(Path(state).glob("skillret/agents/warm-*.sock")):
            assert time.monotonic() < end, self.done("skillret", "log")
            time.sleep(0.05)

    def sent(self, prompt, *more):
        command = [self.command[0], *more, *self.command[1:]]
        return sent(command, prompt, self.variables, self.work)


@pytest.fixture
def state():
    """A folder whose name is short enough for a socket; a warm process ends with it."""
    with tempfile.TemporaryDirectory(prefix="sr-", ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.fixture
def agent(programs, program, home, tmp_path, state, monkeypatch):
    def make(name):
        made = Agent(name, programs, program, home, tmp_path, state)
        monkeypatch.setenv("PATH", made.variables["PATH"])
        version = made.run(made.command[0], "--version")
        if version.returncode:
            pytest.skip(
                f"REAL CLIENT {name} NOT TESTED: it does not run here: {version.stderr[-300:]}"
            )
        made.warm(state)
        return made

    return make


def told(found):
    return [text for text in found if HEAD in text]


@pytest.mark.parametrize("name", ADD)
def test_the_plugin_tells_what_fits_and_nothing_else(name, agent):
    client = agent(name)
    for command in ADD[name]:
        client.done(*command)
    (state,) = [s for s in status() if s.agent == name]
    assert state.state == "plugin"
    found = told(client.sent(FITTING))
    assert found, client.done("skillret", "log")
    assert all(text.count(HEAD) == 1 and "pdf-tables" in text for text in found)
    assert told(client.sent(NEEDLESS)) == []
    client.done(*REMOVE[name])
    assert told(client.sent(FITTING)) == []
    (state,) = [s for s in status() if s.agent == name]
    assert state.state == "no"


def test_claude_code_finds_no_fault_with_it(agent):
    client = agent("claude-code")
    report = client.done("claude", "plugin", "validate", "--strict", "{folder}/plugins/skillret")
    assert "hooks: classic.SessionStart, prompt.submit, skill.prompt, prompt.attachment" in report
    client.done("claude", "plugin", "validate", "{folder}")


def test_the_mod_answers_once_whatever_other_hooks_there_are(agent):
    client = agent("claude-code")
    plugin = ["--plugin-dir", str(client.folder / "plugins" / "skillret")]
    assert main(["install", "claude-code"]) == 0
    with_mod = client.sent(FITTING, *plugin)
    assert "\n".join(with_mod).count(HEAD) == 1
    assert any("prompt.submit hook additional context" in text for text in told(with_mod))
    # As old versions and those without mods see it: two copies of the hook run at once.
    hooks = client.folder / "plugins" / "skillret" / "hooks" / "hooks.json"
    document = json.loads(hooks.read_text())
    del document["modules"]
    hooks.write_text(json.dumps(document))
    without = client.sent(FITTING, *plugin)
    assert "\n".join(without).count(HEAD) == 1
    assert any("UserPromptSubmit hook" in text for text in told(without))


def test_the_mod_tells_the_log_what_was_loaded(agent):
    client = agent("claude-code")
    plugin = ["--plugin-dir", str(client.folder / "plugins" / "skillret")]
    client.sent("/pdf-tables", *plugin)
    assert "loaded without being named: pdf-tables" in client.done("skillret", "log")


def test_in_library_mode_a_note_takes_the_place_of_the_listing(agent):
    client = agent("claude-code")
    listed = "Find out why pods crash"
    client.done(*ADD["claude-code"][0])
    client.done(*ADD["claude-code"][1], "--config", "library_mode=true")
    found = client.sent(FITTING)
    assert any(NOTE in text for text in found)
    assert not any(listed in text for text in found)
    assert told(found)
    # Where skillret cannot be called, all are listed.
    paths = client.variables["PATH"].split(":")
    client.variables["PATH"] = ":".join(p for p in paths if not Path(p, "skillret").exists())
    found = client.sent(FITTING)
    assert any(listed in text for text in found)
    assert not any(NOTE in text for text in found)
