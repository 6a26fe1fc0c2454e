"""Paths, JSON and whole files: whatever is wrong with them is one kind of error."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from skillret.errors import InputError, SkillretError

__all__ = [
    "check_fresh",
    "expand",
    "fresh_folder",
    "index_place",
    "is_address",
    "parse_json",
    "project_folders",
    "read_start",
    "read_text",
    "replacing",
    "stored_bytes",
    "write_text",
]

_ADDRESSES = ("milvus://", "milvus+tls://", "milvus-lite:")
_DEPTH = 100  # of nested JSON
# A pipe is opened at once, whether anybody writes into it or not. Windows has no such pipes.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_SMALL = 256 << 20  # bytes that are read in no time
# A text as it is, or a comment. What nobody closes ends with the file, so that it is read once.
_COMMENT = re.compile(
    r'("[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL
)
# A text as it is, or a comma behind which nothing follows.
_COMMA = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))|,(?=\s*[]}])', re.DOTALL)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair


def expand(path: str | os.PathLike[str]) -> Path:
    """A path with `~` spelt out.

    Raises:
        InputError: If there is no such user, or no path could be that.
    """
    if "\0" in os.fspath(path):
        raise InputError(f"no path: {os.fspath(path)!r} holds a NUL character")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{os.fspath(path)} starts with ~, and no such user has a home") from None


def is_address(name: str) -> bool:
    """Whether an index is named by an address of Milvus, not by its file."""
    return name.startswith(_ADDRESSES)


def index_place(name: str | os.PathLike[str]) -> Path | str:
    """An index as a user named it: its file, see `expand`, or its address as it is.

    Raises:
        InputError: As `expand`.
    """
    named = os.fspath(name)
    return named if is_address(named) else expand(named)


def project_folders(here: Path) -> list[Path]:
    """`here` and the folders above it up to the one with `.git`; `here` alone without one."""
    for count, folder in enumerate((here, *here.parents)):
        if os.path.lexists(folder / ".git"):  # a file in a worktree
            return [here, *here.parents[:count]]
    return [here]


def read_start(file: str | os.PathLike[str], size: int) -> bytes:
    """The first `size` bytes of a file that others may put a pipe or a device in the place of.

    Raises:
        OSError: If it is no regular file, or cannot be read.
    """
    opened = os.open(file, _READ)
    with open(opened, "rb") as data:  # noqa: PTH123 (a descriptor)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return data.read(size)


def stored_bytes(file: Path, what: str) -> int:
    """How much of a file is really stored: holes are in its size, and cost its maker nothing.

    Raises:
        ValueError: If it is large and nearly all holes, which would be read for hours.
        OSError: If it cannot be looked at.
    """
    status = file.stat()
    # POSIX counts blocks of 512 bytes; some network file systems say 0 of every file.
    stored = min(status.st_size, 512 * getattr(status, "st_blocks", 0) or status.st_size)
    if status.st_size > max(_SMALL, 200 * stored):
        raise ValueError(f"{file} is nearly all holes; no {what} is")
    return stored


def read_text(file: Path, most: int) -> str:
    """The text of a small UTF-8 file.

    Args:
        file: Perhaps someone else's: a pipe would never end, and holes cost their maker nothing.
        most: Bytes that it may have.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no file, is larger, or no UTF-8.
    """
    if file.exists() and not file.is_file():
        raise ValueError("it is no file")
    data = read_start(file, most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most >> 10:,} kB")
    return data.decode("utf-8")


def parse_json(text: str, *, mend: bool = False, comments: bool = False) -> Any:
    """JSON from outside.

    Args:
        text: One value.
        mend: Read half a character as `?` instead of refusing it.
        comments: Pass over comments, `//` to the end of a line and `/* */`, and over a comma behind
            the last element of a list or an object.

    Raises:
        ValueError: If it is no JSON, is nested more than 100 deep, or holds NaN, an infinite
            number, one of thousands of digits, or half a character (a lone surrogate), which no
            UTF-8 could hold.
    """
    if comments:
        text = without_comments(text)
    try:
        data = _DECODER.decode(text)
        deep = text.count("[") + text.count("{") > _DEPTH and _is_deep(data)
    except RecursionError:
        deep = True
    if deep:  # whoever handles it next may stand less than the parser
        raise ValueError("nested too deeply")
    if _HALF.search(text):
        whole = json.dumps(data, ensure_ascii=False).encode(
            "utf-8", "replace" if mend else "strict"
        )
        data = _DECODER.decode(whole.decode("utf-8"))
    return data


def without_comments(text: str) -> str:
    """JSON without its comments, and without a comma behind a last element; see `parse_json`."""
    for pattern in (_COMMENT, _COMMA):
        text = pattern.sub(lambda found: found[1] or " ", text)
    return text


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(_DEPTH):
        if not level:
            return False
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


@contextmanager
def replacing(file: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place only once it is written completely, with the mode of the old one.

    A link stays a link. Devices and pipes are written to, and so is a file in a folder that takes
    no others.

    Raises:
        SkillretError: If it cannot be written.
    """
    try:
        old = file.stat() if file.exists() else None
        locked = old is not None and not os.access(file.resolve().parent, os.W_OK)
        if old is not None and (locked or not stat.S_ISREG(old.st_mode)):
            with file.open("wb") as out:
                yield out
            return
        file = Path(os.path.realpath(file))
        file.parent.mkdir(parents=True, exist_ok=True)
        # Nobody can know the name and put a link there.
        temporary = file.with_name(f".{os.urandom(8).hex()}.tmp")
        try:
            with temporary.open("x+b") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            if old is not None:
                _take_over(temporary, old)
            _replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise SkillretError(f"cannot write {file}: {e.strerror or e}") from None


def _take_over(file: Path, old: os.stat_result) -> None:
    """Give a file the owner, where that is permitted, and the mode of another one."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(file, old.st_uid, old.st_gid)
    file.chmod(stat.S_IMODE(old.st_mode))


def _replace(temporary: Path, file: Path) -> None:
    try:
        temporary.replace(file)
    except OSError as e:
        if e.errno != errno.EBUSY:
            raise
        shutil.copyfile(temporary, file)  # a file that is mounted there by itself


def write_text(file: Path, text: str) -> None:
    """Write a UTF-8 file: a reader, a kill or a full disk never meets half of it.

    Raises:
        SkillretError: If it cannot be written.
    """
    with replacing(file) as out:
        out.write(text.encode("utf-8", "replace"))


def check_fresh(folder: Path) -> None:
    """Make sure that a folder to be filled is absent or empty.

    Raises:
        InputError: If it is neither, or cannot be looked into.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a new folder")
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is there already and not empty; give a new folder")
    except OSError as e:
        raise InputError(f"cannot look into {folder}: {e.strerror}") from None


@contextmanager
def fresh_folder(folder: Path) -> Iterator[None]:
    """Fill a folder that is absent or empty; it is so again if that fails.

    Raises:
        InputError: If it is neither absent nor empty, or cannot be looked into.
        SkillretError: If it cannot be made.
    """
    check_fresh(folder)
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SkillretError(f"cannot make the folder {folder}: {e.strerror}") from None
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for entry in folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink(missing_ok=True)
            for made in missing:
                made.rmdir()
        raise
