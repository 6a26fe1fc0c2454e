"""`skillret status`."""

from __future__ import annotations

import argparse

from skillret.agents.commands import command
from skillret.agents.install.steps import status
from skillret.cli.common import current_settings, note, print_json, printable
from skillret.cli.terminal import tilde
from skillret.errors import InputError

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret status
  skillret status --json
"""
_WORDS = {
    "installed": "installed",
    "outdated": "outdated",
    "gone": "gone",
    "broken": "broken",
    "not ours": "installed by hand",
    "plugin": "installed as a plugin",
    "by hand": "to be added by hand, unless it is there",
    "no": "not installed",
    "unreadable": "not installed",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    mode, wrong, states = None, "", status()
    try:
        mode = current_settings().mode
    except InputError as e:  # what is installed is there all the same
        wrong = f"{e}; hooks here name nothing until that is put right"
        note(wrong)
    if args.json:
        rows = [
            {
                "agent": state.agent,
                "title": state.title,
                "agent_there": state.there,
                "file": None if state.file is None else str(state.file),
                "state": state.state,
                "message": state.message,
            }
            for state in states
        ]
        print_json({"command": command(), "mode": mode, "problem": wrong or None, "agents": rows})
        return int(bool(wrong))
    for state in states:
        place = "" if state.file is None else f"  {tilde(printable(str(state.file)))}"
        absent = "" if state.there else " (the agent is not there)"
        print(f"{state.title}: {_WORDS[state.state]}{absent}{place}")
        if state.message and state.state != "no":
            print(f"  {tilde(printable(state.message))}")
    if mode and any(state.state in ("installed", "not ours") for state in states):
        print(f"mode: {mode} (how sure a skill must be to be named; see `skillret config`)")
    if not states:
        note("no agent is found here, and nothing is installed")
    elif any(
        state.state in ("no", "outdated", "gone", "broken") and state.file for state in states
    ):
        note("`skillret install` writes what is missing")
    return int(bool(wrong))
