"""What the parts of a GPU session found: one JSON file, and a report written anew at every row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.files import parse_json, write_text

__all__ = ["Column", "Session", "Table", "finish_part", "markdown"]

RESULTS, REPORT = "results.json", "report.md"


@dataclass(frozen=True)
class Session:
    """Where a session reads and writes.

    Attributes:
        out: Takes everything that is to come back; no folders in it.
        work: Scratch.
        inputs: Folder with the parts of what was packed; None if there are none.
        dry: Tiny random models on a CPU, which show that it works and nothing else.
    """

    out: Path
    work: Path
    inputs: Path | None
    dry: bool

    @property
    def unpacked(self) -> Path:
        """Folder of what the parts hold."""
        return self.work / "inputs"


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, the key in a row, and how a number is written."""

    title: str
    key: str
    form: str = ""


class Table:
    """The rows of a part, kept as they come: a part that is ended leaves what it has.

    Args:
        session: Its `out` takes the files.
        part: Name of the part.
        columns: Of the table.
        notes: Lines to stand above it.
    """

    def __init__(
        self, session: Session, part: str, columns: Sequence[Column], notes: Sequence[str]
    ) -> None:
        self._out, self._part = session.out, part
        self._columns = [[c.title, c.key, c.form] for c in columns]
        self._found: dict[str, Any] = {"notes": [*notes], "columns": self._columns, "rows": []}
        _merge(self._out, part, self._found)

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a row and print it."""
        self._found["rows"].append(dict(row))
        _merge(self._out, self._part, self._found)
        print(_lines(self._columns, [row])[-1], flush=True)


def finish_part(out: Path, part: str, status: str, seconds: float) -> None:
    """Keep how a part has ended."""
    _merge(out, part, {"status": status, "seconds": round(seconds, 1)})


def markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The report: how each part has ended, then its table."""
    lines = ["# What was measured", "", "| part | ended | seconds |", "|---|---|---:|"]
    for part, found in results.items():
        status = found.get("status", "not yet")
        lines.append(f"| {part} | {status} | {found.get('seconds', '')} |")
    for part, found in results.items():
        if "columns" in found:
            notes = [word for note in found["notes"] for word in (note, "")]
            lines += ["", f"## {part}", "", *notes, *_lines(found["columns"], found["rows"])]
    return "\n".join(lines) + "\n"


def _merge(out: Path, part: str, found: Mapping[str, Any]) -> None:
    file = out / RESULTS
    results = parse_json(file.read_text(encoding="utf-8")) if file.is_file() else {}
    results[part] = {**results.get(part, {}), **found}
    write_text(file, json.dumps(results, indent=1, allow_nan=False) + "\n")
    write_text(out / REPORT, markdown(results))


def _lines(columns: Sequence[Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    rule = "|".join("---:" if form else "---" for _, _, form in columns)
    head = " | ".join(title for title, _, _ in columns)
    return [
        f"| {head} |",
        f"|{rule}|",
        *("| " + " | ".join(_cell(row.get(k), f) for _, k, f in columns) + " |" for row in rows),
    ]


def _cell(value: object, form: str) -> str:
    if value is None:
        return "-"
    return format(value, form) if form and isinstance(value, int | float) else str(value)
