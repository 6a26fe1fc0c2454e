"""Maps on disk: a large one takes a while to draw, and a server is started more often than that."""

from __future__ import annotations

import os
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from skillret.errors import SkillretError
from skillret.files import replacing
from skillret.serving.page.map import MAP_VERSION, Drawn

__all__ = ["load_map", "save_map"]

_NAMED = re.compile(r"[0-9a-f]{16,64}")  # by a generation that no other library can have
_KEPT = 20  # files, the newest ones
_LEAST = 300  # skills; smaller maps are drawn as fast as they are read


def load_map(generation: str) -> Drawn | None:
    """The map of a generation if it was drawn before, by this version."""
    file = _file(generation)
    if file is None:
        return None
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            keys, positions = stored["keys"], stored["positions"]
            document = stored["document"].tobytes()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if keys.dtype != np.int64 or positions.shape != (len(keys), 2):
        return None
    return Drawn(generation, keys, positions.astype(np.float32), document)


def save_map(drawn: Drawn) -> None:
    """Keep a map; where that cannot be done it is drawn again the next time."""
    file = _file(drawn.generation)
    if file is None or len(drawn.keys) < _LEAST:
        return
    document = np.frombuffer(drawn.document, dtype=np.uint8)
    with suppress(OSError, SkillretError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(file) as out:
            np.savez(out, keys=drawn.keys, positions=drawn.positions, document=document)
        kept = sorted(file.parent.glob("*.npz"), key=os.path.getmtime, reverse=True)
        for old in kept[_KEPT:]:
            old.unlink(missing_ok=True)


def _file(generation: str) -> Path | None:
    import platformdirs

    if not _NAMED.fullmatch(generation):
        return None
    folder = platformdirs.user_cache_path("skillret", appauthor=False) / "maps"
    return folder / f"{generation}-v{MAP_VERSION}.npz"
