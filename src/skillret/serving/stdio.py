"""MCP's messages on stdin and stdout, without a thread for each line that comes or goes.

The SDK reads and writes in threads, which wake each other up half a dozen times for a call: a third
of what a call costs beyond the library. Pipes need none of them.
"""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.stdio import stdio_server

if TYPE_CHECKING:
    from anyio import AsyncFile

__all__ = ["standard_streams"]

_STEP = 1 << 16


@asynccontextmanager
async def standard_streams() -> AsyncIterator[tuple[Any, Any]]:
    """The messages that come and those that go, as `mcp.server.stdio.stdio_server` gives them.

    Meanwhile stdin is empty and stdout is stderr for everything else in this process and for its
    children. Where stdin is no pipe, and on Windows, the SDK's own threads do the work.
    """
    if not _are_pipes():
        async with stdio_server() as streams:
            yield streams
        return
    # A process that was started without stderr has some other file there.
    instead = None if sys.stderr is None else 2
    with _taken(0) as source, _taken(1, instead) as target:
        writer = _Writer(target)
        lines = cast("AsyncFile[str]", _Lines(source, writer))
        async with stdio_server(lines, cast("AsyncFile[str]", writer)) as streams:
            yield streams


def _are_pipes() -> bool:
    """Whether stdin can be waited for without a thread, and stdout is there."""
    if sys.platform == "win32":
        return False
    try:
        mode = os.fstat(0).st_mode
        os.fstat(1)
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextmanager
def _taken(fd: int, instead: int | None = None) -> Iterator[int]:
    """A copy of a descriptor, which itself leads nowhere meanwhile, or where another one does."""
    import fcntl

    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        os.dup2(nowhere if instead is None else instead, fd)
        yield copy
    finally:
        os.close(nowhere)
        os.dup2(copy, fd)
        os.close(copy)


class _Lines:
    """Messages as they come, one in each line, also the last one if nothing ends it.

    What is no message is refused here: the SDK passes over it, and a client would wait.
    """

    def __init__(self, fd: int, answers: _Writer) -> None:
        self._fd, self._rest, self._seen = fd, bytearray(), 0
        self._answers = answers

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        while True:
            line, refusal = _checked(await self._line())
            if refusal is None:
                return line
            await self._answers.write(json.dumps(refusal) + "\n")
            await self._answers.flush()

    async def _line(self) -> str:
        while (end := self._rest.find(b"\n", self._seen)) < 0:
            self._seen = len(self._rest)
            await anyio.wait_readable(self._fd)
            more = os.read(self._fd, _STEP)
            self._rest += more
            if not more:
                end = len(self._rest) - 1
                break
        if not self._rest:
            raise StopAsyncIteration
        line = self._rest[: end + 1].decode("utf-8", "replace")
        del self._rest[: end + 1]
        self._seen = 0
        return line


def _checked(line: str) -> tuple[str, dict[str, Any] | None]:
    """A line as the SDK can read it, or why it is no message (JSON-RPC 2.0, section 5.1)."""
    if not line.strip():
        return line, None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return line, _refusal(None, -32700, "this line is no JSON")
    if not isinstance(message, dict):
        return line, _refusal(None, -32600, "a message is one JSON object")
    params = message.get("params")
    if "id" in message and "method" in message and not isinstance(params, dict | None):
        return line, _refusal(message["id"], -32602, "params must be an object")
    if "\\ud" in line.lower():  # half an emoji, perhaps: a prompt that was cut
        text = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        return text.decode() + "\n", None
    return line, None


def _refusal(number: object, code: int, reason: str) -> dict[str, Any]:
    known = number if isinstance(number, str | int) else None
    return {"jsonrpc": "2.0", "id": known, "error": {"code": code, "message": reason}}


class _Writer:
    """Writes as much as is taken, and waits for the rest: whoever reads slowly stops nobody."""

    def __init__(self, fd: int) -> None:
        self._fd, self._rest = fd, bytearray()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    async def write(self, text: str) -> None:
        self._rest += text.encode()

    async def flush(self) -> None:
        while self._rest:
            if not self._poll.poll(0):
                await anyio.wait_writable(self._fd)
            try:
                # So much is taken at once where anything is.
                done = os.write(self._fd, self._rest[: select.PIPE_BUF])
            except BlockingIOError:  # the client shares what it set to be non-blocking
                await anyio.wait_writable(self._fd)
                continue
            del self._rest[:done]
