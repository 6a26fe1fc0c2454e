"""Real agents with the MCP server, added as each of them takes one, offline."""

import pytest
from tests.real_agents.calls import CLIENTS, FITTING, asked, prepare, texts, tree

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
    _, files, _, command = CLIENTS[agent]
    variables, work = prepare(agent, programs, home, tmp_path, monkeypatch)
    before = tree(home)

    def offered(*more):
        first, *rest = command
        bodies = asked([first, *more, *rest], FITTING, {**VARIABLES, **variables}, work)
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
