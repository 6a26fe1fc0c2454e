"""Where an index in Milvus lives: `milvus://HOST:PORT/COLLECTION` or `milvus-lite:FILE`."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from skillret.errors import InputError
from skillret.files import expand

__all__ = ["Address", "parse_address"]

_PORT = 19530
_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_IN_FILE = "skills"  # collection of a file
_EXAMPLE = "milvus://127.0.0.1:19530/COLLECTION"


class Address(NamedTuple):
    """An index in Milvus.

    Attributes:
        name: As it is named in messages.
        uri: What the client of Milvus connects to.
        collection: Alias of the collection that holds the current skills.
        tenant: Whose skills; "" where the collection has no tenants.
        file: The file of Milvus Lite; "" for a server.
    """

    name: str
    uri: str
    collection: str
    tenant: str
    file: str


def parse_address(name: str) -> Address:
    """Read a name that `skillret.files.is_address` knows.

    Raises:
        InputError: If it is none.
    """
    place, _, query = name.partition("?")
    tenant = _tenant(name, query)
    if name.startswith("milvus-lite:"):
        path = place.removeprefix("milvus-lite:")
        if not path.endswith(".db"):
            raise InputError(f"{name!r} should name a file that ends in .db: milvus-lite:FILE.db")
        file = os.fspath(expand(path).absolute())
        return Address(name, file, _IN_FILE, tenant, file)
    try:
        parts = urlsplit(place)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError as e:
        raise InputError(f"{name!r} is no address of Milvus ({e}): {_EXAMPLE}") from None
    collection = parts.path.strip("/")
    if not host or "@" in parts.netloc or not _COLLECTION.fullmatch(collection):
        raise InputError(
            f"{_shown(name)!r} is no address of Milvus: {_EXAMPLE}; a collection's name has up to"
            " 100 letters, digits and '_'; a user and password go into the environment variable"
            " SKILLRET_MILVUS_TOKEN, as USER:PASSWORD"
        )
    scheme = "https" if parts.scheme == "milvus+tls" else "http"
    shown = f"[{host}]" if ":" in host else host
    return Address(name, f"{scheme}://{shown}:{port}", collection, tenant, "")


def _shown(name: str) -> str:
    """A name without what may be a password."""
    return re.sub(r"//[^/]*@", "//...@", name)


def _tenant(name: str, query: str) -> str:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    tenant = asked.pop("tenant", "") if query else ""
    if asked or (query and not _TENANT.fullmatch(tenant)):
        raise InputError(
            f"{quote(query)!r} of {_shown(name)!r}: what may follow is ?tenant=NAME, of up to 64"
            " letters, digits, '.', '_' and '-'"
        )
    return tenant
