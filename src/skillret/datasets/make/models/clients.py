"""The official clients of OpenAI and Anthropic, which many other servers speak to as well.

They are told to try once: retries are ours, since each counts against limits and budget.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from skillret.datasets.make.config import EndpointSection
from skillret.errors import InputError, ServiceError
from skillret.extras import require
from skillret.messages import printable

__all__ = ["Client", "RefusedError", "Reply", "TransientError", "make_client"]

_SHOWN = 200  # characters of what a server says
_PASSING = (408, 409, 425, 429)
_OURS = (401, 402, 403, 404, 405, 407)  # key, account or address are wrong: no question will do


class Reply(NamedTuple):
    """An answer.

    Attributes:
        text: What was said.
        finish: `stop`, `length` (it was cut off) or `refusal`.
        input: Tokens of the question, as billed.
        output: Tokens of the answer, as billed.
    """

    text: str
    finish: str
    input: int
    output: int


class TransientError(Exception):
    """A failure that may pass.

    Args:
        reason: For counts, such as `429`.
        billed: Whether the call may have to be paid all the same.
        wait: Seconds that the server asks for.
    """

    def __init__(self, reason: str, *, billed: bool, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.billed, self.wait = reason, billed, wait


class RefusedError(Exception):
    """The server takes this question at no time; the message says why."""


class Client(Protocol):
    """Somebody who answers."""

    def ask(self, system: str, user: str, max_tokens: int) -> Reply:
        """Ask a question, once.

        Raises:
            TransientError: If it may be asked again.
            RefusedError: If it may not.
            ServiceError: If no question can be asked: a wrong key or address.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


def make_client(endpoint: EndpointSection, section: str) -> Client:
    """The client of an endpoint.

    Raises:
        InputError: If its key is not in the environment.
        MissingExtraError: If the client is not installed.
    """
    require("make", f"[{section}] of kind {endpoint.kind}", (endpoint.kind, "pydantic"))
    key = os.environ.get(endpoint.variable, "").strip()
    if not key:
        raise InputError(
            f"[{section}] needs its key in the environment variable {endpoint.variable} (any text"
            " where the server asks for none)"
        )
    return (_OpenAI if endpoint.kind == "openai" else _Anthropic)(endpoint, key)


class _OpenAI:
    """Chat completions."""

    def __init__(self, endpoint: EndpointSection, key: str) -> None:
        import openai

        self._endpoint, self._key, self._options = endpoint, key, endpoint.fields
        self._errors = openai
        self._client = openai.OpenAI(
            api_key=key,
            base_url=endpoint.url,
            timeout=endpoint.timeout,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),  # or others get the key
        )

    def close(self) -> None:
        self._client.close()

    def ask(self, system: str, user: str, max_tokens: int) -> Reply:
        said: list[Any] = [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]
        more: dict[str, Any] = {**self._options, self._endpoint.limit: max_tokens}
        if self._endpoint.temperature != 1:
            more["temperature"] = self._endpoint.temperature

        def send() -> Any:
            return self._client.chat.completions.create(
                model=self._endpoint.name, messages=said, extra_body=more
            )

        answer = _guarded(send, self._errors, self._key)
        choices = getattr(answer, "choices", None) or []
        if not choices or getattr(choices[0], "message", None) is None:
            raise TransientError("half an answer", billed=True)
        choice, usage = choices[0], getattr(answer, "usage", None)
        finish = {"length": "length", "content_filter": "refusal"}.get(choice.finish_reason, "stop")
        if getattr(choice.message, "refusal", None):
            finish = "refusal"
        input_ = getattr(usage, "prompt_tokens", None)
        output = getattr(usage, "completion_tokens", None)
        return _reply(choice.message.content, finish, input_, output, system + user)


class _Anthropic:
    """Messages."""

    def __init__(self, endpoint: EndpointSection, key: str) -> None:
        import anthropic

        self._endpoint, self._key, self._options = endpoint, key, endpoint.fields
        self._errors = anthropic
        self._client = anthropic.Anthropic(
            api_key=key,
            base_url=endpoint.url,
            timeout=endpoint.timeout,
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(
                follow_redirects=False
            ),  # or others get the key
        )

    def close(self) -> None:
        self._client.close()

    def ask(self, system: str, user: str, max_tokens: int) -> Reply:
        more = dict(self._options)
        if self._endpoint.temperature != 1:
            more["temperature"] = self._endpoint.temperature

        def send() -> Any:
            return self._client.messages.create(
                model=self._endpoint.name,
                max_tokens=max_tokens,
                system=system,
                messages=[{"role": "user", "content": user}],
                extra_body=more,
            )

        answer = _guarded(send, self._errors, self._key)
        parts = getattr(answer, "content", None)
        if not isinstance(parts, list):
            raise TransientError("half an answer", billed=True)
        text = "".join(p.text for p in parts if getattr(p, "type", "") == "text")
        finish = {"max_tokens": "length", "refusal": "refusal"}.get(
            str(getattr(answer, "stop_reason", "")), "stop"
        )
        usage = getattr(answer, "usage", None)
        input_, output = getattr(usage, "input_tokens", None), getattr(usage, "output_tokens", None)
        return _reply(text, finish, input_, output, system + user)


def _reply(text: object, finish: str, input_: object, output: object, question: str) -> Reply:
    said = text if isinstance(text, str) else ""
    # Not every server says what it has counted.
    counted = input_ if isinstance(input_, int) else len(question) // 3
    made = output if isinstance(output, int) else len(said) // 3
    return Reply(said, finish, counted, made)


def _guarded(send: Callable[[], Any], errors: Any, key: str) -> Any:
    """What a client returns; whatever it raises becomes one of three errors."""
    try:
        return send()
    except errors.APITimeoutError:
        raise TransientError("time-out", billed=True) from None
    except errors.APIStatusError as e:
        raise _of_status(e.status_code, e.response.headers, str(e.message), key) from None
    except errors.APIConnectionError:
        raise TransientError("connection lost", billed=True) from None
    except (errors.APIError, json.JSONDecodeError, ValueError, TypeError, AttributeError):
        # A body that ends in the middle, or is no answer at all.
        raise TransientError("half an answer", billed=True) from None


def _of_status(status: int, headers: Any, message: str, key: str) -> Exception:
    said = printable(message.replace(key, "***"))[:_SHOWN]
    if status in _PASSING or status >= 500:
        try:
            wait = float(headers.get("retry-after") or 0)
        except ValueError:
            wait = 0.0
        return TransientError(str(status), billed=False, wait=wait)
    if status in _OURS or 300 <= status < 400:
        if status < 400:
            said = "it sends elsewhere; give that address as url"
        # What a server says of a key may hold a part of it.
        what = {401: "it does not take the key", 402: "it wants to be paid", 403: "it forbids this"}
        return ServiceError(f"the endpoint answers {status}: {what.get(status, said)}")
    return RefusedError(f"{status}: {said}")
