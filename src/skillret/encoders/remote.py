"""An encoder behind a URL: a server on another machine encodes for a laptop.

What is spoken is OpenAI's `POST /v1/embeddings`, as text-embeddings-inference, vLLM, llama.cpp,
Ollama and `skillret serve` do. A server of text-embeddings-inference also says which weights it
has (`GET /info`), and most others which models (`GET /v1/models`).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np

from skillret.arrays import Float32
from skillret.encoders.encoder import check_texts, check_vectors
from skillret.encoders.families import find_profile
from skillret.encoders.per_process import PerProcess
from skillret.encoders.profile import Profile
from skillret.errors import EncoderError, InputError
from skillret.extras import require
from skillret.messages import printable

if TYPE_CHECKING:
    import httpx

__all__ = ["TOKEN_VARIABLE", "RemoteEncoder"]

TOKEN_VARIABLE = "SKILLRET_MODEL_TOKEN"  # noqa: S105 (the name of a variable)

_SCHEMES = ("http://", "https://")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BATCH = 32  # texts of a request, as many as text-embeddings-inference takes at first
_CHARACTERS_PER_TOKEN = 4  # no text that is cut so is much too long for a server
_TRIES = 5  # of a request, the first among them ...
_UNREACHED = 3  # ... and of one that reaches no server
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_TIMEOUT = 60.0  # seconds to wait for an answer
_MOST_BYTES = 1 << 26  # of an answer: 32 vectors of 16,384 values take a fifth
_PROBE = "a skill"
_SHOWN = 200  # characters of what a server says


class RemoteEncoder:
    """An encoder that a server runs. Safe to share between threads.

    The prompts and lengths are those of the model's family, by the name that the server gives it.
    Vectors are divided by their length here, whatever the server does. A server that has no time
    (429, 5xx, no connection) is asked again for about a quarter of a minute.

    Args:
        url: `http://HOST:PORT`, `https://HOST/v1` or such; behind a `#` the model's name, where
            the server has several. A token is read from SKILLRET_MODEL_TOKEN.
        profile: Overrides the one found by the model's name.

    Raises:
        EncoderError: If the server cannot be reached, has no such model or makes no vectors.
        InputError: If the address is none, or a token would be sent unencrypted over a network.
        MissingExtraError: If httpx is not installed.
    """

    def __init__(self, url: str, *, profile: Profile | None = None) -> None:
        require("client", "an encoder behind a URL", ["httpx"])
        parts = _checked(url)
        path = parts.path.rstrip("/").removesuffix("/embeddings")
        self._root = f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}"
        headers = _headers(parts.scheme, parts.hostname or "")
        self._http = PerProcess(partial(_client, headers))
        self._shown = printable(f"{parts.scheme}://{parts.netloc}{parts.path}")
        name, revision = unquote(parts.fragment), ""
        if not name:
            name, revision = self._model()
        self._name = name
        dim = len(self._vectors([_PROBE])[0])
        chosen = profile or find_profile(name)
        self.note: str | None = None
        if chosen is None:
            chosen = Profile(name, source="defaults: the model's family is unknown")
            self.note = (
                f"no profile for {printable(name)!r}: no prompts, and texts of"
                f" {chosen.max_document_tokens} tokens"
            )
        # The server's weights are out of reach: the model's name, and its revision where the
        # server tells it, stand for them.
        weights = hashlib.sha256(f"remote\0{name}\0{revision}".encode()).hexdigest()
        self.profile: Profile = replace(
            chosen, name=name, dim=dim, weights=weights, token_dim=0, token_projection=""
        )

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode queries; see `Encoder.encode_queries`."""
        p = self.profile
        return self._encode(texts, p.query_prompt, p.max_query_tokens, None)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        """Encode documents; see `Encoder.encode_documents`."""
        p = self.profile
        return self._encode(texts, p.document_prompt, p.max_document_tokens, progress)

    def _encode(
        self,
        texts: Sequence[str],
        prompt: str,
        max_tokens: int,
        progress: Callable[[int], None] | None,
    ) -> Float32:
        limit = max_tokens * _CHARACTERS_PER_TOKEN
        cut = [
            prompt + text[:limit].encode("utf-8", "replace").decode("utf-8")
            for text in check_texts(texts)
        ]
        out = np.zeros((len(cut), self.profile.dim), dtype=np.float32)
        # Like lengths together: a server pads a batch to its longest text.
        order = sorted(range(len(cut)), key=lambda i: -len(cut[i]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            found = self._vectors([cut[i] for i in rows])
            if found.shape[1] != self.profile.dim:
                raise EncoderError(
                    f"the model at {self._shown} makes vectors of {found.shape[1]} values now, and"
                    f" made {self.profile.dim} before: it is another one"
                )
            out[rows] = found
            if progress is not None:
                progress(len(rows))
        return out

    def _vectors(self, texts: list[str]) -> Float32:
        """Vectors of one batch, of unit length, float32 `(n, dim)`."""
        body = {"model": self._name, "input": texts, "encoding_format": "float"}
        answer = self._ask("POST", "/v1/embeddings", body)
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            if [int(row["index"]) for row in rows] != list(range(len(texts))):
                raise ValueError("not one vector for each text")
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
            if vectors.ndim != 2 or not vectors.shape[1]:
                raise ValueError("vectors of different lengths")
        except (ValueError, TypeError, LookupError, OverflowError) as e:
            raise self._strange(e) from None
        vectors = check_vectors(vectors, self._name)
        lengths = np.sqrt(np.vecdot(vectors, vectors))[:, None]
        if not lengths.all():
            raise self._strange("a vector of zeros")
        return np.asarray(vectors / lengths, dtype=np.float32)

    def _model(self) -> tuple[str, str]:
        """Name of the server's only model, and its revision where it tells that."""
        info = self._ask("GET", "/info", optional=True)
        if isinstance(info, dict) and isinstance(info.get("model_id"), str):
            return info["model_id"], str(info.get("model_sha") or "")
        listed = self._ask("GET", "/v1/models", optional=True)
        try:
            names = [str(model["id"]) for model in listed["data"]]
        except (TypeError, LookupError):
            names = []
        if len(names) == 1:
            return names[0], ""
        has = f"has {len(names)} models ({', '.join(names):.200})" if names else "names no model"
        raise EncoderError(
            printable(f"the server at {self._shown} {has}: say which, as {self._shown}#NAME")
        )

    def _ask(self, method: str, path: str, body: Any = None, *, optional: bool = False) -> Any:
        """What a server answers, as JSON; None where it has no such thing and need not."""
        import httpx

        pause = _FIRST_PAUSE
        for tried in range(1, _TRIES + 1):
            wait, last = pause, tried == _TRIES
            try:
                status, headers, content = self._send(method, path, body)
            except httpx.HTTPError as e:
                if tried == _UNREACHED:
                    reason = printable(str(e)) or type(e).__name__
                    raise EncoderError(
                        f"the server of the model at {self._shown} does not answer ({reason:.200});"
                        " start it, or give another --model"
                    ) from None
            else:
                if status == 200:
                    return self._read(content)
                if optional and status not in (401, 403, *_PASSING):
                    return None
                if last or status not in _PASSING:
                    raise self._refused(status, content)
                asked = headers.get("retry-after", "")
                if asked.isascii() and asked.isdigit():
                    wait = min(float(asked), _LONGEST_PAUSE)
            time.sleep(wait)
            pause *= 2
        raise AssertionError

    def _send(self, method: str, path: str, body: Any) -> tuple[int, httpx.Headers, bytes]:
        with self._http().stream(method, self._root + path, json=body) as response:
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_BYTES:
                    raise self._strange(f"more than {_MOST_BYTES >> 20} MB")
            return response.status_code, response.headers, bytes(content)

    def _read(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as e:
            raise self._strange(e) from None

    def _refused(self, status: int, content: bytes) -> EncoderError:
        said = printable(content[:_SHOWN].decode("utf-8", "replace"))
        remedy = {
            401: f"; put its token into {TOKEN_VARIABLE}",
            403: f"; put its token into {TOKEN_VARIABLE}",
            413: "; let the server cut what is too long (--auto-truncate)",
        }.get(status, "")
        return EncoderError(f"the model at {self._shown} answers {status}: {said}{remedy}")

    def _strange(self, fault: object) -> EncoderError:
        return EncoderError(
            printable(
                f"what the model at {self._shown} answers is no embeddings as OpenAI's"
                f" ({fault!s:.{_SHOWN}}); is it the right address?"
            )
        )


def _checked(url: str) -> Any:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not url.lower().startswith(_SCHEMES):
        raise InputError(f"{url!r:.100} is no address of a model, such as http://127.0.0.1:8080")
    if parts.username or parts.password or parts.query:
        raise InputError(
            "an address of a model holds neither a user nor a query: put a token into"
            f" {TOKEN_VARIABLE}"
        )
    return parts


def _headers(scheme: str, host: str) -> dict[str, str]:
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise InputError(f"{TOKEN_VARIABLE} is one word of ASCII letters, digits and signs")
    if scheme == "http" and host not in _LOOPBACK:
        raise InputError(
            f"{TOKEN_VARIABLE} would be sent unencrypted to {host}: use https://, or unset it"
        )
    return {"authorization": f"Bearer {token}"}


def _client(headers: dict[str, str]) -> httpx.Client:
    import httpx

    # Redirects are not followed: a token is for one address.
    return httpx.Client(timeout=_TIMEOUT, headers=headers)
