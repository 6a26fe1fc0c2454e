import pytest

from skillret.types import Explanation


def refused(reply, status, kind):
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert body["error_type"] == kind
    assert len(body["error"]) > 10
    return body["error"]


def test_search(client, service):
    reply = client.post("/v1/search", json={"query": "plan meals", "k": 2}).json()
    with service.retriever() as retriever:
        hits = retriever.search("plan meals", 2)
        generation = retriever.searcher().corpus.generation
    assert reply.pop("took_ms") > 0
    assert reply == {
        "query": "plan meals",
        "mode": "hybrid",
        "model": "hash-seed",
        "library": "default",
        "generation": generation,
        "hits": [
            {
                "rank": hit.rank,
                "id": hit.id,
                "name": hit.name,
                "description": hit.description,
                "path": hit.path,
                "score": pytest.approx(hit.score),
                "metadata": {},
                "user_only": False,
                "explanation": None,
            }
            for hit in hits
        ],
    }


def test_several_queries(client):
    reply = client.post("/v1/search", json={"queries": ["plan meals", "pods"], "k": 1}).json()
    assert [result["query"] for result in reply["results"]] == ["plan meals", "pods"]
    found = [result["hits"][0]["name"] for result in reply["results"]]
    assert found == ["meal-planner", "kubernetes-debugging"]
    assert not {"query", "hits"} & set(reply)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_modes_and_explanations(client, service, mode):
    body = {"query": "plan meals", "k": 1, "mode": mode, "explain": True}
    (hit,) = client.post("/v1/search", json=body).json()["hits"]
    with service.retriever() as retriever:
        (known,) = retriever.search("plan meals", 1, mode=mode, explain=True)
    why = hit["explanation"]
    assert isinstance(known.explanation, Explanation)
    assert [tuple(pair) for pair in why["terms"]] == [
        (word, pytest.approx(score)) for word, score in known.explanation.terms
    ]
    assert [text for text, _ in why["sentences"]] == ["plan meals"]
    assert why["excluded"] is None


def test_filters(client):
    for team in ("red", "blue"):
        body = {"name": team, "description": "Cook soup.", "metadata": {"team": team}}
        client.put(f"/v1/skills/{team}?library=team", json=body)
    body = {"query": "soup", "library": "team"}
    for where, ids in (
        ({"team": "red"}, ["red"]),
        ({"team": ["red", "blue"]}, ["red", "blue"]),
        ({"team": "green"}, []),
        ({}, ["red", "blue"]),
    ):
        reply = client.post("/v1/search", json={**body, "where": where}).json()
        assert sorted(hit["id"] for hit in reply["hits"]) == sorted(ids)


def test_select(client):
    body = {"query": "plan meals for a week", "limit": 1, "near": 3, "explain": True}
    reply = client.post("/v1/select", json=body).json()
    assert [hit["name"] for hit in reply["hits"]] == ["meal-planner"]
    assert not reply["abstained"]
    assert reply["hits"][0]["explanation"]["sentences"]
    assert [near["selected"] for near in reply["near"]].count(True) == 1
    assert all(bool(near["reason"]) != near["selected"] for near in reply["near"])
    assert reply["missing"] == []
    assert reply["for_user"] == []


def test_route(client):
    reply = client.post("/v1/route", json={"prompt": "thanks!"}).json()
    assert reply["named"] == []
    assert reply["silent"]
    assert reply["context"] == ""
    error = refused(
        client.post("/v1/route", json={"prompt": "hello", "agent": "nobody"}),
        400,
        "invalid_request",
    )
    assert "nobody" in error


_WRONG_FIELDS = [
    ("search", {}, 'either "query" or "queries"'),
    ("search", {"query": "a", "queries": ["b"]}, 'either "query" or "queries"'),
    ("search", {"query": ""}, "at least 1 character"),
    ("search", {"query": 5}, "body.query"),
    ("search", {"query": ["a"]}, "body.query"),
    ("search", {"queries": []}, "at least 1 item"),
    ("search", {"queries": ["a"] * 257}, "at most 256 items"),
    ("search", {"query": "a", "k": 0}, "greater than or equal to 1"),
    ("search", {"query": "a", "k": 101}, "less than or equal to 100"),
    ("search", {"query": "a", "k": "5"}, "body.k"),
    ("search", {"query": "a", "k": True}, "body.k"),
    ("search", {"query": "a", "mode": "fast"}, "'hybrid', 'dense' or 'lexical'"),
    ("search", {"query": "a", "where": ["x"]}, "body.where: it is a list; send names with what"),
    ("search", {"query": "a", "where": "x"}, "body.where: it is a text; send names with what"),
    ("search", {"query": "a", "where": {"x": {"y": 1}}}, "body.where: a value of 'x' is an object"),
    ("select", {"query": "a", "where": {"x": None}}, "body.where: a value of 'x' is null"),
    ("search", {"query": "a", "where": {"x": [1, []]}}, "body.where: a value of 'x' is a list"),
    ("search", {"query": "a", "where": {"x": [1] * 65}}, "'x' has 65 values, 64 are the most"),
    ("search", {"query": "a", "where": {str(n): 1 for n in range(17)}}, "has 17 names, 16 are"),
    (
        "search",
        {"query": "a", "wher": {}},
        "body.wher: no such field; there are query,",
    ),
    ("search", {"query": "a", "library": "../x"}, "body.library"),
    ("select", {"query": "a", "near": 101}, "body.near"),
    (
        "route",
        {"prompt": "a", "transcript": "/etc/passwd"},
        "body.transcript: no such field; there are",
    ),
    ("route", {"prompt": "a", "mode": "loud"}, "body.mode"),
    ("search", [], "body: send a JSON object"),
    ("search", "query", "body: send a JSON object"),
]


def test_wrong_fields(client):
    for path, body, says in _WRONG_FIELDS:
        assert says in refused(client.post(f"/v1/{path}", json=body), 422, "invalid_fields")


_WHAT_IS_NO_JSON = [
    b"{",
    b"{'query': 'a'}",
    b'{"query": "a",}',
    b"\xff\xfe",
    b'{"query": "\xff"}',
    b'{"query": "a", "k": NaN}',
    b'{"query": "a", "k": 1e999}',
    b'{"query": "a", "k": ' + b"9" * 5000 + b"}",
    b'{"query": "half \\ud800"}',
    b"[" * 100_000,
    b'{"query": "a", "where": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
]


def test_what_is_no_json(client):
    for body in _WHAT_IS_NO_JSON:
        reply = client.post(
            "/v1/search", content=body, headers={"Content-Type": "application/json"}
        )
        assert "no JSON" in refused(reply, 400, "invalid_json")


def test_other_content(client):
    reply = client.post("/v1/search", content=b"query=a", headers={"Content-Type": "text/plain"})
    assert "application/json" in refused(reply, 415, "unsupported_media_type")
    reply = client.post("/v1/search", data={"query": "a"})
    refused(reply, 415, "unsupported_media_type")
    refused(client.post("/v1/search"), 415, "unsupported_media_type")
    reply = client.post("/v1/search", headers={"Content-Type": "application/json"})
    assert "body" in refused(reply, 422, "invalid_fields")


def test_unknown_places(client):
    body = {"query": "a", "library": "nobody"}
    assert "nobody" in refused(client.post("/v1/search", json=body), 404, "library_not_found")
    refused(client.get("/v1/nothing"), 404, "not_found")
    refused(client.get("/v1/search"), 405, "method_not_allowed")
    refused(client.post("/v1/search", json={"query": " \n"}), 400, "invalid_request")


def test_long_queries_are_read_in_part(client):
    body = {"query": "plan meals " * 50_000, "k": 1}
    assert client.post("/v1/search", json=body).json()["hits"][0]["name"] == "meal-planner"


def test_a_bug_tells_nothing_of_its_inside(client, service, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(service, "search", broken)
    reply = client.post("/v1/search", json={"query": "a"})
    assert "secret" not in refused(reply, 500, "internal_error")
