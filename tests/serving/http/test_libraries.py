from tests.serving.http.test_search import refused
from tests.serving.http.test_skills import SOUP


def test_made_listed_and_deleted(client):
    made = client.put("/v1/libraries/new")
    assert made.status_code == 201
    assert made.json() == {
        "name": "new",
        "writable": True,
        "skills": 0,
        "generation": 1,
        "model": "hash-seed",
    }
    client.put("/v1/skills/soup?library=new", json=SOUP)
    again = client.put("/v1/libraries/new")
    assert (again.status_code, again.json()["skills"]) == (200, 1)
    assert client.get("/v1/libraries").json() == {"libraries": ["default", "new", "team"]}
    assert client.get("/v1/libraries/default").json()["writable"] is False
    assert client.delete("/v1/libraries/new").status_code == 204
    refused(client.delete("/v1/libraries/new"), 404, "library_not_found")
    refused(client.get("/v1/libraries/new"), 404, "library_not_found")
    refused(client.delete("/v1/libraries/default"), 409, "read_only")
    assert client.put("/v1/libraries/default").status_code == 200


def test_odd_names(client, service):
    for name in ("A", "-a", "..%2Fx", "%2e%2e", "a" * 65, "a%00", "a%0d%0ab"):
        reply = client.put(f"/v1/libraries/{name}")
        assert reply.status_code in (404, 405, 422), name
        assert reply.json()["error"]
    assert service.libraries.names() == ["default", "team"]
