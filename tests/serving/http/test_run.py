import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

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
