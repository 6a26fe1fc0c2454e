"""Lexical settings and fusion, chosen on dev: prints NDCG@10 over all and by kind of query.

    python benchmarks/fusion.py --dataset ../shared/data/openskillret --split dev

The rows that the package uses are marked: lexical search as it is, and the weighted sum of
skillret.retrieval.fusion, which an encoder without a ranker of its own gets. What the ranker adds
is in benchmarks/ablation.py. Never run this on a split that is reported as a test.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytrec_eval

from skillret import load_encoder
from skillret.arrays import Float32, top_rows
from skillret.datasets.labelled import open_split
from skillret.lexical import analyzer, bm25
from skillret.retrieval.fusion import LEXICAL_CANDIDATES, fuse
from skillret.skills import document_text
from skillret.types import Query, Skill

# The list that Lucene, tantivy and bm25s use for English.
USUAL_STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then"
    " there these they this to was will with".split()
)
DEPTH = 20


class Scorer:
    """NDCG@10 of score matrices `(queries, skills)`, over all and by kind."""

    def __init__(
        self,
        ids: Sequence[str],
        queries: Sequence[Query],
        qrels: dict[str, dict[str, int]],
    ) -> None:
        self.ids = ids
        self.queries = queries
        self.evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"})
        self.kinds = sorted({str(q.extra["kind"]) for q in queries})

    def header(self) -> None:
        print(f"| system | all | {' | '.join(self.kinds)} |")
        print("|---|" + "---:|" * (len(self.kinds) + 1))

    def row(self, name: str, scores: Float32) -> None:
        run = {}
        for query, line in zip(self.queries, scores, strict=True):
            rows = top_rows(line, DEPTH)
            # Ranks as scores: the order is ours, whatever the evaluator does with ties.
            run[query.id] = {self.ids[i]: float(DEPTH - r) for r, i in enumerate(rows)}
        values = defaultdict(list)
        per_query = self.evaluator.evaluate(run)
        for query in self.queries:
            value = per_query.get(query.id, {}).get("ndcg_cut_10", 0.0)
            values["all"].append(value)
            values[str(query.extra["kind"])].append(value)
        cells = [f"{np.mean(values[k]):.4f}" for k in ("all", *self.kinds)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def lexical_scores(
    skills: Sequence[Skill],
    queries: Sequence[str],
    *,
    repeat: bool = False,
    weights: Mapping[str, float] | None = None,
    stop_words: frozenset[str] = analyzer.STOP_WORDS,
) -> Float32:
    """BM25 of every skill for every query, with some of the package's settings replaced."""
    with (
        patch.object(bm25, "FIELD_WEIGHTS", weights or bm25.FIELD_WEIGHTS),
        patch.object(analyzer, "STOP_WORDS", stop_words),
    ):
        analyze = analyzer.make_analyzer().analyze
        index = bm25.LexicalIndex(bm25.write_lexical(None, enumerate(skills)))
        scores = np.zeros((len(queries), len(skills)), dtype=np.float32)
        for row, query in enumerate(queries):
            said = Counter(analyze(query)) if repeat else None
            keys, values = index.search(index.terms(query, said), len(skills))
            scores[row, keys] = values
    return scores


def by_row(combine: Callable[[Float32, Float32], Float32], a: Float32, b: Float32) -> Float32:
    return np.stack([combine(x, y) for x, y in zip(a, b, strict=True)])


def standardize(x: Float32) -> Float32:
    return np.asarray((x - x.mean()) / max(float(x.std()), 1e-9), dtype=np.float32)


def reciprocal_ranks(x: Float32) -> Float32:
    ranks = np.argsort(np.argsort(-x, kind="stable"), kind="stable")
    return (1 / (61 + ranks)).astype(np.float32)


def keep_best(x: Float32, depth: int) -> Float32:
    out = np.zeros_like(x)
    rows = top_rows(x, depth)
    out[rows] = x[rows]
    return out


def packaged(dense: Float32, lexical: Float32, *, depth: int, weight: float) -> Float32:
    low = float(dense.mean() - 3 * dense.std())
    return fuse(dense, keep_best(lexical, depth), weight, low)


def weighted_sum(
    scale: Callable[[Float32], Float32], weight: float, dense: Float32, lexical: Float32
) -> Float32:
    return weight * scale(dense) + (1 - weight) * scale(lexical)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--split", default="dev")
    args = parser.parse_args()
    data = open_split(args.dataset, args.split)
    skills, queries = list(data.skills()), list(data.bare_queries())
    texts = [q.text for q in queries]
    scorer = Scorer([s.id for s in skills], queries, data.labels())

    encoder = load_encoder()
    template = encoder.profile.template
    documents = encoder.encode_documents([document_text(s, template) for s in skills])
    dense = encoder.encode_queries(texts) @ documents.T
    lexical = lexical_scores(skills, texts)
    weight = encoder.profile.dense_weight

    print(
        f"{args.dataset.name}, {args.split}: NDCG@10,"
        f" {len(queries)} queries, {len(skills)} skills\n"
    )
    scorer.header()
    one_field = {"text": 1.0}
    scorer.row(
        "lexical, one field, usual stop words, terms repeated",
        lexical_scores(skills, texts, repeat=True, weights=one_field, stop_words=USUAL_STOP_WORDS),
    )
    scorer.row("... our stop words", lexical_scores(skills, texts, repeat=True, weights=one_field))
    scorer.row("... each term once", lexical_scores(skills, texts, weights=one_field))
    for name, description in ((0.3, 0.3), (0.2, 0.5), (0.0, 0.4), (0.5, 1.0)):
        fields = {"text": 1.0, "name": name, "description": description}
        scorer.row(
            f"... name x {name}, description x {description}",
            lexical_scores(skills, texts, weights=fields),
        )
    scorer.row("**... name x 0.1, description x 0.4 (lexical, as packaged)**", lexical)
    scorer.row("**dense, as packaged**", dense)
    for w in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5):
        mark = "**" if w == weight else ""
        fused = by_row(partial(packaged, depth=LEXICAL_CANDIDATES, weight=w), dense, lexical)
        scorer.row(f"{mark}hybrid, dense weight {w}{mark}", fused)
    for depth in (50, 1000, len(skills)):
        fused = by_row(partial(packaged, depth=depth, weight=weight), dense, lexical)
        scorer.row(f"... {depth} lexical candidates", fused)
    for w in (0.2, 0.3, 0.5):
        fused = by_row(partial(weighted_sum, standardize, w), dense, lexical)
        scorer.row(f"z-scores added, dense weight {w}", fused)
    for w in (0.2, 0.5):
        fused = by_row(partial(weighted_sum, reciprocal_ranks, w), dense, lexical)
        scorer.row(f"reciprocal rank fusion, dense weight {w}", fused)


if __name__ == "__main__":
    main()
