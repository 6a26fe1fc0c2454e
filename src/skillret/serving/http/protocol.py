"""What uvicorn speaks HTTP/1.1 with: httptools, and limits of what may come before a body."""

from __future__ import annotations

import asyncio
import math
import time

import httptools
from uvicorn.protocols.http import httptools_impl

from skillret.serving.http.errors import full

__all__ = ["Protocol"]

_HEAD_SECONDS = 10.0  # for the head of a request to arrive
_HEAD_BYTES = 64 * 1024
_INVALID = "Invalid HTTP request received."
_TOO_LONG = f"The head has more than {_HEAD_BYTES:,} bytes."
_FRAME = 8  # bytes around each byte of a body that comes in chunks of one
# uvicorn's own answer is no JSON, and does not say when to come back.
httptools_impl.service_unavailable = full  # type: ignore[attr-defined, assignment]


class Protocol(httptools_impl.HttpToolsProtocol):
    """Waits neither for ever nor for endless bytes for what comes before and after a body.

    httptools keeps names and values of headers, and of trailers, however long they are.
    """

    _head: asyncio.TimerHandle | None = None  # while one is awaited
    _received = 0  # bytes that came last, of one request as far as is known
    _beside = 0  # bytes that are of no body, since a head or a body began
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
        """As uvicorn's, as long as a body is most of it."""
        self._received = len(data)
        self._beside += len(data)
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response(_INVALID)
        if self._beside > _HEAD_BYTES and not self.transport.is_closing():
            if self._head is not None:
                self.send_400_response(_TOO_LONG)
            else:  # an answer may be under way
                self.transport.close()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as e:
            # Who would like another protocol is answered in this one (RFC 9110, 7.8), but the
            # parser passes the body over: it reads the head again without that wish.
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            kept = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
            if len(kept) == len(self.headers):  # CONNECT, which is for proxies
                self.send_400_response(_INVALID)
                return
            head = b"\r\n".join([method + b" " + self.url + b" HTTP/" + version, *kept, b"", b""])
            self.parser = httptools.HttpRequestParser(self)
            self._feed(head + data[e.args[0] :])

    def on_message_begin(self) -> None:
        """As uvicorn's."""
        self._beside = self._received
        self._await_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's; what follows a body is no header."""
        if self._head is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """As uvicorn's."""
        self._end_head()
        self._beside = 0
        if sum(len(name) + len(value) for name, value in self.headers) > _HEAD_BYTES:
            self.send_400_response(_TOO_LONG)
        elif not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """As uvicorn's."""
        self._received = 0
        if self.cycle is not None and not self.parser.should_upgrade():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """As uvicorn's."""
        self._beside -= _FRAME * len(body)
        if self.cycle is not None:
            super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        self._end_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head is None:  # the first byte counts, not the last one
            self._head = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
