"""Clients of `skillret serve`, plain and async: what `Retriever` finds, over HTTP."""

from skillret.client.calls import LibraryInfo
from skillret.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "LibraryInfo"]
