"""Graded and missing labels: NDCG with grades, bpref, condensed lists, what nobody has judged.

A skill that nobody judged counts as wrong in the usual metrics, which is unfair to systems whose
hits were not among those that were judged. Two remedies are shown beside them: bpref (Buckley and
Voorhees, "Retrieval Evaluation with Incomplete Information", SIGIR 2004), which looks at judged
skills alone, and condensed lists (Sakai, "Alternatives to Bpref", SIGIR 2007), from which what is
unjudged is taken out before a metric is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skillret.datasets.judgements import Grades
from skillret.evaluation.metrics import DEFAULT_CUTS, mean, measure
from skillret.extras import require

__all__ = ["Judged", "condense", "measure_judged", "unjudged_share"]

_FAMILIES = ("ndcg", "precision", "mrr")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a ranking is worth by all labels: a data set's own, and those judged since.

    Attributes:
        n_queries: Queries whose means these are: those that were judged and have a skill that is
            right, or without judgements all.
        counts: How many labels there are of each grade; 0 of wrong skills.
        metrics: `unjudged@k` always, the share of the first k hits without any label. `ndcg@k`,
            `precision@k`, `mrr@k` and `hit@1` where there are grades: NDCG with linear gain, all
            others count any grade above 0. `condensed_ndcg@k` and `bpref` where a skill was found
            wrong: without such they are 1 for whoever finds anything.
        own: The usual metrics of the same queries, by the data set's own labels alone.
    """

    n_queries: int
    counts: Mapping[int, int]
    metrics: Mapping[str, float]
    own: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "n_queries": self.n_queries,
            "grades": {str(grade): n for grade, n in self.counts.items()},
            "metrics": dict(self.metrics),
            "own": dict(self.own),
        }


def measure_judged(
    ranked: Mapping[str, Sequence[str]],
    labels: Grades,
    own: Mapping[str, Mapping[str, float]],
    cuts: Sequence[int] = DEFAULT_CUTS,
) -> Judged:
    """Measure rankings by graded labels.

    Args:
        ranked: Skill ids, best first, by query id.
        labels: All labels.
        own: The usual metrics by query.
        cuts: The ks.

    Raises:
        InputError: As `measure`.
    """
    relevant = labels.relevant
    grades = {query: labels.grades[query] for query in relevant}
    lists = {query: list(ranked.get(query, ())) for query in relevant}
    rows: dict[str, dict[str, float]] = {
        query: {f"unjudged@{k}": unjudged_share(lists[query][:k], grades[query]) for k in cuts}
        for query in relevant
    }
    counts = labels.counts
    if labels.added or max(counts) > 1 or 0 in counts:
        for query, values in measure(lists, relevant, cuts).items():
            rows[query] |= {
                f"{family}@{k}": values[f"{family}@{k}"] for family in _FAMILIES for k in cuts
            }
            rows[query]["hit@1"] = values["hit@1"]
    if 0 in counts:
        condensed = {query: condense(lists[query], grades[query]) for query in relevant}
        preferences = _bpref(lists, grades)
        for query, values in measure(condensed, relevant, cuts).items():
            rows[query] |= {f"condensed_ndcg@{k}": values[f"ndcg@{k}"] for k in cuts}
            rows[query]["bpref"] = preferences.get(query, 0.0)
    known = {query: own[query] for query in relevant if query in own}
    return Judged(len(rows), counts, mean(rows), mean(known))


def condense(ranking: Sequence[str], grades: Mapping[str, int]) -> list[str]:
    """A ranking without what was never judged."""
    return [id_ for id_ in ranking if id_ in grades]


def unjudged_share(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """The share of a ranking that was never judged; 0 of an empty one."""
    return 1 - len(condense(ranking, grades)) / len(ranking) if ranking else 0.0


def _bpref(
    ranked: Mapping[str, Sequence[str]], grades: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """By pytrec_eval, of the order of the rankings; without queries that found nothing."""
    require("evaluate", "evaluation", ("pytrec_eval",))
    import pytrec_eval

    run = {
        query: {id_: float(len(ids) - rank) for rank, id_ in enumerate(ids)}
        for query, ids in ranked.items()
        if ids
    }
    evaluator = pytrec_eval.RelevanceEvaluator({q: dict(g) for q, g in grades.items()}, {"bpref"})
    return {query: values["bpref"] for query, values in evaluator.evaluate(run).items()}
