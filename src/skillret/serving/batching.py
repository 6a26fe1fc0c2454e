"""Requests that arrive together are answered together, by one call for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

__all__ = ["Batches"]

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")

Work = Callable[[_K, Sequence[str]], Awaitable[Sequence[_T]]]


class Batches(Generic[_K, _T]):
    """Gathers texts while their like is being worked on. Belongs to one event loop.

    The first text goes at once; those that come meanwhile go together as soon as it is done. Texts
    that are the same are asked for once.

    Args:
        work: Answers several texts of one kind, each by one result.
        most: Texts in one call at most.
        at_once: Calls of one kind at a time at most.
    """

    def __init__(self, work: Work[_K, _T], *, most: int = 32, at_once: int = 1) -> None:
        self._work, self._most, self._at_once = work, most, at_once
        self._waiting: dict[_K, dict[str, asyncio.Future[_T]]] = {}
        self._running: dict[_K, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: _K, text: str) -> _T:
        """The result for a text; an error is that of its whole call.

        Args:
            kind: Only texts of one kind go together.
            text: The text.
        """
        waiting = self._waiting.setdefault(kind, {})
        future = waiting.get(text)
        if future is None:
            future = waiting[text] = asyncio.get_running_loop().create_future()
            if self._running.get(kind, 0) < self._at_once:
                self._start(kind)
        # Others may wait for the same: one who goes away takes nothing from them.
        return await asyncio.shield(future)

    def _start(self, kind: _K) -> None:
        self._running[kind] = self._running.get(kind, 0) + 1
        task = asyncio.get_running_loop().create_task(self._run(kind))
        self._tasks.add(task)  # which a loop does not keep alive
        task.add_done_callback(self._tasks.discard)

    async def _run(self, kind: _K) -> None:
        try:
            while waiting := self._waiting.get(kind):
                texts = list(waiting)[: self._most]
                await self._answer(kind, {text: waiting.pop(text) for text in texts})
        finally:
            self._running[kind] -= 1
            if not self._running[kind]:
                del self._running[kind]
                self._waiting.pop(kind, None)

    async def _answer(self, kind: _K, asked: dict[str, asyncio.Future[_T]]) -> None:
        try:
            results = await self._work(kind, list(asked))
        except BaseException as e:
            for future in asked.values():
                if not future.done():
                    future.set_exception(e)
                    future.exception()  # nobody may be left who would look
            if not isinstance(e, Exception):
                raise
            return
        for future, result in zip(asked.values(), results, strict=True):
            if not future.done():
                future.set_result(result)
