import json
import os
import shlex
from pathlib import Path

import pytest
from tests.conftest import ROOT

from skillret import __version__
from skillret.agents.mcp_clients import CLIENTS
from skillret.cli import main

try:
    import tomllib
except ImportError:
    import tomli as tomllib


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_what_is_printed_is_a_file_of_the_client(client, capsys, library, monkeypatch):
    monkeypatch.chdir(library.parent)
    given = ["--client", client.name, "--library", "library", "--agent", "codex"]
    assert main(["mcp", "print", *given]) == 0
    printed = capsys.readouterr()
    assert client.file in printed.err
    read = tomllib.loads if client.file.endswith(".toml") else json.loads
    entry = read(printed.out)[client.key]["skillret"]
    command = entry["command"]
    words = command if isinstance(command, list) else [command, *entry["args"]]
    assert Path(words[0]).is_absolute()
    assert words[words.index("mcp") :] == ["mcp", "--library", str(library), "--agent", "codex"]
    assert main(["mcp", "print", "--client", client.name, "--http", "--port", "9"]) == 0
    entry = read(capsys.readouterr().out)[client.key]["skillret"]
    assert "http://127.0.0.1:9/mcp" in entry.values()
    assert "command" not in entry


def program(folder, name, says, status):
    """A client's own program, which notes how it was called."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\necho "{says}" >&2\nexit {status}\n')
    file.chmod(0o755)


@pytest.mark.parametrize(("client", "name"), [("claude-code", "claude"), ("codex", "codex")])
def test_install_calls_the_clients_own_program(client, name, tmp_path, monkeypatch, capsys):
    if os.name == "nt":
        pytest.skip("a shell script stands in for the client")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert main(["mcp", "install", "--client", client]) == 1
    assert f"there is no program {name}" in capsys.readouterr().err
    monkeypatch.undo()
    program(tmp_path / "bin", name, "fine", 0)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert main(["mcp", "install", "--client", client, "--dry-run"]) == 0
    shown = shlex.split(capsys.readouterr().out)
    assert not (tmp_path / "bin" / "calls").exists()
    assert main(["mcp", "install", "--client", client]) == 0
    assert (tmp_path / "bin" / "calls").read_text().split() == shown[1:]
    assert shown[:3] == [name, "mcp", "add"]
    assert shown[-1] == "mcp"
    capsys.readouterr()
    program(tmp_path / "bin", name, "MCP server skillret already exists", 1)
    assert main(["mcp", "install", "--client", client]) == 0
    assert f"first: {name} mcp remove skillret" in capsys.readouterr().err
    program(tmp_path / "bin", name, "out of order", 3)
    assert main(["mcp", "install", "--client", client]) == 1
    assert "failed (3): out of order" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["print"], "name a client: --client claude-code, "),
        (["print", "--client", "notepad"], "unknown client 'notepad': choose claude-code, "),
        (["install", "--client", "cursor"], "skillret mcp print --client cursor"),
        (["install", "--client", "codex", "--scope", "project"], "leave out --scope"),
        (["print", "--client", "cline", "--scope", "project"], "leave out --scope"),
        (["print", "--client", "cursor", "--http", "--port", "0"], "give --port"),
        (["--client", "cursor"], "go with install or print"),
        (["--api-key-file", "x"], "go with --http"),
        (["--http", "--host", "0.0.0.0"], "give a key"),
        (["--http", "--api-key-file", "none"], "cannot read the key of none"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, message, capsys):
    assert main(["mcp", *arguments]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_registry_is_told_this_version():
    entry = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    assert entry["version"] == __version__
    assert [package["version"] for package in entry["packages"]] == [__version__]
    assert entry["packages"][0]["packageArguments"][0]["value"] == "mcp"
    assert len(entry["description"]) <= 100
