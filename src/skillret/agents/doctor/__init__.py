"""What is wrong with a library, and what to do: a check a kind of finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from skillret.agents.doctor import (
    listing,
    placement,
    provenance,
    retrieval,
    specification,
    suspects,
    text,
)
from skillret.agents.doctor.finding import Examined, Finding
from skillret.settings import Dismissal

__all__ = ["CHECKS", "TITLES", "Check", "Examined", "Finding", "examine"]

Check: TypeAlias = Callable[[Examined], Iterator[Finding]]

# In the order in which people read what they find.
CHECKS: tuple[Check, ...] = (
    text.check,
    suspects.check,
    listing.check,
    placement.check,
    retrieval.check,
    specification.check,
    provenance.check,
)
# Heading of each kind of finding, in the same order.
TITLES = {
    "attack-download": "downloads something and starts it",
    "attack-exfiltration": "sends secrets away",
    "attack-instructions": "orders to its reader",
    "attack-hidden": "hidden text",
    "attack-invisible": "invisible characters",
    "suspect": "draws queries of others",
    "listing": "listing budget",
    "listing-entry": "descriptions that are cut",
    "shadowed": "shadowed",
    "no-name": "cannot be invoked",
    "left-out": "left out",
    "user-only": "left to you by permission rules",
    "plugin": "plugins and extensions",
    "copy": "copies",
    "overlap": "win each other's queries",
    "own-tests": "own tests",
    "own-description": "own descriptions",
    "needless": "attracts needless queries",
    "tests": "unreadable tests",
    "specification": "specification",
    "provenance-gone": "installed and gone",
    "provenance": "installed from",
}


def examine(examined: Examined, dismissed: Sequence[Dismissal] = ()) -> list[Finding]:
    """All findings on a library, kind by kind, the worst of a kind first.

    Args:
        examined: What to look at.
        dismissed: What its owner has dismissed: such findings stay, with the reason.

    Raises:
        StoreError: If the index cannot be read.
    """
    order = {kind: place for place, kind in enumerate(TITLES)}
    levels = ("error", "warning", "remark")
    found = [_judged(finding, dismissed) for check in CHECKS for finding in check(examined)]
    found = list(dict.fromkeys(found))
    found.sort(key=lambda f: (order.get(f.kind, len(order)), levels.index(f.level)))
    return found


def _judged(finding: Finding, dismissed: Sequence[Dismissal]) -> Finding:
    for dismissal in dismissed:
        if finding.kind == dismissal.finding and fnmatchcase(
            finding.skill.casefold(), dismissal.skill.casefold()
        ):
            return finding._replace(dismissed=dismissal.reason)
    return finding
