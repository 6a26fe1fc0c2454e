"""What size costs: searches, threads, and changes at 1,000, 17,000 and 100,000 skills.

    python benchmarks/scale.py --dataset ../shared/data/openskillret

Skills are those of the train split and copies of them with a few words changed; vectors of
documents are made up near those of real ones, so that all but the encoding is measured. Queries are
encoded as ever. Prints one table of ratios, each of two figures of the same run.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skillret import Index, Retriever, Skill, load_encoder
from skillret.arrays import Float32
from skillret.datasets.labelled import open_split
from skillret.encoders import Tokens
from skillret.encoders.onnx import OnnxEncoder

THREADS = 8
CHANGES = 15


class MadeUp:
    """The packaged encoder for queries; documents get vectors near some real ones at no cost."""

    def __init__(self, real: OnnxEncoder, near: Float32) -> None:
        self.profile = real.profile
        self.folder = real.folder
        self._real, self._near = real, near

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        return self._real.encode_queries(texts)

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        return self._real.encode_tokens(texts)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        out = np.empty((len(texts), self.profile.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            draw = np.random.default_rng(zlib.crc32(text.encode()))
            noise = draw.standard_normal(self.profile.dim, dtype=np.float32) * np.float32(0.02)
            out[row] = self._near[draw.integers(len(self._near))] + noise
        return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), dtype=np.float32)


def enlarged(skills: Sequence[Skill], size: int) -> Iterator[Skill]:
    """Skills and as many changed copies as are wanted."""
    draw = random.Random(0)
    for number in range(size):
        skill = skills[number % len(skills)]
        if number >= len(skills):
            words = skill.body.split(" ")
            for _ in range(3):
                words[draw.randrange(len(words))] = f"{draw.choice(words)}{number}"
            skill = replace(skill, id=f"{skill.id}-{number}", body=" ".join(words))
        yield skill


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_search(retriever: Retriever, queries: Sequence[str]) -> float:
    for query in queries[:20]:
        retriever.search(query)
    return statistics.median(seconds(lambda q=query: retriever.search(q)) for query in queries)  # type: ignore[misc]


def rate(retriever: Retriever, queries: Sequence[str], threads: int, total: int = 400) -> float:
    """Searches per second by so many threads."""
    numbers, lock = iter(range(total)), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            retriever.search(queries[number % len(queries)])

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return total / (time.perf_counter() - start)


def row(what: str, ours: str, beside: str, ratio: float | None, aim: str) -> None:
    shown = "" if ratio is None else f"{ratio:.2f}"
    print(f"| {what} | {ours} | {beside} | {shown} | {aim} |", flush=True)


def changes(
    index: Index, retriever: Retriever, skills: Sequence[Skill], queries: Sequence[str]
) -> tuple[float, float, float]:
    """Median seconds of adding one skill, of the first search after it, and of the next one."""
    added, first, second = [], [], []
    for number in range(CHANGES):
        skill = skills[number]
        fresh = replace(skill, id=f"new-{number}", body=f"{skill.body} change {number}")
        query = queries[number]
        added.append(seconds(lambda s=fresh: index.add([s])))  # type: ignore[misc]
        first.append(seconds(lambda q=query: retriever.search(q)))  # type: ignore[misc]
        second.append(seconds(lambda q=query: retriever.search(q)))  # type: ignore[misc]
    return statistics.median(added), statistics.median(first), statistics.median(second)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--sizes", default="1000,17000,100000")
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split(",")]
    skills = list(open_split(args.dataset, "train").skills())
    asked = [query.text for query in open_split(args.dataset, "dev").queries()]
    short, long = asked[::12][:200], [q for q in asked if 55 <= len(q.split()) <= 70][:100]
    real = load_encoder()
    assert isinstance(real, OnnxEncoder)
    encoder = MadeUp(real, real.encode_documents([s.description for s in skills[:500]]))
    print(f"{os.cpu_count()} cores\n")
    print("| what | ours | beside | ratio | aim |\n|---|---:|---:|---:|---:|")
    warm: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            library = list(enlarged(skills, size))
            encoding = seconds(lambda lib=library: encoder.encode_documents([s.body for s in lib]))  # type: ignore[misc]
            index = Index.open(Path(scratch) / f"{size}.db", create=True, model=encoder)
            took = seconds(lambda i=index, lib=library: i.update(lib)) - encoding  # type: ignore[misc]
            row(f"build, {size:,} skills, beside encoding", f"{size / took:.0f} skills/s", "", None,
                ">= 1,000")  # fmt: skip
            retriever = Retriever(index)
            for name, queries in (("15 words", short), ("65 words", long)):
                own = median_search(retriever, queries)
                before = warm.get(name)
                beside = "" if before is None else f"{before * 1000:.1f} ms, the size before"
                ratio = None if before is None else own / before
                row(f"warm search, {size:,} skills, {name}", f"{own * 1000:.1f} ms", beside, ratio,
                    "<= 2 (17,000 to 100,000)")  # fmt: skip
                warm[name] = own
            added, first, second = changes(index, retriever, skills, short)
            row(f"add one skill to {size:,}", f"{added * 1000:.0f} ms", "", None, "<= 50 ms")
            row(f"first search after it, {size:,} skills", f"{first * 1000:.1f} ms",
                f"the next one {second * 1000:.1f} ms", first / second, "<= 2")  # fmt: skip
            one, many = (rate(retriever, short, threads) for threads in (1, THREADS))
            row(f"{THREADS} threads, {size:,} skills", f"{many:.0f} searches/s",
                f"one thread {one:.0f}/s", many / one, ">= 1.8")  # fmt: skip
            retriever.close()


if __name__ == "__main__":
    main()
