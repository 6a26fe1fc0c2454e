"""How an index is named: a file, or a place that a scheme says."""

from __future__ import annotations

import os
from pathlib import Path

from skillret.files import expand

__all__ = ["index_place", "is_milvus"]

_MILVUS = ("milvus://", "milvus+tls://", "milvus-lite:")


def is_milvus(name: str) -> bool:
    """Whether a name of an index is one of an index in Milvus."""
    return name.startswith(_MILVUS)


def index_place(name: str | os.PathLike[str]) -> Path | str:
    """An index as a user named it: a path with `~` read, or an address left as it is."""
    named = os.fspath(name)
    return named if is_milvus(named) else expand(named)
