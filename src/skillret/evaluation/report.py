"""Reports: of an evaluation and of a sentence erasure, one HTML page and its figures each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skillret.datasets.dataset import Dataset
from skillret.evaluation.erasure import CONDITIONS, METRICS, SHORT_NAMES, ErasedQuery, Erasure
from skillret.evaluation.evaluator import Result, group_queries
from skillret.evaluation.metrics import DEFAULT_CUTS
from skillret.evaluation.pages import write_page
from skillret.evaluation.plots import plot_abstention, plot_depth, plot_means, plot_scores
from skillret.evaluation.published import published_rows
from skillret.evaluation.runs import Run
from skillret.evaluation.sets import SHOWN_FIXED
from skillret.evaluation.significance import RESAMPLES, Interval, bootstrap_mean

__all__ = ["depth_curves", "gold_ranks", "hardest", "write_erasure_report", "write_report"]

FAMILIES = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "completeness": "Completeness",
    "map": "MAP",
    "mrr": "MRR",
    "precision": "Precision",
}
_HARDEST = 15
_RETURNED = 5  # hits shown of a hard query
_PLOTTED_GROUPS = 30
_DEPTH = 50
_CASES = 8  # queries shown of an erasure


def write_report(
    dataset: Dataset, result: Result, folder: Path, cuts: Sequence[int] = DEFAULT_CUTS
) -> Path:
    """Write `report.html` and its PNGs; the page's path.

    Args:
        dataset: What was evaluated.
        result: Of that data set.
        folder: Where the files go.
        cuts: The ks that the result was measured at.

    Raises:
        SkillretError: If a library is missing or a file cannot be written.
    """
    k = cuts[min(1, len(cuts) - 1)]
    headline = _intervals(result, list(result.metrics))
    groups = _groups(dataset, result, k)
    recall, completeness = depth_curves(result.run, dataset.qrels)
    gold, other = _score_split(result.run, dataset.qrels)
    figures = {
        "depth.png": plot_depth(recall, completeness, cuts),
        "scores.png": plot_scores(gold, other, f"score of a hit ({result.mode})"),
    }
    drawn = [(g["name"], g["values"][f"ndcg@{k}"]) for g in groups][:_PLOTTED_GROUPS]
    if drawn:
        figures["groups.png"] = plot_means(drawn, f"NDCG@{k}", headline[f"ndcg@{k}"].mean)
    if result.abstention is not None:
        figures["abstention.png"] = plot_abstention(result.abstention)
    zero = sum(v[f"ndcg@{k}"] == 0 for v in result.per_query.values())
    context = {
        "result": result,
        "data_name": Path(result.dataset).name or result.dataset,
        "cuts": list(cuts),
        "k": k,
        "families": FAMILIES,
        "headline": headline,
        "published": _published(dataset, result),
        "groups": groups,
        "n_plotted": len(drawn),
        "n_gold_hits": len(gold),
        "n_gold": sum(len(g) for g in dataset.qrels.values()),
        "n_zero": zero,
        "hardest": hardest(dataset, result, f"ndcg@{k}"),
        "resamples": RESAMPLES,
        "depth": len(recall),
        "sets": _sets(result),
    }
    return write_page(folder, "report.html", context, figures)


def gold_ranks(run: Run, qrels: Mapping[str, Mapping[str, int]]) -> dict[str, list[int | None]]:
    """Rank of every gold skill, 1 the best, by query; None where it was not returned."""
    ranks: dict[str, list[int | None]] = {}
    for query, gold in qrels.items():
        places = {id_: rank for rank, (id_, _) in enumerate(run.get(query, ()), start=1)}
        ranks[query] = [places.get(id_) for id_ in gold]
    return ranks


def depth_curves(
    run: Run, qrels: Mapping[str, Mapping[str, int]]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Recall and completeness in the first 1, 2, ... hits.

    Returns:
        Two arrays `(depth,)`; depth is 50, or that of the deepest ranking if that is less.
    """
    depth = max(1, min(_DEPTH, max((len(hits) for hits in run.values()), default=1)))
    recall, completeness = np.zeros(depth), np.zeros(depth)
    for ranks in gold_ranks(run, qrels).values():
        found = np.zeros(depth)
        for rank in ranks:
            if rank is not None and rank <= depth:
                found[rank - 1] += 1
        reached = np.cumsum(found)
        recall += reached / len(ranks)
        completeness += reached == len(ranks)
    return recall / len(qrels), completeness / len(qrels)


def hardest(dataset: Dataset, result: Result, metric: str) -> list[dict[str, Any]]:
    """The queries with the lowest metric, and of equal ones those whose first gold comes last.

    Among those that are equally bad, often hundreds, a fixed random choice is made: the first of
    the file would all come from one source.
    """
    skills = {s.id: s for s in dataset.skills}
    ranks = gold_ranks(result.run, dataset.qrels)
    queries = [q for q in dataset.queries if q.id in result.per_query]
    lottery = np.random.default_rng(0).permutation(len(queries)).tolist()

    def difficulty(pair: tuple[int, int]) -> tuple[float, float, int]:
        query = queries[pair[0]].id
        first = min((r for r in ranks[query] if r is not None), default=float("inf"))
        return result.per_query[query][metric], -first, pair[1]

    worst = [queries[n] for n, _ in sorted(enumerate(lottery), key=difficulty)[:_HARDEST]]
    return [
        {
            "query": query,
            "value": result.per_query[query.id][metric],
            "gold": [
                {"skill": skills[id_], "rank": rank}
                for id_, rank in zip(dataset.qrels[query.id], ranks[query.id], strict=True)
            ],
            "returned": [
                {"skill": skills[id_], "score": score, "gold": id_ in dataset.qrels[query.id]}
                for id_, score in result.run.get(query.id, ())[:_RETURNED]
            ],
        }
        for query in worst
    ]


def _intervals(
    result: Result, metrics: Sequence[str], queries: Sequence[str] | None = None
) -> dict[str, Interval]:
    """Mean and interval of some metrics over some queries (over all)."""
    rows = [result.per_query[q] for q in (result.per_query if queries is None else queries)]
    values = np.array([[row[m] for m in metrics] for row in rows])
    return dict(zip(metrics, bootstrap_mean(values), strict=True))


def _groups(dataset: Dataset, result: Result, k: int) -> list[dict[str, Any]]:
    """The groups of the result with their intervals, in its order."""
    columns = list(dict.fromkeys(name.partition("=")[0] for name in result.groups))
    members = group_queries(dataset, columns)
    metrics = [f"{family}@{k}" for family in ("ndcg", "recall", "completeness")]
    return [
        {
            "name": name,
            "n": len(members[name]),
            "values": _intervals(result, metrics, members[name]),
        }
        for name in result.groups
    ]


def _published(dataset: Dataset, result: Result) -> dict[str, Any] | None:
    """Published rows of this very split and ours, or None for other data."""
    rows = published_rows(len(dataset.skills), len(dataset.queries))
    if not rows:
        return None
    columns = [m for m in result.metrics if any(m in row.metrics for row in rows)]
    heads = [
        (title, [m for m in columns if m.startswith(f"{family}@")])
        for family, title in FAMILIES.items()
    ]
    return {"columns": columns, "heads": [h for h in heads if h[1]], "rows": rows}


def _sets(result: Result) -> list[tuple[str, Mapping[str, float]]]:
    """Rows on the sets that an agent would get, and beside them on fixed numbers of hits."""
    sets = result.sets
    if sets is None:
        return []
    return [
        ("selected", sets.selected),
        *((f"the first {k}" if k > 1 else "the first", sets.fixed[k]) for k in SHOWN_FIXED),
    ]


def _score_split(
    run: Run, qrels: Mapping[str, Mapping[str, int]]
) -> tuple[list[float], list[float]]:
    """Scores of the hits of scored queries: gold, and all others."""
    gold: list[float] = []
    other: list[float] = []
    for query, labels in qrels.items():
        for id_, score in run.get(query, ()):
            (gold if id_ in labels else other).append(score)
    return gold, other


def write_erasure_report(dataset: Dataset, found: Erasure, folder: Path) -> Path:
    """Write the page of a sentence erasure and its figure; the page's path.

    Raises:
        SkillretError: If a library is missing or a file cannot be written.
    """
    values = {c: found.values(c) for c in CONDITIONS}
    names = {s.id: s.name for s in dataset.skills}
    drawn = [(CONDITIONS[c], values[c]["ndcg@10"]) for c in CONDITIONS]

    def loss(query: ErasedQuery) -> float:
        m = query.metrics
        return m["whole"]["ndcg@10"] - m["most_erased"]["ndcg@10"]

    context = {
        "found": found,
        "data_name": Path(found.dataset).name or found.dataset,
        "metrics": METRICS,
        "conditions": CONDITIONS,
        "short_names": SHORT_NAMES.values(),
        "values": values,
        "changes": {c: found.changes(c) for c in CONDITIONS},
        "groups": [
            {
                "name": name,
                "n": len(ids),
                "values": [found.values(c, ids)["ndcg@10"] for c in CONDITIONS],
            }
            for name, ids in found.groups.items()
        ],
        # The most sentences first: there one that decides is least to be expected.
        "cases": [
            {"query": r, "gold": [names[g] for g in dataset.qrels[r.query.id]]}
            for r in sorted(found.queries, key=lambda r: (-loss(r), -len(r.sentences)))[:_CASES]
        ],
    }
    figures = {"erasure.png": plot_means(drawn, "NDCG@10", values["whole"]["ndcg@10"].mean)}
    return write_page(folder, "erasure.html", context, figures)
