"""Work that blocks, beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread

__all__ = ["Threads", "is_left"]

_left: ContextVar[threading.Event | None] = ContextVar("left", default=None)

_P = ParamSpec("_P")
_T = TypeVar("_T")


def is_left() -> bool:
    """Whether nobody waits any more for the work that this thread is at."""
    event = _left.get()
    return event is not None and event.is_set()


class Threads:
    """Threads of their own for reading and for writing: a writer may wait for another one's lock.

    Belongs to one event loop.

    Args:
        readers: How many read at once at most; how many search is the `Retriever`'s concern.
        writers: How many write at once at most, each to another library.
        lookers: How many look at once, besides, how the server is.
    """

    def __init__(self, readers: int = 16, writers: int = 16, lookers: int = 2) -> None:
        self._readers, self._writers = CapacityLimiter(readers), CapacityLimiter(writers)
        self._lookers = CapacityLimiter(lookers)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do what reads; whoever waits for it may be cancelled, the thread goes on."""
        return await _run(self._readers, partial(work, *args, **kwargs))

    async def look(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Look how the server is, which waits for no search."""
        return await _run(self._lookers, partial(work, *args, **kwargs))

    async def write(
        self, library: str, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Do what writes to a library, likewise.

        One thread a library: the others would only wait for its lock, and keep other libraries'
        writers from their turn.
        """
        turn = self._turns.setdefault(library, asyncio.Lock())
        async with turn:
            return await _run(self._writers, partial(work, *args, **kwargs))


async def _run(limiter: CapacityLimiter, call: Callable[[], _T]) -> _T:
    event = threading.Event()
    before = _left.set(event)  # a thread has a copy of what holds here
    try:
        return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
    finally:
        event.set()
        _left.reset(before)
