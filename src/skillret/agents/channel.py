"""How a hook speaks with a warm process: what it is called, and messages of a few byte strings.

A hook waits for these imports at every prompt, and `socket` alone takes nearly as long as Python's
own start: `_socket` is what it is made of. For the same reason annotations are quoted here, in
`hook`, `private` and `skillret` itself: `__future__` is a module too.
"""

import _socket
import os
import sys
import time

from skillret._version import __version__
from skillret.agents.private import private_folder

TYPE_CHECKING = False  # as type checkers take it
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "MOST_BYTES",
    "VARIABLES",
    "ask",
    "identity",
    "pack",
    "socket_name",
    "unpack",
]

MOST_BYTES = 4 << 20  # of a message
_LONGEST_NAME = 100  # of a Unix socket: the kernel takes no more than 104 or 108 bytes
_LONGEST_HEAD = 200
_STEP = 1 << 16
# What a warm process must have in common with its hooks, besides all of `SKILLRET_`.
VARIABLES = (
    "APPDATA",
    "CLAUDE_CODE_PLUGIN_CACHE_DIR",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "COPILOT_HOME",
    "GROK_HOME",
    "HERMES_HOME",
    "HOME",
    "LOCALAPPDATA",
    "USERPROFILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
)


def identity() -> bytes:
    """What a warm process must share with a hook to answer in its place: program, home, settings.

    Its first byte string is a name for files; processes that differ may share it by chance.
    """
    names = [*VARIABLES, *sorted(n for n in os.environ if n.startswith("SKILLRET_"))]
    given = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    machine = os.uname().nodename if sys.platform != "win32" else ""  # a home may be shared
    whole = "\0".join([__version__, sys.executable, __file__, machine, *given])
    data = whole.encode("utf-8", "surrogateescape")
    # A prime that leaves 32 bits: no module of checksums is imported.
    return b"%08x\0" % (int.from_bytes(data, "big") % 4_294_967_291) + data


def socket_name(folder: str, who: bytes) -> tuple[str, bool]:
    """The socket of a warm process, and whether it is one: else a file with a port and a token."""
    path = os.path.join(folder, f"warm-{who[:8].decode()}")  # noqa: PTH118
    unix = sys.platform != "win32" and len(os.fsencode(path)) + 5 <= _LONGEST_NAME
    return (f"{path}.sock" if unix else f"{path}.port"), unix


def ask(parts: "Sequence[bytes]", end: float) -> bytes | None:
    """Let a warm process answer.

    Args:
        parts: The message; who asks and a token are added.
        end: Until when to wait, by `time.monotonic()`.

    Returns:
        None if there is none, or it fails.
    """
    folder = private_folder(make=False)
    if folder is None:
        return None
    who = identity()
    path, unix = socket_name(folder, who)
    token = b""
    try:
        family = _socket.AF_UNIX if unix else _socket.AF_INET  # type: ignore[attr-defined, unused-ignore]
        address: object = path
        if not unix:
            with open(path, "rb") as file:  # noqa: PTH123
                port, _, token = file.read(200).strip().partition(b" ")
            address = ("127.0.0.1", int(port))
        opened = _socket.socket(family, _socket.SOCK_STREAM)
        try:

            def receive(size: int) -> bytes:
                opened.settimeout(max(0.01, end - time.monotonic()))
                return opened.recv(size)

            opened.settimeout(max(0.01, end - time.monotonic()))
            opened.connect(address)  # type: ignore[arg-type, unused-ignore]
            opened.sendall(pack([token, who, *parts]))
            answer = unpack(receive, lambda: end - time.monotonic() > 0)
        finally:
            opened.close()
    except (OSError, ValueError):
        return None
    return answer[1] if len(answer) == 2 and answer[0] == b"ok" else None


def pack(parts: "Sequence[bytes]") -> bytes:
    """A message: a line with the lengths of its parts, and the parts."""
    head = b" ".join(b"%d" % len(part) for part in parts)
    return head + b"\n" + b"".join(parts)


def unpack(
    receive: "Callable[[int], bytes]", go_on: "Callable[[], bool]" = lambda: True
) -> list[bytes]:
    """Read a message.

    Args:
        receive: Gives at most so many bytes, and none at the end.
        go_on: Whether there is time left.

    Raises:
        ValueError: If it is none, is too large, ends early or takes too long.
    """
    data = b""
    while b"\n" not in data:
        more = receive(_STEP)
        data += more
        if not more or not go_on() or (len(data) > _LONGEST_HEAD and b"\n" not in data):
            raise ValueError("no message")
    head, _, rest = data.partition(b"\n")
    if not all(word.isdigit() for word in head.split(b" ")):
        raise ValueError("no message")
    lengths = [int(word) for word in head.split(b" ")]
    total = sum(lengths)
    if total > MOST_BYTES + _STEP:
        raise ValueError("too large a message")
    pieces, got = [rest], len(rest)
    while got < total:
        more = receive(_STEP)
        if not more or not go_on():
            raise ValueError("half a message")
        pieces.append(more)
        got += len(more)
    rest, parts, start = b"".join(pieces), [], 0
    for length in lengths:
        parts.append(rest[start : start + length])
        start += length
    return parts
