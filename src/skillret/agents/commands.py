"""The command by which an agent calls this program: the same string every time it is made.

Agents run it without an activated environment, and some trust it by its hash.
"""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

__all__ = ["as_string", "command"]

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=@:./\\")


def command(*arguments: str) -> list[str]:
    """The words that run skillret with some arguments, first the absolute path of a program."""
    return [*_program(), *arguments]


def as_string(words: Sequence[str], shell: str = "") -> str:
    """A command as one string.

    Args:
        words: Program and arguments.
        shell: Who reads it: `sh`, `cmd` or `powershell`; the usual one of this system if empty.
    """
    shell = shell or ("cmd" if sys.platform == "win32" else "sh")
    if shell == "sh":
        return shlex.join(words)
    if all(_PLAIN.issuperset(word) and word for word in words):
        return " ".join(words)
    if shell == "powershell":
        # A quoted string is a value there; `&` makes it a command.
        return "& " + " ".join("'" + word.replace("'", "''") + "'" for word in words)
    # No file name holds a double quote on Windows, and our arguments hold none.
    return " ".join(word if _PLAIN.issuperset(word) else f'"{word}"' for word in words)


def _program() -> list[str]:
    """The program of this environment; its Python with `-m` where the program is missing."""
    name = "skillret.exe" if os.name == "nt" else "skillret"
    user_scheme = sysconfig.get_preferred_scheme("user")
    called = Path(os.path.abspath(sys.argv[0] or name))  # noqa: PTH100 (links stay)
    candidates = [
        Path(sysconfig.get_path("scripts")) / name,
        Path(sysconfig.get_path("scripts", user_scheme)) / name,
        *([called] if called.name == name else []),
    ]
    for file in candidates:
        if file.is_file() and os.access(file, os.X_OK):
            return [str(file)]
    return [sys.executable, "-m", "skillret"]
