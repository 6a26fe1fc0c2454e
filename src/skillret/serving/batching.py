"""Requests that arrive together are answered together, by one call for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

__all__ = ["Batches"]

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")

Work = Callable[[_K, Sequence[str]], Awaitable[Sequence[_T]]]


class _Asked(Generic[_T]):
    """A text that is asked for, and how many wait for it."""

    def __init__(self) -> None:
        self.future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self.waiting = 0


class Batches(Generic[_K, _T]):
    """Gathers texts while their like is being worked on. Belongs to one event loop.

    The first text goes at once; those that come meanwhile go together as soon as it is done. Texts
    that are the same are asked for once, and one that nobody waits for any more is not asked for.

    Args:
        work: Answers several texts of one kind, each by one result.
        most: Texts in one call at most.
        at_once: Calls of one kind at a time at most.
    """

    def __init__(self, work: Work[_K, _T], *, most: int = 32, at_once: int = 1) -> None:
        self._work, self._most, self._at_once = work, most, at_once
        self._waiting: dict[_K, dict[str, _Asked[_T]]] = {}
        self._running: dict[_K, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: _K, text: str) -> _T:
        """The result for a text; an error is that of its whole call.

        Args:
            kind: Only texts of one kind go together.
            text: The text.
        """
        waiting = self._waiting.setdefault(kind, {})
        asked = waiting.get(text)
        if asked is None:
            asked = waiting[text] = _Asked()
            if self._running.get(kind, 0) < self._at_once:
                self._start(kind)
        asked.waiting += 1
        try:
            # Others may wait for the same: one who goes away takes nothing from them.
            return await asyncio.shield(asked.future)
        finally:
            asked.waiting -= 1
            if not asked.waiting and waiting.get(text) is asked:
                del waiting[text]

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

    async def _answer(self, kind: _K, asked: dict[str, _Asked[_T]]) -> None:
        try:
            results = await self._work(kind, list(asked))
        except BaseException as e:
            for each in asked.values():
                if not each.future.done():
                    each.future.set_exception(e)
                    each.future.exception()  # nobody may be left who would look
            if not isinstance(e, Exception):
                raise
            return
        for each, result in zip(asked.values(), results, strict=True):
            if not each.future.done():
                each.future.set_result(result)
