"""`skillret log`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from skillret.agents.log import Logged, logged, read_log
from skillret.agents.prompts import passed_over
from skillret.cli.common import check_output, note, positive, print_json
from skillret.cli.terminal import bold, dim, fold, tilde, width
from skillret.errors import InputError
from skillret.files import write_text
from skillret.messages import counted, printable

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret log
  skillret log -n 100 --json
  skillret log --export asked.jsonl
  skillret evaluate asked.jsonl --library ~/.claude/skills
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("-n", type=positive, default=10, metavar="N", help="entries (default: 10)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--export",
        metavar="FILE",
        help="write what was asked and which skills were loaded then, as `evaluate` and"
        " `calibrate` take it (a .jsonl file; needs `log_queries = true` in your settings)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    entries = logged(read_log())
    if args.export:
        return _export(entries, args.export)
    shown = entries[-args.n :]
    named = [e for e in entries if e.get("named")]
    followed = [e for e in named if any(skill["named"] for skill in e["loaded"])]
    if args.json:
        document: dict[str, Any] = {"entries": shown, "decisions_that_name": len(named)}
        share = round(len(followed) / len(named), 4) if named else None
        print_json(document | {"followed": len(followed), "share_followed": share})
        return 0
    if not entries:
        note("nothing is logged yet: `skillret install` lets agents ask at each prompt")
        return 0
    for entry in shown:
        _print(entry)
    if named:
        print(
            f"skills were named {counted(len(named), 'time')}; after {len(followed)} of these"
            f" ({len(followed) / len(named):.0%}) an agent said that it loaded one of them"
        )
    return 0


def _print(entry: Logged) -> None:
    head = f"{entry['time'].replace('T', ' ').rstrip('Z')}  {entry['agent']}"
    if entry["kind"] == "failed":
        print(fold(f"{printable(head)}  failed: {tilde(str(entry.get('why')))}", width(), lines=3))
        return
    print(printable(head) + dim(f"  {tilde(printable(str(entry.get('cwd', ''))))}"))
    if entry.get("query"):
        print(fold(f'asked: "{entry["query"]}"', width(), "    ", 2))
    loaded = {skill["name"]: skill["named"] for skill in entry["loaded"]}
    for named in entry.get("named") or ():
        name = str(named.get("name"))
        done = "  loaded" if loaded.get(name) else ""
        print(f"    {bold(printable(name))}  {_number(named.get('score'))}{done}")
        print(fold(f"why: {named.get('reason')}", width(), "        ", 2))
    for name in (name for name, was_named in loaded.items() if not was_named):
        print(f"    loaded without being named: {printable(name)}")
    if entry.get("silent"):
        need = entry.get("need")
        sure = f" (probability that one is needed: {_number(need)})" if need is not None else ""
        print(fold(f"named nothing: {entry['silent']}{sure}", width(), "    ", 2))


def _number(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else "?"


def _export(entries: list[Logged], name: str) -> int:
    """Queries with the skills that were loaded then: whoever needed none cannot be told apart.

    A skill that was called by its name, as `/pdf`, was not asked for in a query.
    """
    if not name.endswith(".jsonl"):
        raise InputError(f"--export writes JSON lines; call the file {name}.jsonl, say")
    file = check_output(name)
    rows = [
        {"query": entry["query"], "skills": list({s["name"]: None for s in entry["loaded"]})}
        for entry in entries
        if isinstance(entry.get("query"), str)
        and entry["loaded"]
        and not passed_over(entry["query"])
    ]
    if not rows:
        asked = any(entry.get("query") for entry in entries)
        raise InputError(
            "nothing to export: no skill was loaded after a prompt yet"
            if asked
            else "nothing to export: what was asked is not logged; set `log_queries = true` in"
            " your own skillret.toml (`skillret config` says where that is)"
        )
    write_text(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    note(f"wrote {counted(len(rows), 'query')} with the skills that were loaded to {name}")
    return 0
