"""`skillret uninstall`."""

from __future__ import annotations

import argparse

from skillret.agents.install.steps import uninstall
from skillret.cli.common import note
from skillret.cli.install import configure_agents, print_steps, project_of

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret uninstall
  skillret uninstall codex --dry-run
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    configure_agents(
        parser,
        "the agents that are not to ask skillret any more (default: all, in all projects):",
        "only what was written to the project here",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    steps = uninstall(args.agents, project_of(args), dry_run=args.dry_run)
    if not steps:
        what = "nothing of that" if args.agents else "nothing"
        note(f"{what} is installed; `skillret status` says what is")
    return print_steps(steps, dry_run=args.dry_run)
