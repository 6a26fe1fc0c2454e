"""Real agents with the MCP server, added as each of them takes one, offline."""

import os

import pytest
from tests.clients.calls import asked, texts
from tests.clients.test_real_clients import CLIENTS, FITTING, tree
from tests.conftest import SKILLS, write_skill

from skillret.cli import main

# What makes a client wait for its servers before it first asks the model, and offer their tools
# where nobody can be asked whether they may be called.
WAITING = {
    "codex": ["-c", "mcp_servers.skillret.required=true"],
    "gemini-cli": ["--approval-mode", "yolo"],
}
VARIABLES = {"MCP_CONNECTION_NONBLOCKING": "0", "MCP_CONNECT_TIMEOUT_MS": "60000"}  # Claude Code
SEARCH, READ = "Find the installed skills", "Read the instructions of a skill"


@pytest.mark.parametrize("agent", CLIENTS)
def test_the_tools_are_among_those_of_the_client(
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
    variables = {"HOME": str(home), "PATH": path, **VARIABLES, **variables}
    before = tree(home)

    def offered(*more):
        first, *rest = command
        bodies = asked([first, *more, *rest], FITTING, variables, work)
        return [text for body in bodies for text in texts(body.get("tools") or [])]

    assert main(["mcp", "install", "--client", agent]) == 0
    found = offered(*WAITING.get(agent, []))
    for name, description in (("search_skills", SEARCH), ("read_skill", READ)):
        assert any(text.endswith(name) for text in found), found
        assert any(text.startswith(description) for text in found)

    assert main(["mcp", "uninstall", "--client", agent]) == 0
    found = offered()
    assert not any(text.startswith((SEARCH, READ)) for text in found)
    after = tree(home)
    assert [after.get(home / name) for name in files] == [before[home / name] for name in files]
