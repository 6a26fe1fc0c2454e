"""A warm process: answers hooks with the model and the skills at hand, and ends itself when idle.

A hook that found none starts one. One lock a home makes sure that there is one, and whatever ends
it, the next one takes its place.
"""

from __future__ import annotations

import argparse
import hmac
import os
import secrets
import select
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from skillret.agents.channel import identity, pack, socket_name, unpack
from skillret.agents.decision import Decision, Turn
from skillret.agents.log import failed, why
from skillret.agents.private import private_folder
from skillret.settings import MODES, Eagerness

__all__ = ["IDLE_SECONDS", "Warm", "main"]

IDLE_SECONDS = 15 * 60.0
_LOOK = 5.0  # seconds between two looks whether it is still wanted
_REQUEST_SECONDS = 2.0  # for a request to arrive, and for its answer to be taken
_MOST_AT_ONCE = 8


class Warm:
    """Listens in a private folder.

    Args:
        folder: The folder.
        idle: Seconds without a request after which it ends.
    """

    def __init__(self, folder: str, idle: float = IDLE_SECONDS) -> None:
        from skillret.agents.answers import PATIENCE, Answers

        self.answers = Answers(PATIENCE)
        self._idle, self._who = idle, identity()
        self._path, unix = socket_name(folder, self._who)
        self._token = b"" if unix else secrets.token_hex(16).encode()
        self._program = _program_state()
        self._turns = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._last = time.monotonic()
        with suppress(FileNotFoundError):  # of one that was killed
            os.unlink(self._path)  # noqa: PTH108
        self._socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if unix:
            self._socket.bind(self._path)
        else:
            self._socket.bind(("127.0.0.1", 0))
            self._write_port()
        self._file = self._state()
        self._socket.listen(16)

    def _write_port(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
            file.write(b"%d %s" % (self._socket.getsockname()[1], self._token))

    def _state(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_dev

    def serve(self) -> None:
        """Answer until nobody has asked for long, or the program or the socket is another one."""
        try:
            while True:
                left = self._last + self._idle - time.monotonic()
                if left <= 0 or self._state() != self._file or _program_state() != self._program:
                    return
                if select.select([self._socket], [], [], min(left, _LOOK))[0]:
                    opened, _ = self._socket.accept()
                    self._last = time.monotonic()
                    if not self._turns.acquire(timeout=_REQUEST_SECONDS):
                        return  # all hang: the next process may not
                    threading.Thread(target=self._serve_one, args=(opened,), daemon=True).start()
        finally:
            self._socket.close()
            if self._state() == self._file:
                with suppress(OSError):
                    os.unlink(self._path)  # noqa: PTH108

    def _serve_one(self, opened: socket.socket) -> None:
        """One request, one answer; whatever it holds, nothing is raised."""
        try:
            with opened:
                opened.settimeout(_REQUEST_SECONDS)
                end = time.monotonic() + _REQUEST_SECONDS
                parts = unpack(opened.recv, lambda: time.monotonic() < end)
                told: list[tuple[Turn, Decision]] = []
                answer = pack(self._answered(parts, told))
                try:
                    opened.sendall(answer)
                except OSError:  # the hook has given up
                    _untell(told)
                    raise
        except (OSError, ValueError):
            return
        finally:
            self._last = time.monotonic()
            self._turns.release()

    def _answered(self, parts: list[bytes], told: list[tuple[Turn, Decision]]) -> list[bytes]:
        """The answer to a request; what is decided is added to `told`."""
        if len(parts) != 7 or not hmac.compare_digest(parts[0], self._token):
            return [b"no"]
        _, who, agent, mode, cwd, program, data = parts
        if who != self._who or _program_state() != self._program:
            return [b"no"]
        from skillret.agents.reply import reply

        def answer(turn: Turn, mode: Eagerness | None) -> Decision:
            told.append((turn, self.answers(turn, mode)))
            return told[-1][1]

        asked = mode.decode("utf-8", "replace")
        eagerness = next((m for m in MODES if m == asked), None)
        folder, name = Path(os.fsdecode(cwd)), agent.decode("utf-8", "replace")
        called = program.decode("utf-8", "replace")
        return [b"ok", reply(data, name, folder, answer, eagerness, called)]


def _untell(told: list[tuple[Turn, Decision]]) -> None:
    """What nobody has heard may be named at the next prompt."""
    from skillret.agents.session import SessionMemory

    for turn, decision in told:
        if turn.session and decision.named:
            named = [skill.id for skill in decision.named]
            SessionMemory().untell(turn.agent, turn.session, named)


def _program_state() -> tuple[int, int] | None:
    """Another one after an upgrade; None once it is uninstalled."""
    try:
        found = (Path(__file__).parents[1] / "_version.py").stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve, unless another process does so already; the program that a hook starts."""
    parser = argparse.ArgumentParser(prog="skillret warm process")
    parser.add_argument("agent", help="whose skills are read at once")
    parser.add_argument("cwd", help="of which folder")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS)
    args = parser.parse_args(arguments)
    folder = private_folder()
    if folder is None:
        return
    if sys.platform != "win32":
        with suppress(OSError):  # it has a session of its own already
            os.setsid()
    os.chdir(folder)  # the agent's folder may be removed or unmounted
    from filelock import FileLock, Timeout

    lock = FileLock(f"{socket_name(folder, identity())[0]}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    try:
        _load()
        warm = Warm(folder, args.idle)
        opening = threading.Thread(target=_open, args=(warm, args.agent, Path(args.cwd)))
        opening.daemon = True
        opening.start()
        warm.serve()
    except Exception as e:  # nobody sees it; the next hook starts another one
        if Path(folder).is_dir():  # it is not made anew after a purge
            failed(args.agent, f"the warm process ends: {why(e)}")
    finally:
        lock.release()
    os._exit(0)  # a thread may hang


def _load() -> None:
    """Import what the first answer needs, before anyone waits for it."""
    import skillret.agents.reply
    import skillret.agents.route
    import skillret.retrieval  # noqa: F401


def _open(warm: Warm, agent: str, cwd: Path) -> None:
    try:
        warm.answers.open(agent, cwd)
    except Exception as e:  # the prompt will say so too
        failed(agent, why(e))
