import threading
from urllib.parse import quote

from skillret.errors import StoreError
from tests.serving.http.test_search import refused

SOUP = {"name": "soup", "description": "Cook a soup.", "body": "# Soup\n", "metadata": {"n": 1}}


def test_listing_and_reading(client, library):
    first = client.get("/v1/skills", params={"limit": 3}).json()
    assert (len(first["skills"]), first["total"]) == (3, 4)
    rest = client.get("/v1/skills", params={"limit": 3, "after": first["next"]}).json()
    assert (len(rest["skills"]), rest["next"]) == (1, None)
    skills = first["skills"] + rest["skills"]
    assert {s["name"] for s in skills} == {p.name for p in library.iterdir()}
    skill = client.get(f"/v1/skills/{skills[0]['id']}").json()
    assert skill.pop("body").strip()
    assert skill.pop("html") is None
    assert skill == skills[0]
    named = client.get("/v1/skills", params={"name": "MEAL"}).json()
    assert [s["name"] for s in named["skills"]] == ["meal-planner"]


def test_writing_under_any_id(client):
    for id_ in ("soup", "a/b/c", "ä ü", "a?b", "a#b", "a&b=c", "soup@1a2b", "x."):
        write_and_remove(client, f"/v1/skills/{quote(id_, safe='')}?library=team")


def write_and_remove(client, url):
    reply = client.put(url, json=SOUP)
    assert reply.status_code == 201, reply.text
    assert reply.json() == {"total": 1, "added": 1, "changed": 0, "unchanged": 0}
    assert client.put(url, json=SOUP).json() == {
        "total": 1,
        "added": 0,
        "changed": 0,
        "unchanged": 1,
    }
    changed = client.put(url, json={**SOUP, "body": "With salt."})
    assert (changed.status_code, changed.json()["changed"]) == (200, 1)
    skill = client.get(url).json()
    assert skill["body"] == "With salt."
    assert skill["metadata"] == {"n": 1}
    search = {"query": "soup", "library": "team"}
    hits = client.post("/v1/search", json=search).json()["hits"]
    assert [hit["id"] for hit in hits] == [skill["id"]]
    assert client.delete(url).status_code == 204
    refused(client.delete(url), 404, "skill_not_found")
    refused(client.get(url), 404, "skill_not_found")
    assert client.post("/v1/search", json=search).json()["hits"] == []


def test_bulk_upsert_is_all_or_none(client):
    body = {"library": "team", "skills": [{"id": str(n), **SOUP} for n in range(5)]}
    assert client.post("/v1/skills", json=body).json()["added"] == 5
    assert client.post("/v1/skills", json=body).json()["unchanged"] == 5
    twice = {"library": "team", "skills": [{"id": "new", **SOUP}, {"id": "new", **SOUP}]}
    refused(client.post("/v1/skills", json=twice), 400, "invalid_request")
    assert client.get("/v1/libraries/team").json()["skills"] == 5


def test_a_library_is_a_parameter_of_a_bulk_upsert_too(client):
    body = {"skills": [{"id": "soup", **SOUP}]}
    assert client.post("/v1/skills?library=team", json=body).json()["added"] == 1
    both = {**body, "library": "team"}
    assert client.post("/v1/skills?library=team", json=both).json()["unchanged"] == 1
    said = refused(client.post("/v1/skills?library=other", json=both), 422, "invalid_fields")
    assert said == "library: 'other' as a parameter, 'team' in the body; send one"
    refused(client.post("/v1/skills", json=body), 409, "read_only")  # as a single one


def test_unknown_parameters_are_refused_by_every_route(client):
    for path in ("/v1/skills", "/v1/skills/x", "/v1/libraries", "/v1/libraries/team", "/v1/log"):
        said = refused(client.get(f"{path}?libary=team&wher=1"), 422, "invalid_fields")
        assert "query.libary: no such parameter; there " in said
        assert "query.wher: " in said
    known = "there are library, limit, after, name, where"
    assert known in client.get("/v1/skills?wher=1").json()["error"]
    for method, path in (("PUT", "/v1/skills/x"), ("DELETE", "/v1/skills/x")):
        reply = client.request(method, f"{path}?lib=team", json=SOUP)
        assert "query.lib: no such parameter; there are library" in reply.json()["error"]
    for path in ("search", "select", "route"):
        reply = client.post(f"/v1/{path}?library=team", json={"query": "x"})
        said = refused(reply, 422, "invalid_fields")
        assert "query.library: no such parameter; send it in the body" in said
    assert reply.json()["details"][0]["at"] == "query.library"
    # What other programs ask for as they please.
    for path in ("/", "/health", "/livez", "/readyz", "/metrics", "/info"):
        assert client.get(f"{path}?verbose=1").status_code == 200
    assert client.post("/v1/embeddings?api-version=1", json={"input": "x"}).status_code == 200


def test_what_is_served_from_folders_is_not_written(client):
    for reply in (
        client.put("/v1/skills/x", json=SOUP),
        client.delete("/v1/skills/x"),
        client.post("/v1/skills", json={"library": "default", "skills": [{"id": "x", **SOUP}]}),
    ):
        assert "read-only" in refused(reply, 409, "read_only")


_TRICKS_IN_IDS_LEAD_NOWHERE = [
    "..%2F..%2Fetc%2Fpasswd",
    "a/..%2f..%2fb",
    "%252e%252e%252f",
    "a%00b",
    "%EF%BF%BD" * 1025,
    "a\\..\\b",
    "%E2%80%AEgnp",
]


def test_tricks_in_ids_lead_nowhere(client):
    for path in _TRICKS_IN_IDS_LEAD_NOWHERE:
        url = f"/v1/skills/{path}?library=team"
        reply = client.get(url)
        refused(reply, 400, "invalid_request")
        assert "set-cookie" not in reply.headers
        refused(client.put(url, json=SOUP), 400, "invalid_request")
        refused(client.delete(url), 400, "invalid_request")
    reply = client.get("/v1/skills/a%0d%0aSet-Cookie:%20x")
    refused(reply, 404, "not_found")
    assert "set-cookie" not in reply.headers


_WRONG_SKILLS = [
    ({"name": "x"}, "body.description"),
    ({**SOUP, "name": ""}, "body.name"),
    ({**SOUP, "name": "x" * 201}, "body.name"),
    ({**SOUP, "metadata": [1]}, "body.metadata"),
    (
        {**SOUP, "path": "/etc/passwd"},
        "body.path: no such field; there are name,",
    ),
    ({**SOUP, "user_only": "yes"}, "body.user_only"),
]


def test_wrong_skills(client):
    for body, says in _WRONG_SKILLS:
        reply = client.put("/v1/skills/x?library=team", json=body)
        assert says in refused(reply, 422, "invalid_fields")


def test_wrong_lists(client):
    for query in ("limit=0", "limit=1001", "limit=x", "where=[", "where=1", "library=A"):
        refused(client.get(f"/v1/skills?{query}"), 422, "invalid_fields")


def test_odd_filters_and_cursors(client):
    for where, says in (
        ('{"a":{"b":1}}', "where: a value of 'a' is an object; send names with what a skill must"),
        ("[1]", "where: it is a list; send "),
        ("null", "where: it is null; send "),
        ("tag=pdf", "where is no JSON (Expecting value: line 1 column 1 (char 0)); send such as"),
        ("{a:1}", "where is no JSON ("),
        ("", "where is no JSON ("),
    ):
        reply = client.get("/v1/skills", params={"where": where})
        assert refused(reply, 422, "invalid_fields").startswith(says)
    refused(client.get("/v1/skills?after=x"), 400, "invalid_request")
    assert client.get('/v1/skills?where={"a":1}').json()["total"] == 0


def test_markup_is_data(client):
    evil = "<script>alert(1)</script>"
    body = {"name": evil, "description": evil, "body": evil, "metadata": {evil: evil}}
    client.put("/v1/skills/evil?library=team", json=body)
    reply = client.get("/v1/skills/evil?library=team")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.json()["body"] == evil


def test_a_full_disk_is_told_and_searches_go_on(client, service, monkeypatch, caplog):
    client.put("/v1/skills/soup?library=team", json=SOUP)

    def full(*args, **kwargs):
        raise StoreError("cannot write team: the disk is full or failing")

    with service.retriever("team") as retriever:
        monkeypatch.setattr(retriever.index, "add", full)
    reply = client.put("/v1/skills/more?library=team", json=SOUP)
    assert "cannot be written now, and is as it was" in refused(reply, 503, "index_unavailable")
    assert "disk is full" in caplog.text
    assert "retry-after" not in reply.headers  # nobody makes room within a second
    reply = client.post("/v1/search", json={"query": "soup", "library": "team"})
    assert len(reply.json()["hits"]) == 1


def test_another_writer_at_work_is_told(client, service, monkeypatch):
    monkeypatch.setattr("skillret.serving.service._PATIENCE", 0.05)
    held, done = threading.Event(), threading.Event()

    def hold():
        with service.retriever("team") as retriever, retriever.index.writing():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        refused(client.put("/v1/skills/x?library=team", json=SOUP), 503, "index_busy")
        assert client.get("/v1/skills?library=team").status_code == 200
    finally:
        done.set()
        thread.join()


def test_an_index_that_is_replaced_deleted_or_damaged_while_serving(client, service):
    client.put("/v1/skills/soup?library=team", json=SOUP)
    search = {"query": "soup", "library": "team"}
    assert client.post("/v1/search", json=search).json()["hits"]
    folder = service.libraries.folder / "team"
    (folder / "index.db").write_bytes(b"no database " * 1000)
    assert "damaged" in refused(client.post("/v1/search", json=search), 503, "index_damaged")
    (folder / "index.db").unlink()
    refused(client.post("/v1/search", json=search), 404, "library_not_found")
    client.put("/v1/libraries/other")
    client.put("/v1/skills/bread?library=other", json={**SOUP, "name": "bread"})
    client.delete("/v1/libraries/team")
    (service.libraries.folder / "other").rename(service.libraries.folder / "team")
    reply = client.post("/v1/search", json=search).json()
    assert [hit["id"] for hit in reply["hits"]] == ["bread"]
    assert client.post("/v1/search", json={"query": "plan meals"}).json()["hits"]
