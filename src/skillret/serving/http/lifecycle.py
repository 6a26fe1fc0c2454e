"""What an application does beside its answers: opens the library, watches its folders, ends."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from watchfiles import awatch

from skillret.errors import SkillretError
from skillret.index import Sources
from skillret.retrieval import Retriever
from skillret.serving.http.errors import reported, told
from skillret.serving.http.threads import Threads
from skillret.serving.libraries import DEFAULT, UnknownLibraryError
from skillret.serving.service import Service

__all__ = ["Lifecycle"]

_log = logging.getLogger("skillret.serve")
_DEBOUNCE = 200  # ms that changes are gathered for
_EVERY = 1000  # ms between two looks whether these are still the same folders
_AGAIN = 2.0  # seconds until a library that could not be opened is tried again


class Lifecycle:
    """Whether an application is ready, and why not.

    Args:
        service: What it offers.
        threads: Where it works.
    """

    def __init__(self, service: Service, threads: Threads) -> None:
        self._service, self._threads = service, threads
        self._opened = self._ready = False
        self._problem = "the library is being opened"
        self._streams: set[anyio.CancelScope] = set()
        self.draining = False
        self.started = time.monotonic()

    def unready(self) -> str:
        """Why no request should be sent here now; empty if all is well."""
        if self.draining:
            return "the server is about to end"
        return "" if self._opened or self._ready else self._problem

    def unsearchable(self) -> str:
        """What is wrong with the default library, which is open; empty if it can be searched."""
        retriever = self._service.libraries.opened_default
        try:
            if retriever is not None:
                retriever.searcher()
        except (SkillretError, OSError) as e:
            return told(e)
        return ""

    def drain(self) -> None:
        """No request should be sent here any more; answers without an end come to theirs."""
        self.draining = True
        for stream in self._streams:
            stream.cancel()

    def hold(self, stream: anyio.CancelScope) -> None:
        """Note an answer without an end, to be ended with the server."""
        self._streams.add(stream)
        if self.draining:
            stream.cancel()

    def release(self, stream: anyio.CancelScope) -> None:
        """Forget it: it has come to its end."""
        self._streams.discard(stream)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this lasts the library is opened and its folders are watched."""
        self._stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._open)
            try:
                yield
            finally:
                self._stop.set()  # or else a cancelled `awatch` would go on for seconds
                tasks.cancel_scope.cancel()

    async def _open(self) -> None:
        before = ""
        while not self._opened:
            try:
                await self._threads.read(self._service.warm_up)
                self._opened = True
            except UnknownLibraryError:  # there is none but those that callers make, yet
                self._ready = True
                await anyio.sleep(_AGAIN)
            except (SkillretError, OSError) as e:
                self._problem = told(e) if str(e) == before else reported(e)
                before = str(e)
                await anyio.sleep(_AGAIN)
        retriever = self._service.libraries.opened_default
        if retriever is not None:
            await self._watch(retriever)

    async def _watch(self, retriever: Retriever) -> None:
        """Take up changes in the folders of the library at once; searches look now and then.

        These also find places that come later, which are watched from there on.
        """
        try:
            roots = _roots(retriever)
            while roots and not self._stop.is_set():
                watched = _watched(roots)
                if not watched:
                    await anyio.sleep(_EVERY / 1000)
                    continue
                missed = True  # what changed before the system began to watch
                # Whatever stands in a folder's place by now is not what the system watches.
                async for changes in awatch(
                    *watched,
                    debounce=_DEBOUNCE,
                    step=50,
                    stop_event=self._stop,
                    rust_timeout=_EVERY,
                    yield_on_timeout=True,
                ):
                    roots = _roots(retriever, roots)
                    others = _watched(roots) != watched
                    if changes or others or missed:
                        await self._refresh(retriever)
                    missed = False
                    if others:
                        break
        except Exception as e:  # no more watches to be had, or a name that is no text
            reason = " ".join(str(e).split())
            _log.warning("folders are looked at every few seconds only: %.200s", reason)

    async def _refresh(self, retriever: Retriever) -> None:
        try:
            await self._threads.write(DEFAULT, retriever.refresh)
        except SkillretError as e:
            _log.warning("searching the index as it is: %s", e)


def _roots(retriever: Retriever, before: Sequence[Path] = ()) -> list[Path]:
    """The folders of a library by its index; those of before while it cannot be read."""
    try:
        return [Path(root) for root, _ in Sources.from_info(retriever.index.info()).roots]
    except SkillretError:
        return list(before)


def _watched(roots: Sequence[Path]) -> dict[Path, int]:
    """The folders in which a library may change, with their inodes: links lead to others."""
    found: dict[Path, int] = {}
    for root in roots:
        with suppress(OSError):
            found[root] = root.stat().st_ino
            for entry in os.scandir(root):
                if entry.is_symlink() and entry.is_dir():
                    place = Path(entry.path).resolve()
                    found[place] = place.stat().st_ino
    return found
