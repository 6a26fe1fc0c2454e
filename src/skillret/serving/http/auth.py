"""Tokens: who may ask, for which libraries, and who may change them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
)
from starlette.requests import HTTPConnection
from starlette.responses import Response

from skillret.serving.http.errors import RefusedError, refusal
from skillret.serving.http.logs import remark
from skillret.serving.libraries import check_name

__all__ = [
    "DOCS_FILES",
    "Access",
    "Bearer",
    "Token",
    "check",
    "is_public",
    "may_see",
    "unauthorized",
]

Access: TypeAlias = Literal["read", "write"]
DOCS_FILES = "/docs-files"  # what the page at /docs is made of
# What tells nothing of skills; of the page its files, which ask for a token themselves.
_PUBLIC = frozenset(
    {"/", "/info", "/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"}
)


def is_public(path: str) -> bool:
    """Whether everyone may see what lies at a path."""
    return path in _PUBLIC or path.startswith(("/page/", f"{DOCS_FILES}/"))


class Token(NamedTuple):
    """A token that is known.

    Attributes:
        digest: SHA-256 of it.
        access: Whether it may change libraries, or only read them.
        libraries: Which; all if None.
    """

    digest: bytes
    access: Access = "read"
    libraries: frozenset[str] | None = None

    @classmethod
    def of(cls, token: str, access: Access, libraries: Iterable[str] | None = None) -> Token:
        """What is known of a token."""
        digest = hashlib.sha256(token.encode()).digest()
        return cls(digest, access, None if libraries is None else frozenset(libraries))


class Caller(BaseUser):
    """Someone who may ask."""

    def __init__(self, token: Token) -> None:
        self.token = token

    @property
    def is_authenticated(self) -> bool:
        """True."""
        return True

    @property
    def display_name(self) -> str:
        """Nothing is known of them but their token."""
        return self.token.digest.hex()[:8]


class Bearer(AuthenticationBackend):
    """Knows callers by `Authorization: Bearer TOKEN`.

    Args:
        tokens: Those that are known. If there are none, everyone may do all.
    """

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._tokens = tuple(tokens)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """The caller; None where none is needed.

        Raises:
            AuthenticationError: If the token is missing or unknown.
        """
        given = conn.headers.getlist("authorization")
        token = self._find(given)
        if token is not None:
            return AuthCredentials([token.access]), Caller(token)
        if is_public(conn.url.path):
            return None
        known_scheme = len(given) == 1 and given[0].lower().startswith("bearer ")
        raise AuthenticationError(
            "this token is not known here: send another one"
            if known_scheme
            else "send the header Authorization: Bearer TOKEN"
        )

    def _find(self, given: list[str]) -> Token | None:
        if not self._tokens:
            return _ANYONE
        if len(given) != 1:
            return None
        scheme, _, token = given[0].partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "replace")).digest()
        found = None
        for known in self._tokens:  # all of them, so that time does not tell which
            if hmac.compare_digest(digest, known.digest):
                found = known
        return found if scheme.lower() == "bearer" else None


_ANYONE = Token(b"", "write")


def unauthorized(conn: HTTPConnection, e: AuthenticationError) -> Response:
    """The answer to who is not let in."""
    wrong = ', error="invalid_token"' if "authorization" in conn.headers else ""
    return refusal(401, str(e), headers={"WWW-Authenticate": f'Bearer realm="skillret"{wrong}'})


def check(conn: HTTPConnection, library: str | None = None, access: Access = "read") -> None:
    """Make sure that a caller may do something.

    Args:
        conn: Their request.
        library: To which library; None where it is to none.
        access: `read` or `write`.

    Raises:
        RefusedError: If their token does not reach so far.
    """
    if library is not None:
        remark(conn, library=library[:64])
    caller = conn.user
    if isinstance(caller, Caller) and caller.token.digest:
        remark(conn, token=caller.display_name)
    if access == "write" and "write" not in conn.auth.scopes:
        raise RefusedError(403, "this token may only read; send one that may write")
    if library is not None and not may_see(conn, library):
        raise RefusedError(403, f"this token is not for the library {library!r}")


def may_see(conn: HTTPConnection, library: str) -> bool:
    """Whether a caller's token is for a library."""
    caller = conn.user
    if not isinstance(caller, Caller):
        return False
    libraries = caller.token.libraries
    return libraries is None or check_name(library) in libraries
