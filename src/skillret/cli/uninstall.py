"""`skillret uninstall`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from skillret.agents.install.leftovers import delete, leftovers, served_libraries, stop_warm
from skillret.agents.install.steps import uninstall
from skillret.cli.common import note
from skillret.cli.install import configure_agents, print_steps, project_of
from skillret.cli.terminal import tilde
from skillret.errors import InputError, SkillretError
from skillret.messages import printable

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret uninstall
  skillret uninstall codex --dry-run
  skillret uninstall --purge
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    configure_agents(
        parser,
        "the agents that are not to ask skillret any more (default: all, in all projects, and what"
        " `mcp install` has written):",
        "only what was written to the project here",
    )
    parser.add_argument(
        "--purge",
        action="store_true",
        help="delete indexes, the cache, the log and what sessions were told, too; your settings"
        " stay, and libraries that were made over HTTP",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    everything = not args.agents and not args.project
    if args.purge and not everything:
        raise InputError(
            "--purge goes with uninstalling everything: name no agent and no --project"
        )
    steps = uninstall(args.agents, project_of(args), dry_run=args.dry_run)
    if not steps:
        what = "nothing" if everything else "nothing of that"
        note(f"{what} is installed; `skillret status` says what is")
    status = print_steps(steps, dry_run=args.dry_run)
    if everything and not args.dry_run and stop_warm(wait=args.purge):
        note("the process that keeps the model warm ends")
    left = leftovers() if everything else []
    if args.purge and status == 0:
        return _purge(left, dry_run=args.dry_run)
    if left and steps:
        shown = " and ".join(map(str, left))
        note(f"{shown} stay: `skillret uninstall --purge` deletes them")
    return status


def _purge(folders: Iterable[Path], *, dry_run: bool) -> int:
    failed = 0
    for folder in folders:
        try:
            if not dry_run:
                delete(folder)
        except SkillretError as e:
            failed = 1
            note(str(e))
            continue
        print(f"{'would delete' if dry_run else 'deleted'} {tilde(printable(str(folder)))}")
    kept = served_libraries()
    if kept is not None:
        note(f"{kept} stays: libraries made over HTTP are perhaps nowhere else")
    return failed
