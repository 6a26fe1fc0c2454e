"""What evaluation costs beside encoding, as ratios: prints one table.

    python benchmarks/evaluation.py --dataset ../shared/data/openskillret --split dev

What is encoded is the documents, the queries, and in hybrid mode their tokens and the sentences of
long ones; the rest is all else that `evaluate` does, the BM25 index included. Both are taken from
the same runs, in processor time and by the clock. Everything else runs on one core, so does the
encoder unless told otherwise. Short steps are the best of three. Quote ratios, not seconds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from skillret import Profile, Skill, load_encoder
from skillret.arrays import Float32
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.encoders import Documents, Tokens
from skillret.encoders.onnx import OnnxEncoder
from skillret.evaluation.corpora import read_corpus
from skillret.evaluation.evaluator import evaluate
from skillret.evaluation.metrics import measure
from skillret.evaluation.systems import open_searcher, rank_queries
from skillret.lexical.bm25 import write_lexical
from skillret.types import Mode

DIM = 384
T = TypeVar("T")


class Spent(NamedTuple):
    """Seconds of the processor, all threads together, and by the clock."""

    processor: float
    clock: float

    @classmethod
    def now(cls) -> Spent:
        return cls(time.process_time(), time.perf_counter())

    def plus(self, other: Spent) -> Spent:
        return Spent(self.processor + other.processor, self.clock + other.clock)

    def less(self, other: Spent) -> Spent:
        return Spent(self.processor - other.processor, self.clock - other.clock)


class Timed:
    """An encoder that counts the time it takes."""

    def __init__(self, encoder: OnnxEncoder) -> None:
        self.encoder, self.profile, self.spent = encoder, encoder.profile, Spent(0.0, 0.0)
        self.folder = encoder.folder  # where its calibration lies

    def _count(self, encode: Callable[[], T]) -> T:
        start = Spent.now()
        encoded = encode()
        self.spent = self.spent.plus(Spent.now().less(start))
        return encoded

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        return self._count(lambda: self.encoder.encode_queries(texts))

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        return self._count(lambda: self.encoder.encode_tokens(texts))

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        return self._count(lambda: self.encoder.encode_documents(texts, progress))

    def encode_document_tokens(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Documents:
        return self._count(lambda: self.encoder.encode_document_tokens(texts, progress))


class Random:
    """Seeded random unit vectors, whatever the texts."""

    profile = Profile("random", dim=DIM, weights="random")

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        vectors = np.random.default_rng(0).standard_normal((len(texts), DIM), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        return self.encode_queries(texts)


def row(what: str, value: str, against: str, ratio: float, aim: str) -> None:
    print(f"| {what} | {value} | {against} | {ratio:.3f} | {aim} |", flush=True)


def scoring(dataset: Dataset, model: OnnxEncoder) -> None:
    """Everything after encoding (search, metrics, groups, abstention) against encoding."""
    encoder = Timed(model)
    read_corpus(dataset.skills, encoder)  # kept: the runs below encode queries alone
    documents = encoder.spent
    size = f"{len(dataset.queries):,} x {len(dataset.skills):,}"
    modes: tuple[Mode, ...] = ("dense", "hybrid")
    for mode in modes:
        runs = []
        for _ in range(3):
            encoder.spent, start = Spent(0.0, 0.0), Spent.now()
            evaluate(dataset, model=encoder, mode=mode)
            rest = Spent.now().less(start).less(encoder.spent)
            runs.append((rest, documents.plus(encoder.spent)))
        rest, encoding = min(runs)
        what = f"evaluating {size} after encoding, {mode}"
        compare(f"{what}, processor time", rest.processor, encoding.processor, "under 0.05")
        compare("the same by the clock", rest.clock, encoding.clock, "under 0.05")
    indexing = []
    for _ in range(3):
        start = Spent.now()
        write_lexical(None, enumerate(dataset.skills))
        indexing.append(Spent.now().less(start).processor)
    compare("of hybrid, its BM25 index", min(indexing), encoding.processor, "")


def compare(what: str, rest: float, encoding: float, aim: str) -> None:
    row(what, f"{rest:.2f} s", f"encoding {encoding:.1f} s", rest / encoding, aim)


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
    """Megabytes that dense searches allocate beside the corpus."""
    skills = [Skill(f"s{i}", f"n{i}", "", "") for i in range(n_skills)]
    searcher = open_searcher(skills, "dense", Random(), cache=False)
    queries = ((f"q{i}", f"request {i}") for i in range(n_queries))
    tracemalloc.start()
    for _ in rank_queries(searcher, queries, mode="dense"):
        pass
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
    parser.add_argument("--threads", type=int, default=1, help="of the encoder; 0: all cores")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # nothing is encoded yet, nothing is left behind
        print("| what | ours | against | ratio | aim |\n|---|---:|---:|---:|---:|")
        metrics()
        memory()
        packaged = load_encoder()
        assert isinstance(packaged, OnnxEncoder)
        encoder = OnnxEncoder(packaged.folder, args.threads)
        scoring(load_dataset(str(args.dataset), args.split), encoder)


if __name__ == "__main__":
    main()
