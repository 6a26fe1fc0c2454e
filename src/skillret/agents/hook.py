"""`skillret hook AGENT`: reads an agent's event, prints what the agent takes, and always succeeds.

The agent waits for it at every prompt, so a warm process answers where there is one, with hardly an
import on the way. The work is done by a child: whatever hangs or crashes there, this process prints
a whole answer within the time limit, or nothing.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # as type checkers take it; not even `collections` is imported
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_SECONDS = 2.0
_MOST_BYTES = 4 << 20  # of an event
_MOST_ANSWER = 1 << 16  # a pipe takes as much at once
# Claude Code's mod sets it to the session whose prompt it has answered (`plugin/register.js`).
_BY_MOD = "SKILLRET_MOD"
_MOST_NEW = 40  # skills that are encoded at a prompt; more of them the warm process encodes
_WARM, _COLD, _ALONE = b"w", b"c", b"a"  # how the child answered; alone: no warm process is wanted


def main(arguments: Sequence[str]) -> int:
    """Run the hook.

    Args:
        arguments: The agent's name, and perhaps `--mode quiet|normal|eager` in place of what the
            settings say; what else there is does not matter, as agents keep a command for longer
            than we keep an option.

    Returns:
        0, whatever happened.
    """
    agent, mode = _read(arguments)
    end = time.monotonic() + _limit()
    by_mod = os.environ.pop(_BY_MOD, "")  # a warm process must not tell hooks apart by it
    try:
        _occupy()
        if hasattr(os, "fork"):
            how, answer = _by_child(agent, mode, end, by_mod)
        else:
            how, answer = _within(agent, mode, end, by_mod)
        while answer:
            answer = answer[os.write(1, answer) :]
        if how == _COLD and os.environ.get("SKILLRET_WARM", "1") != "0":
            _start_warm(agent)
    except BaseException as e:  # not even an interruption is the agent's business
        _log(agent, f"{type(e).__name__}: {e}")
    return 0


def _read(arguments: Sequence[str]) -> tuple[str, str]:
    agent, mode, words = "", "", iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name == "--mode":
            mode = value if equals else next(words, mode)
        elif not word.startswith("-"):
            agent = agent or word
    return agent, mode


def _limit() -> float:
    """Seconds until the agent goes on without us; a variable is for slow machines, and tests."""
    try:
        return min(max(float(os.environ.get("SKILLRET_HOOK_SECONDS", "")), 0.05), 60.0)
    except ValueError:
        return _SECONDS


def _occupy() -> None:
    """Standard streams that the agent has closed lead nowhere: no other file takes their place."""
    while (nowhere := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(nowhere)


def _silence() -> None:
    """From here on nothing is printed, by whichever library."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _by_child(agent: str, mode: str, end: float, by_mod: str) -> tuple[bytes, bytes]:
    """Let a child answer in time; no answer if it does not."""
    import select

    answers, hand = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(answers)
            _silence()
            _end_by_itself(end)
            how, answer = _answer(agent, mode, end, by_mod)
            os.write(hand, b"%s%07d" % (how, len(answer)) + answer)
        except BaseException as e:
            _log(agent, f"{type(e).__name__}: {e}")
        finally:
            os._exit(0)
    os.close(hand)
    data = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([answers], [], [], left)[0]:
            os.kill(child, 9)
            _log(agent, f"no answer within {_limit():g} s")
            return _COLD, b""
        more = os.read(answers, _MOST_ANSWER)
        data += more
        if not more:
            break
        if len(data) >= 8 and len(data) == 8 + int(data[1:8]):
            return data[:1], data[8:]
    _log(agent, "the process that answers has crashed")
    return _ALONE, b""


def _end_by_itself(end: float) -> None:
    """Whatever hangs, the child ends even if its parent has been killed by an impatient agent."""
    import faulthandler

    nowhere = os.open(os.devnull, os.O_WRONLY)
    left = max(0.1, end - time.monotonic() + 0.5)
    faulthandler.dump_traceback_later(left, exit=True, file=nowhere)


def _within(agent: str, mode: str, end: float, by_mod: str) -> tuple[bytes, bytes]:
    """Answer in this process, where none can be forked; at the end of the time it ends."""
    import _thread

    def expire() -> None:
        time.sleep(max(0.0, end - time.monotonic()))
        _log(agent, f"no answer within {_limit():g} s")
        os._exit(0)

    _thread.start_new_thread(expire, ())
    out, err = os.dup(1), os.dup(2)
    _silence()
    try:
        return _answer(agent, mode, end, by_mod)
    finally:
        os.dup2(out, 1)
        os.dup2(err, 2)


def _answer(agent: str, mode: str, end: float, by_mod: str) -> tuple[bytes, bytes]:
    """How it was answered, and what is to be printed."""
    data = _event()
    if data is None:
        _log(agent, f"the event is larger than {_MOST_BYTES >> 20} MB")
        return _ALONE, b""
    if by_mod and _is_answered(data, by_mod):
        return _ALONE, b""
    cwd, program = _cwd(), _program()
    warm = os.environ.get("SKILLRET_WARM", "1") != "0"
    if warm:
        from skillret.agents.channel import ask

        parts = [agent.encode("utf-8", "replace"), mode.encode("utf-8", "replace")]
        parts += [os.fsencode(cwd), program.encode("utf-8", "replace"), data]
        answer = ask(parts, end)
        if answer is not None:
            return _WARM, answer
    from pathlib import Path

    from skillret.agents.answers import Answers
    from skillret.agents.reply import reply
    from skillret.settings import MODES

    eagerness = next((m for m in MODES if m == mode), None)
    answers = Answers(most_new=_MOST_NEW if warm else None)
    answer = reply(data, agent, Path(cwd), answers, eagerness, program)
    return _COLD, answer[: _MOST_ANSWER - 8]


def _is_answered(data: bytes, session: str) -> bool:
    """Whether the mod has answered an event already: the prompts and the loads of one session.

    The variable is inherited by all that the session starts, other sessions too.
    """
    import json

    try:
        event = json.loads(data)
        name, whose = event["hook_event_name"], event["session_id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
    return whose == session and name in ("UserPromptSubmit", "PostToolUse")


def _event() -> bytes | None:
    """What the agent says; None if it is too large, but it is taken all the same."""
    pieces, size = [], 0
    while more := os.read(0, 1 << 16):
        size += len(more)
        if size <= _MOST_BYTES:
            pieces.append(more)
    return b"".join(pieces) if size <= _MOST_BYTES else None


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it is gone
        return os.path.expanduser("~")  # noqa: PTH111


def _program() -> str:
    """How this program was called."""
    name = sys.argv[0]
    if os.path.basename(name) == "__main__.py":  # noqa: PTH119
        return f"{sys.executable} -m skillret"
    name = os.path.abspath(name)  # noqa: PTH100
    return f'"{name}"' if " " in name else name


def _start_warm(agent: str) -> None:
    """Start a process that answers the next time; it outlives this one."""
    # Without the current folder on the path: it is the project's, which may have a numpy.py.
    code = (
        "import sys; sys.path[:] = [p for p in sys.path if p];"
        "from skillret.agents.warm import main; main()"
    )
    command = [sys.executable, "-c", code, "--", agent, _cwd()]
    if not sys.executable:
        return
    if sys.platform == "win32":
        import subprocess

        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        subprocess.Popen(  # noqa: S603
            command,
            creationflags=flags,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return
    nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    os.posix_spawn(sys.executable, command, os.environ, file_actions=nowhere)


def _log(agent: str, why: str) -> None:
    try:
        from skillret.agents.log import failed

        failed(agent[:60], why)
    except BaseException:  # noqa: S110
        pass
