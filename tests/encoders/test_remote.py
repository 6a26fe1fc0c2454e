"""An encoder behind a URL, on servers that speak as those of others do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from tests.conftest import HashEncoder, make_skill

from skillret import Index, Retriever, load_encoder
from skillret.encoders import remote
from skillret.encoders.encoder import Encoder
from skillret.errors import EncoderError, EncoderMismatchError, InputError

TEXTS = ["pods crash", "write release notes", "plan meals", "a" * 50_000]


class Server:
    """A server of embeddings on loopback; `faults` are answered first, one each."""

    def __init__(self):
        self.model, self.sha, self.names = "team/hash-8", "abc", None
        self.encoder = HashEncoder()
        self.asked, self.faults, self.scale, self.dim = [], [], 3.0, None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path == "/info" and outer.model:
                    self._say(200, {"model_id": outer.model, "model_sha": outer.sha})
                elif self.path == "/v1/models" and outer.names is not None:
                    self._say(200, {"data": [{"id": name} for name in outer.names]})
                else:
                    self._say(404, {})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append((self.path, body, self.headers.get("authorization")))
                if outer.faults:
                    return self._say(*outer.faults.pop(0))
                vectors = outer.encoder.encode_documents(body["input"]) * outer.scale
                rows = [
                    {"index": i, "embedding": vector[: outer.dim].tolist()}
                    for i, vector in enumerate(vectors)
                ]
                return self._say(200, {"data": rows[::-1]})

            def _say(self, status, body, headers=()):
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(remote, "_FIRST_PAUSE", 0.001)
    monkeypatch.delenv(remote.TOKEN_VARIABLE, raising=False)
    server = Server()
    yield server
    server.close()


def test_vectors_are_those_of_the_server_by_unit_length(server):
    encoder = load_encoder(server.url)
    assert isinstance(encoder, Encoder)
    assert encoder.profile.name == "team/hash-8"
    assert encoder.profile.dim == server.encoder.profile.dim
    cut = [text[:2048] for text in TEXTS]
    steps = []
    many = encoder.encode_documents(TEXTS * 20, steps.append)
    np.testing.assert_allclose(many, server.encoder.encode_documents(cut * 20), atol=1e-6)
    assert sum(steps) == 80
    assert max(len(body["input"]) for _, body, _ in server.asked) <= 32
    np.testing.assert_allclose(
        encoder.encode_queries(cut), server.encoder.encode_documents(cut), atol=1e-6
    )
    assert encoder.encode_queries([]).shape == (0, encoder.profile.dim)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/embeddings"])
def test_every_usual_address_does(server, end):
    load_encoder(server.url + end)
    assert server.asked[0][0] == "/v1/embeddings"


def test_the_family_decides_prompts(server):
    server.model = "ThakiCloud/SkillRet-Embedding-0.6B"
    encoder = load_encoder(server.url)
    encoder.encode_queries(["pods"])
    assert server.asked[-1][1]["input"] == [encoder.profile.query_prompt + "pods"]
    assert encoder.profile.query_prompt.startswith("Instruct: ")
    assert encoder.note is None


def test_one_of_several_models_is_named_in_the_address(server):
    server.model, server.names = None, ["a", "b"]
    with pytest.raises(EncoderError, match=r"has 2 models \(a, b\): say which, as .*#NAME"):
        load_encoder(server.url)
    encoder = load_encoder(f"{server.url}#org%2Fb")
    assert encoder.profile.name == server.asked[-1][1]["model"] == "org/b"
    assert "no profile for 'org/b'" in encoder.note
    server.names = ["only"]
    assert load_encoder(server.url).profile.name == "only"
    server.names = None
    with pytest.raises(EncoderError, match="names no model"):
        load_encoder(server.url)


def test_an_index_belongs_to_a_model_and_its_revision(server, tmp_path):
    with Index.open(tmp_path / "x.db", create=True, model=server.url) as index:
        index.add([make_skill("soup", "Cook a soup."), make_skill("bread", "Bake bread.")])
        assert Retriever(index, mode="dense").search("Cook a soup.", k=1)[0].score > 0
    with Index.open(tmp_path / "x.db", model=server.url):
        pass
    server.sha = "def"
    with (
        Index.open(tmp_path / "x.db", model=server.url) as index,
        pytest.raises(EncoderMismatchError),
    ):
        Retriever(index).search("soup")


def test_a_server_without_time_is_asked_again(server):
    encoder = load_encoder(server.url)
    server.faults = [(503, {}), (429, {}, [("retry-after", "0")]), (500, b"<html>"), (502, {})]
    assert encoder.encode_queries(["pods"]).shape == (1, encoder.profile.dim)
    server.faults = [(503, {"error": "busy"})] * 9
    with pytest.raises(EncoderError, match=r"answers 503: .*busy"):
        encoder.encode_queries(["pods"])
    assert len(server.faults) == 4


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((401, {"error": "no"}), r"answers 401: .*SKILLRET_MODEL_TOKEN"),
        ((413, b"too \x1b[31mlong"), r"answers 413: .*--auto-truncate"),
        ((400, {"error": "x" * 5000}), "answers 400"),
        ((307, {}, [("location", "http://127.0.0.1:1/")]), "answers 307"),
        ((200, b"<html>"), "no embeddings"),
        ((200, b"[" * 100_000), "no embeddings"),
        ((200, {}), "no embeddings"),
        ((200, {"data": []}), "not one vector for each text"),
        ((200, {"data": [{"index": 0, "embedding": []}]}), "different lengths"),
        ((200, {"data": [{"index": 0, "embedding": [[1.0]]}]}), "different lengths"),
        ((200, {"data": [{"index": 0, "embedding": "AAAA"}]}), "no embeddings"),
        ((200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]}), "a vector of zeros"),
        ((200, b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}'), "NaN"),
        ((200, {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}), "it is another one"),
    ],
)
def test_a_strange_answer_is_one_clear_line(server, fault, message):
    encoder = load_encoder(server.url)
    server.faults = [fault]
    with pytest.raises(EncoderError, match=message) as caught:
        encoder.encode_queries(["pods"])
    assert len(str(caught.value)) < 600
    assert "\x1b" not in str(caught.value)


def test_an_answer_without_end_is_cut(server, monkeypatch):
    encoder = load_encoder(server.url)
    monkeypatch.setattr(remote, "_MOST_BYTES", 1 << 16)
    server.faults = [(200, b"x" * (1 << 20))]
    with pytest.raises(EncoderError, match="no embeddings"):
        encoder.encode_queries(["pods"])


def test_no_server_is_one_clear_line(server):
    server.close()
    with pytest.raises(EncoderError, match=r"does not answer .*; start it, or give another"):
        load_encoder(server.url)
    server.__init__()  # for the fixture to close


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://h:99999", "http://u:p@h", "http://h?key=1"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="address of a model"):
        load_encoder(url)


def test_a_token_is_sent_and_never_over_a_network_unencrypted(server, monkeypatch):
    monkeypatch.setenv(remote.TOKEN_VARIABLE, "secret")
    load_encoder(server.url)
    assert {token for _, _, token in server.asked} == {"Bearer secret"}
    with pytest.raises(InputError, match=r"would be sent unencrypted to example\.org"):
        load_encoder("http://example.org")
    monkeypatch.setenv(remote.TOKEN_VARIABLE, "two\nlines")
    with pytest.raises(InputError, match="one word"):
        load_encoder(server.url)
