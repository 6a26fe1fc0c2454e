import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from skillret.serving.http import run
from skillret.serving.http.app import Options, create_app
from tests.serving.http.conftest import wait_for
from tests.serving.http.processes import Process
from tests.serving.http.test_skills import SOUP


@pytest.fixture
def start(library, tmp_path):
    """Starts servers."""
    started = []

    def begin(*arguments, **variables):
        data = ("--library", library, "--data", tmp_path / "served")
        process = Process(*data, *arguments, **variables)
        started.append(process)
        return process.ready()

    yield begin
    for process in started:
        process.kill()


def ask(url, stop, results, keep_alive):
    """Search again and again, until the server is not there any more."""
    limits = httpx.Limits(max_keepalive_connections=1 if keep_alive else 0)
    with httpx.Client(timeout=60, limits=limits) as client:
        number = 0
        while not stop.is_set():
            number += 1
            body = {"query": f"plan meals {number % 7}", "k": 1}
            try:
                reply = client.post(f"{url}/v1/search", json=body)
                results.append(reply.status_code if reply.json()["hits"] else "empty")
            except httpx.ConnectError:  # nobody has accepted it
                return
            except httpx.HTTPError as e:
                results.append(f"lost: {e!r}")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_accepted_is_answered_when_the_server_ends(start, workers):
    server = start("--workers", workers)
    results, stop = [], threading.Event()
    threads = [
        threading.Thread(target=ask, args=(server.url, stop, results, number % 2 == 0))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(results) > 50)
    before = len(results)
    status = server.end()
    stop.set()
    for thread in threads:
        thread.join(60)
    assert status == 0
    assert set(results) == {200}
    assert len(results) > before  # they were asking when it ended
    assert "Traceback" not in "".join(server.lines)


def test_interrupted_it_ends_too(start):
    server = start()
    assert server.end(signal.SIGINT) == 0
    assert "Traceback" not in "".join(server.lines)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_of_events_outlasts_the_time_limit_and_ends_with_the_server(start, workers):
    server = start("--timeout", "3", "--workers", workers, "--max-concurrent", "1")
    events = {"Accept": "text/event-stream"}
    with httpx.stream("GET", f"{server.url}/mcp", headers=events, timeout=60) as reply:
        assert reply.status_code == 200
        with (
            pytest.raises(httpx.ReadTimeout),
            httpx.stream("GET", f"{server.url}/mcp", headers=events, timeout=5) as other,
        ):
            other.read()
        assert server.get("/v1/skills?limit=1").status_code == 200  # it takes no place meanwhile
        server.process.send_signal(signal.SIGTERM)
        assert b"".join(reply.iter_raw()) == b""  # and no error
    assert server.end() == 0
    said = "".join(server.lines)
    assert "path=/mcp status=200" in said
    assert "ASGI" not in said
    assert "Traceback" not in said


def test_workers_share_what_is_written_and_are_replaced(start):
    server = start("--workers", "2", "--log-format", "json")
    assert server.put("/v1/libraries/team").status_code == 201
    for number in range(10):
        name = f"soup-{number}"
        path = f"/v1/skills/{name}?library=team"
        assert server.put(path, {**SOUP, "name": name}).status_code == 201
        for _ in range(4):  # whichever worker is asked
            (hit,) = server.search(name, library="team").json()["hits"]
            assert hit["name"] == name
    text = server.get("/metrics").text
    count = 'skillret_requests_total{method="POST",route="/v1/search",status="200"} 40.0'
    assert count in text
    first = workers_of(server)
    os.kill(first[0], signal.SIGKILL)

    def answered():
        try:
            return server.search("soup-3", library="team").json()["hits"][0]["name"] == "soup-3"
        except httpx.HTTPError:
            return False

    wait_for(lambda: first[0] not in workers_of(server) and len(workers_of(server)) == 2)
    wait_for(answered)
    assert server.end() == 0


def test_a_worker_that_ends_before_it_answers_is_replaced_at_once(start):
    server = start("--workers", "2")
    first, _ = workers_of(server)
    os.kill(first, signal.SIGSTOP)
    time.sleep(2)  # it has been asked by now whether it is well
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: first not in workers_of(server) and len(workers_of(server)) == 2, seconds=20)
    assert server.end() == 0


def test_workers_do_not_outlive_their_parent(start):
    server = start("--workers", "2")
    workers = workers_of(server)
    assert len(workers) == 2
    server.process.kill()
    wait_for(lambda: not any(is_running(worker) for worker in workers))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers_of(server):
    """Process ids of a server's workers."""
    task = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    workers = []
    for child in map(int, task.read_text().split()):
        with suppress(OSError):  # it has ended since the list was read
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                workers.append(child)
    return workers


def test_what_was_answered_survives_a_kill(start):
    server = start()
    server.put("/v1/libraries/team")
    written, stop = [], threading.Event()

    def write():
        for number in range(1000):
            if stop.is_set():
                return
            try:
                path = f"/v1/skills/soup-{number}?library=team"
                reply = server.put(path, {**SOUP, "name": f"soup-{number}"})
            except httpx.HTTPError:
                return
            if reply.status_code == 201:
                written.append(f"soup-{number}")

    thread = threading.Thread(target=write)
    thread.start()
    wait_for(lambda: len(written) > 5)
    server.process.kill()
    stop.set()
    thread.join(60)
    again = start()
    listed = again.get("/v1/skills?library=team&limit=1000").json()["skills"]
    assert set(written) <= {skill["id"] for skill in listed}
    assert again.search("soup-1", library="team").json()["hits"]
    path = "/v1/skills/after?library=team"
    assert again.put(path, {**SOUP, "name": "after"}).status_code == 201


def test_two_servers_on_one_index(start):
    one, two = start(), start()
    one.put("/v1/libraries/team")
    one.put("/v1/skills/soup?library=team", SOUP)
    assert two.search("soup", library="team").json()["hits"]
    two.put("/v1/skills/bread?library=team", {**SOUP, "name": "bread"})
    assert one.get("/v1/libraries/team").json()["skills"] == 2
    errors = []

    def write(server, name):
        for number in range(10):
            path = f"/v1/skills/{name}-{number}?library=team"
            reply = server.put(path, {**SOUP, "name": f"{name}-{number}"})
            if reply.status_code != 201:
                errors.append(reply.text)

    threads = [threading.Thread(target=write, args=a) for a in ((one, "x"), (two, "y"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors
    for server in (one, two):
        assert server.get("/v1/skills?library=team").json()["total"] == 22


class Threaded:
    """A server in a thread of this process."""

    def __init__(self, service, *, connections=None, **options):
        options = Options(**options)
        config = run.configured(
            lambda: create_app(service, options), options.timeout, connections=connections
        )
        self.server = run.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.get("/readyz") == 200)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(60)

    def get(self, path):
        return httpx.get(self.url + path, headers={"Connection": "close"}, timeout=60).status_code

    def connect(self, data=b""):
        opened = socket.create_connection(self.address, timeout=60)
        opened.sendall(data)
        return opened


def read_all(opened):
    with opened:
        data = b""
        while part := opened.recv(65536):
            data += part
    return data


HEAD = b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_slow_clients_are_not_waited_for(service, monkeypatch):
    monkeypatch.setattr(run, "_HEAD", 0.5)
    with Threaded(service, timeout=2) as server:
        silent = server.connect()
        slow = server.connect(HEAD[:30])
        late = server.connect(HEAD + b"Content-Length: 100\r\n\r\n{")
        answered = server.connect(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
        assert read_all(silent) == b""
        assert read_all(slow) == b""
        reply = read_all(late)
        assert reply.startswith(b"HTTP/1.1 408")
        assert b'"error_type":"request_timeout"' in reply
        assert read_all(answered).count(b"HTTP/1.1 200") == 1
        assert server.get("/v1/skills") == 200


def test_connections_end_whose_bodies_nobody_reads(service):
    with Threaded(service) as server:
        for path in (b"/livez", b"/v1/skills"):
            head = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"
            reply = read_all(server.connect(head))  # which would wait for an end that never comes
            assert reply.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in reply.lower()


def test_who_does_not_read_is_not_waited_for(service):
    with Threaded(service, timeout=1) as server:
        server.server.config.timeout_graceful_shutdown = 2
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(server.address)
        with opened:
            opened.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
            wait_for(lambda: server.server.server_state.connections)
            wait_for(lambda: not server.server.server_state.connections)
        assert server.get("/livez") == 200


def test_who_reads_slowly_gets_all(service):
    with Threaded(service, timeout=30) as server:
        whole = httpx.get(f"{server.url}/openapi.json").content
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(server.address)
        with opened:
            opened.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = b""
            while part := opened.recv(4096):
                got += part
                time.sleep(0.02)
        assert got.endswith(whole)


def test_endless_bodies_end(service):
    with Threaded(service, max_body=10_000) as server:
        opened = server.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        with pytest.raises(OSError), opened:
            for _ in range(1_000_000):
                opened.sendall(chunk)
        large = b"x" * 10_000_000
        reply = httpx.post(f"{server.url}/v1/search", content=large, timeout=60)
        assert reply.status_code == 413
        assert server.get("/v1/skills") == 200


def test_idle_connections_leave_room_again(service, monkeypatch):
    monkeypatch.setattr(run, "_HEAD", 1.0)
    with Threaded(service, connections=20) as server:
        idle = [server.connect() for _ in range(30)]
        wait_for(lambda: server.get("/health") == 503)
        reply = httpx.get(f"{server.url}/health")
        assert reply.json()["error_type"] == "too_many_connections"
        assert reply.headers["retry-after"] == "1"
        wait_for(lambda: server.get("/health") == 200)
        for opened in idle:
            opened.close()


def test_nonsense_is_refused(service):
    with Threaded(service) as server:
        for data in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 200_000 + b"\r\n\r\n",
            HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ):
            try:
                reply = read_all(server.connect(data))
            except ConnectionError:  # closed before all was sent
                continue
            assert b"HTTP/1.1 400" in reply
        assert server.get("/health") == 200
