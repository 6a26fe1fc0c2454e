"""Runs a model or one of our systems on a data set under MTEB, beside `skillret evaluate`.

    python benchmarks/mteb_run.py DATASET --split dev --model sentence-transformers/all-MiniLM-L6-v2
    python benchmarks/mteb_run.py DATASET --split dev --system hybrid
    python benchmarks/mteb_run.py DATASET --split dev --model FOLDER --results results

--model is run by MTEB's own wrapper of sentence-transformers, encoding and searching apart from our
code; --system by our search behind MTEB's protocol. Both are then measured by `skillret evaluate`,
and the script fails where a figure differs by more than 1e-4. Queries are handed to both as our
searches read them, in normal form and without pasted material. The name is not mteb.py, which would
hide the package from its own script. Needs the extra mteb.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mteb

from skillret.datasets.dataset import load_dataset
from skillret.encoders import DEFAULT_MODEL
from skillret.errors import SkillretError
from skillret.evaluation.evaluator import evaluate
from skillret.evaluation.mteb import ProfiledEncoder, SkillRetrieval, SkillretSearch
from skillret.retrieval.query import clean_query
from skillret.types import Mode

FAMILIES = ("ndcg", "recall", "completeness", "map", "mrr", "precision")
CUTS = (5, 10, 15)
TOLERANCE = 1e-4


def scores_of(model: Any, task: SkillRetrieval, results: Path | None) -> Mapping[str, float]:
    """What MTEB measures, all at once; nothing is taken from its cache."""
    cache = mteb.ResultCache(results) if results is not None else None
    found = mteb.evaluate(
        model,
        task,
        cache=cache,
        overwrite_strategy="always",
        co2_tracker=False,
        show_progress_bar=False,
    )
    (result,) = found.task_results
    (split,) = task.metadata.eval_splits
    (scores,) = result.scores[split]
    return {str(name): float(v) for name, v in scores.items() if isinstance(v, (int, float))}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", metavar="DATASET", help="as skillret evaluate takes it")
    parser.add_argument("--split", default="dev", help="default: dev")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--model", help="of sentence-transformers: folder or hub id")
    chosen.add_argument("--system", choices=("lexical", "dense", "hybrid"), help="one of ours")
    parser.add_argument("--results", type=Path, help="folder for MTEB's own files of results")
    args = parser.parse_args()
    logging.getLogger("mteb").setLevel(logging.ERROR)
    try:
        dataset = load_dataset(args.dataset, args.split)
        queries = [replace(query, text=clean_query(query.text)) for query in dataset.queries]
        dataset = replace(dataset, queries=queries)
        model = ProfiledEncoder(args.model) if args.model else SkillretSearch(args.system)
        theirs = scores_of(model, SkillRetrieval(dataset), args.results)
        mode: Mode = args.system or "dense"
        ours = evaluate(dataset, mode=mode, model=args.model or DEFAULT_MODEL, cuts=CUTS).metrics
    except SkillretError as e:
        raise SystemExit(f"mteb_run: {e}") from None
    print(f"{dataset.name}, revision {dataset.revision}, {dataset.split}; {args.model or mode}\n")
    print("| metric | MTEB | skillret evaluate | difference |\n|---|---:|---:|---:|")
    worst = 0.0
    for family in FAMILIES:
        for k in CUTS:
            a, b = theirs[f"{family}_at_{k}"], ours[f"{family}@{k}"]
            worst = max(worst, abs(a - b))
            print(f"| {family}@{k} | {a:.5f} | {b:.5f} | {a - b:+.6f} |")
    print(f"\nlargest difference: {worst:.2g}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    raise SystemExit(main())
