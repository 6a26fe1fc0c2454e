"""What the doctor finds in a library, as the page shows it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from skillret.agents.doctor import TITLES, Examined, examine
from skillret.errors import InputError
from skillret.index.sources import Sources
from skillret.retrieval import Retriever
from skillret.serving.libraries import DEFAULT
from skillret.settings import load_settings
from skillret.skills import Library

__all__ = ["findings"]

_MOST = 1000  # findings that are sent
_LONGEST = 2000  # characters of a text
_LISTING = ("claude-code", "codex")  # agents with a budget


class _Stored(Library):
    """The skills of an index that no folder holds."""

    def __init__(self, retriever: Retriever) -> None:
        super().__init__(())
        self._read = (list(retriever.index.skills()), [], [])


def findings(retriever: Retriever, library: str) -> dict[str, Any]:
    """All findings on a library with their counts, the worst of a kind first.

    Raises:
        StoreError: If it cannot be read.
    """
    sources = Sources.from_info(retriever.index.info())
    try:
        examined = sources.library() if sources.roots else _Stored(retriever)
    except InputError:  # the folders are gone, and the index is what is left
        examined = _Stored(retriever)
    dismissed = load_settings(None).dismiss if library == DEFAULT else ()
    views = dict.fromkeys(_LISTING if sources.agent is None else (sources.agent,), examined)
    found = examine(Examined(examined, views, retriever), dismissed)
    levels = Counter(f.level for f in found if f.dismissed is None)
    return {
        "skills": len(examined),
        "errors": levels["error"],
        "warnings": levels["warning"],
        "remarks": levels["remark"],
        "dismissed": sum(f.dismissed is not None for f in found),
        "titles": TITLES,
        "total": len(found),
        "findings": [
            {k: v[:_LONGEST] if isinstance(v, str) else v for k, v in f._asdict().items()}
            for f in found[:_MOST]
        ],
    }
