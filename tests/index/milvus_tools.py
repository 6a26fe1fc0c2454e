"""A Milvus server of the tests' own, as the package `milvus` carries it."""

import os
import socket
import time
import urllib.request
from pathlib import Path


class Milvus:
    """A server that can be killed and started again on what it has stored.

    Args:
        folder: Where it stores.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._server = None
        self._process = None

    @property
    def url(self) -> str:
        return f"milvus://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it is ready when this returns."""
        # Without it these tests fail: what runs on a real server is not to be skipped unseen.
        from milvus import MilvusServer, MilvusServerConfig

        os.environ.pop("METRICS_PORT", None)
        config = MilvusServerConfig(data_dir=str(self.folder))
        server = MilvusServer(config, wait_for_started=False)
        server.webservice_port = _free_port()
        # A read of all that was written before waits for the next tick.
        config.set("proxy.timeTickInterval", 50)
        config.set("common.retentionDuration", 432000)
        if self.port:
            config.configs["proxy_port"] = self.port
        for name, value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}.items():
            os.environ.setdefault(name, value)
        _until(lambda: not self.port or _is_free(self.port), "its port is taken")
        server.start()
        self._server, self._process = server, server.server_proc
        self.port = server.listen_port
        try:
            url = f"http://127.0.0.1:{server.webservice_port}/healthz"
            _until(lambda: self._alive() and _says_ok(url), "it does not start")
        except BaseException:
            self.kill()
            raise

    def _alive(self) -> bool:
        if self._process.poll() is not None:
            log = (self.folder / "logs" / "milvus-stderr.log").read_text(errors="replace")
            raise RuntimeError(f"the Milvus server has ended: {log[-2000:]}")
        return True

    def kill(self) -> None:
        """End it as a failure of power does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in self._server.proc_fds.values():
                stream.close()
            self._server.server_proc = self._process = None


def _says_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().strip() == b"OK"
    except (OSError, ValueError):
        return False


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _until(true, what: str, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


