"""Retrieval metrics, computed by pytrec_eval (trec_eval's own code); Completeness is ours.

A run is the order of its skills and nothing else: equal scores keep the order in which the system
returned them. trec_eval would break such ties by document id, which rewards lucky names, so ranks
are handed to it instead of scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from skillret.errors import InputError
from skillret.extras import require

__all__ = ["DEFAULT_CUTS", "mean", "measure", "metric_names"]

DEFAULT_CUTS = (5, 10, 15)
MAX_CUT = 100_000

# trec_eval's names of what we call ...
_NAMES = {"ndcg": "ndcg_cut", "recall": "recall", "map": "map_cut", "precision": "P"}


def metric_names(cuts: Sequence[int] = DEFAULT_CUTS) -> list[str]:
    """All metrics, in the order of a report.

    Raises:
        InputError: If there is no cut or one is out of range.
    """
    if not cuts or min(cuts) < 1 or max(cuts) > MAX_CUT:
        raise InputError(f"cuts must be whole numbers from 1 to {MAX_CUT}, got {list(cuts)}")
    families = ("ndcg", "recall", "completeness", "map", "mrr", "precision")
    return [*(f"{f}@{k}" for f in families for k in cuts), "hit@1"]


def measure(
    run: Mapping[str, Sequence[str]],
    qrels: Mapping[str, Mapping[str, int]],
    cuts: Sequence[int] = DEFAULT_CUTS,
) -> dict[str, dict[str, float]]:
    """All metrics of every query that has a gold skill; 0 where the run lacks the query.

    Completeness@k is 1 where all gold skills are among the first k and 0 elsewhere
    (SkillRet, arXiv:2605.05726, section 3); with more gold skills than k it is 0.

    Args:
        run: Skill ids, best first, by query id. Queries without gold skills are ignored.
        qrels: Relevance above 0 by skill id, by query id.
        cuts: The ks.

    Raises:
        InputError: If a skill stands twice in one ranking, or a cut is below 1.
        MissingExtraError: If pytrec_eval is not installed.
    """
    require("evaluate", "evaluation", ("pytrec_eval",))
    import pytrec_eval

    names = metric_names(cuts)
    ranked: dict[str, dict[str, float]] = {}
    for query, ids in run.items():
        ranked[query] = {id_: float(len(ids) - rank) for rank, id_ in enumerate(ids)}
        if len(ranked[query]) < len(ids):
            raise InputError(f"a skill stands twice in the ranking of query {query!r}")
    asked = {f"{name}.{','.join(map(str, cuts))}" for name in _NAMES.values()}
    gold = {q: dict(labels) for q, labels in qrels.items()}
    evaluator = pytrec_eval.RelevanceEvaluator(gold, {*asked, "success.1", "recip_rank"})
    values = evaluator.evaluate({q: r for q, r in ranked.items() if q in gold and r})
    out: dict[str, dict[str, float]] = {}
    for query in qrels:
        if query not in values:
            out[query] = dict.fromkeys(names, 0.0)
            continue
        v = values[query]
        row = {f"{ours}@{k}": v[f"{theirs}_{k}"] for ours, theirs in _NAMES.items() for k in cuts}
        for k in cuts:
            row[f"completeness@{k}"] = float(v[f"recall_{k}"] >= 1.0 - 1e-9)
            # Beyond rank k the reciprocal rank is cut to 0.
            row[f"mrr@{k}"] = v["recip_rank"] if v["recip_rank"] >= 1.0 / k - 1e-9 else 0.0
        row["hit@1"] = v["success_1"]
        out[query] = {name: row[name] for name in names}
    return out


def mean(per_query: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean of every metric over queries; empty without queries."""
    sums: dict[str, float] = defaultdict(float)
    for values in per_query.values():
        for name, value in values.items():
            sums[name] += value
    return {name: total / len(per_query) for name, total in sums.items()}
