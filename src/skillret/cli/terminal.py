"""What a terminal is shown: colours, widths of any script, paths as people write them."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from typing import IO

from skillret.messages import printable

__all__ = ["bold", "columns", "dim", "fold", "is_coloured", "tilde", "width", "yellow"]

_WORD = re.compile(r"\s*\S+")


def is_coloured(stream: IO[str]) -> bool:
    """Whether a stream takes colours: a terminal does, by the usual variables' leave."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    if os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    # Older consoles print the sequences themselves.
    return sys.platform != "win32" or bool(os.environ.get("WT_SESSION"))


def bold(text: str) -> str:
    """What matters most."""
    return _painted(text, "1")


def dim(text: str) -> str:
    """What matters less."""
    return _painted(text, "2")


def yellow(text: str) -> str:
    """What people should not overlook."""
    return _painted(text, "33")


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if text and is_coloured(sys.stdout) else text


def width() -> int:
    """Columns of the terminal, within reason: some say that they are 0 columns wide."""
    return min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)


def columns(text: str) -> int:
    """How many columns a text takes: Chinese, Japanese and Korean characters take two."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fold(text: str, room: int, indent: str = "", lines: int = 1) -> str:
    """Untrusted text folded to at most `lines` lines of at most `room` columns."""
    room -= len(indent)
    folded, used = [""], 0
    for piece in _pieces(printable(text), room):
        taken = columns(piece)
        if used and used + taken > room:
            if len(folded) == lines:
                folded[-1] = _cut(folded[-1], room - 4) + " ..."
                break
            folded.append("")
            piece = piece.lstrip()
            taken, used = columns(piece), 0
        folded[-1] += piece
        used += taken
    return "\n".join(indent + line for line in folded)


def _pieces(text: str, room: int) -> Iterator[str]:
    """Words with the space before them; single characters where a script has no spaces."""
    for match in _WORD.finditer(text):
        word = match.group()
        if columns(word) > room or (not word.isascii() and any(_columns(c) > 1 for c in word)):
            yield from word
        else:
            yield word


def _cut(text: str, room: int) -> str:
    """As many whole words as fit, or characters where there are no spaces."""
    if columns(text) <= room:
        return text
    kept = ""
    for piece in _pieces(text, room):
        if columns(kept + piece) > room:
            break
        kept += piece
    return kept


def tilde(text: str) -> str:
    """A path, or a message with paths, with the home directory as `~`.

    Quoted ones stay: a shell would not put the home back into `'~/my skills'`.
    """
    home = os.path.expanduser("~")  # noqa: PTH111 (which knows no home that is missing)
    for folder in {home, os.path.realpath(home)}:
        if os.path.dirname(folder) != folder and os.path.isabs(folder):  # noqa: PTH117, PTH120
            text = re.sub(rf"(?<![^\s(]){re.escape(folder)}(?=[/\\\s,:;)]|$)", "~", text)
    return text
