"""The hub's client as it is, against a server on this machine that answers like the hub."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.tables import QUERIES, qrel_rows, skill_rows

from skillret.datasets.hub import fetch
from skillret.errors import DatasetError

COMMIT = "a050ad2" + "0" * 33
FILES = {
    f"data/{table}/{split}.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()
    for table, rows in (("skills", skill_rows()), ("queries", QUERIES), ("qrels", qrel_rows()))
    for split in ("train", "test")
}


class Hub(BaseHTTPRequestHandler):
    """What `snapshot_download` asks for of the data set `me/mine`."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def log_message(self, *_):
        pass

    def answer(self, body):
        path = self.path.split("?")[0]
        for revision in ("main", "v1", COMMIT):
            if path == f"/api/datasets/me/mine/revision/{revision}":
                info = {"id": "me/mine", "sha": COMMIT, "private": False, "tags": []}
                return self.send(json.dumps(info).encode(), body)
        if path == f"/api/datasets/me/mine/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": sha1(data).hexdigest()}
                for name, data in FILES.items()
            ]
            return self.send(json.dumps(tree).encode(), body)
        name = path.removeprefix(f"/datasets/me/mine/resolve/{COMMIT}/")
        if name in FILES:
            return self.send(FILES[name], body)
        return self.send(b"", body, 404)

    def send(self, data, body, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)


@contextmanager
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def evaluate(home, endpoint, spec, *arguments, **environment):
    """`skillret evaluate` in a process of its own: the client reads its settings once."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    settings = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-m", "skillret", "evaluate", spec, "--mode", "lexical", *arguments],
        env={**kept, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_data_set_of_the_hub_at_a_revision_and_then_without_network(tmp_path):
    with hub() as endpoint:
        done = evaluate(tmp_path, endpoint, "me/mine@v1", "--json", "-")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["dataset"], result["revision"]) == ("me/mine@v1", COMMIT)
        assert (result["n_skills"], result["n_queries"]) == (4, 3)
        unknown = evaluate(tmp_path, endpoint, "me/other")
        assert unknown.returncode == 1
        assert unknown.stderr.startswith("skillret: cannot load me/other from the hub: ")
    gone = "http://127.0.0.1:9"  # nothing listens there
    for spec in ("me/mine@v1", f"me/mine@{COMMIT}"):
        again = evaluate(tmp_path, gone, spec, "--json", "-")
        assert json.loads(again.stdout)["metrics"] == result["metrics"]
    for spec, split, offline in [
        ("me/mine@v2", "test", "0"),
        ("me/never", "test", "1"),
        (f"me/mine@{COMMIT}", "train", "1"),
    ]:
        failed = evaluate(tmp_path, gone, spec, "--split", split, HF_HUB_OFFLINE=offline)
        assert (failed.returncode, failed.stdout) == (1, "")
        (line,) = failed.stderr.splitlines()
        assert line.startswith(f"skillret: cannot load {spec} from the hub: ")
        assert f"a folder with data/{{skills,queries,qrels}}/{split}.jsonl" in line


def test_a_split_that_the_hub_does_not_have(tmp_path):
    with hub() as endpoint:
        failed = evaluate(tmp_path, endpoint, "me/mine", "--split", "dev")
    assert failed.returncode == 1
    assert f"me/mine at revision {COMMIT} has no file data/skills/dev.jsonl" in failed.stderr


@pytest.mark.parametrize(
    "spec", ["nowhere", "/no/where", "./no/where", "a/b/c", "~/x", "reqs/gone.csv"]
)
def test_what_is_neither_a_folder_nor_a_hub_id(spec):
    with pytest.raises(DatasetError, match="neither a folder nor a hub id"):
        fetch(spec, "test")
