"""`skillret hook`."""

from __future__ import annotations

import argparse

from skillret.agents.hook import main
from skillret.agents.hosts import HOSTS
from skillret.settings import MODES

__all__ = ["configure", "run"]

_EXAMPLES = f"""\
agents: {", ".join(HOSTS)}

An agent calls this, with its event on stdin; what it prints is what that agent takes. It prints
nothing if nothing fits or anything is wrong, and its exit status is always 0: `skillret log` says
why. `skillret install` writes it where an agent looks.

example:
  echo '{{"hook_event_name": "UserPromptSubmit", "prompt": "turn this scanned PDF into a table"}}' |
    skillret hook claude-code
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("agent", metavar="AGENT", help="who asks: claude-code, codex, ...")
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="how sure a skill must be to be named (default: `mode` of the settings, or normal)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    return main([args.agent, *(("--mode", args.mode) if args.mode else ())])
