import json
import logging
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from skillret import Index, Retriever
from skillret.errors import InputError
from skillret.retrieval.searcher import Searcher
from skillret.serving.http import logs
from skillret.serving.http.app import Options, create_app
from skillret.serving.http.lifecycle import _watched
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service
from tests.conftest import SKILLS, HashEncoder, write_skill
from tests.serving.http.conftest import wait_for
from tests.serving.http.test_search import refused
from tests.serving.http.test_skills import SOUP


def test_every_route_documents_its_errors(client):
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), path
            if not path.startswith("/v1/") and path != "/rerank":
                continue
            assert operation["description"], path
            assert operation["security"], path
            documented = operation["responses"]
            wanted = {"400", "401", "403", "408", "413", "422", "429", "500", "503", "504"}
            if "library" in json.dumps(operation) and "{" in path and method != "put":
                wanted |= {"404"}
            if method in ("put", "delete") and "skills" in path:
                wanted |= {"404", "409"}
            assert wanted <= set(documented), (method, path)
            for status in wanted:
                schema = documented[status]["content"]["application/json"]["schema"]
                assert schema["$ref"].endswith("/Error"), (method, path, status)


def test_health_and_info(client):
    assert client.get("/health").json() == client.get("/livez").json() == {"status": "ok"}
    info = client.get("/info").json()
    assert (info["model_id"], info["dimension"], info["max_k"]) == ("hash-seed", 32, 100)


def test_head_is_get_without_its_body(client, serve):
    id_ = client.get("/v1/skills?limit=1").json()["skills"][0]["id"]
    for path in (
        *("/", "/page/app.js", "/health", "/livez", "/readyz", "/info", "/docs", "/openapi.json"),
        *("/v1/skills?limit=2", f"/v1/skills/{id_}", "/v1/libraries", "/v1/libraries/team"),
        *("/v1/skills/none", "/v1/skills?wher=1", "/nothing"),
    ):
        got, head = client.get(path), client.head(path)
        assert head.status_code == got.status_code, path
        assert head.content == b""
        for name in ("content-type", "content-security-policy"):
            assert head.headers.get(name) == got.headers.get(name), path
        if path != "/info":  # which tells the time
            assert head.headers["content-length"] == str(len(got.content)), path
    assert client.head("/v1/search").status_code == client.head("/mcp").status_code == 405
    count = 'skillret_requests_total{method="HEAD",route="/v1/libraries",status="200"} 1.0'
    assert count in client.get("/metrics").text


def test_metrics(client):
    for query in ("plan meals", "pods"):
        client.post("/v1/search", json={"query": query})
    client.post("/v1/search", json={"query": "a", "library": "team"})
    client.post("/v1/search", json={"query": ""})
    client.post("/v1/search", json={"queries": ["a", "b"], "where": {"area": "none"}})
    client.get("/v1/skills/one")
    client.get("/v1/skills/two")
    client.get("/odd/path")
    lines = client.get("/metrics").text.splitlines()
    assert 'skillret_requests_total{method="POST",route="/v1/search",status="200"} 4.0' in lines
    assert 'skillret_requests_total{method="POST",route="/v1/search",status="422"} 1.0' in lines
    paths = {line.split('route="')[1].split('"')[0] for line in lines if 'route="' in line}
    assert paths <= {"/v1/search", "/v1/skills/{id:path}", "/readyz", "other"}
    assert 'skillret_no_match_total{route="/v1/search"} 3.0' in lines
    assert 'skillret_request_duration_seconds_count{route="/v1/search"} 5.0' in lines
    for name, value in (
        ("skillret_index_skills", 4),
        ("skillret_index_generation", 1),
        ("skillret_libraries", 2),
        ("skillret_libraries_open", 1),
        ("skillret_batch_size_count", 3),
    ):
        assert f"{name} {float(value)}" in lines
    assert any(line.startswith("skillret_index_age_seconds ") for line in lines)
    assert any(line.startswith("skillret_app_info{version=") for line in lines)


def test_too_large_bodies(serve):
    client = serve(max_body=1000)
    kind = {"Content-Type": "application/json"}
    for content in (b"x" * 1001, iter([b"x" * 600] * 2)):  # with its length, and without
        reply = client.post("/v1/search", content=content, headers=kind)
        refused(reply, 413, "body_too_large")
    reply = client.post("/v1/search", content=b"x", headers={**kind, "Content-Length": "-1"})
    refused(reply, 413, "body_too_large")
    assert client.post("/v1/search", json={"query": "a"}).status_code == 200


def test_too_many_requests_at_once(serve, service, monkeypatch):
    client = serve(max_concurrent=2)
    inside, done = threading.Semaphore(0), threading.Event()
    really = service.search

    def slow(*args, **kwargs):
        inside.release()
        done.wait(60)
        return really(*args, **kwargs)

    monkeypatch.setattr(service, "search", slow)
    replies = []

    def search(k):
        replies.append(client.post("/v1/search", json={"query": "a", "k": k}))

    threads = [threading.Thread(target=search, args=(k,)) for k in (1, 2)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=60)
    reply = client.post("/v1/search", json={"query": "a"})
    refused(reply, 429, "too_many_requests")
    assert reply.headers["retry-after"] == "1"
    assert client.get("/health").status_code == 200
    done.set()
    for thread in threads:
        thread.join()
    assert [reply.status_code for reply in replies] == [200, 200]
    assert client.post("/v1/search", json={"query": "a"}).status_code == 200
    assert "skillret_requests_refused_total 1.0" in client.get("/metrics").text


def test_late_answers(serve, service, monkeypatch):
    client = serve(timeout=2)
    done = threading.Event()
    monkeypatch.setattr(service, "search", lambda *args, **kwargs: done.wait(60))
    refused(client.post("/v1/search", json={"query": "a"}), 504, "timeout")
    done.set()
    assert client.get("/v1/skills").status_code == 200


def test_late_changes_may_be_made_all_the_same(serve, service, monkeypatch):
    client = serve(timeout=2)
    done, really = threading.Event(), service.put_all
    monkeypatch.setattr(service, "put_all", lambda *args: done.wait(60) and really(*args))
    soup = {"name": "soup", "description": "Cook soup."}
    for send, path, body in (
        (client.put, "/v1/skills/soup?library=team", soup),
        (client.post, "/v1/skills?library=team", {"skills": [{**soup, "id": "soup"}]}),
    ):
        assert "send it again does no harm" in refused(send(path, json=body), 504, "timeout")
    done.set()
    wait_for(lambda: client.get("/v1/skills/soup?library=team").status_code == 200)
    assert client.put("/v1/skills/soup?library=team", json=soup).status_code == 200


def test_nobody_is_searched_for_who_has_left(serve, service, monkeypatch):
    client = serve(timeout=2)
    searched, go_on = [], threading.Event()
    really = Searcher.rank_all

    def slow(self, queries, *args, **kwargs):
        searched.extend(queries)
        go_on.wait(60)
        return really(self, queries, *args, **kwargs)

    monkeypatch.setattr(Searcher, "rank_all", slow)
    queries = [f"{n} plan meals" * 200 for n in range(100)]
    refused(client.post("/v1/search", json={"queries": queries}), 504, "timeout")
    go_on.set()
    monkeypatch.setattr(Searcher, "rank_all", really)
    assert client.post("/v1/search", json={"query": "a"}).status_code == 200
    assert 0 < len(searched) <= 16


def test_an_index_that_is_damaged_later_is_not_ready(tmp_path, library):
    index = tmp_path / "i.db"
    with Index.open(index, create=True, model=HashEncoder()) as made:
        made.add(SKILLS)
    opened = lambda: Retriever.open(index=index, model=HashEncoder())  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened))
    with TestClient(create_app(service, Options()), base_url="http://127.0.0.1:8377") as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        index.write_bytes(b"no database " * 1000)
        for name in ("i.db-wal", "i.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        assert "damaged" in refused(client.get("/readyz"), 503, "not_ready")


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "skillret.serve")

    def read(form="text"):
        formatter = logs._Json() if form == "json" else logs._Text()
        return [formatter.format(record) for record in caplog.records]

    return read


def test_logs_say_nothing_of_what_was_asked(serve, lines):
    client = serve()
    client.post("/v1/search", json={"query": "secret wish"})
    client.get("/v1/skills?name=secret")
    client.get("/v1/skills/a%0D%0Aforged%1b[2J")
    client.get("/health")
    assert not any("secret" in line for line in lines())
    searched = json.loads(next(line for line in lines("json") if "/v1/search" in line))
    assert searched["status"] == 200
    assert searched["hits"] == 4
    assert searched["library"] == "default"
    assert not any("/health" in line for line in lines())
    assert all(line.isprintable() for form in ("text", "json") for line in lines(form))


def test_logs_say_it_if_that_is_wished(serve, lines):
    client = serve(log_queries=True)
    client.post("/v1/search", json={"query": "secret wish"})
    client.post("/v1/select", json={"query": "another\nwish"})
    client.post("/v1/route", json={"prompt": "a third"})
    text = "\n".join(lines())
    assert 'query="secret wish"' in text
    assert 'query="another wish"' in text
    assert 'query="a third"' in text


def test_logs_hold_tracebacks(lines):
    try:
        raise RuntimeError("oops")
    except RuntimeError:
        logging.getLogger("skillret.serve").exception("failed")
    (line,) = lines("json")
    assert "RuntimeError: oops" in json.loads(line)["trace"]
    assert "RuntimeError: oops" in lines()[0]


def test_changed_folders_are_searchable_at_once(serve, library, monkeypatch):
    monkeypatch.setattr("skillret.retrieval.retriever._LOOK", 1e9)  # no search looks by itself
    client = serve()
    write_skill(library, "bread-baking", "Bake bread with sourdough.")
    search = {"query": "bake sourdough bread", "k": 1}

    def found():
        # None for a moment: what is removed after it was ranked is left out.
        hits = client.post("/v1/search", json=search).json()["hits"]
        return "bread-baking" in [hit["name"] for hit in hits]

    wait_for(found)
    (library / "bread-baking" / "SKILL.md").unlink()
    wait_for(lambda: not found())
    # As a deployment puts another folder in its place.
    library.rename(library.with_name("before"))
    shutil.copytree(library.with_name("before"), library)
    time.sleep(2)  # the look that finds it
    write_skill(library, "bread-baking", "Bake bread with sourdough.")
    wait_for(found)
    (library / "bread-baking" / "SKILL.md").unlink()
    wait_for(lambda: not found())


def test_what_links_lead_to_is_watched(tmp_path):
    (tmp_path / "skills").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "skills" / "a").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "skills" / "lost").symlink_to(tmp_path / "nowhere")
    watched = _watched([tmp_path / "skills", tmp_path / "gone"])
    assert set(watched) == {tmp_path / "skills", tmp_path / "a"}
    (tmp_path / "a").rename(tmp_path / "b")
    assert set(_watched([tmp_path / "skills"])) == {tmp_path / "skills"}
    (tmp_path / "a").mkdir()
    assert _watched([tmp_path / "skills", tmp_path / "gone"]) != watched


MCP = {"Accept": "application/json, text/event-stream"}


def called(client):
    """What an MCP client is told by a search."""
    call = {"name": "search_skills", "arguments": {"query": "plan meals", "k": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    return client.post("/mcp", json=body, headers=MCP).json()["result"]["content"][0]["text"]


def test_mcp_is_mounted(client):
    assert "meal-planner" in called(client)


@contextmanager
def starting(tmp_path, default, **options):
    """A client of a service that is just opening its library, and the service."""
    encoder = HashEncoder()
    opened = lambda: Retriever.open(**default, model=encoder)  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened, model=encoder, **options))
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        yield client, service


def test_not_ready_without_its_library(tmp_path):
    folder = tmp_path / "missing"
    with starting(tmp_path, {"library": folder}) as (client, _):
        wait_for(lambda: "log says why" in client.get("/readyz").text)
        refused(client.get("/readyz"), 503, "not_ready")
        reply = client.post("/v1/search", json={"query": "a"})
        refused(reply, 503, "index_unavailable")
        for text in (reply.text, client.get("/readyz").text, called(client)):
            assert str(tmp_path) not in text
            assert "log says why" in text
        assert client.get("/health").status_code == 200
        folder.mkdir()
        write_skill(folder, "late")
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/search", json={"query": "a"}).json()["hits"][0]["name"] == "late"


def test_where_no_skill_is_found_there_is_no_default_library_yet(tmp_path, monkeypatch, home):
    monkeypatch.chdir(tmp_path)
    with starting(tmp_path, {}, optional=True) as (client, _):
        wait_for(lambda: client.get("/readyz").status_code == 200)
        search = {"query": "a"}
        said = refused(client.post("/v1/search", json=search), 404, "library_not_found")
        assert "no skill is found" in said
        assert client.get("/v1/libraries").json() == {"libraries": []}
        assert client.put("/v1/libraries/a").status_code == 201
        assert client.put("/v1/skills/a?library=a", json=SOUP).status_code == 201
        write_skill(home / ".claude" / "skills", "late")
        assert client.post("/v1/search", json=search).json()["hits"][0]["name"] == "late"
        assert client.get("/v1/libraries").json() == {"libraries": ["default", "a"]}


def test_the_first_skill_of_all_is_taken_up_and_its_folder_watched(tmp_path, monkeypatch, home):
    monkeypatch.chdir(tmp_path)
    with starting(tmp_path, {}, optional=True) as (client, service):
        wait_for(lambda: client.get("/readyz").status_code == 200)
        write_skill(home / ".claude" / "skills", "first")
        wait_for(lambda: service.libraries.opened_default)
        # From here on nobody asks: what is watched is found without.
        write_skill(home / ".claude" / "skills", "second")
        wait_for(lambda: "second" in names(service))
        write_skill(home / ".agents" / "skills", "third")  # a place that a search finds
        wait_for(
            lambda: client.post("/v1/search", json={"query": "x"}) and "third" in names(service)
        )
        write_skill(home / ".agents" / "skills", "fourth")
        wait_for(lambda: "fourth" in names(service))


def names(service):
    """The skills that the index of the default library holds."""
    return [skill.name for skill in service.libraries.opened_default.index.skills()]


def test_while_the_library_is_opened_nothing_else_waits(tmp_path):
    go = threading.Event()

    def opened():
        go.wait(60)
        raise InputError("no more")

    service = Service(Libraries(tmp_path / "served", opened, model=HashEncoder()))
    app = create_app(service)
    with TestClient(app, base_url="http://127.0.0.1") as client, ThreadPoolExecutor() as pool:
        body = {"input": "a"}
        waiting = [pool.submit(client.post, "/v1/embeddings", json=body) for _ in range(20)]
        try:
            for path in ("/livez", "/metrics", "/v1/libraries/a", "/readyz"):
                assert client.get(path).status_code in (200, 404, 503)
            assert not any(reply.done() for reply in waiting)
        finally:
            go.set()
        assert {reply.result().status_code for reply in waiting} == {200}


def test_a_damaged_index_is_said_with_what_its_service_can_do(tmp_path, caplog):
    index = tmp_path / "broken.db"
    index.write_bytes(b"no database " * 1000)
    with starting(tmp_path, {"index": index}, optional=True) as (client, service):
        service.libraries.create("team")
        (service.libraries.folder / "team" / "index.db").write_bytes(b"no database " * 1000)
        wait_for(lambda: "damaged" in client.get("/readyz").text)
        replies = {
            "skillret index build": client.post("/v1/search", json={"query": "a"}),
            "DELETE /v1/libraries/team": client.get("/v1/skills?library=team"),
        }
        for remedy, reply in replies.items():
            assert remedy in refused(reply, 503, "index_damaged")
            assert "retry-after" not in reply.headers
        for text in (*(r.text for r in replies.values()), client.get("/readyz").text):
            assert str(tmp_path) not in text
            assert "--index" not in text
        caplog.clear()
        assert "skillret index build" in (said := called(client))
        client.get("/v1/skills?library=team")
        assert str(tmp_path) not in said
        of_default, of_team = (r.getMessage() for r in caplog.records if r.name == "skillret.serve")
        assert str(index) in of_default
        assert str(service.libraries.folder / "team" / "index.db") in of_team
        assert "--index" not in of_default + of_team
        assert client.delete("/v1/libraries/team").status_code == 204
