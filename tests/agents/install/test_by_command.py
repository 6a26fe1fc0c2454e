"""Clients that keep their servers by a command of their own: a program that stands in for one."""

import json
import os
import sys
from pathlib import Path

import pytest

from skillret.agents.install.by_command import tell, untell
from skillret.agents.install.manifest import Manifest, Told
from skillret.agents.install.steps import status, uninstall
from skillret.agents.mcp_clients import find_client
from skillret.errors import InputError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script stands in for the client")

# Keeps the names of servers in a file, by scope and folder, as Claude Code does.
_PROGRAM = """#!{python}
import os, pathlib, sys
words = sys.argv[1:]
file = pathlib.Path({folder!r}, "servers")
servers = set(file.read_text().split()) if file.exists() else set()
scope = words[words.index("--scope") + 1] if "--scope" in words else "user"
server = scope + ":" + (os.getcwd() if scope == "project" else "")
if "add" in words:
    if server in servers:
        sys.exit("MCP server skillret already exists")
    servers.add(server)
elif server in servers:
    servers.remove(server)
else:
    sys.exit("No MCP server found with name: skillret")
file.write_text("\\n".join(sorted(servers)))
"""
CLAUDE = find_client("claude-code")


@pytest.fixture
def client(tmp_path, monkeypatch):
    """The folder in which Claude Code's program keeps its servers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "claude"
    program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def add(project: Path | None = None) -> bool:
    words = CLAUDE.add_command(["skillret", "mcp"], scope="project" if project else "user")
    return tell(CLAUDE, words, project)


def servers(folder):
    return (folder / "servers").read_text().split()


def test_uninstall_takes_back_what_a_client_was_told(home, client):
    assert add()
    assert Manifest().told == {Told("claude-code", "")}
    (shown,) = (state for state in status() if state.title == "Claude Code, MCP")
    assert (shown.state, shown.file, shown.there) == ("installed", None, True)
    (step,) = uninstall(dry_run=True)
    assert step.message == "would run `claude mcp remove --scope user skillret`"
    assert servers(client) == ["user:"]
    assert uninstall(["codex"]) == []
    (step,) = uninstall(["claude-code"])
    assert step.message == "taken out by `claude mcp remove --scope user skillret`"
    assert servers(client) == []
    assert uninstall() == []
    assert not Manifest().folder.exists()


def test_what_its_user_has_added_stays(home, client):
    (client / "servers").write_text("user:")
    assert not add()
    assert uninstall() == []
    assert servers(client) == ["user:"]


def test_a_project_is_told_by_itself(home, client, tmp_path):
    projects = [tmp_path / "a", tmp_path / "b"]
    for project in projects:
        project.mkdir()
        assert add(project)
    assert add()
    (step,) = uninstall(project=projects[0])
    assert step.message == "taken out by `claude mcp remove --scope project skillret`"
    assert servers(client) == [f"project:{projects[1]}", "user:"]
    projects[1].rmdir()
    assert [step.message for step in uninstall()] == [
        "taken out by `claude mcp remove --scope user skillret`",
        f"its project {projects[1]} is gone",
    ]
    assert not Manifest().folder.exists()


def test_what_somebody_has_taken_out_is_forgotten(home, client):
    add()
    (client / "servers").write_text("")
    (step,) = uninstall()
    assert step.message == "somebody has taken it out already"
    assert uninstall() == []


def test_untell_is_forgotten_too(home, client):
    add()
    assert untell(CLAUDE, CLAUDE.remove_command())
    assert not untell(CLAUDE, CLAUDE.remove_command())
    assert uninstall() == []


def test_a_client_that_is_gone_is_remembered(home, client):
    add()
    program = client / "claude"
    program.rename(client / "away")
    (step,) = uninstall()
    assert step.done == "refused"
    assert "run `claude mcp remove --scope user skillret`" in step.message
    (client / "away").rename(program)
    assert [step.done for step in uninstall()] == ["cleaned"]


def test_a_program_that_fails_notes_nothing(home, client):
    (client / "claude").write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    with pytest.raises(InputError, match=r"failed \(3\): out of order"):
        add()
    (client / "claude").write_text("no program")
    with pytest.raises(InputError, match=r"cannot start .*claude: "):
        add()
    assert not Manifest().folder.exists()


def test_what_an_older_skillret_wrote_is_read(home, client):
    add()
    file = Manifest().folder / "manifest.json"
    data = json.loads(file.read_text())
    assert data.pop("told") == [["claude-code", ""]]
    file.write_text(json.dumps(data))
    assert Manifest().told == set()
