import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from tests.conftest import ROOT

SERVER = """
import os, subprocess, sys
import anyio
from mcp.server.mcpserver import MCPServer
from skillret.serving.stdio import standard_streams

server = MCPServer("echo", log_level="ERROR")

@server.tool(structured_output=False)
async def echo(text: str, times: int = 1) -> str:
    os.write(1, b"a library prints")
    subprocess.run(["sh", "-c", "echo a child prints; cat"], check=True, timeout=20)
    return text * times

async def main():
    low = server._lowlevel_server
    async with standard_streams() as (read, write):
        await low.run(read, write, low.create_initialization_options())
    os.write(1, b"afterwards stdout is what it was\\n")

anyio.run(main)
"""
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


def message(number, method, params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def call(number, **arguments):
    return message(number, "tools/call", {"name": "echo", "arguments": arguments})


def lines(*messages):
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    sent = [message(0, "initialize", HELLO), ready, *messages]
    return b"".join(json.dumps(m).encode() + b"\n" for m in sent)


@pytest.fixture
def server():
    started = []

    def start(*command, **streams):
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*command, sys.executable, "-c", SERVER], env=environment, **given | streams
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def answered(process, data, count=1):
    """The texts of answers to calls by their numbers, what is left on stdout, and stderr.

    Every line is a message; stdin is closed after so many answers, which ends the server.
    """
    writer = threading.Thread(target=write, args=(process, data))
    writer.start()
    found = {}
    while len(found) < count:
        answer = json.loads(process.stdout.readline())
        if answer.get("id"):
            found[answer["id"]] = answer["result"]["content"][0]["text"]
    writer.join()
    process.stdin.close()
    left = process.stdout.read()
    return found, left, process.stderr.read()


def write(process, data):
    for start in range(0, 2800, 7):
        process.stdin.write(data[start : start + 7])
        process.stdin.flush()
    process.stdin.write(data[2800:])
    process.stdin.flush()


def test_stdout_holds_messages_alone_and_children_read_nothing(server):
    found, left, err = answered(server(), lines(call(1, text="é\u2028x", times=2)))
    assert found == {1: "é\u2028xé\u2028x"}
    assert left == b"afterwards stdout is what it was\n"
    assert err.count(b"a library prints") == err.count(b"a child prints") == 1


def test_messages_of_any_size_in_pieces_and_many_at_once(server):
    calls = [call(n, text=f"{n} ") for n in range(1, 30)]
    found, _, _ = answered(server(), lines(*calls, call(30, text="x" * 300_000)), 30)
    assert found == {n: f"{n} " for n in range(1, 30)} | {30: "x" * 300_000}


def test_what_is_no_utf_8_and_no_json_is_refused_and_the_next_is_answered(server):
    data = lines() + b'\xff\xfe\n{"a": \n' + lines(call(1, text="there"))
    assert answered(server(), data)[0] == {1: "there"}


def test_a_client_that_reads_late_stops_nobody(server):
    process = server()
    # More than any pipe holds, before anything is read.
    process.stdin.write(lines(*(call(n, text="0123456789", times=10_000) for n in range(1, 21))))
    process.stdin.flush()
    found, _, _ = answered(process, lines(call(21, text="the last")), 21)
    assert found == dict.fromkeys(range(1, 21), "0123456789" * 10_000) | {21: "the last"}


def test_one_socket_for_both_that_its_owner_has_set_to_be_non_blocking(server):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        process = server(stdin=theirs, stdout=theirs)
        theirs.close()
        ours.sendall(lines(call(1, text="0123456789", times=50_000)))
        with ours.makefile("rb") as answers:
            first, second = (json.loads(answers.readline()) for _ in range(2))
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(60) == 0
    assert first["id"] == 0
    assert second["result"]["content"][0]["text"] == "0123456789" * 50_000


def test_without_stderr_nothing_is_printed(server):
    process = server("sh", "-c", 'exec "$@" 2>&-', "sh")
    found, left, _ = answered(process, lines(call(1, text="x")))
    assert found == {1: "x"}
    assert left == b"afterwards stdout is what it was\n"


def test_a_file_is_read_by_the_sdk(server, tmp_path):
    (tmp_path / "in").write_bytes(lines())
    with (tmp_path / "in").open("rb") as source:
        out, _ = server(stdin=source).communicate(timeout=60)
    assert json.loads(out.splitlines()[0])["id"] == 0


def test_what_is_no_message_is_answered_too(server):
    process = server()
    data = (
        lines()
        + b"garbage\n[1]\n"
        + b'{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": []}\n'
    )
    half = b'{"jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": {"name": "echo",'
    process.stdin.write(data + half + b' "arguments": {"text": "\\ud83d go"}}}\n')
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline()) for _ in range(5)]
    codes = {(a.get("id"), a["error"]["code"]) for a in answers if "error" in a}
    assert codes == {(None, -32700), (None, -32600), (5, -32602)}
    (said,) = [a for a in answers if a.get("id") == 6]
    assert said["result"]["content"][0]["text"] == "? go"
