"""What clients send that is slow, endless or no HTTP, on real sockets."""

import json
import socket
import threading
import time

import httpx
import pytest
from h11._connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE as MOST_HEAD

from skillret.serving.http import protocol, run
from skillret.serving.http.app import Options, create_app
from tests.serving.http.conftest import wait_for


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
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.5)
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
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 1.0)
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
            HEAD + b"X: " + b"y" * 70_000 + b"\r\nContent-Length: 5\r\n\r\nhello",
            b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ):
            try:
                reply = read_all(server.connect(data))
            except ConnectionError:  # closed before all was sent
                continue
            assert b"HTTP/1.1 400" in reply
        assert server.get("/health") == 200


def send_endlessly(opened, piece):
    """Send until the server ends it; how many bytes it took."""
    sent = 0
    with opened, pytest.raises(OSError):
        while sent < 500_000_000:
            opened.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"GET /", b"x" * 10_000),
        (b"GET /health HTTP/1.1\r\nX: ", b"x" * 10_000),
        (b"GET /health HTTP/1.1\r\n", b"X-More: yes\r\n" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: yes\r\n" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"x" * 10_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;x=", b"x" * 10_000),
    ],
)
def test_what_is_endless_beside_a_body_ends_soon(service, head, piece):
    with Threaded(service) as server:
        # The most is in the buffers of the system.
        assert send_endlessly(server.connect(head), piece) < 20_000_000
        assert server.get("/health") == 200


def test_a_head_that_is_too_long_is_refused(service):
    with Threaded(service) as server:
        opened = server.connect(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
        time.sleep(0.3)
        opened.sendall(b"x" * MOST_HEAD)
        assert read_all(opened).startswith(b"HTTP/1.1 400")
        head = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"x" * (
            MOST_HEAD - 100
        )
        assert read_all(server.connect(head + b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


def test_requests_are_not_read_before_others_are_answered(service):
    with Threaded(service) as server, server.connect() as opened:
        opened.settimeout(3)
        sent = 0
        with pytest.raises(OSError):  # nobody takes more
            while sent < 500_000_000:
                sent += opened.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert sent < 20_000_000  # the most is in the buffers of the system


def test_a_request_that_is_refused_is_no_part_of_another(service):
    with Threaded(service) as server:
        with httpx.Client(base_url=server.url) as client:
            assert client.put("/v1/libraries/new").status_code == 201
        half = b'{"name": "x", "description": "y", "body": "z'
        asked = (
            b"PUT /v1/skills/x?library=new HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
        )
        asked += b"\r\nContent-Length: %d\r\n\r\n" % len(half) + half
        asked += b"POST /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"a" * 66_000
        asked += b'\r\nContent-Length: 6\r\n\r\nEVIL"}'
        reply = read_all(server.connect(asked))
        assert reply.startswith(b"HTTP/1.1 400")
        assert b'"error_type":"invalid_json"' in reply
        listed = httpx.get(f"{server.url}/v1/skills?library=new").json()
        assert listed["total"] == 0


def searched(query="soup"):
    return json.dumps({"query": query, "k": 1}).encode()


def test_a_body_in_the_smallest_chunks_is_read(service):
    body = searched("soup " * 8000)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nX-Sum: 1\r\n\r\n"
    head = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Threaded(service) as server:
        assert read_all(server.connect(head + chunks)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("asked", [b"h2c", b"websocket"])
def test_who_would_like_another_protocol_is_answered_in_this_one(service, asked):
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + asked + b"\r\n"
    body = searched()
    once = HEAD + upgrade + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with Threaded(service) as server, server.connect() as opened:
        for _ in range(3):  # Java's client asks each time
            opened.sendall(once)
            reply = b""
            while b'"hits":[' not in reply:
                part = opened.recv(65536)
                assert part, reply
                reply += part
            assert reply.startswith(b"HTTP/1.1 200")


def test_requests_behind_one_another_are_answered_in_their_order(service):
    paths = [b"/health", b"/nothing", b"/v1/skills?limit=1", b"/health"] * 5
    asked = b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
    asked += b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with Threaded(service) as server:
        reply = read_all(server.connect(asked))
    statuses = [int(part[:3]) for part in reply.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200, 200] * 5 + [200]
