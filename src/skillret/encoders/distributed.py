"""Documents encoded by several processes, on one machine or on a cluster, by Ray."""

from __future__ import annotations

import os
import re
import secrets
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from skillret.arrays import Float32
from skillret.encoders.encoder import (
    Documents,
    Encoder,
    TokenEncoder,
    Tokens,
    check_texts,
    read_documents,
)
from skillret.encoders.profile import Profile
from skillret.encoders.registry import DEFAULT_MODEL, load_encoder
from skillret.errors import EncoderError, SkillretError
from skillret.extras import require
from skillret.messages import counted

__all__ = ["DistributedEncoder"]

_AHEAD = 2  # chunks under way for each worker: one that it reads, and one that waits
_SHARED = 256 * 2**20  # bytes of memory that texts and vectors pass through
_START = 600.0  # seconds until every worker has loaded its model
_SHORT = "/tmp"  # noqa: S108 (a folder of its own is made there)
_PATIENCE = 10.0  # seconds until a cluster answers
_ADDRESS = "RAY_ADDRESS"


class DistributedEncoder:
    """An encoder whose documents are read by workers; its queries are encoded here.

    Workers are Ray actors: of the cluster that `RAY_ADDRESS` names, else of this machine alone,
    where nothing listens beyond loopback. A worker that dies is started again, and what it was
    reading is read again.

    Args:
        model: As `load_encoder` takes it; each worker loads it by this name, so on a cluster it is
            a hub id, a URL, or a path that all machines have.
        workers: How many; each takes one core for an ONNX model.
        gpus: Of each worker, for models that use any.
        trust_remote_code: Run Python code that a model brings along, there too.

    Raises:
        EncoderError: If the model cannot be loaded, here or there, or is another one there, or
            no cluster answers.
        MissingExtraError: If Ray is not installed.

    Example:
        >>> with DistributedEncoder("default", workers=2) as encoder:  # doctest: +SKIP
        ...     Index.open("team.db", create=True, model=encoder).update(skills)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        workers: int = 2,
        *,
        gpus: float = 0,
        trust_remote_code: bool = False,
    ) -> None:
        require("ray", "encoding by several workers", ["ray"])
        if workers < 1:
            raise EncoderError(f"encoding takes one worker or more, not {workers}")
        self._here = load_encoder(model, trust_remote_code=trust_remote_code)
        self.profile: Profile = self._here.profile
        self._ray, self._end = _connect(workers)
        made = self._ray.remote(_Worker).options(
            num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=-1
        )
        name = os.fspath(model)
        if os.path.isdir(name):  # noqa: PTH112
            name = os.path.abspath(name)  # noqa: PTH100 (a worker may start elsewhere)
        self._workers = [made.remote(name, trust_remote_code) for _ in range(workers)]
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode queries; see `Encoder.encode_queries`."""
        return self._here.encode_queries(texts)

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Read queries with their tokens; see `TokenEncoder.encode_tokens`."""
        if not isinstance(self._here, TokenEncoder):
            raise EncoderError(f"{self.profile.name} shows no tokens")
        return self._here.encode_tokens(texts)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        """Encode documents, all by one worker; see `Encoder.encode_documents`."""
        return self.encode_document_tokens(texts, progress).vectors

    def encode_document_tokens(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Documents:
        """Read documents, all by one worker; see `LateEncoder.encode_document_tokens`."""
        (read,) = self.read_chunks([check_texts(texts)])
        if progress is not None:
            progress(len(texts))
        return read

    def read_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[Documents]:
        """Read chunks of documents, all workers at once; see `BulkEncoder.read_chunks`.

        Args:
            chunks: Taken as they are needed: few are in memory at a time.
        """
        free = deque(self._workers * _AHEAD)
        waiting: deque[tuple[Any, Any]] = deque()
        for chunk in chunks:
            if not free:
                yield self._next(waiting, free)
            worker = free.popleft()
            waiting.append((worker, worker.read.remote(list(chunk))))
        while waiting:
            yield self._next(waiting, free)

    def close(self) -> None:
        """End the workers, and the Ray that was started for them."""
        for worker in self._workers:
            with suppress(Exception):
                self._ray.kill(worker)
        self._workers = []
        self._end()

    def __enter__(self) -> DistributedEncoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self, waiting: deque[tuple[Any, Any]], free: deque[Any]) -> Documents:
        worker, reading = waiting.popleft()
        read: Documents = self._told(reading)
        free.append(worker)
        return read

    def _check_workers(self) -> None:
        """Make sure that all workers have the model that is here."""
        asked = [worker.identity.remote() for worker in self._workers]
        for identity, host in self._told(asked, timeout=_START):
            if identity != self.profile.identity:
                raise EncoderError(
                    f"a worker on {host} has another {self.profile.name} than this machine: its"
                    " vectors may not meet; give all machines the same model and version"
                )

    def _told(self, waited_for: Any, timeout: float | None = None) -> Any:
        """What workers answer; their errors are told as those of any encoder."""
        try:
            return self._ray.get(waited_for, timeout=timeout)
        except self._ray.exceptions.GetTimeoutError:
            there = self._ray.cluster_resources()
            raise EncoderError(
                f"{counted(len(self._workers), 'worker')} did not start within {_START:.0f}"
                f" seconds; the cluster has {there.get('CPU', 0):.0f} cores and"
                f" {there.get('GPU', 0):.0f} GPUs"
            ) from None
        except self._ray.exceptions.RayTaskError as e:
            cause = e.cause
            if isinstance(cause, SkillretError):
                raise cause from None
            raise EncoderError(f"a worker failed: {type(cause).__name__}: {cause}") from None
        except self._ray.exceptions.RayError as e:
            raise EncoderError(f"a worker failed: {' '.join(str(e).split())[:300]}") from None


class _Worker:
    """What runs in a process of its own: an encoder of one core.

    Args:
        model: As `load_encoder` takes it.
        trust_remote_code: As there.
    """

    def __init__(self, model: str, trust_remote_code: bool) -> None:
        self._encoder: Encoder = load_encoder(model, trust_remote_code=trust_remote_code, threads=1)

    def identity(self) -> tuple[str, str]:
        """Of its model, and the machine that it runs on."""
        return self._encoder.profile.identity, socket.gethostname()

    def read(self, texts: Sequence[str]) -> Documents:
        """Read documents."""
        return read_documents(self._encoder, texts)


def _check_address(address: str) -> None:
    """Make sure that something answers at `HOST:PORT`: Ray itself tries for two minutes.

    Raises:
        EncoderError: If nothing does.
    """
    if not (found := re.fullmatch(r"\[?([^\[\]/]+)\]?:(\d{1,5})", address)):
        return  # "auto", or the address of a Ray client
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as e:
        raise EncoderError(f"no Ray cluster at {address} ({_ADDRESS}): {e}") from None


def _connect(workers: int) -> tuple[Any, Callable[[], None]]:
    """Ray, and what ends it if it was started for us.

    Raises:
        EncoderError: If there is no cluster at the address, or none can be started.
    """
    address = os.environ.get(_ADDRESS)
    # Ray reads these when it is imported. It reports each start to its makers otherwise ...
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address:
        # ... listens on all interfaces, and lets everybody on the machine run code.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    if ray.is_initialized():
        return ray, lambda: None
    if address:
        _check_address(address)
    options = {"logging_level": "error", "log_to_driver": False}
    try:
        if address:
            ray.init(address=address, **options)
            return ray, ray.shutdown
        # Ray opens the folder it is given to everybody, so that lies in one that is ours alone; and
        # its sockets' names may not be longer than this allows.
        folder = tempfile.TemporaryDirectory(
            prefix="skillret-",
            dir=_SHORT if os.path.isdir(_SHORT) else None,  # noqa: PTH112
            ignore_cleanup_errors=True,
        )
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=_SHARED,
            _temp_dir=os.path.join(folder.name, "ray"),  # noqa: PTH118
            **options,
        )
    except (ConnectionError, OSError, RuntimeError, ValueError) as e:
        where = f"no Ray cluster at {address} ({_ADDRESS})" if address else "Ray does not start"
        raise EncoderError(f"{where}: {' '.join(str(e).split())[:300]}") from None

    def end() -> None:
        ray.shutdown()
        folder.cleanup()

    return ray, end
