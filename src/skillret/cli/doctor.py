"""`skillret doctor`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from skillret.agents.doctor import TITLES, Examined, Finding, examine
from skillret.cli.common import add_agent, current_settings, note, print_json, progress_bar
from skillret.cli.terminal import bold, dim, fold, tilde, width, yellow
from skillret.errors import InputError
from skillret.messages import counted, printable
from skillret.retrieval import Retriever
from skillret.retrieval.refresh import Folders, nothing_found, usual_library
from skillret.settings import Settings
from skillret.skills import Library
from skillret.skills.agents import find_agent

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret doctor
  skillret doctor --agent claude-code
  skillret doctor --library skills --strict
"""
_LISTING = ("claude-code", "codex")  # agents with a budget
_SHOWN = 5  # of a kind
_ATTACKS = 100  # of a kind, of what must not be overlooked
_LINES = 3  # of a finding
_LONGEST = 2000  # characters of a text in JSON


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    add_agent(parser)
    parser.add_argument(
        "--library",
        action="append",
        metavar="DIR",
        help="folder that holds skills, repeatable (default: the usual places)",
    )
    parser.add_argument("--all", action="store_true", help="cut nothing short")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if anything is above a remark"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    settings = current_settings()
    folders = Folders.of(
        args.library or (), Settings() if args.library else settings, args.agent or ()
    )
    library = folders.library()
    if not library.skills:
        raise InputError(nothing_found(library))
    agents = _agents(library, settings, folders)
    with (
        progress_bar("encoding") as progress,
        Retriever.open(
            library=folders.given or None,
            agent=folders.agents or None,
            settings=folders.settings,
            on_update=note,
            progress=progress,
        ) as retriever,
        progress_bar("searching", "query") as searched,
    ):
        examined = Examined(library, agents, retriever, Path.cwd(), Path.home(), searched)
        findings = examine(examined, settings.dismiss)
    open_ = [f for f in findings if f.dismissed is None]
    if args.json:
        print_json(_document(library, agents, findings))
    else:
        _print(library, open_, len(findings) - len(open_), whole=args.all)
    return int(args.strict and any(f.level != "remark" for f in open_))


def _agents(library: Library, settings: Settings, folders: Folders) -> dict[str, Library]:
    """Each agent's own view: of those that were asked for, else of those with a budget."""
    if folders.given:
        return dict.fromkeys(_LISTING, library)
    wanted = folders.agents or tuple(find_agent(name).name for name in settings.agents)
    if len(wanted) == 1:
        return {wanted[0]: library}
    views = {name: usual_library(settings, (name,))[0] for name in wanted or _LISTING}
    return {name: view for name, view in views.items() if view.skills}


def _document(
    library: Library, agents: dict[str, Library], findings: Sequence[Finding]
) -> dict[str, Any]:
    levels = Counter(f.level for f in findings if f.dismissed is None)
    return {
        "skills": len(library),
        "agents": {name: len(view) for name, view in agents.items()},
        "errors": levels["error"],
        "warnings": levels["warning"],
        "remarks": levels["remark"],
        "findings": [
            {k: v[:_LONGEST] if isinstance(v, str) else v for k, v in f._asdict().items()}
            for f in findings
        ],
    }


def _print(library: Library, findings: Sequence[Finding], dismissed: int, *, whole: bool) -> None:
    room = width()
    for kind, group in groupby(findings, key=attrgetter("kind")):
        found = list(group)
        heading = f"{TITLES.get(kind, kind)} ({len(found):,})"
        loud = any(f.level == "error" for f in found)
        print((yellow if loud else bold)(heading) + dim(f"  {kind}"))
        most = _ATTACKS if kind.startswith("attack") else _SHOWN
        shown = found if whole else found[:most]
        for finding in shown:
            print(_folded(finding, room))
        if len(found) > len(shown):
            print(dim(f"  ... and {len(found) - len(shown):,} more: --all shows them"))
        for remedy in dict.fromkeys(f.remedy for f in shown):
            print(dim(fold(f"-> {remedy}", room, "  ", _LINES)))
        print()
    levels = Counter(f.level for f in findings)
    told = [counted(levels[name], name) for name in ("error", "warning", "remark")]
    if dismissed:
        told.append(f"{dismissed:,} dismissed")
    print(f"{counted(len(library), 'skill')}: {', '.join(told)}")


def _folded(finding: Finding, room: int) -> str:
    """A finding in at most a few lines: where, and what."""
    where = tilde(printable(finding.path or ""))
    if finding.line is not None:
        where += f":{finding.line}"
    named = f"{printable(finding.skill)}: " if finding.skill else ""
    text = fold(named + tilde(printable(finding.message)), room, "  ", _LINES)
    return text + (f"\n{dim('    ' + where)}" if where else "")
