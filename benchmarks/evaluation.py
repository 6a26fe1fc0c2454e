"""What evaluation costs beside encoding, as ratios: prints one table.

    python benchmarks/evaluation.py --dataset ../shared/data/openskillret --split dev

Times are wall clock, those of short steps the best of three. Quote ratios, not seconds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from skillret import Profile, Query, Skill, load_encoder
from skillret.encoders import Encoder, Float32
from skillret.evaluation.datasets import Dataset, load_dataset
from skillret.evaluation.evaluate import evaluate
from skillret.evaluation.metrics import measure
from skillret.evaluation.systems import make_run

DIM = 384


class Timed:
    """An encoder that counts the seconds it takes."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.profile, self.seconds = encoder, encoder.profile, 0.0

    def _count(self, encode: Callable[[], Float32]) -> Float32:
        start = time.perf_counter()
        vectors = encode()
        self.seconds += time.perf_counter() - start
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        return self._count(lambda: self.encoder.encode_queries(texts))

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        return self._count(lambda: self.encoder.encode_documents(texts, progress))


class Random:
    """Seeded random unit vectors, whatever the texts."""

    profile = Profile("random", dim=DIM, weights="random")

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        vectors = np.random.default_rng(0).standard_normal((len(texts), DIM), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        return self.encode_queries(texts)


def row(what: str, value: str, against: str, ratio: float, aim: str) -> None:
    print(f"| {what} | {value} | {against} | {ratio:.3f} | {aim} |", flush=True)


def scoring(dataset: Dataset) -> None:
    """Everything after encoding (search, metrics, groups, abstention) against encoding."""
    encoder = Timed(load_encoder())
    evaluate(dataset, model=encoder, mode="dense")
    encoding = encoder.seconds
    size = f"{len(dataset.queries):,} x {len(dataset.skills):,}"
    for mode in ("dense", "hybrid"):
        rest = []
        for _ in range(3):
            encoder.seconds, start = 0.0, time.perf_counter()
            evaluate(dataset, model=encoder, mode=mode)  # type: ignore[arg-type]
            rest.append(time.perf_counter() - start - encoder.seconds)
        row(
            f"evaluating {size} after encoding, {mode}",
            f"{min(rest):.2f} s",
            f"encoding {encoding:.1f} s",
            min(rest) / encoding,
            "under 0.05",
        )


def metrics(n_queries: int = 5000, depth: int = 50) -> None:
    """All metrics of a random run."""
    generator = np.random.default_rng(0)
    run = {
        f"q{q}": [f"s{i}" for i in generator.permutation(6000)[:depth]] for q in range(n_queries)
    }
    qrels = {q: dict.fromkeys(ids[q_i % 7 :: 20], 1) for q_i, (q, ids) in enumerate(run.items())}
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        measure(run, qrels)
        taken.append(time.perf_counter() - start)
    what = f"metrics of {n_queries:,} queries x top {depth}"
    row(what, f"{min(taken):.2f} s", "1 s", min(taken), "under 1")


def peak(n_skills: int, n_queries: int) -> float:
    """Megabytes that a dense run allocates beside texts and mapped vectors."""
    skills = [Skill(f"s{i}", f"n{i}", "", "") for i in range(n_skills)]
    queries = [Query(f"q{i}", f"request {i}") for i in range(n_queries)]
    dataset = Dataset("random", "", "test", skills, queries, {}, [])
    make_run(dataset, "dense", Random())  # type: ignore[arg-type]  # keeps the vectors
    tracemalloc.start()
    make_run(dataset, "dense", Random())  # type: ignore[arg-type]
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used / 1e6


def memory(n_queries: int = 500) -> None:
    """Ten times the corpus, the same memory."""
    small, large = (peak(n, n_queries) for n in (10_000, 100_000))
    what = f"memory of searching 100,000 documents, {n_queries} queries"
    row(what, f"{large:.1f} MB", f"10,000 documents {small:.1f} MB", large / small, "far under 10")
    whole = 4e-6 * n_queries * 100_000
    row("the same", f"{large:.1f} MB", f"all scores at once {whole:.0f} MB", large / whole, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--split", default="dev")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # nothing is encoded yet, nothing is left behind
        print("| what | ours | against | ratio | aim |\n|---|---:|---:|---:|---:|")
        metrics()
        memory()
        scoring(load_dataset(str(args.dataset), args.split))


if __name__ == "__main__":
    main()
