"""Real agents, offline, against a stub model: what they send after `skillret install`."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.clients.calls import URL, sent
from tests.conftest import SKILLS, write_skill

from skillret.cli import main

FITTING = "Extract the tables from this scanned PDF into a spreadsheet"
NEEDLESS = "Thanks, that is all for today"
CODEX = f"""\
model = "stub"
model_provider = "stub"

[model_providers.stub]
name = "stub"
base_url = "{URL}/v1"
wire_api = "responses"
env_key = "STUB_KEY"
"""
GEMINI = '{\n  // chosen by hand\n  "security": {"auth": {"selectedType": "gemini-api-key"}}\n}\n'
OPENCODE = {
    "$schema": "https://opencode.ai/config.json",  # or else it is put in at the first start
    "model": "stub/stub",
    "autoupdate": False,
    "provider": {
        "stub": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "stub",
            "options": {"baseURL": f"{URL}/v1", "apiKey": "x"},
            "models": {"stub": {"name": "stub"}},
        }
    },
}
# Agent: where its skills are, what its home holds, its environment, its command.
CLIENTS = {
    "claude-code": (
        ".claude/skills",
        {".claude/settings.json": '{"cleanupPeriodDays": 3}'},
        {
            "ANTHROPIC_BASE_URL": URL,
            "ANTHROPIC_API_KEY": "dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        ["claude", "-p"],
    ),
    "codex": (
        ".codex/skills",
        {".codex/config.toml": CODEX},
        {"STUB_KEY": "x"},
        ["codex", "exec", "--dangerously-bypass-hook-trust", "--skip-git-repo-check"],
    ),
    "gemini-cli": (
        ".gemini/skills",
        {".gemini/settings.json": GEMINI},
        {
            "GOOGLE_GEMINI_BASE_URL": URL,
            "GEMINI_API_KEY": "dummy",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        # With a model named it does not ask another model first which one to ask.
        ["gemini", "-m", "gemini-2.5-pro", "-p"],
    ),
    "opencode": (
        ".config/opencode/skills",
        {".config/opencode/opencode.json": json.dumps(OPENCODE)},
        # Without the network it would try for a minute to fetch types for plugins.
        {"OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_fetch_retries": "0"},
        ["opencode", "run"],
    ),
}


def tree(folder: Path):
    return {f: f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


def context_for(program, agent, prompt, cwd):
    """What the hook hands over when it is called by hand."""
    names = {"gemini-cli": "BeforeAgent", "opencode": "chat.message"}
    name = names.get(agent, "UserPromptSubmit")
    event = {"hook_event_name": name, "session_id": prompt, "cwd": str(cwd)}
    done = subprocess.run(
        [str(program), "hook", agent],
        input=json.dumps({**event, "prompt": prompt}),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = done.stdout.strip()
    if not answer.startswith("{"):
        return answer
    found = json.loads(answer)
    return found.get("hookSpecificOutput", found)["additionalContext"]


@pytest.mark.parametrize("agent", CLIENTS)
def test_an_agent_is_told_what_fits_and_nothing_else(
    agent, programs, program, home, tmp_path, monkeypatch
):
    place, files, variables, command = CLIENTS[agent]
    for skill in SKILLS:
        write_skill(home / place, skill.name, skill.description, skill.body)
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    path = f"{programs}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    version = subprocess.run([command[0], "--version"], capture_output=True, text=True)
    if version.returncode:
        pytest.skip(
            f"REAL CLIENT {agent} NOT TESTED: it does not run here: {version.stderr[-300:]}"
        )
    before = tree(home)

    def told(prompt):
        return sent(command, prompt, {"HOME": home, "PATH": path, **variables}, work)

    assert main(["install", agent, "--no-index"]) == 0
    assert main(["uninstall"]) == 0
    assert tree(home) == before

    assert main(["install", agent]) == 0
    written = {file for file, data in tree(home).items() if before.get(file) != data}
    context = context_for(program, agent, FITTING, work)
    first = context.splitlines()[0]
    found = [text for text in told(FITTING) if first in text]
    # Where it was told nothing, what the hook says of it.
    assert found, subprocess.run([program, "log"], capture_output=True, text=True).stdout
    assert all("pdf-tables" in text for text in found)
    assert all(str(home / place / "pdf-tables" / "SKILL.md") in text for text in found)

    assert context_for(program, agent, NEEDLESS, work) == ""
    assert not [text for text in told(NEEDLESS) if first in text]

    assert main(["uninstall", "--purge"]) == 0
    after = tree(home)
    assert {file: after.get(file) for file in before} == before
    left = [file for file in written - before.keys() if file in after and file.is_file()]
    assert left == []
