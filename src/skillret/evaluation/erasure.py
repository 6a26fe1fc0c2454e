"""Sentence erasure: how much of a query's retrieval hangs on one sentence.

After section 5.3 of SkillRet (arXiv:2605.05726), which finds that tuned models lose more when the
most important sentence is masked. Its exact procedure is not published as code; what is done here:

1. A query is split by `split_sentences`; those with too few sentences or no gold skill are left
   out and counted. A sentence that is repeated counts once and is erased everywhere.
2. Every sentence is erased in turn: the others, joined by spaces, are searched like any query.
3. A sentence's importance is the drop, from the whole query, of the mean score of its gold
   skills: cosine, BM25 score, or in hybrid mode the ranker's probability (without a ranker the
   fused score, which is scaled by query). By choice it is the drop of NDCG@10 instead, equal
   drops ordered by that of the score; among equals the earlier sentence is the more important one.
4. Metrics are reported for the whole query; without its least important sentence; without a
   random one; without the most important one; and with nothing but the most important one. For a
   random sentence it is the mean over all of a query's sentences, the expected value of erasing
   one, which no seed changes.

Importance is read off the gold labels, so "most important" is an upper bound on what one sentence
can do, not what a reader would point at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from skillret.datasets.dataset import Dataset
from skillret.encoders import Encoder
from skillret.errors import DatasetError, InputError
from skillret.evaluation.evaluator import DEFAULT_GROUPS, group_queries
from skillret.evaluation.metrics import measure
from skillret.evaluation.significance import Interval, bootstrap_mean
from skillret.evaluation.systems import open_searcher, rank_queries
from skillret.retrieval.searcher import Searcher
from skillret.retrieval.sentences import split_sentences
from skillret.types import Mode, Progress, Query

__all__ = ["CONDITIONS", "METRICS", "SHORT_NAMES", "ErasedQuery", "Erasure", "analyze_erasure"]

# What is left of a query, by key, with its name for people.
CONDITIONS = {
    "whole": "whole request",
    "least_erased": "least important sentence erased",
    "random_erased": "random sentence erased",
    "most_erased": "most important sentence erased",
    "most_only": "only the most important kept",
}
# The same for the head of a column.
SHORT_NAMES = {
    "whole": "whole",
    "least_erased": "least erased",
    "random_erased": "random erased",
    "most_erased": "most erased",
    "most_only": "only most",
}
METRICS = ("ndcg@10", "recall@10", "completeness@10")
_CUT = 10

Importance = Literal["score", "ndcg@10"]


@dataclass(frozen=True, slots=True)
class ErasedQuery:
    """One query, taken apart.

    Attributes:
        query: The query.
        sentences: Its sentences, in order.
        importance: Of each, `len(sentences)` numbers.
        metrics: By condition and metric.
    """

    query: Query
    sentences: Sequence[str]
    importance: Sequence[float]
    metrics: Mapping[str, Mapping[str, float]]

    @property
    def most(self) -> int:
        """Position of the most important sentence."""
        return int(np.argmax(self.importance))


@dataclass(frozen=True, slots=True)
class Erasure:
    """What erasing sentences does.

    Attributes:
        dataset: Name of the data set.
        revision: Its revision.
        split: Its split.
        mode: Kind of retrieval.
        model: Name of the encoder.
        importance: What a sentence's importance is the drop of.
        min_sentences: Queries with fewer are left out.
        n_short: How many those are.
        n_eligible: Queries with enough; all of `queries`, unless a sample was asked for.
        queries: Those that were taken apart.
        groups: Their ids by `column=value`.
    """

    dataset: str
    revision: str
    split: str
    mode: str
    model: str
    importance: str
    min_sentences: int
    n_short: int
    n_eligible: int
    queries: Sequence[ErasedQuery] = field(repr=False)
    groups: Mapping[str, Sequence[str]] = field(repr=False)

    @property
    def mean_sentences(self) -> float:
        """Sentences of a query, in the mean."""
        return float(np.mean([len(r.sentences) for r in self.queries]))

    def values(self, condition: str, ids: Sequence[str] | None = None) -> dict[str, Interval]:
        """Mean of every metric under a condition, over all queries or those of some ids."""
        return self._means(condition, None, ids)

    def changes(self, condition: str) -> dict[str, Interval]:
        """Mean change of every metric from the whole query; its interval is a paired one."""
        return self._means(condition, "whole", None)

    def _means(
        self, condition: str, base: str | None, ids: Sequence[str] | None
    ) -> dict[str, Interval]:
        wanted = None if ids is None else set(ids)
        rows = [
            [r.metrics[condition][m] - (r.metrics[base][m] if base else 0.0) for m in METRICS]
            for r in self.queries
            if wanted is None or r.query.id in wanted
        ]
        return dict(zip(METRICS, bootstrap_mean(np.array(rows)), strict=True))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, without the single queries."""
        conditions = {}
        whole = self.values("whole")
        for name in CONDITIONS:
            values, changes = self.values(name), self.changes(name)
            conditions[name] = {
                m: {
                    **values[m].to_json(),
                    "change": changes[m].to_json(),
                    "relative": changes[m].mean / whole[m].mean if whole[m].mean else None,
                }
                for m in METRICS
            }
        return {
            "dataset": self.dataset,
            "revision": self.revision,
            "split": self.split,
            "mode": self.mode,
            "model": self.model,
            "importance": self.importance,
            "min_sentences": self.min_sentences,
            "n_queries": len(self.queries),
            "n_eligible": self.n_eligible,
            "n_short": self.n_short,
            "mean_sentences": self.mean_sentences,
            "conditions": conditions,
            "groups": {
                group: {
                    "n_queries": len(ids),
                    **{c: {m: i.mean for m, i in self.values(c, ids).items()} for c in CONDITIONS},
                }
                for group, ids in self.groups.items()
            },
        }


def analyze_erasure(
    dataset: Dataset,
    mode: Mode,
    encoder: Encoder,
    *,
    importance: Importance = "score",
    min_sentences: int = 2,
    max_queries: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    searched: Progress | None = None,
) -> Erasure:
    """Erase the sentences of every query in turn; see the module's text for the procedure.

    Args:
        dataset: Its skills are the corpus.
        mode: `hybrid`, `dense` or `lexical`.
        encoder: Not used in lexical mode.
        importance: What a sentence's importance is the drop of.
        min_sentences: Leave out queries with fewer; at least 2.
        max_queries: Take a random sample of so many.
        seed: Of the sample.
        progress: Called with the documents encoded so far and in all.
        searched: Called with the searches done so far and in all.

    Raises:
        DatasetError: If no query has enough sentences.
        EncoderError: If the encoder returns NaN.
        InputError: If `min_sentences` is below 2.
    """
    if min_sentences < 2:
        raise InputError(f"erasing needs at least 2 sentences a query, got {min_sentences}")
    scored = [(q, split_sentences(q.text)) for q in dataset.queries if q.id in dataset.qrels]
    eligible = [(q, parts) for q, parts in scored if len(parts) >= min_sentences]
    if not eligible:
        raise DatasetError(f"no query of {dataset.name} has {min_sentences} sentences or more")
    chosen = eligible
    if max_queries is not None and max_queries < len(eligible):
        generator = np.random.default_rng(seed)
        rows = np.sort(generator.choice(len(eligible), max_queries, replace=False))
        chosen = [eligible[i] for i in rows]
    system = _System(dataset, mode, encoder, progress, searched)
    texts, owners = _erasures(chosen)
    system.expect(len(texts) + len(chosen))
    found = iter(system.search(texts, owners))
    measured = []  # of each query: the whole, then without each sentence
    for _, parts in chosen:
        measured.append([next(found) for _ in range(len(parts) + 1)])
    drops = [_importance(rows, importance) for rows in measured]
    only = system.search(
        [parts[int(np.argmax(d))] for (_, parts), d in zip(chosen, drops, strict=True)],
        [q for q, _ in chosen],
    )
    queries = [
        ErasedQuery(query, parts, drop.tolist(), _conditions(rows, drop, kept))
        for (query, parts), rows, drop, (_, kept) in zip(chosen, measured, drops, only, strict=True)
    ]
    ids = {q.id for q, _ in chosen}
    groups = {
        name: inside
        for name, members in group_queries(dataset, DEFAULT_GROUPS).items()
        if (inside := [q for q in members if q in ids])
    }
    return Erasure(
        dataset=dataset.name,
        revision=dataset.revision,
        split=dataset.split,
        mode=mode,
        model="BM25" if mode == "lexical" else encoder.profile.name,
        importance="gold skills' mean score" if importance == "score" else importance,
        min_sentences=min_sentences,
        n_short=len(scored) - len(eligible),
        n_eligible=len(eligible),
        queries=queries,
        groups=groups,
    )


# Of one search: the mean score of the gold skills, and all metrics.
_Measured = tuple[float, Mapping[str, float]]


@dataclass(slots=True)
class _System:
    """Searches texts and measures what they find against the labels of some query."""

    dataset: Dataset
    mode: Mode
    encoder: Encoder
    progress: Progress | None
    searched: Progress | None
    done: int = 0
    total: int = 0
    searcher: Searcher | None = None

    def expect(self, searches: int) -> None:
        """Say how many searches there will be in all."""
        self.total = searches

    def search(self, texts: Sequence[str], owners: Sequence[Query]) -> list[_Measured]:
        """One result a text; `owners` says whose gold skills it is to find."""
        ids = [s.id for s in self.dataset.skills]
        run: dict[str, list[str]] = {}
        qrels: dict[str, Mapping[str, int]] = {}
        gold_scores: list[float] = []
        if self.searcher is None:
            self.searcher = open_searcher(
                self.dataset.skills, self.mode, self.encoder, progress=self.progress
            )
        queries = [(str(n), text) for n, text in enumerate(texts)]
        # A gold skill's score counts wherever it stands.
        for id_, ranking in rank_queries(self.searcher, queries, len(ids), self.mode):
            hits = [ids[key] for key in ranking.keys.tolist()]
            scores = dict(zip(hits, ranking.scores.tolist(), strict=True))
            run[id_] = hits[:_CUT]
            qrels[id_] = self.dataset.qrels[owners[int(id_)].id]
            gold_scores.append(float(np.mean([scores.get(g, 0.0) for g in qrels[id_]])))
            self.done += 1
            if self.searched is not None:
                self.searched(self.done, self.total)
        metrics = measure(run, qrels, (_CUT,))
        return [(score, metrics[str(n)]) for n, score in enumerate(gold_scores)]


def _erasures(
    chosen: Sequence[tuple[Query, Sequence[str]]],
) -> tuple[list[str], list[Query]]:
    """The whole of every query, then it without each of its sentences, and whose each is."""

    def every() -> Iterator[tuple[str, Query]]:
        for query, parts in chosen:
            yield query.text, query
            for i in range(len(parts)):
                yield " ".join([*parts[:i], *parts[i + 1 :]]), query

    pairs = list(every())
    return [text for text, _ in pairs], [query for _, query in pairs]


def _importance(rows: Sequence[_Measured], by: Importance) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each sentence, from the whole's result and that without each."""
    (score, whole), erased = rows[0], rows[1:]
    drops = np.array([score - s for s, _ in erased])
    if by == "score":
        return drops
    # Scores only order what NDCG leaves equal: at most a millionth, whatever their scale.
    ties = drops / max(float(np.abs(drops).max()), 1e-12) * 1e-6
    return np.array([whole[by] - m[by] for _, m in erased]) + ties


def _conditions(
    rows: Sequence[_Measured],
    drop: np.ndarray[Any, np.dtype[np.float64]],
    only: Mapping[str, float],
) -> dict[str, Mapping[str, float]]:
    erased = [metrics for _, metrics in rows[1:]]
    least = len(drop) - 1 - int(np.argmin(drop[::-1]))  # the later one of equals
    return {
        "whole": rows[0][1],
        "least_erased": erased[least],
        "random_erased": {m: float(np.mean([e[m] for e in erased])) for m in METRICS},
        "most_erased": erased[int(np.argmax(drop))],
        "most_only": only,
    }
