"""JSON files that other programs keep, read for what they hold and never believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skillret.files import parse_json, read_start

__all__ = ["read_object"]

_MOST = 8 * 1024 * 1024  # bytes


def read_object(file: Path) -> dict[str, Any] | None:
    """The object in a file; None if there is no such file, or no object in it."""
    try:
        document = parse_json(read_start(file, _MOST).decode("utf-8-sig", "replace"), mend=True)
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
