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
from skillret.errors import InputError
from skillret.evaluation.metrics import DEFAULT_CUTS, mean, measure
from skillret.extras import require

__all__ = ["Judged", "check_least", "condense", "measure_judged", "unjudged_share"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a ranking is worth by all labels: a data set's own, and those judged since.

    Attributes:
        n_queries: Queries whose means these are: those that were judged and have a skill that is
            right, or without judgements all.
        counts: How many labels there are of each grade; 0 of wrong skills.
        metrics: `unjudged@k` always, the share of the first k hits without any label. `ndcg@k`,
            `precision@k`, `mrr@k` and `hit@1` where there are grades: NDCG has linear gain, that
            of trec_eval, all others count grades from `least` on. `condensed_ndcg@k` and `bpref`
            where a skill was found wrong: without such they are 1 for whoever finds anything.
        least: The least grade that counts as right where grades do not count for more or less.
        own: The usual metrics of those queries that the data set's own labels are of, by these
            alone; empty without such.
    """

    n_queries: int
    counts: Mapping[int, int]
    metrics: Mapping[str, float]
    own: Mapping[str, float]
    least: int = 1

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "n_queries": self.n_queries,
            "least": self.least,
            "grades": {str(grade): n for grade, n in self.counts.items()},
            "metrics": dict(self.metrics),
            "own": dict(self.own),
        }


def measure_judged(
    ranked: Mapping[str, Sequence[str]],
    labels: Grades,
    own: Mapping[str, Mapping[str, float]],
    cuts: Sequence[int] = DEFAULT_CUTS,
    least: int = 1,
) -> Judged:
    """Measure rankings by graded labels.

    Args:
        ranked: Skill ids, best first, by query id.
        labels: All labels.
        own: The usual metrics by query.
        cuts: The ks.
        least: See `Judged`.

    Raises:
        InputError: As `measure` and `check_least`.
    """
    check_least(labels, least)
    relevant = labels.relevant
    counts = labels.counts
    grades = {query: labels.grades[query] for query in relevant}
    lists = {query: list(ranked.get(query, ())) for query in relevant}
    rows: dict[str, dict[str, float]] = {
        query: {f"unjudged@{k}": unjudged_share(lists[query][:k], grades[query]) for k in cuts}
        for query in relevant
    }
    if labels.added or max(counts) > 1 or 0 in counts:
        graded = measure(lists, relevant, cuts)
        right = {q: {s: 1 for s, g in gold.items() if g >= least} for q, gold in relevant.items()}
        flat = measure(lists, {q: gold for q, gold in right.items() if gold}, cuts)
        names = [*(f"{family}@{k}" for family in ("precision", "mrr") for k in cuts), "hit@1"]
        for query, values in graded.items():
            rows[query] |= {f"ndcg@{k}": values[f"ndcg@{k}"] for k in cuts}
            rows[query] |= {name: flat.get(query, {}).get(name, 0.0) for name in names}
    if 0 in counts:
        condensed = {query: condense(lists[query], grades[query]) for query in relevant}
        preferences = _bpref(lists, grades, least)
        for query, values in measure(condensed, relevant, cuts).items():
            rows[query] |= {f"condensed_ndcg@{k}": values[f"ndcg@{k}"] for k in cuts}
            rows[query]["bpref"] = preferences.get(query, 0.0)
    known = {query: own[query] for query in relevant if query in own}
    return Judged(len(rows), counts, mean(rows), mean(known), least)


def check_least(labels: Grades, least: int) -> None:
    """Make sure that something counts as right: told before anything is encoded.

    Raises:
        InputError: If no label has so high a grade.
    """
    highest = max(labels.counts)
    if highest < least:
        raise InputError(f"no label has a grade of {least} or more; the highest is {highest}")


def condense(ranking: Sequence[str], grades: Mapping[str, int]) -> list[str]:
    """A ranking without what was never judged."""
    return [id_ for id_ in ranking if id_ in grades]


def unjudged_share(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """The share of a ranking that was never judged; 0 of an empty one."""
    return 1 - len(condense(ranking, grades)) / len(ranking) if ranking else 0.0


def _bpref(
    ranked: Mapping[str, Sequence[str]], grades: Mapping[str, Mapping[str, int]], least: int
) -> dict[str, float]:
    """By pytrec_eval, of the order of the rankings; without queries that found nothing."""
    require("evaluate", "evaluation", ("pytrec_eval",))
    import pytrec_eval

    run = {
        query: {id_: float(len(ids) - rank) for rank, id_ in enumerate(ids)}
        for query, ids in ranked.items()
        if ids
    }
    evaluator = pytrec_eval.RelevanceEvaluator(
        {query: dict(row) for query, row in grades.items()}, {"bpref"}, relevance_level=least
    )
    return {query: values["bpref"] for query, values in evaluator.evaluate(run).items()}
