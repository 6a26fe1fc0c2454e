"""`skillret plugin`."""

from __future__ import annotations

import argparse
import shutil

from skillret.agents.plugin import NAME, write_plugin
from skillret.cli.common import note, printable
from skillret.cli.terminal import tilde
from skillret.files import expand

__all__ = ["configure", "run"]

_EXAMPLES = """\
The folder is a marketplace for Claude Code and Codex, and an extension for Gemini CLI:
  claude plugin marketplace add FOLDER && claude plugin install skillret@skillret
  codex plugin marketplace add FOLDER && codex plugin add skillret@skillret
  gemini extensions install FOLDER

example:
  skillret plugin skillret-plugin
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("folder", metavar="FOLDER", help="new, empty, or of before")
    parser.add_argument(
        "--absolute",
        action="store_true",
        help="call this very program by its path (default: `skillret`, wherever the PATH leads)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    folder = expand(args.folder)
    done = write_plugin(folder, absolute=args.absolute)
    for path, what in done.items():
        verb = "wrote" if what == "written" else "nothing to do in"
        print(f"{verb} {tilde(printable(str(folder / path)))}")
    if not args.absolute and shutil.which(NAME) is None:
        note(
            f"`{NAME}` is not on your PATH, where the plugin looks for it: put it there, or write"
            " the plugin again with --absolute"
        )
    return 0
