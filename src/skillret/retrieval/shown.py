"""What is shown of a look-up beside its hits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from skillret.index.index import Index
from skillret.index.sources import Sources
from skillret.messages import printable
from skillret.skills import invocable_name
from skillret.types import Hit, Selection

__all__ = ["invocable_names", "left_to_user", "merged"]


def merged(hits: Sequence[Hit], selection: Selection) -> list[Hit]:
    """What was found for a query, and what was selected for a part of it, best first."""
    by_id = {hit.id: hit for hit in (*hits, *selection)}
    best = sorted(by_id.values(), key=lambda hit: -hit.score)
    return [replace(hit, rank=rank) for rank, hit in enumerate(best, start=1)]


def left_to_user(selection: Selection, user: str) -> str:
    """That some skills fit which only the user can start; empty if there are none.

    Args:
        selection: What was selected, and what was left to the user.
        user: What the reader calls the user, such as `you`.
    """
    names = [printable(hit.name) for hit in selection.for_user]
    if not names:
        return ""
    if len(names) == 1:
        return f"{names[0]} fits, but only {user} can start it"
    return f"{', '.join(names[:-1])} and {names[-1]} fit, but only {user} can start them"


def invocable_names(index: Index, hits: Iterable[Hit]) -> dict[str, dict[str, str | None]]:
    """How the agent whose places an index holds invokes each hit; empty if it is not of one agent.

    Returns:
        By the id of a hit its `invocable_name`, and what it is `shadowed_by` if it has none.
    """
    sources = Sources.from_info(index.info())
    if sources.agent is None:
        return {}
    roots = sources.folders
    names: dict[str, dict[str, str | None]] = {}
    for hit in hits:
        skill = index.get(hit.id)
        if skill is not None:
            name = invocable_name(sources.agent, skill, roots)
            names[hit.id] = {"invocable_name": name, "shadowed_by": skill.shadowed_by}
    return names
