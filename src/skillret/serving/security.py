"""Who may ask a server that listens on a port: loopback alone, or whoever has the key."""

from __future__ import annotations

import errno
import hmac
import ipaddress
import os
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from skillret.errors import InputError
from skillret.files import expand, read_text

__all__ = [
    "API_KEY",
    "PAGE_HEADERS",
    "App",
    "BearerKey",
    "allowed_hosts",
    "check_key",
    "is_allowed",
    "is_loopback",
    "listen",
    "read_key",
]

API_KEY = "SKILLRET_API_KEY"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Nothing from elsewhere, nothing inline, in nobody's frame; and no text becomes HTML but through
# the one policy that `safe.js` has.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types skillret"
)
PAGE_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LEAST = 16  # characters of a key
_MOST = 4096

Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[Any]]
_Send: TypeAlias = Callable[[Any], Awaitable[None]]
App: TypeAlias = Callable[[Scope, _Receive, _Send], Awaitable[None]]


class BearerKey:
    """An ASGI application that lets nobody in who does not send `Authorization: Bearer KEY`."""

    def __init__(self, app: App, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: _Receive, send: _Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] != "http" or self._has_key(scope["headers"]):
            await self._app(scope, receive, send)
            return
        body = b'{"error":"unauthorized: send the header Authorization: Bearer KEY"}'
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"www-authenticate", b"Bearer"),
        ]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _has_key(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name.lower() == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, key = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(key.strip(), self._key)


def check_key(key: str, where: str) -> str:
    """A key that is long enough and one word.

    Raises:
        InputError: If it is not.
    """
    key = key.strip()
    if len(key) < _LEAST or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            f"the key of {where} must have at least {_LEAST} characters, letters and digits for"
            " example, and no spaces"
        )
    return key


def read_key(file: str | None) -> str | None:
    """The key of a file, or else of the environment; None if there is neither.

    Raises:
        InputError: If the file cannot be read, or a key is too short or no single word.
    """
    where, key = API_KEY, os.environ.get(API_KEY)
    if file is not None:
        where = file
        try:
            key = read_text(Path(expand(file)), _MOST)
        except (OSError, ValueError) as e:
            reason = e.strerror if isinstance(e, OSError) else e
            raise InputError(f"cannot read the key of {file}: {reason}") from None
    return None if key is None else check_key(key, where)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, more: Sequence[str] = ()) -> tuple[list[str], list[str]] | None:
    """Values that the headers Host and Origin may have; None if any will do.

    A page in a browser can call a server on loopback by a name of its own (DNS rebinding), and
    its requests then carry that name. Behind a key there is no need to look.

    Args:
        host: Where the server listens.
        more: Further names that it is called by.

    Raises:
        InputError: If one of these is no name of a host.
    """
    more = [_host(name) for name in more]
    if not is_loopback(host) and not more:
        return None
    bare = f"[{host}]" if ":" in host and not host.startswith("[") else host
    names = [*dict.fromkeys((*_LOOPBACK, bare, *more))]
    with_ports = [x for name in names for x in (name, f"{name}:*")]
    return with_ports, [f"{scheme}://{x}" for x in with_ports for scheme in ("http", "https")]


def _host(name: str) -> str:
    """A name as a browser sends it.

    Raises:
        InputError: If it is none.
    """
    if not _HOST.fullmatch(name):
        raise InputError(
            f"--allow-host {name[:80]!r} is no name of a host: give it as in skills.example.org or"
            " skills.example.org:8443, without https:// and without stars"
        )
    return name.lower()


def is_allowed(value: str, allowed: Sequence[str]) -> bool:
    """Whether a header Host or Origin has one of the values that `allowed_hosts` gives."""
    value = value.lower()
    bare, colon, port = value.rpartition(":")
    return value in allowed or (bool(colon) and port.isdigit() and f"{bare}:*" in allowed)


_BY_KEY = f"give a key (--api-key-file, or {API_KEY})"


def listen(host: str, port: int, key: object, *, remedy: str = _BY_KEY) -> socket.socket:
    """A socket that listens.

    Args:
        host: Where to listen.
        port: Where to listen; any free one if 0.
        key: What callers have to send; None if nothing.
        remedy: How a key is given.

    Raises:
        InputError: If others than this machine could reach it without a key, or it cannot be had.
    """
    if not is_loopback(host) and key is None:
        raise InputError(
            f"everyone who reaches {host} could read your skills: {remedy}, or listen on 127.0.0.1"
        )
    bare = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in bare else socket.AF_INET
        opened = socket.create_server((bare, port), family=family)
        # Connections inherit it; asyncio sets it only where a socket names its protocol. Without it
        # the second half of an answer waits 40 ms for the first one to be acknowledged.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened
    except (OSError, OverflowError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else e
        taken = isinstance(e, OSError) and e.errno == errno.EADDRINUSE
        hint = "; another server has it, give another --port" if taken else ""
        raise InputError(f"cannot listen on {host} port {port}: {reason}{hint}") from None
