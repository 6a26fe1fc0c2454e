"""A Milvus server of the tests' own, as the package `milvus` carries it."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

# The package looks for ports and writes the configuration; then the server takes its place, so that
# whoever kills it kills nothing else.
_START = """
import os, socket, sys
from milvus import MilvusServerConfig, _initialize_data_files

folder, metrics, peer, client, *ports = sys.argv[1:]
own = {name: int(port) for name, _, port in (p.partition("=") for p in ports)}
config = MilvusServerConfig(data_dir=folder, **own)
# Otherwise a port that is still winding up is taken for one that is in use.
config.try_bind_port = lambda port: socket.create_server(("127.0.0.1", port))
config.set("proxy.timeTickInterval", 50)  # a read of all that was written waits for the next one
config.resolve()
_initialize_data_files(folder)
# Otherwise its etcd listens where every other one on this machine does.
with open(folder + "/configs/etcd.yaml", "w") as file:
    for kind, port in {"peer": peer, "client": client}.items():
        file.write(f"listen-{kind}-urls: http://127.0.0.1:{port}\\n")
        here = "initial-advertise-peer" if kind == "peer" else "advertise-client"
        file.write(f"{here}-urls: http://127.0.0.1:{port}\\n")
    file.write(f"initial-cluster: default=http://127.0.0.1:{peer}\\nname: default\\n")
os.chdir(folder)
own = {"DEPLOY_MODE": "STANDALONE", "METRICS_PORT": metrics, "MILVUS_RUN_DIR": folder + "/run"}
own |= {"LD_LIBRARY_PATH": folder + "/bin"}
own |= {"ETCD_CONFIG_PATH": folder + "/configs/etcd.yaml"}
log = os.open(folder + "/logs/output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 1)
os.dup2(log, 2)
os.execve(folder + "/bin/milvus", ["milvus", "run", "standalone"], os.environ | own)
"""
_PORTS = (
    "etcd_port root_coord_port proxy_port proxy_internal_port query_coord_port query_node_port"
    " index_coord_port index_node_port data_coord_port data_node_port"
).split()

_PATIENCE = 120.0


class Milvus:
    """A server that can be killed and started again on what it has stored.

    Args:
        folder: Where it stores.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = _free_ports(3 + len(_PORTS))
        self._own, self._metrics = ports[:3], ports[0]
        self._ports = dict(zip(_PORTS, ports[3:], strict=True))
        self._process = None

    @property
    def url(self) -> str:
        return f"milvus://127.0.0.1:{self._ports['proxy_port']}"

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        ports = [f"{name}={port}" for name, port in self._ports.items()]
        own = map(str, self._own)
        command = [sys.executable, "-c", _START, str(self.folder), *own, *ports]
        self._process = subprocess.Popen(command)
        end = time.monotonic() + _PATIENCE
        while not self._says_ok():
            # It fails, and is not skipped: what runs on a real server must not go untried unseen.
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                log = self.folder / "logs" / "output.log"
                told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RuntimeError(f"the Milvus server does not start: {told}")
            time.sleep(0.1)

    def _says_ok(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self._metrics}/healthz"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().strip() == b"OK"
        except OSError:
            return False

    def kill(self) -> None:
        """End it as a failure of power does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
