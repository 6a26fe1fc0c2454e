"""`skillret places`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skillret.cli.common import add_agent, note, print_json, printable
from skillret.errors import InputError
from skillret.retrieval.refresh import nowhere, usual_library
from skillret.settings import load_settings
from skillret.skills import Library, invocable_name
from skillret.skills.agents import AGENTS, find_agent
from skillret.skills.places import Place, nested_places

__all__ = ["configure", "run"]

_EXAMPLES = f"""\
agents: {", ".join(agent.name for agent in AGENTS)}

examples:
  skillret places
  skillret places --agent claude-code --json
"""
_SHOWN = 20  # of what was left out


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    add_agent(parser)
    parser.add_argument(
        "--all", action="store_true", help="also the places that are not there; cut nothing short"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    library, places = usual_library(load_settings(), args.agent or (), missing=True)
    counts = _counts(library, places)
    left_out = [*_left_out(library, places, args.agent)]
    if args.json:
        print_json(_document(library, places, counts, left_out))
        return 0
    if not library.roots and not args.all:
        raise InputError(nowhere(places, args.agent or ()))
    home = str(Path.home())
    shown = [p for p in places if args.all or p.exists]
    for place, count in zip(places, counts, strict=True):
        if place in shown:
            _print(place, count, home)
    if left_out:
        print("\nleft out, or shadowed:" if library.agent else "\nleft out:")
        _print_reasons(left_out, home, whole=args.all)
    if library.left_to_user:
        print("\nleft to you by permission rules:")
        _print_reasons([(d.path, d.message) for d in library.left_to_user], home, whole=args.all)
    there = sum(place.exists and place.problem is None for place in places)
    print(f"\n{_many(len(library), 'skill')} in {_many(there, 'place')}")
    if not args.all and len(shown) < len(places):
        note(f"{_many(len(places) - len(shown), 'more place')} would count; --all lists them")
    return 0


def _counts(library: Library, places: Sequence[Place]) -> list[int]:
    """The number of skills that each place leads to."""
    by_root = {root.path: n for root, n in zip(library.roots, library.counts, strict=True)}
    return [
        by_root.get(p.path.resolve(), 0) if p.exists and p.problem is None else 0 for p in places
    ]


def _left_out(
    library: Library, places: Sequence[Place], agents: Sequence[str] | None
) -> Iterator[tuple[str, str]]:
    """Path and reason of all that was seen and not taken, or is not what it seems."""
    yield from ((str(p.path), p.problem) for p in places if p.problem is not None)
    yield from ((d.path, d.message) for d in library.left_out)
    if not agents or "claude-code" in (find_agent(name).name for name in agents):
        reason = "Claude Code reads it once it works in there; name it as a --library"
        known = {str(p.path) for p in places}
        yield from ((path, reason) for path in nested_places(Path.cwd()) if path not in known)


def _document(
    library: Library,
    places: Sequence[Place],
    counts: Sequence[int],
    left_out: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "agent": library.agent,
        "skills": len(library),
        "places": [
            {
                "path": str(place.path),
                "scope": place.scope.partition(":")[0],
                "namespace": place.scope.partition(":")[2] or None,
                "agents": list(place.agents),
                "exists": place.exists,
                "skills": count,
                "problem": place.problem,
            }
            for place, count in zip(places, counts, strict=True)
        ],
        "left_out": [{"path": path, "reason": reason} for path, reason in left_out],
        "left_to_user": [{"path": d.path, "reason": d.message} for d in library.left_to_user],
    }
    if library.agent is not None:
        document["invocable"] = [
            {
                "name": skill.name,
                "path": skill.path,
                "invocable_name": invocable_name(library.agent, skill, library.roots),
                "shadowed_by": skill.shadowed_by,
            }
            for skill in library
        ]
    return document


def _print(place: Place, count: int, home: str) -> None:
    many = _many(count, "skill") if place.exists else "missing"
    if place.problem is not None:
        many = "left out"
    kind, _, namespace = place.scope.partition(":")
    kind = {"settings": "your settings", "named": "named in settings"}.get(kind, kind)
    titles = [find_agent(name).title for name in place.agents]
    whose = "all agents" if len(titles) == len(AGENTS) else ", ".join(titles)
    print(f"{many:>12}  {_short(str(place.path), home)}")
    called = f", called {namespace}:NAME" if namespace else ""
    print(f"{'':14}{kind}{': ' * bool(whose)}{whose}{printable(called)}")


def _print_reasons(reasons: Sequence[tuple[str, str]], home: str, *, whole: bool) -> None:
    for path, reason in reasons if whole else reasons[:_SHOWN]:
        print(f"  {_short(path, home)}: {_short(reason, home)}")
    if len(reasons) > _SHOWN and not whole:
        print(f"  ... and {len(reasons) - _SHOWN} more: --all names them")


def _short(text: str, home: str) -> str:
    """A path, or a text with paths, with `~` for the home directory."""
    if len(home) > 1:
        text = text.replace(home + os.sep, "~" + os.sep)
    return printable(text)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
