"""A client of `skillret serve`: the methods of `Retriever`, over HTTP, plain and async."""

from skillret.client.calls import LibraryInfo
from skillret.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "LibraryInfo"]
