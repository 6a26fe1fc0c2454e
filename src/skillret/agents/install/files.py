"""The agents' files: read with care, written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from skillret.errors import SkillretError
from skillret.files import read_start, replacing

__all__ = ["NotOursError", "check_way", "decode", "read", "write"]

_MAX_BYTES = 8 << 20


class NotOursError(SkillretError):
    """A file that is left as it is: the message says why, and what to do."""


def check_way(file: Path, around: Path) -> None:
    """Make sure that no link leads out of a folder, and that the file may be written.

    Raises:
        NotOursError: If one does, or the file is read-only.
    """
    try:
        real = Path(os.path.realpath(file, strict=False))
        if not real.is_relative_to(os.path.realpath(around)):
            raise NotOursError(
                f"{file} is left as it is: a link leads to {real}, outside {around}; edit that"
                " file yourself, or put a file in the link's place"
            )
        if os.path.lexists(file) and not file.exists():
            raise NotOursError(f"{file} is left as it is: a link that leads nowhere; remove it")
        mode = file.stat().st_mode if file.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            raise NotOursError(f"{file} is left as it is: it is no regular file")
        if mode is not None and not (mode & 0o222 and os.access(file, os.W_OK)):
            raise NotOursError(f"{file} is left as it is: it is read-only; make it writable")
    except OSError as e:
        raise NotOursError(f"{file} is left as it is: {e.strerror}") from None


def read(file: Path) -> bytes | None:
    """What a file holds; None if there is none.

    Raises:
        NotOursError: If it cannot be read, or is no settings file at all.
    """
    try:
        data = read_start(file, _MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise NotOursError(f"{file} is left as it is: cannot read it: {e.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise NotOursError(f"{file} is left as it is: it is larger than {_MAX_BYTES >> 20} MB")
    return data


def decode(file: Path, data: bytes, *, empty: bool = False) -> str:
    """The text of a settings file.

    Args:
        file: The file.
        data: What it holds.
        empty: Whether it may be empty.

    Raises:
        NotOursError: If it is no UTF-8, or is empty and may not be.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise NotOursError(f"{file} is left as it is: no UTF-8 (byte {e.start})") from None
    if not empty and not text.strip(" \t\r\n\ufeff"):
        raise NotOursError(f"{file} is left as it is: it is empty; put {{}} into it, or remove it")
    return text


def write(file: Path, data: bytes, before: bytes | None) -> None:
    """Replace a file if it still holds what was read.

    Raises:
        SkillretError: If it does not, or cannot be written.
    """
    if read(file) != before:
        raise NotOursError(f"{file} is left as it is: it was changed meanwhile; try again")
    with replacing(file) as out:
        out.write(data)
