"""Paths, JSON and whole files: whatever is wrong with them is one kind of error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from skillret.errors import InputError, SkillretError

__all__ = ["check_fresh", "expand", "fresh_folder", "parse_json", "replacing", "write_text"]


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


def parse_json(text: str) -> Any:
    """JSON from outside.

    Raises:
        ValueError: If it is no JSON, is nested too deeply, or holds a number of thousands of
            digits or half a character (a lone surrogate), which no UTF-8 could hold.
    """
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\u" in text:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    return data


@contextmanager
def replacing(file: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place only once it is written completely.

    Raises:
        SkillretError: If it cannot be written.
    """
    try:
        file = Path(os.path.realpath(file))  # a link stays a link
        if file.exists() and not file.is_file():
            with file.open("wb") as device:  # /dev/null is not to be replaced
                yield device
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name[:200]}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise SkillretError(f"cannot write {file}: {e.strerror or e}") from None


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
    import shutil

    check_fresh(folder)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SkillretError(f"cannot make the folder {folder}: {e.strerror}") from None
    try:
        yield
    except BaseException:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if made:
            folder.rmdir()
        raise
