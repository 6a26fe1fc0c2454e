"""Written texts that a calibration learns from beside labelled queries: `texts/*.txt`.

Data sets hold whole sentences for the most part, and few queries that need no skill. So tasks as
people type them in a line, and what they say that needs no skill, were written for this project.
Neither good manners nor a question mark tell whether a skill is needed, so all of them are said
politely as well. One text a line; a line that begins with # is a comment.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

__all__ = ["asked", "digests", "written"]

_FOLDER = Path(__file__).parent / "texts"


@cache
def written(name: str) -> tuple[str, ...]:
    """The texts of one file: `tasks`, `idle`, `turns`, `background`; or ways to say them.

    Args:
        name: Of the file, without `.txt`.
    """
    lines = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def asked(text: str, ways: Sequence[str], draw: random.Random) -> str:
    """A text said in one of several ways: `asked`, `mentioned` or `answered`."""
    return draw.choice(ways).format(text[0].lower() + text[1:].rstrip("?"))


def digests() -> dict[str, str]:
    """SHA-256 of each file, by its name, whatever ends its lines."""
    return {
        file.name: hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for file in sorted(_FOLDER.glob("*.txt"))
    }
