"""Real agents, offline, against a stub model: what they send after `skillret install`."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest
from tests.conftest import SKILLS, write_skill

import skillret
from skillret.agents import commands
from skillret.cli import main

# The versions that this was seen with: clients change.
VERSIONS = {
    "@anthropic-ai/claude-code": "2.1.332",
    "@openai/codex": "0.171.0",
    "@google/gemini-cli": "0.61.0",
    "opencode-ai": "1.18.33",
}
HERE = Path(__file__).parent
URL = "http://127.0.0.1:8399"
FITTING = "Extract the tables from this scanned PDF into a spreadsheet"
NEEDLESS = "Thanks, that is all for today"
CACHE = os.environ.get("SKILLRET_TEST_CLIENTS") or platformdirs.user_cache_path(
    "skillret-tests", appauthor=False
)

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
_PATIENCE = 180  # seconds; the next run goes on where npm was cut off


@pytest.fixture(scope="module")
def programs():
    """The folder with the clients' programs, installed on first use."""
    missing = [name for name in ("npm", "node", "unshare", "ip") if shutil.which(name) is None]
    if missing or getattr(os, "geteuid", lambda: 1)() != 0:
        pytest.skip(f"REAL CLIENTS NOT TESTED: needs root, and {missing or 'has'} the programs")
    apart = ["unshare", "-n", "ip", "link", "set", "lo", "up"]
    if subprocess.run(apart, capture_output=True).returncode:
        pytest.skip("REAL CLIENTS NOT TESTED: no network of its own can be made here")
    folder = Path(CACHE)
    modules = folder / "node_modules"
    if not all(_version(modules / name) == version for name, version in VERSIONS.items()):
        wanted = [f"{name}@{version}" for name, version in VERSIONS.items()]
        command = ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(folder), *wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.skip(
                f"REAL CLIENTS NOT TESTED: npm took more than {_PATIENCE} s to install them"
            )
        if done.returncode:
            pytest.skip(f"REAL CLIENTS NOT TESTED: npm cannot install them: {done.stderr[-300:]}")
    return modules / ".bin"


def _version(package):
    file = package / "package.json"
    return json.loads(file.read_text())["version"] if file.exists() else None


@pytest.fixture
def program(tmp_path, monkeypatch):
    """What is installed: this very skillret, whatever environment it was installed into."""
    file = tmp_path / "bin" / "skillret"
    file.parent.mkdir()
    path = shlex.quote(str(Path(skillret.__file__).parents[1]))
    python = shlex.quote(sys.executable)
    # More than two seconds, as this may be a busy machine.
    variables = f"PYTHONPATH={path} SKILLRET_HOOK_SECONDS=30"
    file.write_text(f'#!/bin/sh\n{variables} exec {python} -m skillret "$@"\n')
    file.chmod(0o755)
    monkeypatch.setattr(commands, "_program", lambda: [str(file)])
    return file


def tree(folder: Path):
    return {f: f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


def texts(value):
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if not isinstance(value, str):
            yield from texts(child) if isinstance(child, str | dict | list) else ()


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

    def sent(prompt):
        """All strings that the agent sends to the model."""
        log = tmp_path / "log.jsonl"
        log.unlink(missing_ok=True)
        environment = [f"{k}={v}" for k, v in {"HOME": home, "PATH": path, **variables}.items()]
        whole = [HERE / "with_stub.sh", sys.executable, log, "env", "-i", *environment, *command]
        done = subprocess.run(
            [*map(str, whole), prompt], cwd=work, capture_output=True, text=True, timeout=240
        )
        assert log.exists(), done.stdout + done.stderr
        bodies = [json.loads(line)["body"] for line in log.read_text().splitlines()]
        found = [text for body in bodies if prompt in body for text in texts(json.loads(body))]
        assert found, done.stdout + done.stderr
        return found

    assert main(["install", agent, "--no-index"]) == 0
    assert main(["uninstall"]) == 0
    assert tree(home) == before

    assert main(["install", agent]) == 0
    written = {file for file, data in tree(home).items() if before.get(file) != data}
    context = context_for(program, agent, FITTING, work)
    first = context.splitlines()[0]
    told = [text for text in sent(FITTING) if first in text]
    # Where it was told nothing, what the hook says of it.
    assert told, subprocess.run([program, "log"], capture_output=True, text=True).stdout
    assert all("pdf-tables" in text for text in told)
    assert all(str(home / place / "pdf-tables" / "SKILL.md") in text for text in told)

    assert context_for(program, agent, NEEDLESS, work) == ""
    assert not [text for text in sent(NEEDLESS) if first in text]

    assert main(["uninstall", "--purge"]) == 0
    after = tree(home)
    assert {file: after.get(file) for file in before} == before
    left = [file for file in written - before.keys() if file in after and file.is_file()]
    assert left == []
