import hashlib
import re

import pytest

from skillret.errors import InputError
from skillret.serving.http.auth import Token
from skillret.serving.http.tokens import read_tokens
from skillret.serving.security import allowed_hosts
from tests.serving.http.test_search import refused
from tests.serving.http.test_skills import SOUP

WRITE, READ, TEAM = "w" * 16, "r" * 16, "t" * 16


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(serve):
    return serve(
        tokens=[
            Token.of(WRITE, "write"),
            Token.of(READ, "read"),
            Token.of(TEAM, "write", ["team"]),
        ]
    )


def test_who_sends_no_known_token_learns_nothing(guarded):
    paths = ["/v1/skills", "/v1/libraries", "/v1/libraries/team", "/mcp", "/v1/nothing", "/nothing"]
    for headers in (
        {},
        bearer("wrong"),
        bearer(""),
        {"Authorization": WRITE},
        {"Authorization": f"Basic {WRITE}"},
        {"Authorization": f"Bearer {WRITE}, Bearer {READ}"},
        bearer(hashlib.sha256(WRITE.encode()).hexdigest()),
    ):
        for path in paths:
            reply = guarded.get(path, headers=headers)
            refused(reply, 401, "unauthorized")
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert ("invalid_token" in reply.headers["www-authenticate"]) == bool(headers)
    # Whatever a body holds, nobody looks at it.
    reply = guarded.post("/v1/search", content=b"{", headers={"Content-Type": "application/json"})
    refused(reply, 401, "unauthorized")
    twice = [("Authorization", f"Bearer {WRITE}")] * 2
    refused(guarded.get("/v1/skills", headers=twice), 401, "unauthorized")


def test_what_everyone_may_see(guarded):
    for path in ("/info", "/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"):
        reply = guarded.get(path)
        assert reply.status_code == 200, path
        assert "team" not in reply.text.replace("team-a", "").replace('"team"', "")


def test_the_documents_load_nothing_from_elsewhere(guarded):
    sources = re.findall(r'(?:src|href)="([^"]+)"', guarded.get("/docs").text)
    assert len(sources) == 3
    for source in sources:
        assert source.startswith("/docs-files/")
        assert guarded.get(source).status_code == 200


def test_a_header_without_its_scheme_is_told_from_a_wrong_token(guarded):
    for value in (READ, f"Basic {READ}", ""):
        reply = guarded.get("/v1/skills", headers={"Authorization": value})
        assert "Authorization: Bearer TOKEN" in refused(reply, 401, "unauthorized")
    reply = guarded.get("/v1/skills", headers=bearer("x" * 20))
    assert "not known here" in refused(reply, 401, "unauthorized")


def test_readers_read(guarded):
    headers = bearer(READ)
    assert guarded.get("/v1/skills", headers=headers).json()["total"] == 4
    assert guarded.post("/v1/search", json={"query": "a"}, headers=headers).status_code == 200
    assert guarded.post("/v1/embeddings", json={"input": "a"}, headers=headers).status_code == 200
    bulk = {"library": "team", "skills": [{"id": "x", **SOUP}]}
    for reply in (
        guarded.put("/v1/skills/x?library=team", json=SOUP, headers=headers),
        guarded.delete("/v1/skills/x?library=team", headers=headers),
        guarded.post("/v1/skills", json=bulk, headers=headers),
        guarded.put("/v1/libraries/new", headers=headers),
        guarded.delete("/v1/libraries/team", headers=headers),
    ):
        assert "only read" in refused(reply, 403, "forbidden")


def test_a_token_of_some_libraries_reaches_no_other(guarded, service):
    service.libraries.create("other")
    headers = bearer(TEAM)
    assert guarded.get("/v1/libraries", headers=headers).json() == {"libraries": ["team"]}
    reply = guarded.put("/v1/skills/x?library=team", json=SOUP, headers=headers)
    assert reply.status_code == 201
    bulk = {"library": "other", "skills": [{"id": "x", **SOUP}]}
    for library in ("other", "default", "missing"):
        body = {"query": "a", "library": library}
        for reply in (
            guarded.get(f"/v1/skills?library={library}", headers=headers),
            guarded.get(f"/v1/skills/x?library={library}", headers=headers),
            guarded.post("/v1/search", json=body, headers=headers),
            guarded.post("/v1/select", json=body, headers=headers),
            guarded.post("/v1/route", json={"prompt": "a", "library": library}, headers=headers),
            guarded.put(f"/v1/skills/x?library={library}", json=SOUP, headers=headers),
            guarded.delete(f"/v1/skills/x?library={library}", headers=headers),
            guarded.post("/v1/skills", json=bulk, headers=headers),
            guarded.get(f"/v1/libraries/{library}", headers=headers),
            guarded.put(f"/v1/libraries/{library}", headers=headers),
            guarded.delete(f"/v1/libraries/{library}", headers=headers),
            guarded.post("/mcp", json={}, headers=headers),
        ):
            refused(reply, 403, "forbidden")
    assert guarded.get("/v1/libraries", headers=bearer(WRITE)).json() == {
        "libraries": ["default", "other", "team"]
    }


def test_other_names_and_origins(serve):
    client = serve(allowed=allowed_hosts("127.0.0.1", ["skills.example"]))
    for host in ("127.0.0.1:8377", "localhost:8377", "[::1]:8377", "skills.example", "LOCALHOST"):
        assert client.get("/v1/skills", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "evil.example:8377", "127.0.0.1.evil.example", "localhost:x", ""):
        refused(client.get("/v1/skills", headers={"Host": host}), 421, "wrong_host")
        refused(client.get("/health", headers={"Host": host}), 421, "wrong_host")
    good = {"Origin": "http://localhost:8377"}
    assert client.get("/v1/skills", headers=good).status_code == 200
    for origin in ("http://evil.example", "null", "https://localhost.evil.example", "file://"):
        refused(client.get("/v1/skills", headers={"Origin": origin}), 403, "forbidden")


def test_tokens_of_a_file(tmp_path, monkeypatch):
    file = tmp_path / "tokens.toml"
    digest = hashlib.sha256(READ.encode()).hexdigest()
    file.write_text(
        f'[[token]]\ntoken = "{WRITE}"\naccess = "write"\nlibraries = ["a", "b"]\n'
        f'[[token]]\ntoken_sha256 = "{digest}"\n'
    )
    assert read_tokens(str(file)) == [
        Token.of(WRITE, "write", ["a", "b"]),
        Token.of(READ, "read"),
    ]
    assert read_tokens() == []
    monkeypatch.setenv("SKILLRET_TOKEN", WRITE)
    monkeypatch.setenv("SKILLRET_READ_TOKEN", READ)
    assert read_tokens() == [Token.of(WRITE, "write"), Token.of(READ, "read")]
    assert read_tokens(token=TEAM)[0] == Token.of(TEAM, "write")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no tokens"),
        ("token = 1", "holds no tokens"),
        ("[[token", "cannot read"),
        ("[[token]]\n", "either token or token_sha256"),
        ('[[token]]\ntoken = "short"', "at least 16"),
        (f'[[token]]\ntoken = "{WRITE}"\naccess = "all"', 'access is "read" or "write"'),
        (f'[[token]]\ntoken = "{WRITE}"\nlibraries = "a"', "a list of names"),
        (f'[[token]]\ntoken = "{WRITE}"\nlibraries = ["../a"]', "no name of a library"),
        (f'[[token]]\ntoken = "{WRITE}"\nlibrary = ["a"]', "write"),
        ('[[token]]\ntoken_sha256 = "12"', "64 hexadecimal"),
        (f'[[token]]\ntoken = "{WRITE}"\ntoken_sha256 = "{"0" * 64}"', "either"),
    ],
)
def test_wrong_files(tmp_path, text, says):
    file = tmp_path / "tokens.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        read_tokens(str(file))


def test_missing_files_and_short_tokens(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot read the tokens"):
        read_tokens(str(tmp_path / "missing"))
    with pytest.raises(InputError, match="--token must have at least 16"):
        read_tokens(token="short")
    monkeypatch.setenv("SKILLRET_TOKEN", "")
    with pytest.raises(InputError, match="SKILLRET_TOKEN must have"):
        read_tokens()
