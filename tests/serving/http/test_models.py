import base64

import numpy as np
import pytest

from tests.serving.http.test_search import refused


def test_embeddings_as_openai_gives_them(client, service):
    reply = client.post("/v1/embeddings", json={"input": ["a b", "c"], "model": "any"}).json()
    assert reply["object"] == "list"
    assert reply["model"] == "hash-seed"
    assert reply["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert [each["index"] for each in reply["data"]] == [0, 1]
    vectors = np.array([each["embedding"] for each in reply["data"]], dtype=np.float32)
    np.testing.assert_allclose(vectors, service.encoder.encode_documents(["a b", "c"]), atol=1e-6)
    body = {"input": "a b", "encoding_format": "base64", "user": "x", "input_type": "query"}
    (one,) = client.post("/v1/embeddings", json=body).json()["data"]
    vector = np.frombuffer(base64.b64decode(one["embedding"]), dtype="<f4")
    np.testing.assert_allclose(vector, service.encoder.encode_queries(["a b"])[0], atol=1e-6)


def test_what_is_counted_is_said(client):
    usage = client.get("/openapi.json").json()["components"]["schemas"]["Usage"]["properties"]
    assert "not tokens" in usage["prompt_tokens"]["description"]


def test_rerank_as_text_embeddings_inference_does(client):
    body = {"query": "plan meals", "texts": ["pods crash", "plan meals", "plan pods"]}
    ranked = client.post("/rerank", json=body).json()
    assert [each["index"] for each in ranked] == [1, 2, 0]
    assert [set(each) for each in ranked] == [{"index", "score"}] * 3
    assert 1.0001 > ranked[0]["score"] > ranked[1]["score"] > ranked[2]["score"] > 0
    raw = client.post("/rerank", json={**body, "raw_scores": True, "return_text": True}).json()
    assert raw[0]["text"] == "plan meals"
    assert raw[0]["score"] == pytest.approx(1, abs=1e-5)


class Longest:
    """A reranker that likes long texts."""

    def scores(self, query, documents):
        return [float(len(document)) - 5 for document in documents]


def test_a_reranker_of_the_service_is_asked(serve, service):
    service.libraries.reranker = Longest()
    client = serve()
    body = {"query": "plan meals", "texts": ["pods crash", "plan meals"] + ["plan"] * 2}
    ranked = client.post("/rerank", json=body).json()
    assert [each["index"] for each in ranked] == [0, 1, 2, 3]
    assert ranked[2]["score"] == pytest.approx(1 / (1 + np.e))
    raw = client.post("/rerank", json={**body, "raw_scores": True}).json()
    assert [each["score"] for each in raw] == [5, 5, -1, -1]
    put = {"description": "Soup.", "body": ""}
    for name in ("a", "a-longer-name"):
        client.put(f"/v1/skills/{name}?library=team", json={**put, "name": name})
    reply = client.post("/v1/search", json={"query": "soup", "library": "team"}).json()
    assert [hit["name"] for hit in reply["hits"]] == ["a-longer-name", "a"]


_TEXTS = "; send a text, or a list of 1 to 256 texts, none of them empty"
_WRONG_FIELDS = [
    ("/v1/embeddings", {"input": []}, f"body.input: it has 0 texts{_TEXTS}"),
    ("/v1/embeddings", {"input": ""}, f"body.input: it is empty{_TEXTS}"),
    ("/v1/embeddings", {"input": 5}, f"body.input: it is a number{_TEXTS}"),
    ("/v1/embeddings", {"input": {"text": "a"}}, f"body.input: it is an object{_TEXTS}"),
    ("/v1/embeddings", {"input": [1, 2]}, f"body.input: its item 0 is a number{_TEXTS}"),
    ("/v1/embeddings", {"input": ["a", [1]]}, f"body.input: its item 1 is a list{_TEXTS}"),
    ("/v1/embeddings", {"input": ["a", ""]}, f"body.input: its item 1 is empty{_TEXTS}"),
    ("/v1/embeddings", {"input": ["a"] * 257}, f"body.input: it has 257 texts{_TEXTS}"),
    ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, "'float' or 'base64'"),
    ("/v1/embeddings", {"input": "a", "dimensions": 7}, "this model has 32; leave it out"),
    ("/v1/embeddings", [], "body: send a JSON object"),
    ("/rerank", {"query": "a", "texts": []}, "body.texts"),
    ("/rerank", {"query": "a"}, "body.texts"),
]


def test_wrong_fields(client):
    for path, body, says in _WRONG_FIELDS:
        assert says in refused(client.post(path, json=body), 422, "invalid_fields")
    schema = client.get("/openapi.json").json()["components"]["schemas"]
    assert [s["type"] for s in schema["EmbeddingsRequest"]["properties"]["input"]["anyOf"]] == [
        "string",
        "array",
    ]
