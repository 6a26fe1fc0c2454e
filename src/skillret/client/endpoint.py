"""A service as a client sees it: its address, what is sent to it, what its answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from skillret.client.calls import Call, encoded
from skillret.errors import (
    IndexBusyError,
    IndexCorruptError,
    InputError,
    ServiceError,
    SkillretError,
    StoreError,
)
from skillret.extras import require
from skillret.messages import printable

if TYPE_CHECKING:
    import httpx

__all__ = ["Endpoint"]

_T = TypeVar("_T")
_TRIES = 4  # of one request, the first among them
_PATIENCE = 30.0  # seconds that a service may ask to wait before the next try
_FAULTS: dict[str, type[SkillretError]] = {  # errors that the service's own library had
    "index_busy": IndexBusyError,
    "index_damaged": IndexCorruptError,
    "index_unavailable": StoreError,
}
_SHOWN = 500  # characters of what an answer says


class Endpoint:
    """What both clients know of a service: its address, what is asked, what an answer means."""

    def __init__(self, url: str, token: str | None) -> None:
        require("client", "a client", ["httpx"])
        self.url = _checked(url)
        self._headers = {"accept": "application/json", "content-type": "application/json"}
        if token:
            if not (token.isascii() and token.isprintable()):
                raise InputError("a token is one word of ASCII letters, digits and signs")
            self._headers["authorization"] = f"Bearer {token}"

    def asked(self, call: Call[Any]) -> dict[str, Any]:
        """The arguments of httpx's `request`."""
        content = None
        if call.body is not None:
            body = {name: value for name, value in call.body.items() if value is not None}
            content = encoded(body)
        params = {k: v for k, v in (call.params or {}).items() if v is not None}
        return {
            "method": call.method,
            "url": self.url + call.path,
            "params": params or None,
            "content": content,
            "headers": self._headers,
        }

    def pause(self, response: httpx.Response, tried: int) -> float | None:
        """Seconds until the request is sent once more; None if its answer is to be read."""
        asked = response.headers.get("retry-after", "")
        if response.status_code not in (429, 503) or not (asked.isascii() and asked.isdigit()):
            return None
        return float(asked) if tried < _TRIES and float(asked) <= _PATIENCE else None

    def answer(self, call: Call[_T], response: httpx.Response) -> _T:
        """What a call asked for.

        Raises:
            InputError: If the service says that the request is at fault.
            StoreError: If it says that the library cannot be read or written.
            ServiceError: If anything else is wrong.
        """
        status, kind = response.status_code, _error_type(response)
        if call.missing and status == 404 and kind == "skill_not_found":
            return call.missing()
        if status == 401:
            raise InputError(f"{self.url} wants a token that it knows: give it as `token`")
        if status == 403:
            raise InputError(f"{self.url} does not let this token do that: {_said(response)}")
        if not 200 <= status < 300:
            ours = 400 <= status < 500 and kind and status not in (408, 429)
            error = InputError if ours else _FAULTS.get(kind, ServiceError)
            raise error(_said(response) if ours else f"{self.url} ({status}): {_said(response)}")
        try:
            return call.read(response.json() if response.content else None)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise ServiceError(
                f"{self.url} does not answer as `skillret serve` does: {_said(response)}"
            ) from None

    def unreachable(self, error: Exception) -> ServiceError:
        """What is said of an error of httpx."""
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return ServiceError(
                f"{self.url} has not answered in time; raise the client's `timeout`"
            )
        return ServiceError(
            f"cannot reach {self.url}: {str(error) or type(error).__name__}; is `skillret serve`"
            " running there?"
        )


def _checked(url: str) -> str:
    """The address of a service, without a slash at its end.

    Raises:
        InputError: If it is none, or holds more: a user and password, a query.
    """
    try:
        parts = urlsplit(url)
        whole = parts.hostname and parts.port != 0 and parts.scheme in ("http", "https")
    except (ValueError, AttributeError):
        whole = False
    if not whole or "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable():
        # It is not shown: a password may be in it.
        raise InputError(
            "that is no address of a service: give one such as http://127.0.0.1:8377, and a token"
            " by `token`"
        )
    return url.rstrip("/")


def _error_type(response: httpx.Response) -> str:
    """The kind of error that the service names; empty if it is not the service that answers."""
    try:
        return str(response.json()["error_type"])
    except (ValueError, TypeError, KeyError):
        return ""


def _said(response: httpx.Response) -> str:
    """What an answer says, in one line; untrusted, since anyone may be there."""
    try:
        said = response.json()["error"]
    except (ValueError, TypeError, KeyError):
        said = response.text
    return printable(str(said))[:_SHOWN] or response.reason_phrase or "nothing"
