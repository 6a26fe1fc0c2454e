import re

import httpx
import pytest

from skillret.agents.log import record
from skillret.serving.http.auth import Token
from tests.serving.http.conftest import wait_for


@pytest.fixture
def client(serve):
    with httpx.Client(base_url=serve(), timeout=60) as client:
        yield client


def ready(client, path, **headers):
    """The answer, once it is there."""

    def asked():
        reply = client.get(path, headers=headers)
        return reply if reply.status_code != 202 else None

    return wait_for(asked)


def test_the_page_and_its_files(client):
    reply = client.get("/")
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    linked = re.findall(r'(?:src|href)="(/[^"]+)"', reply.text)
    assert len(linked) > 3
    seen = set()
    while linked:
        path = linked.pop()
        if path in seen:
            continue
        seen.add(path)
        file = client.get(path)
        assert file.status_code == 200, path
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["content-security-policy"] == policy
        linked += re.findall(r'from "(/page/[^"]+)"', file.text)
    assert "/page/gestures.js" in seen
    assert client.get("/page/nothing.js").status_code == 404
    assert client.get("/page/..%2f__init__.py").status_code == 404


def test_nothing_of_the_page_leads_elsewhere(client):
    html = client.get("/").text
    assert not re.search(r"https?://", html)
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src=)", html)


def test_the_map(client):
    reply = ready(client, "/v1/map")
    assert reply.status_code == 200
    assert len(reply.json()["ids"]) == 61
    again = client.get("/v1/map", headers={"If-None-Match": reply.headers["etag"]})
    assert again.status_code == 304
    assert client.get("/v1/map", params={"library": "none"}).status_code == 404


def test_the_findings(client):
    said = ready(client, "/v1/doctor").json()
    assert said["skills"] == 61
    assert said["total"] == len(said["findings"])
    kinds = {finding["kind"] for finding in said["findings"]}
    assert kinds <= set(said["titles"])
    counted = said["errors"] + said["warnings"] + said["remarks"] + said["dismissed"]
    assert counted == said["total"]


def test_the_log(client):
    assert client.get("/v1/log").json()["entries"] == []
    named = [{"id": "x", "name": "poem-1", "score": 0.9, "reason": "sure"}]
    record("decision", "codex", {"session": "s", "named": named, "silent": "", "need": 0.9})
    record("loaded", "codex", {"session": "s", "skill": "poem-1"})
    record("failed", "codex", {"why": "no index"})
    said = client.get("/v1/log").json()
    assert [entry["kind"] for entry in said["entries"]] == ["failed", "decision"]
    assert (said["total"], said["decisions_that_name"], said["followed"]) == (2, 1, 1)
    assert client.get("/v1/log", params={"limit": 1}).json()["total"] == 2
    assert client.get("/v1/log", params={"limit": 0}).status_code == 422


def test_tokens(serve):
    tokens = [Token.of("for-one-team-alone", "read", ["team"]), Token.of("for-all-of-them", "read")]
    with httpx.Client(base_url=serve(tokens=tokens), timeout=60) as client:
        assert client.get("/").status_code == 200
        assert client.get("/page/app.js").status_code == 200
        for path in ("/v1/map", "/v1/doctor", "/v1/log"):
            assert client.get(path).status_code == 401
            one = {"Authorization": "Bearer for-one-team-alone"}
            assert client.get(path, headers=one).status_code == 403
            everyone = {"Authorization": "Bearer for-all-of-them"}
            assert ready(client, path, **everyone).status_code == 200
