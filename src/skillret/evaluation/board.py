"""A leaderboard of runs on one split: intervals, and which systems are told from the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skillret.datasets.dataset import Dataset
from skillret.errors import InputError
from skillret.evaluation.costs import Cost
from skillret.evaluation.metrics import measure
from skillret.evaluation.pages import write_page
from skillret.evaluation.published import Published, published_rows
from skillret.evaluation.runs import Run, order
from skillret.evaluation.significance import (
    PERMUTATIONS,
    RESAMPLES,
    Difference,
    Interval,
    bootstrap_mean,
    compare,
    cuts_of,
)

__all__ = ["LEVEL", "Board", "Entry", "System", "make_board", "write_board"]

LEVEL = 0.05  # p-values below tell a system from the best one


@dataclass(frozen=True, slots=True)
class System:
    """A run, and what it is a run of.

    Attributes:
        name: Its own among those that are compared.
        run: What it returned.
        cost: What that took, if that is known.
        notes: What a reader of its figures should know.
    """

    name: str
    run: Run
    cost: Cost | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A row.

    Attributes:
        name: See `System`.
        metrics: Means and their 95 % bootstrap intervals.
        against_best: Its differences from the best system, by metric; empty for that itself.
        cost: See `System`.
        notes: See `System`.
    """

    name: str
    metrics: Mapping[str, Interval]
    against_best: Mapping[str, Difference]
    cost: Cost | None
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "name": self.name,
            "metrics": {name: i.to_json() for name, i in self.metrics.items()},
            "against_best": {
                name: {**d.interval.to_json(), "p": d.p} for name, d in self.against_best.items()
            },
            "cost": None if self.cost is None else self.cost.to_json(),
            "notes": [*self.notes],
        }


@dataclass(frozen=True, slots=True)
class Board:
    """Systems by their first metric, the best one first.

    Attributes:
        dataset: What all are runs of.
        n_queries: Queries of it that were scored.
        metrics: What is shown, the one that ranks first.
        entries: Measured here.
        published: Measured by others on this very split.
    """

    dataset: Dataset
    n_queries: int
    metrics: Sequence[str]
    entries: Sequence[Entry]
    published: Sequence[Published]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "dataset": self.dataset.name,
            "revision": self.dataset.revision,
            "split": self.dataset.split,
            "n_queries": self.n_queries,
            "metrics": [*self.metrics],
            "interval": f"95 %, bootstrap, {RESAMPLES} resamples",
            "test": f"paired randomization, {PERMUTATIONS} sign flips, against the best",
            "systems": [entry.to_json() for entry in self.entries],
            "published": [
                {"name": p.system, "source": p.source, "metrics": dict(p.metrics)}
                for p in self.published
            ],
        }


def make_board(
    dataset: Dataset, systems: Sequence[System], metrics: Sequence[str], *, seed: int = 0
) -> Board:
    """Measure runs and test each against the best.

    Args:
        dataset: What all are runs of.
        systems: At least one, each with a name of its own.
        metrics: Names of metrics; the first one ranks.
        seed: Of the random samples.

    Raises:
        InputError: If two systems have one name, or a metric is unknown.
    """
    if len({s.name for s in systems}) < len(systems):
        raise InputError("two systems have one name; give their runs names of their own")
    cuts = cuts_of(metrics)
    measured = {s.name: measure(order(s.run), dataset.qrels, cuts) for s in systems}
    means = {
        name: bootstrap_mean(np.array([[row[m] for m in metrics] for row in rows.values()]))
        for name, rows in measured.items()
    }
    ranked = sorted(systems, key=lambda s: -means[s.name][0].mean)
    best = measured[ranked[0].name]
    entries = [
        Entry(
            s.name,
            dict(zip(metrics, means[s.name], strict=True)),
            {d.metric: d for d in compare(best, measured[s.name], metrics, seed=seed)} if n else {},
            s.cost,
            s.notes,
        )
        for n, s in enumerate(ranked)
    ]
    rows = published_rows(len(dataset.skills), len(dataset.queries))
    shown = [row for row in rows if any(m in row.metrics for m in metrics)]
    return Board(dataset, len(dataset.qrels), metrics, entries, shown)


def write_board(board: Board, folder: Path) -> Path:
    """Write `report.html`; the page's path.

    Raises:
        SkillretError: If a library is missing or the file cannot be written.
    """
    first = board.metrics[0]
    rows: list[dict[str, Any]] = [
        {"entry": e, "place": n, "value": e.metrics[first].mean}
        for n, e in enumerate(board.entries, start=1)
    ]
    rows += [{"published": p, "value": p.metrics.get(first, -1.0)} for p in board.published]
    # Stable: of equal ones a system measured here comes before a published one.
    rows.sort(key=lambda row: -row["value"])
    intervals = [e.metrics[first] for e in board.entries]
    others = [p.metrics[first] for p in board.published if first in p.metrics]
    low = min([*(i.low for i in intervals), *others])
    high = max([*(i.high for i in intervals), *others])
    room = max(high - low, 1e-3)

    def place(value: float) -> str:
        """Where a value stands on the scale of the first metric, in percent."""
        return f"{100 * (value - low) / room:.2f}"

    context = {
        "board": board,
        "data_name": Path(board.dataset.name).name or board.dataset.name,
        "rows": rows,
        "first": first,
        "low": low,
        "high": high,
        "place": place,
        "level": LEVEL,
        "costs": any(e.cost is not None for e in board.entries),
        "resamples": RESAMPLES,
        "permutations": PERMUTATIONS,
    }
    return write_page(folder, "board.html", context, {})
