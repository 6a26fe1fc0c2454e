"""`skillret config`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from skillret.cli.common import current_settings, print_json
from skillret.cli.terminal import columns, dim, tilde
from skillret.errors import InputError
from skillret.messages import printable
from skillret.settings import KEYS, Dismissal

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret config
  SKILLRET_HIDE="subtitles,draft-*" skillret config --json
"""
_DEFAULTS = {
    "roots": "the usual places alone",
    "hide": "none",
    "agents": "all",
    "threshold": "the model's own",
    "limit": "5 shown, 10 selected",
    "model": "the packaged one",
    "dismiss": "none",
    "log_queries": "false",
    "mode": "normal",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    settings = current_settings()
    from skillret.skills.agents import find_agent  # which reads more than a setting needs

    with settings.blamed("agents", InputError):
        for name in settings.agents:
            find_agent(name)
    values = {key: _plain(getattr(settings, key)) for key in KEYS}
    there = {str(file): os.path.lexists(file) for file in settings.files}
    if args.json:
        print_json(
            {
                "settings": {
                    key: {"value": value, "from": list(settings.origins.get(key, ()))}
                    for key, value in values.items()
                },
                "files": [{"path": path, "exists": exists} for path, exists in there.items()],
                "remarks": list(settings.remarks),
            }
        )
        return 0
    for key, value in values.items():
        origin = " and ".join(settings.origins.get(key, ())) or "default"
        _row(key, _shown(value) if value not in (None, []) else _DEFAULTS[key], origin)
    for path, exists in there.items():
        _row("file", path, "read" if exists else "not there")
    return 0


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if not isinstance(value, tuple):
        return value
    return [item._asdict() if isinstance(item, Dismissal) else str(item) for item in value]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as it is written in the file
    if not isinstance(value, list):
        return str(value)
    return ", ".join(
        f"{item['finding']} of {item['skill']}" if isinstance(item, dict) else tilde(item)
        for item in value
    )


def _row(name: str, value: str, origin: str) -> None:
    text = f"{name:<12}{tilde(printable(value))}"
    print(text + " " * max(2, 44 - columns(text)) + dim(f"({tilde(printable(origin))})"))
