"""Running the application: one process or several, and how they end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import selectors
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import multiprocess

from skillret.encoders import DEFAULT_MODEL
from skillret.retrieval import Retriever
from skillret.serving.http import logs
from skillret.serving.http.app import Options, create_app
from skillret.serving.http.metrics import SHARED
from skillret.serving.http.protocol import Protocol
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service

__all__ = ["Launch", "Server", "build", "configured", "run"]

# Seconds at the end: callers and balancers learn of it, connections under way are made, and
# those that are idle may still be used.
_GRACE, _HANDSHAKE, _LINGER = 1.0, 0.2, 2.0
_KEEP_ALIVE = 15  # seconds that an idle connection is kept
_START = 120  # seconds after which a worker that says nothing is replaced, also while it starts
# Seconds that a thread may go on in Python before another one's turn: with Python's own 5 ms, who
# comes back from the encoder, which needs no turn, mostly waits.
_SWITCH = 0.0005
_SO_ATTACH_FILTER = 26
_M_ARENA_MAX = -8  # mallopt(3)
_ARENAS = 2
_MOST_FILES = 8192
_LOOK = 20  # of uvicorn's ticks, ten of which make a second
_LEAST_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Launch:
    """What a server is started with; handed to each worker.

    Attributes:
        data: Where the libraries live that callers make.
        index: See `Retriever.open`.
        library: See `Retriever.open`.
        agent: See `Retriever.open`.
        model: See `Retriever.open`.
        calibration: See `Retriever.open`.
        reranker: See `Retriever.open`.
        trust_remote_code: See `Retriever.open`.
        most_open: See `Libraries`.
        log_format: See `logs.configure`.
        options: See `create_app`.
    """

    data: Path
    index: str | None = None
    library: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    model: str | None = None
    calibration: str | None = None
    reranker: str | None = None
    trust_remote_code: bool = False
    most_open: int = 64
    log_format: logs.Format = "text"
    options: Options = field(default_factory=Options)


def build(launch: Launch) -> FastAPI:
    """The application of a process."""
    logs.configure(launch.log_format)
    sys.setswitchinterval(_SWITCH)
    _share_memory()

    def opened() -> Retriever:
        return Retriever.open(
            index=launch.index,
            library=launch.library,
            agent=launch.agent,
            model=launch.model,
            calibration=launch.calibration,
            reranker=libraries.reranker,
            trust_remote_code=launch.trust_remote_code,
            on_update=logs.say,
        )

    libraries = Libraries(
        launch.data,
        opened,
        optional=not (launch.index or launch.library),
        model=launch.model or DEFAULT_MODEL,
        calibration=launch.calibration,
        reranker=launch.reranker,
        most_open=launch.most_open,
        trust_remote_code=launch.trust_remote_code,
    )
    return create_app(Service(libraries), launch.options)


def run(
    launch: Launch,
    listening: socket.socket,
    *,
    workers: int = 1,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until the process is told to end; what was accepted by then is answered.

    Args:
        launch: What.
        listening: A socket that listens already.
        workers: How many processes.
        ready: Told the URL.
    """
    config = configured(partial(build, launch), launch.options.timeout, workers=workers)
    host, port = listening.getsockname()[:2]
    signal.signal(signal.SIGTERM, _end)  # until the server has its own handlers, and after that
    try:
        ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        if workers == 1:
            Server(config).run(sockets=[listening])
            return
        # The only way to have workers run another server than uvicorn's own.
        multiprocess.Process = _Worker  # type: ignore[misc]
        with _shared_metrics():
            _Workers(config, [listening]).run()
    except (_EndedError, KeyboardInterrupt):
        return


def configured(
    build: Callable[[], Any],
    timeout: float,
    *,
    workers: int = 1,
    connections: int | None = None,
) -> uvicorn.Config:
    """How uvicorn runs an application.

    Args:
        build: Makes it, in each worker.
        timeout: Seconds for a request.
        workers: How many processes.
        connections: How many at once, in each process; as many as the system permits if None.
    """
    return uvicorn.Config(
        build,
        factory=True,
        workers=workers,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_most_connections() if connections is None else connections,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=int(timeout) + 5,
        timeout_worker_healthcheck=_START,
    )


class _EndedError(BaseException):
    """The process was told to end."""


def _end(*_: object) -> NoReturn:
    raise _EndedError


def _shared_metrics() -> AbstractContextManager[Any]:
    """A folder where workers keep their counts, if there is none yet."""
    if SHARED in os.environ:
        return nullcontext()
    folder = tempfile.TemporaryDirectory(prefix="skillret-metrics-")
    os.environ[SHARED] = folder.name
    return folder


def _share_memory() -> None:
    """Let threads share what memory they have freed: else glibc keeps some for each of them."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _most_connections() -> int:
    """How many connections leave enough descriptors for indexes."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return 1000 if soft == resource.RLIM_INFINITY else max(_LEAST_CONNECTIONS, min(1000, soft // 2))


class Server(uvicorn.Server):
    """Loses no request when it ends, and no connection to who does not read.

    uvicorn's closes what has just been accepted, and waits for ever until an answer is taken.
    """

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's; now and then connections are looked at."""
        if counter % _LOOK == 0:
            end = time.monotonic() - (self.config.timeout_graceful_shutdown or 0)
            for each in list(self.server_state.connections):
                if isinstance(each, Protocol) and each.unread_since() < end:
                    each.transport.abort()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go on for a moment, telling everyone not to come back; then stop to listen, then end."""
        state = self.lifespan.state.get("skillret")
        if state is not None:
            state.drain()
        self.server_state.default_headers.append((b"connection", b"close"))
        await self._wait(_GRACE)
        with selectors.DefaultSelector() as waiting:
            for each in sockets or ():
                _let_nobody_in(each)
                waiting.register(each, selectors.EVENT_READ)
            await self._wait(_HANDSHAKE)
            await self._wait(_GRACE, lambda: not waiting.select(0), pause=0)
        for server in self.servers:
            server.close()
        for each in sockets or ():
            each.close()
        await asyncio.sleep(0)
        # Who was let in a moment ago, or is idle, may still be about to send.
        await self._wait(_LINGER, lambda: not self.server_state.connections)
        await super().shutdown(None)

    async def _wait(
        self, seconds: float, done: Callable[[], bool] = lambda: False, pause: float = 0.02
    ) -> None:
        """Wait for some time, or until something is so, or the user insists."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.force_exit and not done():
            await asyncio.sleep(pause)


def _let_nobody_in(listening: socket.socket) -> None:
    """Refuse new connections, while those that are being made or wait already go on.

    Linux resets what waits when the last socket is closed, and between a look and the closing
    somebody could come. So a filter drops the first packet of a connection (socket(7),
    SO_ATTACH_FILTER); whoever sent it tries again and is refused then.
    """
    if sys.platform == "linux":
        code = struct.pack(
            "HBBI" * 4,
            *(0x30, 0, 0, 13),  # load the byte of the flags of TCP's header
            *(0x45, 0, 1, 0x02),  # SYN?
            *(0x06, 0, 0, 0),  # drop it
            *(0x06, 0, 0, 0xFFFFFFFF),  # take it
        )
        held = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("HP", 4, ctypes.addressof(held))
        with suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


class _Worker(multiprocess.Process):
    """A worker that runs our server, and does not outlive who started it."""

    _asked: float | None = None  # since when an answer is awaited

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether the worker runs and has answered in time.

        uvicorn's waits for the answer: for all of the time-out if the worker ends meanwhile, and
        no other worker is replaced and no signal is heeded before that.
        """
        if not self.process.is_alive():
            return False
        try:
            while self.parent_conn.poll():
                self.parent_conn.recv()
                self._asked = None
            if self._asked is None:
                self._asked = time.monotonic()
                self.parent_conn.send(b"ping")
        except (OSError, EOFError):
            return False
        return time.monotonic() - self._asked < timeout

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        super().target(sockets)

    def _end_with_parent(self) -> None:
        """Nobody is left to replace this worker or to tell it to end, after a `kill -9` say."""
        parent = parent_process()
        if parent is not None:
            parent.join()
            self.server.should_exit = True

    @property
    def server(self) -> uvicorn.Server:
        """The server, made in the worker."""
        if self._server is None:
            self._server = Server(config=self.config)
        return self._server


class _Workers(multiprocess.Multiprocess):
    """Workers that share one socket."""

    def keep_subprocess_alive(self) -> None:
        """As uvicorn's; one that has ended is told, and no longer counted."""
        for each in self.processes:
            if not each.process.is_alive() and each.process.exitcode is not None:
                logs.say(f"the worker {each.pid} has ended ({each.process.exitcode})")
                mark_process_dead(each.pid)  # type: ignore[no-untyped-call]
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        """Let the workers end; the last of them is the last to listen, and looks who is waiting."""
        for each in self.sockets:
            each.close()
        super().terminate_all()
