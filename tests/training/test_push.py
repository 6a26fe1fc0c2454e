"""`push` against a server on this machine that speaks the hub's protocol."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from skillret.cli import main
from skillret.errors import InputError, SkillretError
from skillret.training.push import push

CARD = """\
model = SentenceTransformer("toy")

Put this folder's path, or its id on a hub, in place of `toy`. A document is `{name}`.

skillret search "x" --model toy
"""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "1_Pooling" / "config.json").write_text("{}")
    (folder / "modules.json").write_text("[]")
    (folder / "profile.json").write_text('{"name": "toy"}')
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture
def hub(monkeypatch):
    """What a hub was told: `created` and `files`, and `status`, with which it answers."""
    told = {"created": None, "files": {}, "status": 200, "authorization": None}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told["authorization"] = self.headers.get("Authorization")
            answer = {}
            if self.path == "/api/repos/create":
                told["created"] = json.loads(body)
                answer = {"url": f"{address}/team/toy", "name": "team/toy"}
            elif "/preupload/" in self.path:
                files = json.loads(body)["files"]
                answer["files"] = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in files
                ]
            elif "/commit/" in self.path:
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        value = line["value"]
                        told["files"][value["path"]] = base64.b64decode(value["content"])
                answer = {"commitUrl": f"{address}/team/toy/commit/0a1b", "commitOid": "0a1b"}
            self.send_response(told["status"])
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_pushed_in_one_command(model, hub, capsys):
    assert main(["push", str(model), "team/toy"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("/team/toy/commit/0a1b\n")
    assert "hf_secret" not in out + err
    assert hub["authorization"] == "Bearer hf_secret"
    assert (hub["created"]["organization"], hub["created"]["name"]) == ("team", "toy")
    assert hub["created"].get("private") or hub["created"].get("visibility") == "private"
    assert set(hub["files"]) == {"1_Pooling/config.json", "modules.json", "profile.json"} | {
        "README.md"
    }
    card = hub["files"]["README.md"].decode()
    assert 'SentenceTransformer("team/toy")' in card
    assert "--model team/toy\n" in card
    assert "in place of" not in card
    assert "A document is `{name}`." in card
    assert (model / "README.md").read_text() == CARD


def test_a_repository_is_public_only_when_asked_for(model, hub):
    assert push(model, "team/toy", public=True).endswith("0a1b")
    assert not hub["created"].get("private")
    assert hub["created"].get("visibility") != "private"


def test_a_hub_that_refuses_is_one_line(model, hub):
    hub["status"] = 401
    with pytest.raises(SkillretError, match=r"cannot push to team/toy: .*401 .*HF_TOKEN\)") as e:
        push(model, "team/toy")
    assert "\n" not in str(e.value)
    assert hub["files"] == {}


@pytest.mark.parametrize("repository", ["toy", "a/b/c", "/toy", "team/"])
def test_a_repository_has_an_owner(model, repository):
    with pytest.raises(InputError, match="give OWNER/NAME"):
        push(model, repository)


def test_what_is_no_model_is_not_pushed(tmp_path, capsys):
    with pytest.raises(InputError, match=r"holds no modules\.json"):
        push(tmp_path, "team/toy")
    assert main(["push", str(tmp_path / "nowhere"), "team/toy"]) == 1
    assert "no such model folder" in capsys.readouterr().err
