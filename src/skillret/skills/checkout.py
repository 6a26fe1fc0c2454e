"""What is seen of files and folders, and the main checkout of a worktree of git."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_file", "is_folder", "main_checkout"]

_MOST = 4096  # bytes of a `.git` file


def is_folder(path: Path) -> bool:
    """Whether it is a folder, or a link to one, that can be seen; never raises."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Whether it is a regular file, or a link to one, that can be seen; never raises."""
    return os.path.isfile(path)  # noqa: PTH113


def main_checkout(root: Path) -> Path | None:
    """The checkout that a worktree of git belongs to; None if `root` is no worktree, or of none."""
    try:
        link = root / ".git"
        if not is_file(link):
            return None
        name, colon, target = _text(link).partition(":")
        if name.strip() != "gitdir" or not colon:
            return None
        of_worktree = root / target.strip()
        common = (of_worktree / _text(of_worktree / "commondir").strip()).resolve()
    except (OSError, RuntimeError, ValueError):  # no worktree: a submodule, or damaged
        return None
    # A bare repository has worktrees and no checkout of its own.
    return common.parent if common.name == ".git" and is_folder(common.parent) else None


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_MOST).decode("utf-8", "surrogateescape")
