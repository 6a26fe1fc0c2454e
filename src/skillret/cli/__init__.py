"""The command line. One module per command, imported only when its command is called."""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn

from skillret._version import __version__
from skillret.errors import InputError, SkillretError

__all__ = ["COMMANDS", "build_parser", "entry", "main"]

# Module `skillret.cli.NAME` gives `configure(parser)` and `run(args) -> exit status`.
COMMANDS = {
    "search": "find the skills for a query",
    "places": "say where skills are looked for, and what is left out",
    "doctor": "find what is wrong with the skills here, and say what to do",
    "index": "build and look after an index",
    "mcp": "serve agents over MCP, or tell a client of this server",
    "serve": "serve programs over HTTP, and people a page",
    "config": "show the settings that hold here, and where each comes from",
    "install": "let agents ask skillret at each prompt",
    "uninstall": "take back what install has written",
    "status": "say for which agents skillret is installed",
    "plugin": "write the plugin for Claude Code, Codex and Gemini CLI",
    "hook": "answer an agent's hook: name the skills that fit a prompt",
    "log": "show what was named to agents and why, and what of it was loaded",
    "evaluate": "measure retrieval on labelled queries",
    "data": "check, convert or make a data set of labelled queries, pool hits to judge",
    "compare": "test whether runs differ significantly, make a leaderboard",
    "analyze": "measure what retrieval depends on",
    "train": "train a retriever by a recipe",
    "calibrate": "fit probabilities and thresholds on labelled queries",
    "export": "export a trained model to ONNX",
    "push": "put a trained model on the hub",
}
# Begins with a dash, and goes on behind a space with more than the number of `-k 5`.
_QUERY = re.compile(r"-(?!\w\s*\d+\s*$).*\s", re.DOTALL)
_INTERRUPTED = "interrupted; nothing stored was lost, run the command again to go on"


class _Parser(argparse.ArgumentParser):
    """Refuses unknown arguments itself, so that a command's own usage is shown, not skillret's."""

    _dashes = False  # among the arguments

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but nothing is left over."""
        self._dashes = any(a.startswith("-") for a in args or ())
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            from skillret.cli.hints import meant_argument

            hint = meant_argument(unknown[0], self._option_string_actions)
            self.error(f"unknown argument {unknown[0]:.100}{hint}")
        return found, unknown

    def _parse_optional(self, arg_string: str) -> Any:
        # A quoted text with spaces is no option, even if it begins like one: `-k flag of kubectl`.
        if _QUERY.match(arg_string) and arg_string.partition("=")[0] not in (
            self._option_string_actions
        ):
            return None
        return super()._parse_optional(arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        from skillret.cli.hints import meant_word

        choices = list(map(str, action.choices))
        likely = meant_word(str(value), choices)
        remedy = likely or f"; choose {', '.join(choices)}"
        if action.dest == "command" and not likely:
            remedy += '; to find skills: skillret search "QUERY"'
        named = None if action.option_strings else action.dest
        raise argparse.ArgumentError(
            None if named else action,
            f"there is no {f'{named} ' if named else ''}{str(value)[:100]!r}{remedy}",
        )

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse does, but help that is lost is an error as any output is."""
        if file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        """As argparse does, but nothing that a terminal would obey is repeated."""
        from skillret.messages import printable

        about_query = message.startswith(("unknown arg", "argument -k:", "the following arg"))
        number = message.endswith("'") and message.split("'")[-2].lstrip("-").isdecimal()
        dashed = self._dashes and about_query and "did you mean" not in message and not number
        if self.prog.endswith(" search") and dashed:
            message += "; a query that begins with a dash goes behind --: skillret search -- QUERY"
        super().error(printable(message))


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; of `command` alone, so that only its module is imported, or of all names."""
    parser = _Parser(
        prog="skillret",
        description="Find the right agent skills for a query: fast and offline.",
        epilog='example: skillret search "turn this scanned PDF into a spreadsheet"',
    )
    parser.add_argument("--version", action="version", version=f"skillret {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS if command is None else [command]:
        summary = COMMANDS[name]
        # Abbreviated options would break scripts as soon as a second option shares the prefix.
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == command:
            import_module(f"skillret.cli.{name}").configure(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status: 0 ok, 1 the input is at fault, 2 usage, 130 interrupted."""
    with _interruptions() as interrupted:
        return _guarded(list(sys.argv[1:] if argv is None else argv), interrupted)


def _guarded(arguments: list[str], interrupted: list[int]) -> int:
    """Run a command and turn whatever ends it into one line and a status."""
    try:
        return _run(arguments)
    except SkillretError as e:
        return _fail(str(e), 1)
    except KeyboardInterrupt:
        return _fail(_INTERRUPTED, 130)
    except BrokenPipeError:
        # The reader of a pipe has seen enough.
        _silence()
        return 0
    except OSError as e:
        if os.environ.get("SKILLRET_DEBUG"):
            raise
        where = e.filename
        if where is None and e.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
            where = "standard output"  # of all that has no name
            _silence()
        why = "it is closed" if where and e.errno == errno.EBADF else e.strerror or e
        return _fail(f"{where or 'the system says'}: {why}", 1)
    except SystemExit:
        raise
    except BaseException as e:  # a panic in one of the Rust libraries is no Exception
        if interrupted:
            return _fail(_INTERRUPTED, 130)
        if os.environ.get("SKILLRET_DEBUG"):
            raise
        reason = " ".join(str(e).split())[:300]
        return _fail(
            f"internal error: {type(e).__name__}: {reason} (a bug; SKILLRET_DEBUG=1 shows where)", 1
        )


def _run(arguments: list[str]) -> int:
    _prepare_streams()
    command = next((a for a in arguments if not a.startswith("-") or a in ("-h", "--help")), None)
    if not arguments:
        build_parser().print_help(sys.stderr)
        return 2
    try:
        args = build_parser(command if command in COMMANDS else None).parse_args(arguments)
    except SystemExit:  # behind help or the version, which must not be lost either
        sys.stdout.flush()
        raise
    for name, value in vars(args).items():
        if value == "":  # of an unset variable, for example: not the same as leaving it out
            raise InputError(f"{name.replace('_', '-')} is empty; give a value")
    for setting in ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(setting, "error")  # our one line says it, theirs need not
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    status = int(import_module(f"skillret.cli.{args.command}").run(args))
    sys.stdout.flush()
    return status


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Notes Ctrl-C besides raising: a compiled module that is being loaded makes its own error."""
    seen: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    own = before is signal.default_int_handler and current_thread() is main_thread()

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    if own:
        signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        if own:
            signal.signal(signal.SIGINT, before)


def _prepare_streams() -> None:
    """Standard streams that a caller has closed take a place; the others write any character.

    What is written to a closed stdout would be lost, and fails; what is told to stderr may be.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        # Otherwise the next file to be opened, such as an index, would take their place.
        while (nowhere := os.open(os.devnull, os.O_RDWR)) < 3:
            pass
        os.close(nowhere)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:  # a file that is open for reading alone takes nothing
        unwritable = os.open(os.devnull, os.O_RDONLY)
        sys.stdout = open(unwritable, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # A path need not be Unicode, and a terminal may know less than Unicode.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence() -> None:
    """Lead stdout nowhere: Python must not complain when it flushes at exit."""
    with suppress(OSError, ValueError):  # what a caller has put in its place may have no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def entry() -> None:
    """The program `skillret`: run a command and end the process."""
    status = main()
    if sys.argv[1:2] in (["search"], ["mcp"], ["serve"]):
        # Everything is closed and flushed by now. Taking the interpreter apart object by object
        # would be an eighth of the time that a search takes, and an MCP server may still be opening
        # its library in another thread.
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)


def _fail(message: str, status: int) -> int:
    from skillret.cli.terminal import tilde
    from skillret.messages import printable

    with suppress(OSError):  # nobody can be told
        sys.stderr.write(f"skillret: {tilde(printable(message))}\n")
        sys.stderr.flush()
    return status
