"""`skillret hook AGENT`: reads an agent's event, prints what the agent takes, and always succeeds.

The agent waits for it at every prompt, so a warm process answers where there is one, with hardly an
import on the way. Else the work is done by a child: whatever hangs or crashes there, this process
prints a whole answer within the time limit, or nothing.
"""

import os
import sys
import time

TYPE_CHECKING = False  # as type checkers take it; not even `collections` is imported
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_SECONDS = 2.0
_TO_PRINT = 0.1  # seconds that are left for what is found to be printed
_MOST_BYTES = 4 << 20  # of an event
_MOST_ANSWER = 1 << 16  # a pipe takes as much at once
# Claude Code's mod sets it to the session whose prompt it has answered (`plugin/register.js`).
_BY_MOD = "SKILLRET_MOD"
_MOST_NEW = 40  # skills that are encoded at a prompt; more of them the warm process encodes


def main(arguments: "Sequence[str]") -> int:
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
    warm = _may_be_warm()
    try:
        _occupy()
        if not hasattr(os, "fork"):
            _end_in_time(agent, end)
        data = _event(agent, end)
        if data is None or (by_mod and _is_answered(data, by_mod)):
            return 0
        found = _ask(agent, mode, data, end) if warm else None
        answer = found
        if found is None:
            cold = _by_child if hasattr(os, "fork") else _within
            answer = cold(agent, mode, data, end)
        while answer:
            answer = answer[os.write(1, answer) :]
        if found is None and warm and answer is not None and _is_known(agent):
            _start_warm(agent)
    except BaseException as e:  # not even an interruption is the agent's business
        _log(agent, f"{type(e).__name__}: {e}")
    return 0


def _read(arguments: "Sequence[str]") -> tuple[str, str]:
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
        seconds = float(os.environ.get("SKILLRET_HOOK_SECONDS", ""))
    except ValueError:
        return _SECONDS
    return _SECONDS if seconds != seconds else min(max(seconds, 0.05), 60.0)  # NaN is not itself


def _may_be_warm() -> bool:
    """Whether a warm process may be asked, and started."""
    return os.environ.get("SKILLRET_WARM", "1") != "0"


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


def _by_child(agent: str, mode: str, data: bytes, end: float) -> bytes | None:
    """Let a child answer in time; nothing if it does not, None if it crashes."""
    import select

    answers, hand = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(answers)
            _silence()
            _end_by_itself(end)
            answer = _answer(agent, mode, data, end)
            os.write(hand, b"%07d" % len(answer) + answer)
        except BaseException as e:
            _log(agent, f"{type(e).__name__}: {e}")
        finally:
            os._exit(0)
    os.close(hand)
    got = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([answers], [], [], left)[0]:
            os.kill(child, 9)
            _log(agent, f"no answer within {_limit():g} s")
            return b""
        more = os.read(answers, _MOST_ANSWER)
        got += more
        if not more:
            break
        if len(got) >= 7 and len(got) == 7 + int(got[:7]):
            return got[7:]
    _log(agent, "the process that answers has crashed")
    return None


def _end_by_itself(end: float) -> None:
    """Whatever hangs, the child ends even if its parent has been killed by an impatient agent."""
    import faulthandler

    nowhere = os.open(os.devnull, os.O_WRONLY)
    left = max(0.1, end - time.monotonic() + 0.5)
    faulthandler.dump_traceback_later(left, exit=True, file=nowhere)


def _end_in_time(agent: str, end: float) -> None:
    """End this process at the end of the time, where no child can be forked that may hang."""
    import _thread

    def expire() -> None:
        time.sleep(max(0.0, end - time.monotonic()))
        _log(agent, f"no answer within {_limit():g} s")
        os._exit(0)

    _thread.start_new_thread(expire, ())


def _within(agent: str, mode: str, data: bytes, end: float) -> bytes:
    """Answer in this process, which ends in time; see `_by_child`."""
    out, err = os.dup(1), os.dup(2)
    _silence()
    try:
        return _answer(agent, mode, data, end)
    finally:
        os.dup2(out, 1)
        os.dup2(err, 2)


def _ask(agent: str, mode: str, data: bytes, end: float) -> bytes | None:
    """What a warm process answers; None if there is none."""
    from skillret.agents.channel import ask

    parts = [agent.encode("utf-8", "replace"), mode.encode("utf-8", "replace")]
    parts += [os.fsencode(_cwd()), _program().encode("utf-8", "replace"), data]
    return ask(parts, end)


def _answer(agent: str, mode: str, data: bytes, end: float) -> bytes:
    """The same by this process."""
    from pathlib import Path

    from skillret.agents.answers import Answers
    from skillret.agents.reply import reply
    from skillret.settings import MODES

    eagerness = next((m for m in MODES if m == mode), None)
    answers = Answers(most_new=_MOST_NEW if _may_be_warm() else None, end=end - _TO_PRINT)
    answer = reply(data, agent, Path(_cwd()), answers, eagerness, _program())
    return answer[: _MOST_ANSWER - 7]


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


def _event(agent: str, end: float) -> bytes | None:
    """What the agent says; None if it is too large, but it is taken all the same, or not in time.

    Where there is no `fork`, no stream can be waited for either: this process ends in time.
    """
    pieces, size = [], 0
    while True:
        if hasattr(os, "fork"):
            import select

            left = end - time.monotonic()
            if left <= 0 or not select.select([0], [], [], left)[0]:
                _log(agent, f"no answer within {_limit():g} s")
                return None
        more = os.read(0, 1 << 16)
        if not more:
            break
        size += len(more)
        if size <= _MOST_BYTES:
            pieces.append(more)
    if size > _MOST_BYTES:
        _log(agent, f"the event is larger than {_MOST_BYTES >> 20} MB")
        return None
    return b"".join(pieces)


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


def _is_known(agent: str) -> bool:
    """Whether an agent takes anything from a hook: for others nothing needs to be warm."""
    from skillret.agents.hosts import HOSTS
    from skillret.errors import InputError
    from skillret.skills.agents import find_agent

    try:
        return find_agent(agent).name in HOSTS
    except InputError:
        return False


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
