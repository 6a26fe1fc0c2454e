"""Which skills an agent gets at, under which names, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skillret.agents.doctor.finding import Examined, Finding
from skillret.messages import counted
from skillret.skills.agents import find_agent
from skillret.skills.names import invocations
from skillret.types import Diagnostic

__all__ = ["check"]

# By the user's settings, or the agent's own, as they say.
_HIDDEN = ("left out: your settings hide it", "left out: disabled in", "left out: `skillOverrides`")
_COPY = "a copy of "  # how a library says that it kept one of two


def check(examined: Examined) -> Iterator[Finding]:
    """Shadowed and unnamed skills, those of plugins, copies, and what was left out."""
    yield from _shadowed(examined)
    for agent, library in examined.agents.items():
        if library.agent is None:
            continue  # a folder that was given is nobody's place
        title = find_agent(agent).title
        hows = invocations(agent, library.skills, library.roots)
        set_by_user = [str(root.path) for root in library.roots if root.scope == "settings"]
        for skill, how in zip(library.skills, hows, strict=True):
            if how.name is None and how.shadowed_by is None and skill.shadowed_by is None:
                asked = any(Path(skill.path or "").is_relative_to(root) for root in set_by_user)
                remedy = f"move it into one of its places (`skillret places --agent {agent} --all`)"
                yield Finding(
                    "no-name",
                    "remark" if asked else "warning",
                    skill.name,
                    skill.path,
                    None,
                    f"{title} cannot invoke it: {how.refused or 'it lies in none of its places'}",
                    f"nothing, if it is to be found alone; else {remedy}" if asked else remedy,
                )
        for root, count in zip(library.roots, library.counts, strict=True):
            if count and root.scope.startswith(("plugin", "extension")):
                called = f", invoked as {root.namespace}:NAME" if root.namespace else ""
                yield Finding(
                    "plugin",
                    "remark",
                    "",
                    str(root.path),
                    None,
                    f"{counted(count, 'skill')} of a {root.scope.partition(':')[0]}{called}",
                    "nothing, unless you want none of it: disable it in the agent",
                )
    yield from _left_out(examined)
    yield from _left_to_user(examined)
    for found in examined.library.diagnostics:
        if found.message.startswith(_COPY):
            remedy = "remove it, unless another agent needs it there"
            yield Finding("copy", "remark", "", found.path, None, found.message, remedy)


def _shadowed(examined: Examined) -> Iterator[Finding]:
    """Skills whose name another one has taken, once each."""
    told = set()
    for library in (*examined.agents.values(), examined.library):
        whose = f"for {find_agent(library.agent).title}" if library.agent else "of several agents"
        for skill in library.skills:
            if skill.shadowed_by is None or skill.path in told:
                continue
            told.add(skill.path)
            yield Finding(
                "shadowed",
                "warning",
                skill.name,
                skill.path,
                None,
                f"{whose} {skill.shadowed_by} has its name and wins",
                "rename or remove one of the two",
            )


def _left_out(examined: Examined) -> Iterator[Finding]:
    """Files, folders and links that were seen and not taken."""
    told: set[Diagnostic] = set()
    for library in (examined.library, *examined.agents.values()):
        for found in library.left_out:
            if found in told or "is shadowed by" in found.message:
                continue
            told.add(found)
            yield Finding(
                "left-out",
                "remark" if found.message.startswith(_HIDDEN) else found.level,
                "",
                found.path,
                None,
                found.message,
                "mend it, or remove what is not wanted",
            )


def _left_to_user(examined: Examined) -> Iterator[Finding]:
    """What permission rules forbid an agent to start, once for all libraries."""
    libraries = (examined.library, *examined.agents.values())
    for found in dict.fromkeys(note for library in libraries for note in library.left_to_user):
        remedy = "nothing, if only you are to start it; else take the rule out"
        yield Finding("user-only", "remark", "", found.path, None, found.message, remedy)
