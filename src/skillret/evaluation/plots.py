"""The figures of reports, readable in print: lines, markers and hatches differ as well."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.evaluation.abstention import Abstention
from skillret.evaluation.significance import Interval
from skillret.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "plot_abstention",
    "plot_depth",
    "plot_means",
    "plot_scores",
]

# Okabe and Ito's blue and vermilion: apart for every kind of colour vision, and in grey.
_DARK, _WARM, _GREY = "#0b4f8a", "#d55e00", "#8a8a8a"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.labelcolor": "#222222",
    "axes.linewidth": 0.8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # names come from data sets and may hold a dollar sign
}
_WIDTH = 7.2  # inches, the text width of a page
_DPI = 200
_MAX_LABEL = 44


@contextmanager
def _figure(height: float, columns: int = 1) -> Iterator[tuple[Any, Any, BytesIO]]:
    """A figure, its axes, and where its PNG goes when the block is left."""
    require("evaluate", "a report", ("matplotlib",))
    import matplotlib

    # The object interface: pyplot would keep state and may want a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    png = BytesIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Names may be written in a script that the font lacks; boxes are drawn for them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, columns)
        yield figure, axes, png
        figure.savefig(png, dpi=_DPI, format="png", metadata={"Software": None})


def plot_means(
    rows: Sequence[tuple[str, Interval]], label: str, reference: float | None = None
) -> bytes:
    """Means with their intervals, one a line, from the top, as a PNG.

    Args:
        rows: Label and mean of each.
        label: What the horizontal axis shows.
        reference: Value that a dashed line marks.
    """
    with _figure(0.75 + 0.27 * len(rows)) as (_, axes, png):
        places = np.arange(len(rows))[::-1]
        means = np.array([i.mean for _, i in rows])
        low = np.array([i.low for _, i in rows])
        high = np.array([i.high for _, i in rows])
        axes.set_axisbelow(True)
        axes.grid(axis="x")
        if reference is not None:
            axes.axvline(reference, color=_GREY, linestyle="--", linewidth=1)
        axes.hlines(places, low, high, color=_DARK, linewidth=1.6)
        axes.plot(means, places, "o", color=_DARK, markersize=5)
        for y, mean, end in zip(places, means, high, strict=True):
            axes.annotate(
                f"{mean:.3f}",
                (end, y),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                # A dashed line behind a figure would cross it out.
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
        axes.set_yticks(places, [_short(name) for name, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, min(1.12, max(0.1, float(high.max()) * 1.13)))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(label)
    return png.getvalue()


def plot_depth(
    recall: NDArray[np.float64], completeness: NDArray[np.float64], cuts: Sequence[int]
) -> bytes:
    """Recall and completeness in the first 1, 2, ... hits, as a PNG.

    Args:
        recall: `(depth,)`.
        completeness: `(depth,)`.
        cuts: The ks that the tables show, marked.
    """
    depth = len(recall)
    k = np.arange(1, depth + 1)
    marks = [c - 1 for c in cuts if c <= depth]
    with _figure(3.2) as (_, axes, png):
        axes.set_axisbelow(True)
        axes.grid()
        axes.plot(k, recall, "-o", color=_DARK, markevery=marks, markersize=4.5, label="Recall@k")
        axes.plot(
            k,
            completeness,
            "--s",
            color=_WARM,
            markevery=marks,
            markersize=4.5,
            label="Completeness@k",
        )
        axes.set_xlim(0.5, depth + 0.5)
        axes.set_ylim(0, 1)
        ticks = sorted({1, *cuts, *range(10, depth + 1, 10)})
        axes.set_xticks([t for t in ticks if t <= depth])
        axes.set_xlabel("k, skills handed on")
        axes.legend(loc="lower right")
    return png.getvalue()


def plot_scores(gold: Sequence[float], other: Sequence[float], label: str) -> bytes:
    """Score distributions of hits that are gold and hits that are not, as a PNG.

    Args:
        gold: Scores of the former.
        other: Scores of the latter.
        label: What the score is.
    """
    with _figure(2.9) as (_, axes, png):
        _histograms(
            axes,
            (other, f"not gold ({len(other):,})"),
            (gold, f"gold ({len(gold):,})"),
            "share of the hits of each kind",
        )
        axes.set_xlabel(label)
    return png.getvalue()


def plot_abstention(found: Abstention) -> bytes:
    """Scores of needed and needless queries, and what a threshold does, as a PNG."""
    with _figure(3.1, columns=2) as (_, (left, right), png):
        _histograms(
            left,
            (found.needless, f"no skill needed ({found.n_negatives:,})"),
            (found.needed, f"skill needed ({found.n_needed:,})"),
            "share of the queries of each kind",
            columns=1,
        )
        left.set_xlabel(found.score)
        x = [p["threshold"] for p in found.curve]
        right.set_axisbelow(True)
        right.grid()
        for key, style, colour, name in (
            ("recall", "-", _DARK, "needed queries kept (recall)"),
            ("turned_away", "--", _WARM, "needless turned away"),
            ("precision", ":", "#222222", "precision of the kept"),
        ):
            right.plot(x, [p[key] for p in found.curve], style, color=colour, label=name)
        if found.threshold_at_95 is not None:
            at = found.threshold_at_95
            right.axvline(at, color=_GREY, linewidth=1)
            right.plot([at], [found.kept_at_95], "o", color=_DARK, markersize=5)
            right.annotate(
                f"{100 * found.kept_at_95:.0f} % kept",
                (at, found.kept_at_95),
                (7, 4),
                textcoords="offset points",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
        right.set_ylim(0, 1.02)
        right.set_xlabel(f"threshold on the {found.score}")
        right.legend(loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=8)
    return png.getvalue()


def _histograms(
    axes: Any,
    lower: tuple[Sequence[float], str],
    upper: tuple[Sequence[float], str],
    label: str,
    columns: int = 2,
) -> None:
    """Two distributions over the same bins, each adding up to 1."""
    values = np.concatenate([np.asarray(lower[0], float), np.asarray(upper[0], float)])
    bins = np.histogram_bin_edges(values, bins=30) if len(values) else np.array([0.0, 1.0])
    for (scores, name), style in (
        (
            lower,
            {"color": "#f0b58a", "edgecolor": _WARM, "hatch": "////", "histtype": "stepfilled"},
        ),
        (upper, {"color": _DARK, "linewidth": 1.8, "histtype": "step"}),
    ):
        if len(scores):
            weights = np.full(len(scores), 1.0 / len(scores))
            axes.hist(scores, bins=bins, weights=weights, label=name, **style)
    axes.set_ylabel(label)
    # Above the axes: within them some distribution is always in the way.
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, fontsize=8)


def _short(name: str) -> str:
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return clean if len(clean) <= _MAX_LABEL else clean[: _MAX_LABEL - 1] + "…"
