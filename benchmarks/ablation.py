"""What each ingredient of the default retriever brings on dev: prints a Markdown table.

    python benchmarks/ablation.py ../shared/data/openskillret --split dev \
        --encoder base=FOLDER --encoder stage-1=FOLDER --encoder default=default

Rankers are scored out of fold. Intervals are of the paired difference to the row named last,
from 2,000 bootstrap samples of the queries. Never run this on a split that is reported as a test.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

import numpy as np

from skillret import load_encoder
from skillret.arrays import Float32, Float64
from skillret.calibration.examples import (
    FOLDS,
    Example,
    Pool,
    examples,
    fold_numbers,
    train_examples,
    varied_examples,
)
from skillret.calibration.fit_need import fit_probes, short_queries
from skillret.calibration.fit_ranker import cross_fit
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.encoders import Encoder
from skillret.evaluation.corpora import read_corpus
from skillret.evaluation.metrics import measure
from skillret.evaluation.runs import order
from skillret.evaluation.significance import bootstrap_mean
from skillret.evaluation.systems import make_run
from skillret.retrieval.calibration import load_calibration
from skillret.retrieval.features import FITTED
from skillret.types import Mode

Scores = dict[str, dict[str, float]]  # metric by query
SEEDS = 3
GRAMS = ("words", "pairs", "term_pairs", "name")  # how names of features begin


class Table:
    """Rows of NDCG@10 over all and by kind, Completeness@10 of queries for several skills."""

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._kinds = sorted({str(q.extra.get("kind")) for q in data.queries})
        self._rows: dict[str, Scores] = {}
        heads = ["all", *self._kinds, "Completeness@10, k > 1", "against", "difference"]
        print("| system | " + " | ".join(heads) + " |\n|---|" + "---:|" * len(heads))

    def run(self, name: str, run: dict[str, list[str]], against: str = "") -> None:
        per_query = measure(run, self._data.qrels, (10,))
        self._rows[name] = per_query
        kinds: dict[str, list[float]] = {}
        several = []
        for query in self._data.queries:
            found = per_query[query.id]
            kinds.setdefault(str(query.extra.get("kind")), []).append(found["ndcg@10"])
            if len(self._data.qrels[query.id]) > 1:
                several.append(found["completeness@10"])
        cells = [mean(m["ndcg@10"] for m in per_query.values())]
        cells += [mean(kinds[k]) for k in self._kinds] + [mean(several)]
        difference = ""
        if against:
            other = self._rows[against]
            change = [[per_query[q]["ndcg@10"] - other[q]["ndcg@10"]] for q in per_query]
            (i,) = bootstrap_mean(np.array(change))
            difference = f"{i.mean:+.4f} [{i.low:+.4f}, {i.high:+.4f}]"
        values = " | ".join(f"{c:.4f}" for c in cells)
        print(f"| {name} | {values} | {against} | {difference} |", flush=True)

    def system(self, name: str, mode: Mode, encoder: Encoder, against: str = "") -> None:
        self.run(name, order(make_run(self._data, mode, encoder)[0]), against)


class Bare:
    """An encoder without its calibration, with a weight of the dense score."""

    def __init__(self, model: str, weight: float) -> None:
        self._encoder = load_encoder(model)
        self.profile = replace(
            self._encoder.profile, dense_weight=weight, token_dim=0, token_projection=""
        )
        self.encode_queries = self._encoder.encode_queries
        self.encode_documents = self._encoder.encode_documents


def ranked(
    pool: Pool,
    found: Sequence[Example],
    extra: Sequence[Example] = (),
    also: Sequence[Example] = (),
) -> dict[str, list[str]]:
    return best(pool, found, cross_fit([*found, *extra], (), SEEDS, also))


def best(pool: Pool, found: Sequence[Example], outputs: Sequence[Float64]) -> dict[str, list[str]]:
    run = {}
    for e, scores in zip(found, outputs, strict=False):
        rows = e.rows[np.argsort(-scores, kind="stable")[:20]]
        if e.query.id in pool.gold:
            run[e.query.id] = [pool.skills[row].id for row in rows]
    return run


def rankers(table: Table, data: Dataset, train: Dataset, name: str, encoder: Encoder) -> None:
    place = {s.id: i for i, s in enumerate(data.skills)}
    gold = {q: frozenset(place[s] for s in found) for q, found in data.qrels.items()}
    negatives = [replace(q, id=f"negative-{q.id}", extra={"kind": "-"}) for q in data.negatives]
    queries = [*data.queries, *negatives]
    read = read_corpus(data.skills, encoder)
    pool = Pool(data.skills, read.vectors, queries, gold, tokens=read.tokens)
    short = short_queries(pool, 4)
    folds = fold_numbers([*queries, *short.queries], {**gold, **short.gold})
    probes = fit_probes(pool, short, folds, encoder)
    stored = load_calibration(encoder)
    head = stored.ranker.terms if stored else None
    plain = list(examples(pool, encoder, folds, probes))
    found = list(examples(pool, encoder, folds, probes, head))
    before = f"{name}, fused"
    for row, seen, without in (
        (f"{name}, ranker on the whole request", plain, ("sentence", "asking", *GRAMS)),
        (f"{name}, ranker, words and neighbours too", plain, ("sentence", "asking")),
        (f"{name}, ranker, terms weighed", found, ("sentence", "asking")),
        (f"{name}, ranker, best sentences too", found, ("asking",)),
        (f"{name}, ranker, sentences weighed too", found, ()),
    ):
        cut = [replace(e, features=_blank(e.features, without)) for e in seen]
        table.run(row, ranked(pool, cut, ()), before)
        before = row
    small, talk, joined = varied_examples(pool, encoder, folds, probes, head)
    extra: list[Example] = []
    for row, more in (
        (f"{name}, ranker, small libraries too", small),
        (f"{name}, ranker, 6 % amid small talk too", talk),
        (f"{name}, ranker, joined queries too", joined),
    ):
        extra += more
        table.run(row, ranked(pool, found, extra), before)
        before = row
    also = train_examples(train, encoder, probes[-1], head)
    final = ranked(pool, found, extra, also)
    table.run(f"{name}, ranker, queries of train too", final, before)
    table.run("the same", final, "BM25")
    apart, before = repositories_apart(pool, found), "repositories apart"
    table.run(before, ranked(pool, apart))
    table.run(f"{before}, queries of train too", ranked(pool, apart, (), also), before)


def repositories_apart(pool: Pool, found: Sequence[Example]) -> list[Example]:
    """The examples in folds that share no repository: what to expect of a library never seen.

    The largest repository has a fold of its own; a query belongs to that of its first gold skill.
    """
    owners = [str(skill.extra.get("repo")) for skill in pool.skills]
    owner = {q: owners[min(rows)] for q, rows in pool.gold.items()}
    fold: dict[str, int] = {}
    held = [0] * FOLDS
    for name, count in Counter(owner.values()).most_common():
        fold[name] = held.index(min(held))
        held[fold[name]] += count
    return [replace(e, fold=fold.get(owner.get(e.query.id, ""), e.fold)) for e in found]


def _blank(features: Float32, without: Sequence[str]) -> Float32:
    out: Float32 = features.copy()
    out[:, [i for i, name in enumerate(FITTED) if name.startswith(tuple(without))]] = 0
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="../shared/data/openskillret")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--train-split", default="train")
    parser.add_argument("--encoder", action="append", required=True, metavar="NAME=MODEL")
    args = parser.parse_args()
    data = load_dataset(args.dataset, args.split)
    table = Table(data)
    before = ""
    for number, pair in enumerate(args.encoder):
        name, _, model = pair.partition("=")
        if not number:
            table.system("BM25", "lexical", load_encoder(model))
        table.system(f"{name}, alone", "dense", load_encoder(model), before and f"{before}, alone")
        for weight in (0.25, 0.35, 0.45):
            fused = f"{name}, fused" if weight == 0.35 else f"{name}, fused, dense x {weight}"
            table.system(fused, "hybrid", Bare(model, weight), "BM25")
        before = name
    train = load_dataset(args.dataset, args.train_split)
    rankers(table, data, train, name, load_encoder(model))


if __name__ == "__main__":
    main()
