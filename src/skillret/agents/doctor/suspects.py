"""Skills whose text draws queries that are not theirs."""

from __future__ import annotations

from collections.abc import Iterator

from skillret.agents.doctor.finding import Examined, Finding
from skillret.index.suspects import find_suspects

__all__ = ["check"]


def check(examined: Examined) -> Iterator[Finding]:
    """Those that `skillret.index.suspects` names."""
    for suspect in find_suspects(examined.skills):
        yield Finding(
            "suspect",
            "warning",
            suspect.skill.name,
            suspect.skill.path,
            None,
            suspect.reason,
            "read it, and remove it if it was made to be found for what it does not do",
        )
