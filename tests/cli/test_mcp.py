import json
import os
import re
import shlex
from pathlib import Path

import pytest
from tests.conftest import ROOT

from skillret import __version__
from skillret.agents.install import jsonc
from skillret.agents.mcp_clients import CLIENTS, find_client
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
    (tmp_path / "bin" / "calls").unlink()
    program(tmp_path / "bin", name, "removed", 0)
    assert main(["mcp", "uninstall", "--client", client]) == 0
    assert (tmp_path / "bin" / "calls").read_text().split()[:2] == ["mcp", "remove"]
    program(tmp_path / "bin", name, "No MCP server found with name: skillret", 1)
    assert main(["mcp", "uninstall", "--client", client]) == 0
    assert "does not have it" in capsys.readouterr().err
    program(tmp_path / "bin", name, "out of order", 3)
    assert main(["mcp", "install", "--client", client]) == 1
    assert "failed (3): out of order" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["print"], "name a client: --client claude-code, "),
        (["print", "--client", "notepad"], "unknown client 'notepad': choose claude-code, "),
        (["install", "--client", "vscode"], "skillret mcp print --client vscode"),
        (["install", "--client", "cline", "--scope", "project"], "leave out --scope"),
        (["install", "--client", "codex", "--scope", "project"], "leave out --scope"),
        (["print", "--client", "cline", "--scope", "project"], "leave out --scope"),
        (["install", "--client", "cursor", "--library", "nosuch"], "there is no folder nosuch"),
        (["install", "--client", "cursor", "--agent", "foo"], "unknown agent 'foo'"),
        (["install", "--client", "cursor", "--index", "nosuch.db"], "no index at nosuch.db"),
        (["print", "--client", "cursor", "--http", "--port", "0"], "give --port"),
        (["--client", "cursor"], "go with install, uninstall or print"),
        (["--api-key-file", "x"], "go with --http"),
        (["--http", "--host", "0.0.0.0"], "give a key"),
        (["--http", "--api-key-file", "none"], "cannot read the key of none"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, message, capsys, home):
    assert main(["mcp", *arguments]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not any(home.iterdir())


FILES = [c for c in CLIENTS if c.program is None and c.file.startswith("~/")]


@pytest.mark.parametrize("client", FILES, ids=lambda client: client.name)
@pytest.mark.parametrize("text", [None, '{\n  // mine\n  "a": {"b": 1},\n}\n'])
def test_install_writes_a_client_s_file_and_takes_it_back(client, text, home, library, capsys):
    file = Path(client.file).expanduser()
    if text is not None:
        file.parent.mkdir(parents=True)
        file.write_text(text)
    before = {f: f.read_bytes() for f in home.rglob("*") if f.is_file()}
    given = ["--client", client.name, "--library", str(library)]
    assert main(["mcp", "install", *given, "--dry-run"]) == 0
    assert "would write" in capsys.readouterr().out
    assert {f: f.read_bytes() for f in home.rglob("*") if f.is_file()} == before
    for did in ("wrote", "nothing to do in"):
        assert main(["mcp", "install", *given]) == 0
        assert f"{client.title}: {did} {client.file}" in capsys.readouterr().out
    entry = jsonc.parse(file.read_text())[client.key]["skillret"]
    words = entry["command"] if "args" not in entry else [entry["command"], *entry["args"]]
    assert words[-3:] == ["mcp", "--library", str(library)]
    assert main(["mcp", "install", "--client", client.name, "--http"]) == 0
    assert "127.0.0.1" in file.read_text()
    assert str(library) not in file.read_text()
    capsys.readouterr()
    assert main(["status"]) == 0
    assert re.search(rf", MCP: installed +{re.escape(client.file)}\n", capsys.readouterr().out)
    if client.name in ("cline", "copilot", "windsurf"):  # which install gives the same entry
        assert main(["install", client.name, "--no-index"]) == 0
        assert f"nothing to do in {client.file}" in capsys.readouterr().out
        assert main(["uninstall", client.name]) == 0
        assert main(["mcp", "install", *given]) == 0
    assert main(["mcp", "uninstall", "--client", client.name]) == 0
    assert {f: f.read_bytes() for f in home.rglob("*") if f.is_file()} == before
    assert main(["mcp", "uninstall", "--client", client.name]) == 0
    assert "nothing is installed" in capsys.readouterr().err


def test_a_project_has_a_file_of_its_own(tmp_path, monkeypatch, capsys):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    monkeypatch.chdir(project)
    assert main(["mcp", "install", "--client", "vscode", "--scope", "project"]) == 0
    entry = json.loads((project / ".vscode" / "mcp.json").read_text())["servers"]["skillret"]
    assert entry["type"] == "stdio"
    assert main(["mcp", "uninstall", "--client", "vscode", "--scope", "project"]) == 0
    assert [f.name for f in project.iterdir()] == [".git"]


def test_a_client_s_file_may_have_another_name_or_place(home, tmp_path, monkeypatch):
    opencode = home / ".config" / "opencode"
    opencode.mkdir(parents=True)
    (opencode / "opencode.jsonc").write_text("{}")
    assert find_client("opencode").place(home).name == "opencode.jsonc"
    monkeypatch.setenv("COPILOT_HOME", str(tmp_path / "copilot"))
    assert find_client("copilot").place(home) == tmp_path / "copilot" / "mcp-config.json"


def test_the_registry_is_told_this_version():
    entry = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    assert entry["version"] == __version__
    assert [package["version"] for package in entry["packages"]] == [__version__]
    assert entry["packages"][0]["packageArguments"][0]["value"] == "mcp"
    assert len(entry["description"]) <= 100


def test_the_registry_finds_its_name_in_what_pypi_shows():
    entry = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shown = (ROOT / project["readme"]).read_text(encoding="utf-8")
    assert re.findall(r"mcp-name: (\S+)", shown) == [entry["name"]]
    assert re.fullmatch(r"io\.github\.[a-z0-9-]+/" + project["name"], entry["name"])
    (package,) = entry["packages"]
    assert package["identifier"] == project["name"]
    assert project["name"] in project["scripts"]  # what a registry's client starts
    (extra,) = package["runtimeArguments"]
    name, _, needed = extra["value"].rstrip("]").partition("[")
    assert name == project["name"]
    assert needed in project["optional-dependencies"]


def test_what_install_has_written_is_said_to_be_its(home, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    (home / ".copilot").mkdir()
    assert main(["install", "copilot", "--no-index"]) == 0
    capsys.readouterr()
    assert main(["mcp", "install", "--client", "copilot"]) == 0
    printed = capsys.readouterr()
    assert "nothing to do in ~/.copilot/mcp-config.json" in printed.out
    assert "`skillret install copilot` has written it: `skillret uninstall copilot`" in printed.err
    # Nor is anything promised of an entry that nobody here has written.
    file = home / ".copilot" / "mcp-config.json"
    entry = file.read_bytes()
    assert main(["uninstall"]) == 0
    file.write_bytes(entry)
    capsys.readouterr()
    assert main(["mcp", "install", "--client", "copilot"]) == 0
    printed = capsys.readouterr()
    assert "not written by install" in printed.out
    assert "takes it back" not in printed.err
