"""The files of a skill, for someone who may name any: those in its folder, and no hidden ones."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from skillret.errors import InputError
from skillret.files import read_start
from skillret.types import Skill

__all__ = ["MAX_FILES", "MAX_NAME", "check_id", "check_name", "folder_of", "names", "read"]

MAX_FILES = 512  # as the Skills extension of MCP has it
MAX_NAME = 1024  # characters of an id, or of a file's name
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv"})
_SKILL_FILE = "skill.md"


def check_id(id_: str) -> str:
    """An id as a search gives it.

    Raises:
        InputError: If it cannot be one: too long, or made to be taken for a path.
    """
    odd = len(id_) > MAX_NAME or not id_.isprintable() or _ESCAPED.search(id_)
    if odd or id_ in ("", ".", "..") or re.search(r"\.\.[/\\]", id_):
        raise InputError(
            f"no id of a skill: {id_[:80]!r}; give one that a search returned. An id has at most"
            f" {MAX_NAME:,} printable characters, no '../' and no percent-encoding"
        )
    return id_


def check_name(file: str) -> list[str]:
    """The parts of a file's name, relative to the folder of its skill.

    Raises:
        InputError: If it is no plain relative name, or a part of it is hidden.
    """
    parts = file.split("/")
    plain = (
        len(file) <= MAX_NAME
        and file.isprintable()
        and not _ESCAPED.search(file)
        and not re.search(r'[\\:*?"<>|]', file)  # drives, streams and patterns of Windows
    )
    if not plain or any(not p or p[0] == "." or p in _SKIPPED for p in parts):
        raise InputError(
            f"no file of a skill: {file[:80]!r}; give a name relative to the skill's folder, such"
            " as references/FORMS.md"
        )
    return parts


def folder_of(skill: Skill) -> Path | None:
    """The folder of a skill, absolute, links resolved; None if it has none on this disk.

    Raises:
        InputError: If it is gone, or its SKILL.md is.
    """
    path = Path(skill.path or "")
    if not path.is_absolute() or path.name.lower() != _SKILL_FILE:
        return None
    if not path.is_file():
        raise InputError(
            f"the skill {skill.name!r} is no longer there: {path} is gone; search again"
        )
    return Path(os.path.realpath(path.parent))


def read(folder: Path, file: str, most: int) -> bytes:
    """The first `most` bytes of a file of a skill.

    Args:
        folder: As `folder_of` gives it.
        file: Its name, relative to the folder.
        most: Bytes.

    Raises:
        InputError: If the name is not plain, leads out of the folder, or to no file.
    """
    path = folder.joinpath(*check_name(file))
    real = os.path.realpath(path)
    inside = os.path.relpath(real, folder).replace(os.sep, "/")
    try:
        check_name(inside)
    except InputError:
        raise InputError(
            f"{file!r} is a link out of the skill's folder, which is not followed"
        ) from None
    try:
        return read_start(real, most)
    except FileNotFoundError:
        raise InputError(f"the skill has no file {file!r}") from None
    except OSError as e:
        raise InputError(f"cannot read {file!r}: {e.strerror}") from None


def names(folder: Path) -> Iterator[str]:
    """The names of a skill's files that `read` reads, those of no linked folder among them."""
    for path, below, files in os.walk(folder):
        below[:] = sorted(b for b in below if b[0] != "." and b not in _SKIPPED)
        inside = os.path.relpath(path, folder).replace(os.sep, "/")
        for name in sorted(files):
            file = name if inside == "." else f"{inside}/{name}"
            if _is_readable(folder, file):
                yield file


def _is_readable(folder: Path, file: str) -> bool:
    try:
        file.encode("utf-8")
        check_name(file)
        real = os.path.realpath(folder / file)
        check_name(os.path.relpath(real, folder).replace(os.sep, "/"))
        return stat.S_ISREG(os.lstat(real).st_mode)
    except (InputError, OSError, UnicodeError, ValueError):
        return False
