"""Work that blocks, beside the event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

__all__ = ["Threads"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


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
        call = partial(work, *args, **kwargs)
        return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._readers)

    async def write(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do what writes, likewise."""
        call = partial(work, *args, **kwargs)
        return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._writers)
