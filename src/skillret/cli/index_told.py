"""What commands on an index say of what they did and found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skillret.cli.common import note
from skillret.index.suspects import Suspect
from skillret.messages import counted
from skillret.types import Diagnostic, UpdateReport

__all__ = ["SHOWN_ERRORS", "SHOWN_WARNINGS", "tell", "tell_suspects"]

SHOWN_ERRORS = 100
SHOWN_WARNINGS = 10
_COUNTS = ("added", "changed", "removed", "unchanged", "encoded")


def tell_suspects(suspects: Sequence[Suspect]) -> None:
    """Name the skills that may draw queries of others."""
    for s in suspects[:SHOWN_WARNINGS]:
        note(
            f"may draw queries of other skills: {s.skill.name} ({s.skill.path or s.skill.id}):"
            f" {s.reason}; read it, and delete its folder unless you want it"
        )
    if len(suspects) > SHOWN_WARNINGS:
        note(f"... and {len(suspects) - SHOWN_WARNINGS} more; --json names all")


def tell(
    verb: str,
    path: Path | str,
    report: UpdateReport,
    diagnostics: Sequence[Diagnostic],
    *,
    remarks: int,
) -> None:
    """Say what was stored, and what was odd: as many as `remarks` of what is no error."""
    _show(diagnostics, remarks=remarks)
    skipped = sum(d.level == "error" for d in diagnostics)
    parts = [
        counted(report.total, "skill"),
        *(f"{getattr(report, what)} {what}" for what in _COUNTS),
    ]
    left_out = f"; {skipped} skipped" if skipped else ""
    note(f"{verb} {path} in {report.seconds:.1f} s: {', '.join(parts)}{left_out}")


def _show(diagnostics: Sequence[Diagnostic], *, remarks: int) -> None:
    # Every skipped skill is named; remarks on odd ones are many in some libraries, and an update
    # need not repeat them.
    errors = [d for d in diagnostics if d.level == "error"]
    warnings = [d for d in diagnostics if d.level != "error" and remarks]
    most = max(SHOWN_ERRORS, remarks)
    for d in [*errors[:most], *warnings[:remarks]]:
        note(f"{d.level}: {d.path}: {d.message}")
    for kind, found, shown in (
        ("skipped", errors, most),
        ("remarks: --verbose names them", warnings, remarks),
    ):
        if len(found) > shown:
            note(f"... and {len(found) - shown} more {kind}")
