"""The real clients, and the skillret that they call."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

import skillret
from skillret.agents import commands

# The versions that this was seen with: clients change.
VERSIONS = {
    "@anthropic-ai/claude-code": "2.1.332",
    "@openai/codex": "0.171.0",
    "@google/gemini-cli": "0.61.0",
    "opencode-ai": "1.18.33",
}
CACHE = os.environ.get("SKILLRET_TEST_CLIENTS") or platformdirs.user_cache_path(
    "skillret-tests", appauthor=False
)
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
