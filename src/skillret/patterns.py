"""Regular expressions that are compiled when they are first needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

__all__ = ["lazy_pattern"]


def lazy_pattern(pattern: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """A function that compiles a pattern at its first call and keeps it.

    Dozens of them take longer to compile than a search of an index that is up to date, which needs
    but a few.
    """

    @cache
    def compiled() -> re.Pattern[str]:
        return re.compile(pattern, flags)

    return compiled
