"""The tokens that a server knows: of a file, of the environment, of the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from skillret.errors import InputError
from skillret.files import expand, read_text
from skillret.serving.http.auth import Token
from skillret.serving.libraries import check_name
from skillret.serving.security import check_key

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["READ_TOKEN", "TOKEN", "read_tokens"]

TOKEN, READ_TOKEN = "SKILLRET_TOKEN", "SKILLRET_READ_TOKEN"
_MOST = 1 << 20  # bytes of a file
_KEYS = frozenset({"token", "token_sha256", "access", "libraries"})
_EXAMPLE = '[[token]] with token = "...", access = "read" or "write", libraries = ["a"]'


def read_tokens(
    file: str | None = None, token: str | None = None, read_token: str | None = None
) -> list[Token]:
    """The tokens that are known; none at all if nobody has given any.

    Args:
        file: A file of tokens.
        token: May change libraries; that of the environment if None.
        read_token: May only read; that of the environment if None.

    Raises:
        InputError: If the file cannot be read, or a token is too short or no single word.
    """
    tokens = [] if file is None else _of_file(Path(expand(file)))
    for given, option, variable, access in (
        (token, "--token", TOKEN, "write"),
        (read_token, "--read-token", READ_TOKEN, "read"),
    ):
        value = os.environ.get(variable) if given is None else given
        if value is not None:
            where = variable if given is None else option
            tokens.append(
                Token.of(check_key(value, where), "write" if access == "write" else "read")
            )
    return tokens


def _of_file(file: Path) -> list[Token]:
    try:
        data = tomllib.loads(read_text(file, _MOST))
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise InputError(f"cannot read the tokens of {file}: {reason}") from None
    entries = data.get("token")
    if set(data) != {"token"} or not isinstance(entries, list) or not entries:
        raise InputError(f"{file} holds no tokens, or more than that: write {_EXAMPLE}")
    return [_of_entry(entry, f"{file}, token {n}") for n, entry in enumerate(entries, start=1)]


def _of_entry(entry: Any, where: str) -> Token:
    if not isinstance(entry, dict) or not set(entry) <= _KEYS:
        raise InputError(f"{where}: write {_EXAMPLE}")
    access, libraries = entry.get("access", "read"), entry.get("libraries")
    if access not in ("read", "write"):
        raise InputError(f'{where}: access is "read" or "write", not {access!r}')
    if libraries is not None and (
        not isinstance(libraries, list) or not all(isinstance(x, str) for x in libraries)
    ):
        raise InputError(f'{where}: libraries takes a list of names, as ["a", "b"]')
    names = None if libraries is None else frozenset(map(check_name, libraries))
    if ("token" in entry) == ("token_sha256" in entry):
        raise InputError(f"{where}: give either token or token_sha256")
    if "token" in entry:
        return Token.of(check_key(str(entry["token"]), where), access, names)
    try:
        digest = bytes.fromhex(str(entry["token_sha256"]))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InputError(f"{where}: token_sha256 has 64 hexadecimal digits (sha256sum prints it)")
    return Token(digest, access, names)
