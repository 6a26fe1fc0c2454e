import os
import socket
import subprocess
import sys

import pytest
from tests.serving.http.processes import Process

from skillret.cli import main


def error(capsys, *arguments):
    assert main(["serve", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_missing_places_are_said_before_anything_starts(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "there is no folder" in error(capsys, "--library", tmp_path / "missing")
    assert "no index at" in error(capsys, "--index", tmp_path / "missing.db")
    assert "unknown agent 'nosuch'" in error(capsys, "--agent", "nosuch")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        line = error(capsys, "--data", place)
        assert f"cannot be written to --data {place}:" in line
        assert "give a folder that can be made and written" in line
    assert "cannot read the tokens" in error(capsys, "--token-file", tmp_path / "missing")


def test_a_reranker_that_is_not_there_is_said_before_anything_starts(library, capsys):
    said = error(capsys, "--library", library, "--rerank", "nobody", "--workers", 2)
    assert "no reranker 'nobody'" in said


def test_nobody_else_reaches_it_without_a_token(tmp_path, library, capsys):
    line = error(capsys, "--host", "0.0.0.0", "--port", "0", "--library", library)
    assert "give tokens (--token-file, or SKILLRET_TOKEN)" in line


def test_a_taken_port_is_said(library, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = error(capsys, "--port", port, "--library", library)
    assert f"cannot listen on 127.0.0.1 port {port}" in line
    assert "give another --port" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "70000"),
        ("--workers", "0"),
        ("--max-body", "2XB"),
        ("--max-body", "0"),
        ("--timeout", "nan"),
        ("--timeout", "0"),
        ("--log-format", "xml"),
    ],
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as status:
        main(["serve", *arguments])
    assert status.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_tokens_on_the_command_line_work_and_are_warned_of(library, tmp_path):
    token = "w" * 20
    arguments = ("--library", library, "--data", tmp_path / "served", "--max-body", "1KB")
    server = Process(*arguments, "--token", token, SKILLRET_READ_TOKEN="r" * 20)
    try:
        server.ready()
        assert server.get("/v1/skills").status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert server.get("/v1/skills", headers=headers).json()["total"] == 4
        assert server.put("/v1/libraries/a", headers=headers).status_code == 201
        large = {"name": "x", "description": "y" * 2000}
        path = "/v1/skills/x?library=a"
        assert server.put(path, large, headers=headers).status_code == 413
        headers = {"Authorization": f"Bearer {'r' * 20}"}
        assert server.get("/v1/skills", headers=headers).status_code == 200
        assert server.put("/v1/libraries/b", headers=headers).status_code == 403
        evil = {"Host": "evil.example", **headers}
        assert server.get("/v1/skills", headers=evil).status_code == 421
    finally:
        server.kill()
    text = "".join(server.lines)
    assert "rather set SKILLRET_TOKEN" in text
    assert token not in text


def test_nothing_of_it_is_loaded_for_a_search():
    program = (
        "import sys, skillret.retrieval, skillret.cli.search, skillret.cli.serve\n"
        "names = ('fastapi', 'uvicorn', 'starlette', 'prometheus_client', 'watchfiles',"
        " 'markdown_it', 'httpx', 'mcp', 'pydantic')\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert done.stdout.strip() == "[]"
