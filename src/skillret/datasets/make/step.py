"""What a step hands back, and what it is handed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from skillret.datasets.make.config import Config
from skillret.datasets.row_files import Row
from skillret.messages import counted

if TYPE_CHECKING:
    from skillret.datasets.make.models.asker import Asker
    from skillret.datasets.make.models.ledger import Ledger

__all__ = ["Context", "Result", "drawn", "short_id"]


@dataclass(slots=True)
class Result:
    """What a step has made.

    Attributes:
        unit: What a row is.
        rows: What the next steps read.
        dropped: What was left out: `{"id", "reason", ...}`.
        facts: For its line and the card.
    """

    unit: str
    rows: list[Row] = field(default_factory=list)
    dropped: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def drop(self, id_: str, reason: str, **more: Any) -> None:
        """Leave one out."""
        self.dropped.append({"id": id_, "reason": reason, **more})

    def summary(self) -> str:
        """One line: how many are left, and how many were dropped for which reasons."""
        line = counted(len(self.rows), self.unit)
        if self.dropped:
            reasons = Counter(row["reason"] for row in self.dropped).most_common()
            why = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
            line += f"; dropped {len(self.dropped):,}: {why}"
        facts = ", ".join(f"{value} {name}" for name, value in self.facts.items())
        return f"{line}; {facts}" if facts else line


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may use.

    Attributes:
        config: The configuration.
        rows: The rows of an earlier step, by its name.
        folder: Of the benchmark.
        model: Who is asked to tag, sort and write; None if nobody.
        test_model: Who is asked to write for splits of tests instead; None if nobody is.
        judge: Who is asked to judge; None if nobody.
        ledger: What was asked and what it cost; None if nobody is.
    """

    config: Config
    rows: Callable[[str], list[Row]]
    folder: Path
    model: Asker | None = None
    test_model: Asker | None = None
    judge: Asker | None = None
    ledger: Ledger | None = None


def drawn(seed: int, *what: object) -> Random:
    """A generator for one thing: what is drawn for it does not hang on what else there is."""
    text = "\0".join(map(str, (seed, *what)))
    return Random(hashlib.sha256(text.encode("utf-8", "replace")).digest())  # noqa: S311


def short_id(*what: object) -> str:
    """An id that changes with what it is made of and with nothing else."""
    text = "\0".join(map(str, what))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
