"""Real clients beside the stub model: what they need, and what they send there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import SKILLS, write_skill

HERE = Path(__file__).parent
URL = "http://127.0.0.1:8399"

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


def prepare(agent, programs, home, tmp_path, monkeypatch):
    """Give a client skills, its files and a folder to run in; its environment and that folder."""
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
    return {"HOME": str(home), "PATH": path, **variables}, work


def texts(value):
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if not isinstance(value, str):
            yield from texts(child) if isinstance(child, str | dict | list) else ()


def asked(command, prompt, variables, work):
    """The requests that a client sends to the model with a prompt.

    `variables` are its whole environment, `work` is where it runs.
    """
    log = work.with_name("log.jsonl")
    log.unlink(missing_ok=True)
    environment = [f"{name}={value}" for name, value in variables.items()]
    whole = [HERE / "with_stub.sh", sys.executable, log, "env", "-i", *environment, *command]
    done = subprocess.run(
        [*map(str, whole), prompt], cwd=work, capture_output=True, text=True, timeout=240
    )
    assert log.exists(), done.stdout + done.stderr
    bodies = [json.loads(line)["body"] for line in log.read_text().splitlines()]
    found = [json.loads(body) for body in bodies if prompt in body]
    assert found, done.stdout + done.stderr
    return found


def sent(*arguments):
    """All strings in these requests."""
    return list(texts(asked(*arguments)))
