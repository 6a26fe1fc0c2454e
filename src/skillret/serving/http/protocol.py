"""What speaks HTTP/1.1 under uvicorn: h11, which reads a request once the one before is answered.

uvicorn's httptools protocol is quicker (benchmarks/README.md), but it reads ahead whatever comes:
thousands of pipelined requests are kept in memory, and what follows one that is refused is done.
"""

from __future__ import annotations

import asyncio
import math
import time

import h11
from uvicorn.protocols.http import h11_impl

from skillret.serving.http.errors import full

__all__ = ["Protocol"]

_HEAD_SECONDS = 10.0  # for the head of a request to arrive
# uvicorn's own answer is no JSON, and does not say when to come back.
h11_impl.service_unavailable = full  # type: ignore[attr-defined, assignment]


class Protocol(h11_impl.H11Protocol):
    """Does not wait for ever for the head of a request."""

    _head: asyncio.TimerHandle | None = None
    _unread: float | None = None

    def unread_since(self) -> float:
        """When answers were first seen to wait for their reader, as they do now; else infinity."""
        if not self.transport.get_write_buffer_size():
            self._unread = None
        elif self._unread is None:
            self._unread = time.monotonic()
        return math.inf if self._unread is None else self._unread

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """As uvicorn's."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._await_head()
        elif self._head is not None:
            self._head.cancel()
            self._head = None

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        if self._head is not None:
            self._head.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head is None:  # the first byte counts, not the last one
            self._head = self.loop.call_later(_HEAD_SECONDS, self.transport.close)
