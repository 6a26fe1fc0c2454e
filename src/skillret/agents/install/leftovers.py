"""What stays when nothing asks any more: the warm process, indexes, the log, memories."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from skillret.agents.private import private_folder, state_folder
from skillret.errors import SkillretError

__all__ = ["delete", "leftovers", "served_libraries", "stop_warm"]

_SECONDS = 10.0  # a warm process looks every five whether it is still wanted


def stop_warm(*, wait: bool = False) -> int:
    """Let the warm processes of this user end, within seconds; how many there were.

    Args:
        wait: Return only when they have ended, or have not in time.
    """
    folder = private_folder(make=False)
    if folder is None:
        return 0
    asked, end = _ask_to_end(Path(folder)), time.monotonic() + _SECONDS
    locks = list(Path(folder).glob("warm-*.lock")) if wait else []
    while any(map(_is_held, locks)) and time.monotonic() < end:
        time.sleep(0.1)
        asked += _ask_to_end(Path(folder))  # one that was only starting
    return asked


def _ask_to_end(folder: Path) -> int:
    asked = 0
    for file in folder.glob("warm-*"):
        if file.suffix in (".sock", ".port"):
            with suppress(OSError):
                file.unlink()  # without which it ends
                asked += 1
    return asked


def _is_held(lock: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def leftovers() -> list[Path]:
    """The folders that skillret has filled by itself, as far as they are there; no settings."""
    import platformdirs

    data = platformdirs.user_data_path("skillret", appauthor=False)
    cache = platformdirs.user_cache_path("skillret", appauthor=False)
    # On some systems settings lie beside them, so the folder above is nothing to be deleted.
    folders = (data / "indexes", data / "milvus", Path(state_folder()) / "agents", cache)
    return [folder for folder in folders if folder.is_dir()]


def served_libraries() -> Path | None:
    """The folder of libraries that were made over HTTP, if any: nobody can make them anew."""
    import platformdirs

    folder = platformdirs.user_data_path("skillret", appauthor=False) / "served"
    try:
        return folder if any(folder.iterdir()) else None
    except OSError:
        return None


def delete(folder: Path) -> None:
    """Delete one of these folders, and the one above if nothing else is in it.

    Raises:
        SkillretError: If it is a link, or cannot be deleted.
    """
    if folder.is_symlink():
        raise SkillretError(f"{folder} is left as it is: it is a link; delete it yourself")
    try:
        shutil.rmtree(folder)
    except OSError as e:
        raise SkillretError(f"cannot delete {e.filename or folder}: {e.strerror}") from None
    if folder.parent.name == "skillret":
        with suppress(OSError):
            os.rmdir(folder.parent)  # noqa: PTH106
