"""Work that blocks, beside the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

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

    Args:
        readers: How many read at once at most; how many search is the `Retriever`'s concern.
        writers: How many write at once at most.
    """

    def __init__(self, readers: int = 16, writers: int = 4) -> None:
        self._readers, self._writers = CapacityLimiter(readers), CapacityLimiter(writers)

    async def read(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do what reads; whoever waits for it may be cancelled, the thread goes on."""
        return await _run(self._readers, partial(work, *args, **kwargs))

    async def write(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do what writes, likewise."""
        return await _run(self._writers, partial(work, *args, **kwargs))


async def _run(limiter: CapacityLimiter, call: Callable[[], _T]) -> _T:
    event = threading.Event()
    before = _left.set(event)  # a thread has a copy of what holds here
    try:
        return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
    finally:
        event.set()
        _left.reset(before)
