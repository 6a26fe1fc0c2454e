"""The two clients, plain and async; they differ only in how they send a call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from skillret.client import calls
from skillret.client.calls import Call, LibraryInfo
from skillret.client.endpoint import Endpoint
from skillret.types import Hit, Mode, Selection, Skill, Where

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncClient", "Client"]

_T = TypeVar("_T")


class Client:
    """Skill search by a service that `skillret serve` runs. Safe to share between threads.

    It searches and selects as a `Retriever` does, and answers alike. A service that asks for
    patience (429 or 503 with `Retry-After`) is asked again, three times at most; nothing else is
    repeated.

    Args:
        url: Where the service is, such as `http://127.0.0.1:8377`.
        token: What the service asks for beyond this machine, without "Bearer".
        library: The library of the service that is searched and written.
        timeout: Seconds to wait for a connection, and for an answer.
        http: Sends the requests in place of a client of its own, and is not closed: for
            certificates, proxies, or connections that several clients share.

    Raises:
        InputError: If `url` is no address, or the service finds fault with a request: the message
            is the service's own. This and the following hold for every method.
        StoreError: If the service says that its library cannot be read or written.
        ServiceError: If the service cannot be reached, has no time or answers strangely.
        MissingExtraError: If httpx is not installed.

    Example:
        >>> with Client("http://127.0.0.1:8377") as client:  # doctest: +SKIP
        ...     client.search("turn this scanned PDF into a spreadsheet", k=1)[0].name
        'scanned-pdf-to-spreadsheet'
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        library: str = "default",
        timeout: float = 30.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._endpoint = Endpoint(url, token)
        self.library = library
        import httpx

        self._own = http is None
        self._http = httpx.Client(timeout=timeout) if http is None else http

    def __repr__(self) -> str:
        return f"Client({self._endpoint.url!r}, library={self.library!r})"

    def close(self) -> None:
        """Close its connections."""
        if self._own:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, call: Call[_T]) -> _T:
        import httpx

        for tried in count(1):
            try:
                response = self._http.request(**self._endpoint.asked(call))
            except httpx.HTTPError as e:
                raise self._endpoint.unreachable(e) from None
            wait = self._endpoint.pause(response, tried)
            if wait is None:
                return self._endpoint.answer(call, response)
            time.sleep(wait)
        raise AssertionError

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> list[Hit]:
        """The best skills for a query, best first; see `Retriever.search`."""
        return self._send(calls.search(self.library, query, k, mode, where, explain))

    def search_batch(
        self,
        queries: Sequence[str],
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> list[list[Hit]]:
        """The best skills for each of several queries; see `Retriever.search_batch`.

        256 of them or 1 MiB are sent at a time. What one request brings is of one generation.
        """
        asked = calls.search_batch(self.library, queries, k, mode, where, explain)
        return [hits for call in asked for hits in self._send(call)]

    def select(
        self,
        query: str,
        *,
        limit: int | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> Selection:
        """The set of skills to hand to an agent, perhaps empty; see `Retriever.select`."""
        return self._send(calls.select(self.library, query, 0, limit, where, explain))[1]

    def look_up(
        self,
        query: str,
        k: int = 5,
        *,
        limit: int | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> tuple[list[Hit], Selection]:
        """What is near, and which of it fits; see `Retriever.look_up`."""
        return self._send(calls.select(self.library, query, k, limit, where, explain))

    def skills(self, *, name: str | None = None, where: Where | None = None) -> Iterator[Skill]:
        """All skills of the library without their bodies, which `get` brings.

        Args:
            name: Only those whose name holds this.
            where: Only those whose metadata holds this; see `Retriever.search`.
        """
        after = None
        while True:
            page = self._send(calls.skills(self.library, name, where, after))
            yield from page.skills
            after = page.next
            if after is None:
                return

    def get(self, id_: str) -> Skill | None:
        """A skill with its body; None if the library has none of that id."""
        return self._send(calls.get(self.library, id_))

    def put(self, skill: Skill) -> bool:
        """Add a skill, or replace the one of its id; whether it is a new one. Searchable at once.

        Its name, description, body, metadata and whether it is the user's alone are sent. Not its
        path, its aliases and what shadows it, which are files of this machine; nor `extra`, which
        no index keeps: what searches are to be narrowed by belongs into `metadata`.
        """
        return self._send(calls.put(self.library, skill))

    def put_all(self, skills: Iterable[Skill]) -> int:
        """Add or replace skills, 50 or 1 MiB at a time; how many are new or have changed.

        What one request brings is stored whole or not at all; of a skill what `put` sends.
        """
        return sum(self._send(call) for call in calls.put_all(self.library, skills))

    def delete(self, id_: str) -> bool:
        """Remove a skill; whether it was there."""
        return self._send(calls.delete(self.library, id_))

    def libraries(self) -> list[str]:
        """The names of the libraries that the token is for."""
        return self._send(calls.libraries())

    def library_info(self, name: str | None = None) -> LibraryInfo:
        """What a library holds; the client's own one if None."""
        return self._send(calls.library_info(self.library if name is None else name))

    def create_library(self, name: str) -> None:
        """Make a library; one that is there stays as it is."""
        self._send(calls.create_library(name))

    def delete_library(self, name: str) -> None:
        """Remove a library and all its skills."""
        self._send(calls.delete_library(name))


class AsyncClient:
    """`Client` for asyncio and trio: the same methods, to be awaited.

    Args:
        url: See `Client`.
        token: See `Client`.
        library: See `Client`.
        timeout: See `Client`.
        http: See `Client`.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        library: str = "default",
        timeout: float = 30.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._endpoint = Endpoint(url, token)
        self.library = library
        import httpx

        self._own = http is None
        self._http = httpx.AsyncClient(timeout=timeout) if http is None else http

    def __repr__(self) -> str:
        return f"AsyncClient({self._endpoint.url!r}, library={self.library!r})"

    async def close(self) -> None:
        """Close its connections."""
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, call: Call[_T]) -> _T:
        import anyio
        import httpx

        for tried in count(1):
            try:
                response = await self._http.request(**self._endpoint.asked(call))
            except httpx.HTTPError as e:
                raise self._endpoint.unreachable(e) from None
            wait = self._endpoint.pause(response, tried)
            if wait is None:
                return self._endpoint.answer(call, response)
            await anyio.sleep(wait)
        raise AssertionError

    async def search(
        self,
        query: str,
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> list[Hit]:
        """See `Client.search`."""
        return await self._send(calls.search(self.library, query, k, mode, where, explain))

    async def search_batch(
        self,
        queries: Sequence[str],
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> list[list[Hit]]:
        """See `Client.search_batch`."""
        asked = calls.search_batch(self.library, queries, k, mode, where, explain)
        return [hits for call in asked for hits in await self._send(call)]

    async def select(
        self,
        query: str,
        *,
        limit: int | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> Selection:
        """See `Client.select`."""
        return (await self._send(calls.select(self.library, query, 0, limit, where, explain)))[1]

    async def look_up(
        self,
        query: str,
        k: int = 5,
        *,
        limit: int | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> tuple[list[Hit], Selection]:
        """See `Client.look_up`."""
        return await self._send(calls.select(self.library, query, k, limit, where, explain))

    async def skills(
        self, *, name: str | None = None, where: Where | None = None
    ) -> AsyncIterator[Skill]:
        """See `Client.skills`."""
        after = None
        while True:
            page = await self._send(calls.skills(self.library, name, where, after))
            for skill in page.skills:
                yield skill
            after = page.next
            if after is None:
                return

    async def get(self, id_: str) -> Skill | None:
        """See `Client.get`."""
        return await self._send(calls.get(self.library, id_))

    async def put(self, skill: Skill) -> bool:
        """See `Client.put`."""
        return await self._send(calls.put(self.library, skill))

    async def put_all(self, skills: Iterable[Skill]) -> int:
        """See `Client.put_all`."""
        stored = [await self._send(call) for call in calls.put_all(self.library, skills)]
        return sum(stored)

    async def delete(self, id_: str) -> bool:
        """See `Client.delete`."""
        return await self._send(calls.delete(self.library, id_))

    async def libraries(self) -> list[str]:
        """See `Client.libraries`."""
        return await self._send(calls.libraries())

    async def library_info(self, name: str | None = None) -> LibraryInfo:
        """See `Client.library_info`."""
        return await self._send(calls.library_info(self.library if name is None else name))

    async def create_library(self, name: str) -> None:
        """See `Client.create_library`."""
        await self._send(calls.create_library(name))

    async def delete_library(self, name: str) -> None:
        """See `Client.delete_library`."""
        await self._send(calls.delete_library(name))
