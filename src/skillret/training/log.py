"""What a run leaves to look at: `log.csv`, `curve.png`, a line or a progress bar on the way."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skillret.files import write_text

__all__ = ["COLUMNS", "log_rows", "plot_curve", "write_log"]

METRICS = tuple(f"{m}@{k}" for m in ("ndcg", "recall", "completeness") for k in (5, 10, 15))
COLUMNS = ("epoch", "step", "loss", "learning_rate", "grad_norm", *METRICS)


def log_rows(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The trainer's log as one row a step, in order of step.

    Args:
        history: `state.log_history` of the trainer: a row of losses and a row of dev metrics,
            these with the prefix `eval_`, for each logged step.
    """
    rows: dict[int, dict[str, Any]] = {}
    for entry in history:
        if "loss" not in entry and not any(k.startswith("eval_") for k in entry):
            continue  # the trainer's closing summary
        step = int(entry["step"])
        row = rows.setdefault(step, {"epoch": 0.0, "step": step})
        row["epoch"] = round(float(entry.get("epoch") or 0.0), 4)
        for key, value in entry.items():
            name = key.removeprefix("eval_")
            if name in COLUMNS and name not in ("epoch", "step"):
                row[name] = value
    return [rows[step] for step in sorted(rows)]


def write_log(
    rows: Sequence[Mapping[str, Any]], file: Path, columns: Sequence[str] = COLUMNS
) -> None:
    """Write `log.csv` anew; a reader never sees half of it."""
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: _short(v) for k, v in row.items()})
    write_text(file, text.getvalue())


def plot_curve(
    rows: Sequence[Mapping[str, Any]], metric: str, best: int | None, file: Path
) -> None:
    """Draw loss and dev metric over the steps, the best checkpoint marked."""
    # The object interface: pyplot would keep state and may want a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.subplots()
    losses = [(r["step"], r["loss"]) for r in rows if "loss" in r]
    scores = [(r["step"], r[metric]) for r in rows if metric in r]
    left.set_xlabel("step")
    left.set_ylabel("training loss", color="tab:blue")
    if losses:
        left.plot(*zip(*losses, strict=True), color="tab:blue", marker=".")
    right = left.twinx()
    right.set_ylabel(f"dev {metric}", color="tab:orange")
    if scores:
        right.plot(*zip(*scores, strict=True), color="tab:orange", marker=".")
        right.plot(*scores[0], color="tab:orange", marker="o", fillstyle="none")
    if best is not None:
        left.axvline(best, color="0.7", linestyle="--", zorder=0)
        left.set_title(f"best checkpoint: step {best}", fontsize=10)
    partial = file.with_suffix(".partial.png")
    figure.savefig(partial, dpi=120)
    partial.replace(file)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
