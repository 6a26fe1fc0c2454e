"""Servers as processes of their own, on real sockets."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading

import httpx

from tests.serving.http.conftest import wait_for


class Process:
    """`skillret serve` with some arguments, listening on a free port."""

    def __init__(self, *arguments, **variables):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skillret", "serve", "--port", "0", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = wait_for(self._url)
        self.port = int(self.url.rpartition(":")[2])

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def _url(self):
        assert self.process.poll() is None, self.lines
        return next(
            (found[0] for line in self.lines if (found := re.search(r"http://\S+\d", line))), None
        )

    def ready(self):
        wait_for(lambda: self.get("/readyz").status_code == 200, 120)
        return self

    def get(self, path, **options):
        return httpx.get(self.url + path, timeout=60, **options)

    def put(self, path, body=None, **options):
        return httpx.put(self.url + path, json=body, timeout=60, **options)

    def search(self, query="plan meals", **fields):
        body = {"query": query, "k": 1, **fields}
        return httpx.post(f"{self.url}/v1/search", json=body, timeout=60)

    def end(self, number=signal.SIGTERM):
        """Its exit status after a signal."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        self._reader.join(60)
        return status

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(60)
        self._reader.join(60)
        self.process.stderr.close()
