"""By what name an agent invokes a skill, and which one it takes where two have the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from skillret.skills.agents import Agent, find_agent
from skillret.skills.walk import Root
from skillret.types import Skill

__all__ = ["Invocation", "invocable_name", "invocations", "known_names", "namespace_of"]

_RESERVED = "anthropic-skills"  # Claude Code's own, for what an account brings
_OWN = ("user", "project")


class Invocation(NamedTuple):
    """How an agent invokes a skill, or why it cannot.

    Attributes:
        name: Such as `pdf-forms` or `office:pdf-forms`; None if the agent cannot invoke it.
        shadowed_by: Path of the skill that has taken its name.
        refused: Why the agent does not load it from its place.
    """

    name: str | None = None
    shadowed_by: str | None = None
    refused: str | None = None


def invocations(agent: str, skills: Sequence[Skill], roots: Sequence[Root]) -> list[Invocation]:
    """How an agent invokes each of some skills; one outside of its places has no name.

    A skill counts in every place that a path of it, or a link to it, lies in.

    Args:
        agent: The agent's name.
        skills: All that compete for names; `shadowed_by` is not looked at.
        roots: The agent's places, what wins first: `default_roots(agents=[agent])`.

    Returns:
        One for each skill, in the same order.

    Raises:
        InputError: If the agent is unknown.
    """
    of = find_agent(agent)
    seen = [_seen(of, skill, roots) for skill in skills]
    order = sorted(
        (rank, number, name)
        for number, found in enumerate(seen)
        for rank, name, refused in found
        if refused is None
    )
    winners: dict[str, int] = {}
    for _, number, name in order:
        winners.setdefault(name, number)
    results = []
    for number, found in enumerate(seen):
        names = [name for _, name, refused in sorted(found, key=itemgetter(0)) if refused is None]
        own = next((n for n in names if not of.shadows or winners[n] == number), None)
        if own is not None:
            results.append(Invocation(own))
        elif names:
            winner = skills[winners[names[0]]]
            results.append(Invocation(shadowed_by=winner.path or winner.id))
        else:
            results.append(Invocation(refused=next((why for _, _, why in found), None)))
    return results


def invocable_name(agent: str, skill: Skill, roots: Sequence[Root]) -> str | None:
    """The name by which an agent invokes a skill; None if it cannot, or another one has the name.

    Args:
        agent: The agent's name.
        skill: Of a library that was opened for this agent, so that `shadowed_by` follows its rules.
            For others there is `invocations`.
        roots: The agent's places, as those of the library.

    Raises:
        InputError: If the agent is unknown.
    """
    if skill.shadowed_by is not None:
        return None
    (how,) = invocations(agent, [skill], roots)
    return how.name


def known_names(name: str, paths: Iterable[str | None], roots: Sequence[Root]) -> set[str]:
    """What a skill may be called: its name or that of a folder, and the same with its plugin's.

    Args:
        name: Its own.
        paths: Those of its files, links and copies.
        roots: Of its library.
    """
    found = {name}
    for path in filter(None, paths):
        called = {name, *path.split(os.sep)[-2:-1]} - {""}  # noqa: PTH206
        found |= called
        if roots and (space := namespace_of(path, roots)):
            found.update(f"{space}:{own}" for own in called)
    return found


def namespace_of(path: str, roots: Sequence[Root]) -> str:
    """What stands before a colon in the name of a skill at a path; mostly nothing."""
    spaces = (r.namespace for r in roots if r.namespace and path.startswith(f"{r.path}{os.sep}"))
    return next(spaces, "")


def _seen(agent: Agent, skill: Skill, roots: Sequence[Root]) -> list[tuple[int, str, str | None]]:
    """Rank, name, and why it is not loaded, for each place of the agent that a skill lies in."""
    found = []
    for path in filter(None, (skill.path, *skill.aliases)):
        inside = [
            (len(str(root.path)), rank)
            for rank, root in enumerate(roots)
            if root.scope not in ("given", "settings") and path.startswith(f"{root.path}{os.sep}")
        ]
        if inside:
            rank = max(inside)[1]  # a place inside another one
            found.append((rank, *_name(agent, skill.name, path, roots[rank])))
    return found


def _name(agent: Agent, name: str, path: str, root: Root) -> tuple[str, str | None]:
    """The name of a skill at a path below a place, and why the agent does not load it."""
    below = path[len(str(root.path)) + 1 :].split(os.sep)[:-1]  # noqa: PTH206
    folder = below[-1] if below else name
    refused = None
    if agent.depth is not None and len(below) > agent.depth:
        refused = f"{agent.title} looks {agent.depth} deep below {root.path}, not {len(below)}"
    elif agent.invoked_by == "both" and folder != name:
        refused = f"{agent.title} wants its folder to have its name, {name!r}"
    elif root.scope in _OWN and folder.startswith(_RESERVED) and agent.name == "claude-code":
        refused = f"{agent.title} reserves the name {folder!r}"
    called = folder if agent.invoked_by == "folder" else name
    return (f"{root.namespace}:{called}" if root.namespace else called), refused
