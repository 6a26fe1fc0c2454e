"""A server on loopback that answers as OpenAI's and Anthropic's do, with faults on demand."""

import json
import re
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOUNS = "ledger kettle harbour violin orchard lantern glacier saddle compass thicket".split()


def default_answer(system, user):
    """What an obliging model says: in the form that is asked for, and about nothing shown."""
    count = len(set(re.findall(r"^<data (\d+) [0-9a-f]{16}>$", user, re.MULTILINE)))
    if '{"request"' in user:
        least = int((re.search(r"(\d+) to \d+ words", user) or [0, 8])[1])
        seed = sum(map(ord, user))
        words = [f"{NOUNS[(seed + n * n) % 10]}{(seed + n) % 997}" for n in range(max(least, 4))]
        return json.dumps({"request": " ".join(words)})
    if '"actions"' in user:
        labels = ["alpha", "beta", "gamma"]
        return json.dumps({"actions": labels, "objects": labels, "domains": labels})
    if '"action"' in user:
        tag = {"action": "alpha", "object": "beta", "domain": "gamma"}
        return json.dumps({"skills": [{"number": n + 1, **tag} for n in range(count)]})
    if '"category"' in user:
        return json.dumps(
            {"skills": [{"number": n + 1, "category": 1 + n % 18} for n in range(count)]}
        )
    if '"groups"' in user:
        groups = [{"name": "One", "parts": ["A one", "B one"]}, {"name": "Two", "parts": ["C two"]}]
        return json.dumps({"groups": groups})
    if '"grades"' in user:
        grade = 0 if "only seems" in user else 2
        return json.dumps({"grades": [{"number": n, "grade": grade} for n in range(2, count + 1)]})
    raise AssertionError(user)


class Stub:
    """Counts what it is asked. `faults` are used up one by one, before any answer."""

    def __init__(self, answer=default_answer):
        self.answer = answer
        self.faults = []
        self.asked = []
        self.keys = Counter()
        self.hold = None  # an event that answers wait for
        self.reached = threading.Event()
        self.over = threading.Event()
        self.most = self.now = 0
        self._lock = threading.Lock()

    def fault(self):
        with self._lock:
            return self.faults.pop(0) if self.faults else None


@contextmanager
def stub_server(answer=default_answer):
    stub = Stub(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            openai = self.path.endswith("/chat/completions")
            stub.keys[self.headers.get("x-api-key") or self.headers.get("Authorization")] += 1
            if openai:
                system, user = (m["content"] for m in body["messages"])
            else:
                system, user = body["system"], body["messages"][0]["content"]
            with stub._lock:
                stub.asked.append((system, user))
                stub.now += 1
                stub.most = max(stub.most, stub.now)
            try:
                self.reply(stub.fault(), openai, system, user)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with stub._lock:
                    stub.now -= 1

        def reply(self, fault, openai, system, user):
            if stub.hold is not None:
                stub.reached.set()
                stub.hold.wait(60)
            if isinstance(fault, int):
                error = {"error": {"message": f"no, key {self.headers.get('Authorization')}"}}
                headers = {429: {"Retry-After": "0"}, 307: {"Location": f"{stub.url}/other"}}
                self.send(fault, json.dumps(error), headers.get(fault, {}))
                return
            if fault == "hang":
                stub.reached.set()
                self.close_connection = True
                stub.over.wait(60)
                return
            if fault == "drop":
                self.close_connection = True
                self.connection.shutdown(2)
                return
            text = stub.answer(system, user)
            finish = None
            if fault == "invalid":
                text = text[: len(text) // 2]
            elif fault == "form":
                text = '{"other": 1}'
            elif fault in ("length", "refusal"):
                finish = fault
            document = json.dumps((self.openai if openai else self.anthropic)(text, finish))
            if fault == "half":
                document = document[: len(document) // 2]
            elif fault == "empty":
                document = "{}"
            self.send(200, document, {})

        def openai(self, text, finish):
            names = {None: "stop", "length": "length", "refusal": "content_filter"}
            message = {"role": "assistant", "content": text}
            return {
                "id": "c",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "finish_reason": names[finish], "message": message}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }

        def anthropic(self, text, finish):
            names = {None: "end_turn", "length": "max_tokens", "refusal": "refusal"}
            return {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [{"type": "text", "text": text}],
                "stop_reason": names[finish],
                "stop_sequence": None,
                "usage": {"input_tokens": 100, "output_tokens": 20},
            }

        def send(self, status, text, headers):
            data = text.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that their end is waited for
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        stub.over.set()
        if stub.hold is not None:
            stub.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
