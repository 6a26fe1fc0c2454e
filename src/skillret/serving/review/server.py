"""A page for one reviewer, on loopback, with nothing but the standard library.

Requests and skills are untrusted: they travel as JSON and become text, never markup. The page may
load nothing but its own files, and nobody else's page may call it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from skillret.datasets.make.reviews import decisions_file, read_reviews, store_decision
from skillret.datasets.row_files import Row, read_rows
from skillret.errors import InputError, SkillretError
from skillret.files import parse_json
from skillret.serving.security import PAGE_HEADERS, allowed_hosts, is_allowed, listen

__all__ = ["ReviewServer", "serve_reviews"]

_HOST = "127.0.0.1"
_MOST = 64 << 10  # bytes of a decision
_SHOWN = 4000  # characters of instructions
_FILES = {
    "/": ("index.html", "text/html"),
    "/review.js": ("review.js", "text/javascript"),
    "/review.css": ("review.css", "text/css"),
}


def serve_reviews(folder: Path, reviewer: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page until it is closed there or interrupted.

    Args:
        folder: Of the benchmark, with the step `check` done.
        reviewer: Whose decisions are stored.
        port: Where; any free one if 0.
        tell: Told the address.

    Raises:
        InputError: If there is nothing to review, or the port is taken.
    """
    with ReviewServer(folder, reviewer, port) as server:
        tell(f"review at {server.url}; Ctrl-C or `finish` there ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            tell("every decision is stored")


class ReviewServer(ThreadingHTTPServer):
    """The server of one reviewer.

    Args:
        folder: Of the benchmark.
        reviewer: Whose decisions are stored.
        port: Where; any free one if 0.

    Raises:
        InputError: If there is nothing to review, or the port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: Path, reviewer: str, port: int = 0) -> None:
        decisions_file(folder, reviewer)
        steps = folder / "steps"
        if not (steps / "check.jsonl").is_file():
            raise InputError(
                f"{folder} has no requests yet: run `--step check` and those before it"
            )
        self.folder, self.reviewer = folder, reviewer
        self.requests = {row["id"]: row for row in read_rows(steps / "check.jsonl")}
        wanted = {i for row in self.requests.values() for i in _skills_of(row)}
        skills = read_rows(steps / "filter.jsonl")
        self.skills = {row["id"]: row for row in skills if row["id"] in wanted}
        self.decisions = read_reviews(folder).get(reviewer, {})
        self.hosts, self.origins = allowed_hosts(_HOST) or ([], [])
        super().__init__((_HOST, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listen(_HOST, port, None)
        self.server_address = self.socket.getsockname()
        self.url = f"http://{_HOST}:{self.server_address[1]}/"

    def listed(self) -> list[Row]:
        """All requests in their order, with what the reviewer has said."""
        return [
            {"id": id_, "decision": self.decisions.get(id_, {}).get("decision")}
            for id_ in self.requests
        ]

    def shown(self, id_: str) -> Row:
        """One request with its skills."""
        row = self.requests[id_]
        skills = [self._skill(i, "asked for") for i in row["skill_ids"]]
        skills += [self._skill(i, "would do as well") for i in row.get("also") or ()]
        said = {name: row.get(name) for name in ("query", "kind", "style", "language", "plan")}
        return {**said, "id": id_, "skills": skills, "mine": self.decisions.get(id_)}

    def decide(self, decision: Any) -> Row:
        """Store a decision.

        Raises:
            InputError: If it is none.
        """
        if not isinstance(decision, dict) or decision.get("id") not in self.requests:
            raise InputError("there is no such request")
        row = store_decision(self.folder, self.reviewer, decision)
        self.decisions[row["id"]] = row
        return row

    def _skill(self, id_: str, role: str) -> Row:
        row = self.skills.get(id_, {})
        body = str(row.get("skill_md", ""))
        cut = body if len(body) <= _SHOWN else f"{body[:_SHOWN]} ..."
        said = {name: row.get(name, "") for name in ("name", "description")}
        return {**said, "role": role, "instructions": cut}


def _skills_of(row: Row) -> list[str]:
    return [*row["skill_ids"], *(row.get("also") or ())]


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """The page, the list of requests, or one of them."""
        if not self._may():
            return
        if self.path in _FILES:
            name, kind = _FILES[self.path]
            data = files(__package__).joinpath("static").joinpath(name).read_bytes()
            self._send(200, data, kind)
        elif self.path == "/requests":
            self._json(200, {"reviewer": self.server.reviewer, "requests": self.server.listed()})
        elif (id_ := self.path.removeprefix("/requests/")) in self.server.requests:
            self._json(200, self.server.shown(id_))
        else:
            self._json(404, {"error": "there is nothing of that name"})

    def do_POST(self) -> None:
        """A decision, or the end."""
        if not self._may():
            return
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        length = self.headers.get("Content-Length", "")
        if kind != "application/json" or not length.isdigit() or int(length) > _MOST:
            self.close_connection = True
            self._json(400, {"error": "send a small JSON document"})
            return
        data = self.rfile.read(int(length))
        if self.path == "/finish":
            self._json(200, {})
            self.server.shutdown()  # of another thread than this one
            return
        if self.path != "/decisions":
            self._json(404, {"error": "there is nothing of that name"})
            return
        try:
            self._json(200, self.server.decide(parse_json(data.decode("utf-8"))))
        except (SkillretError, ValueError) as e:
            self._json(400, {"error": str(e)})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged."""

    def _may(self) -> bool:
        """Whether our own page calls; another one may reach this address under its own name."""
        origin = self.headers.get("Origin")
        if is_allowed(self.headers.get("Host", ""), self.server.hosts) and (
            origin is None or is_allowed(origin, self.server.origins)
        ):
            return True
        self.close_connection = True
        self._json(403, {"error": "not from there"})
        return False

    def _json(self, status: int, document: Any) -> None:
        self._send(status, json.dumps(document, default=str).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in PAGE_HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
