"""A search as a process: what it reads from stdin, and what it writes to pipes of any kind."""

import json
import os
import subprocess
import sys

import pytest
from tests.conftest import ROOT, write_skill


def test_stdin_is_read_up_to_the_limit_whatever_its_bytes(library):
    code = (
        "import sys; from skillret.cli import main\n"
        "sys.stdin.reconfigure(encoding='utf-8', errors='strict')\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["search", "-", "--library", str(library), "-k", "1", "--json"]
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=b"pods \xff\xfe " + b"pods " * 1_000_000,
        capture_output=True,
        cwd=ROOT,
    )
    assert process.returncode == 0, process.stderr
    document = json.loads(process.stdout)
    assert document["query"].startswith("pods ÿþ pods")
    assert process.stderr.count(b"stdin: it is not UTF-8") == 1
    assert len(document["query"]) <= 100_000
    assert document["hits"][0]["name"] == "kubernetes-debugging"


@pytest.mark.parametrize(
    ("encoding", "remark"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16")],
)
def test_stdin_is_read_by_its_mark(library, encoding, remark):
    process = subprocess.run(
        [sys.executable, "-m", "skillret", "search", "-", "--library", str(library), "--json"],
        input="my pods crash, naïve 🎉\r\n".encode(encoding),
        capture_output=True,
        cwd=ROOT,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["query"] == "my pods crash, naïve 🎉"
    told = [line for line in process.stderr.decode().splitlines() if "stdin: " in line]
    assert len(told) == bool(remark)
    assert all(remark in line for line in told)


def test_zero_bytes_around_a_request_are_no_utf_16(library):
    process = subprocess.run(
        [sys.executable, "-m", "skillret", "search", "-", "--library", str(library), "--json"],
        input=b"\0my pods crash\0",
        capture_output=True,
        cwd=ROOT,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["query"] == "my pods crash"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_encoding_of_stdout(library, encoding):
    write_skill(library, "naive", "Pods — naïve 🎉 pods.")
    for arguments in (["--json"], ["--explain"]):
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "skillret",
                "search",
                "pods 🎉",
                "--library",
                library,
                *arguments,
            ],
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert process.returncode == 0, process.stderr
        if arguments == ["--json"]:
            document = json.loads(process.stdout.decode(encoding))
            assert document["query"] == "pods 🎉"
            assert any("🎉" in hit["description"] for hit in document["hits"])


def test_a_closed_pipe_is_no_error(library):
    code = "import sys; from skillret.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "search", "pods", "--library", str(library), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 0, err
    assert "Error" not in err


@pytest.mark.parametrize(
    ("arguments", "status", "last"),
    [
        (["pods"], 0, "skillret: built the index in "),
        ([" "], 1, "skillret: the query is empty: "),
        (["pods", "-k", "0"], 2, "skillret search: error: argument -k: "),
    ],
)
def test_the_program_ends_with_the_status_and_all_output(library, arguments, status, last):
    command = [sys.executable, "-m", "skillret", "search", *arguments, "--library", str(library)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert out.returncode == status
    assert ("kubernetes-debugging" in out.stdout) == (status == 0)
    assert out.stderr.splitlines()[-1].startswith(last)
