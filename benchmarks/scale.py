"""What size costs: searches, threads, changes at 1,000, 17,000, 100,000 skills, or a million.

    python benchmarks/scale.py --dataset ../shared/data/openskillret
    python benchmarks/scale.py --sizes 10000,1000000 --folder DISK    # 45 GB, an hour

Skills are those of the train split and copies of them with a few words changed; vectors of
documents are made up near those of real ones, so that all but the encoding is measured. Queries are
encoded as ever. Threads take turns as in `skillret serve`. Prints one table of ratios, each of two
figures of the same run; those of processor time, that of all threads, show what a busy machine does
to the others.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skillret import Index, Retriever, Skill, load_encoder
from skillret.arrays import Float32
from skillret.datasets.labelled import open_split
from skillret.encoders import Documents, Tokens
from skillret.encoders.onnx import OnnxEncoder
from skillret.index.local import LocalCorpus

THREADS = 8
EVEN, EVEN_BYTES = 8000, 6000  # skills whose bodies have so many bytes each
PORTION = 50_000
CHANGES = 15
COLD = 15
SKILLRET = str(Path(sys.executable).with_name("skillret"))  # as it is installed beside it
IMPORTS = "import numpy, onnxruntime, tokenizers"
OPEN = """
import sys, time
from skillret import Index, Retriever
start = time.perf_counter()
index = Index.open(sys.argv[1])
index.corpus()
print(time.perf_counter() - start)
retriever = Retriever(index)
for query in sys.argv[2:]:
    retriever.search(query)
# The largest that the system tells would be that of the process which started this one.
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmRSS")))
"""
REQUEST = "turn this scanned PDF into a spreadsheet"


class Cost(NamedTuple):
    """Seconds on the clock, and of processors."""

    wall: float
    cpu: float

    def less(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def plus(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)

    def milliseconds(self) -> tuple[str, str]:
        return f"{self.wall * 1000:.1f} ms", f"{self.cpu * 1000:.1f} ms"

    def rate(self, what: str, number: int) -> tuple[str, str]:
        return f"{number / self.wall:.0f} {what}/s", f"{number / self.cpu:.0f} {what}/s"


NOTHING = ("", "")


class MadeUp:
    """The packaged encoder for queries; documents get vectors near some real ones.

    Attributes:
        spent: What documents have cost so far, which is little.
    """

    def __init__(self, real: OnnxEncoder, near: Float32) -> None:
        self.profile = real.profile
        self.folder = real.folder
        self.spent = Cost(0.0, 0.0)
        self._real, self._near = real, near

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        return self._real.encode_queries(texts)

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        return self._real.encode_tokens(texts)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        start = used()
        out = np.empty((len(texts), self.profile.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            draw = np.random.default_rng(zlib.crc32(text.encode()))
            noise = draw.standard_normal(self.profile.dim, dtype=np.float32) * np.float32(0.02)
            out[row] = self._near[draw.integers(len(self._near))] + noise
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        self.spent = self.spent.plus(used().less(start))
        return out

    def encode_document_tokens(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Documents:
        start = used()
        draw, shape = np.random.default_rng(0), (64, self.profile.token_dim)
        tokens = [draw.integers(-127, 128, shape, dtype=np.int8) for _ in texts]
        self.spent = self.spent.plus(used().less(start))
        return Documents(self.encode_documents(texts, progress), tokens)


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


def even(skills: Sequence[Skill], count: int, size: int) -> list[Skill]:
    """Skills whose bodies have so many bytes each: the bodies of all, cut anew."""
    text = "\n".join(skill.body for skill in skills).encode()
    bodies = (text[start : start + size] for start in range(0, len(text) - size, size))
    pairs = zip(skills[:count], bodies, strict=False)
    return [replace(skill, body=body.decode("utf-8", "ignore")) for skill, body in pairs]


def build(index: Index, library: Iterable[Skill], encoder: MadeUp) -> None:
    """The row of a build, some skills at a time: a million are more than memory holds."""
    before, total, number, size = encoder.spent, Cost(0.0, 0.0), 0, 0
    source = iter(library)
    with index.writing():
        while some := list(islice(source, PORTION)):
            total = total.plus(cost(partial(index.add, some)))
            number += len(some)
            size += sum(len(skill.body.encode()) for skill in some)
        start = used()
    beside = total.plus(used().less(start)).less(encoder.spent.less(before))
    what = f"build, {number:,} skills of {size / number / 1000:.1f} kB on average, beside encoding"
    row(what, beside.rate("skills", number), ">= 1,000")


def used() -> Cost:
    """Time so far, of this process and of those that it has waited for."""
    times = os.times()
    cpu = time.process_time() + times.children_user + times.children_system
    return Cost(time.perf_counter(), cpu)


def cost(action: Callable[[], object]) -> Cost:
    start = used()
    action()
    return used().less(start)


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def median_search(retriever: Retriever, queries: Sequence[str]) -> Cost:
    for query in queries[:20]:
        retriever.search(query)
    return median([cost(partial(retriever.search, query)) for query in queries])


def many_searches(retriever: Retriever, queries: Sequence[str], threads: int, total: int) -> Cost:
    """What so many searches by so many threads cost together."""
    numbers, lock = iter(range(total)), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            retriever.search(queries[number % len(queries)])

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = used()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return used().less(start)


def row(
    what: str,
    ours: tuple[str, str],
    aim: str,
    beside: tuple[str, str] = NOTHING,
    costs: tuple[Cost, Cost] | None = None,
) -> None:
    """A row of the table; `costs` are those whose ratio it shows."""
    ratios = NOTHING
    if costs is not None:
        one, other = costs
        ratios = f"{one.wall / other.wall:.2f}", f"{one.cpu / other.cpu:.2f}"
    cells = [what, ours[0], beside[0], ratios[0], aim, ours[1], beside[1], ratios[1]]
    print("| " + " | ".join(cells) + " |", flush=True)


def changes(
    index: Index, retriever: Retriever, skills: Sequence[Skill], queries: Sequence[str]
) -> tuple[Cost, Cost, Cost]:
    """Median costs of adding one skill, of the first search after it, and of the next one."""
    added, first, second = [], [], []
    for number in range(CHANGES):
        skill = skills[number]
        fresh = replace(skill, id=f"new-{number}", body=f"{skill.body} change {number}")
        search = partial(retriever.search, queries[number])
        added.append(cost(partial(index.add, [fresh])))
        first.append(cost(search))
        second.append(cost(search))
    return median(added), median(first), median(second)


def cold(index: Path) -> tuple[Cost, Cost]:
    """Median costs of a search by a process of its own, and of the imports that it needs."""
    # Without this setting Python keeps compiled modules, as it does on a user's machine.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def process(*command: str) -> Cost:
        return cost(
            partial(subprocess.run, command, check=True, capture_output=True, env=environment)
        )

    search = (SKILLRET, "search", REQUEST, "--index", str(index))
    imports = (sys.executable, "-c", IMPORTS)
    pairs = [(process(*search), process(*imports)) for _ in range(COLD + 1)][1:]
    return median([ours for ours, _ in pairs]), median([imports for _, imports in pairs])


def opened(index: Path, queries: Sequence[str]) -> None:
    """The rows of a process that opens an index and makes some searches."""
    command = [sys.executable, "-c", OPEN, str(index), *queries]
    command[1:1] = ["-X", "utf8"]
    told = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(4)]
    seconds, kilobytes = zip(*(map(float, one.stdout.split()) for one in told[1:]), strict=True)
    size = sum(f.stat().st_size for f in [index, *index.parent.glob(f"{index.name}.cache/**/*")])
    name = f"{len(Index.open(index)):,} skills"
    row(f"open, {name}", (f"{statistics.median(seconds) * 1000:.0f} ms", ""), "<= 300 ms")
    row(f"resident memory after {len(queries)} searches, {name}",
        (f"{statistics.median(kilobytes) / 1e6:.2f} GB", ""), "<= 1.2 GB (a million)")  # fmt: skip
    row(f"file and what is derived from it, {name}", (f"{size / 1e9:.1f} GB", ""), "")


def recall(index: Index, queries: Sequence[str]) -> None:
    """The row of how many of the 15 nearest vectors are found."""
    corpus = index.corpus()
    assert isinstance(corpus, LocalCorpus)
    if corpus.blocks[0].lists is None:
        return
    blocks = tuple(replace(block, lists=None) for block in corpus.blocks)
    exact, vectors = replace(corpus, blocks=blocks), index.encoder.encode_queries(queries)
    found, wanted = (c.nearest(vectors, [15] * len(vectors)) for c in (corpus, exact))
    same = [np.isin(f.keys, w.keys).mean() for f, w in zip(found, wanted, strict=True)]
    alone, all_of_them = (
        median([cost(partial(c.nearest, vectors[n : n + 1], [64])) for n in range(20)])
        for c in (corpus, exact)
    )
    row(f"nearest by lists, {len(corpus):,} skills; beside: by all vectors",
        alone.milliseconds(), "", all_of_them.milliseconds(), (alone, all_of_them))  # fmt: skip
    row(f"recall@15 of the nearest, {len(corpus):,} skills",
        (f"{np.mean(same):.4f}", ""), ">= .99")  # fmt: skip


def measure(
    index: Index, name: str, skills: Sequence[Skill], asked: Mapping[str, Sequence[str]]
) -> dict[str, Cost]:
    """The rows of one built index; what a warm search costs, by kind of query."""
    retriever = Retriever(index)
    warm = {kind: median_search(retriever, queries) for kind, queries in asked.items()}
    short = next(iter(asked.values()))
    added, first, second = changes(index, retriever, skills, short)
    row(f"add one skill to {name}", added.milliseconds(), "<= 50 ms")
    row(f"first search after it, {name}", first.milliseconds(), "<= 2", second.milliseconds(),
        (first, second))  # fmt: skip
    total = 400
    one, many = (many_searches(retriever, short, threads, total) for threads in (1, THREADS))
    # The more searches in a second, the less time so many of them take.
    row(f"{THREADS} threads, {name}; beside: one thread", many.rate("searches", total), ">= 1.8",
        one.rate("searches", total), (one, many))  # fmt: skip
    retriever.close()
    return warm


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--sizes", default="1000,17000,100000")
    parser.add_argument("--folder", type=Path, help="where indexes are made")
    args = parser.parse_args()
    sys.setswitchinterval(0.0005)
    sizes = [int(size) for size in args.sizes.split(",")]
    skills = list(open_split(args.dataset, "train").skills())
    queries = [query.text for query in open_split(args.dataset, "dev").queries()]
    asked: dict[str, Sequence[str]] = {
        "15 words": queries[::12][:200],
        "65 words": [q for q in queries if 55 <= len(q.split()) <= 70][:100],
    }
    asked = {kind: some for kind, some in asked.items() if some}
    real = load_encoder()
    assert isinstance(real, OnnxEncoder)
    encoder = MadeUp(real, real.encode_documents([s.description for s in skills[:2000]]))
    print(f"{os.cpu_count()} cores\n")
    print("| what | ours | beside | ratio | aim | ours, processor | beside, processor | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    before: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        with Index.open(Path(scratch) / "even.db", create=True, model=encoder) as index:
            build(index, even(skills, EVEN, EVEN_BYTES), encoder)
        for size in sizes:
            name, path = f"{size:,} skills", Path(scratch) / f"{size}.db"
            index = Index.open(path, create=True, model=encoder)
            build(index, enlarged(skills, size), encoder)
            warm = measure(index, name, skills, asked)
            with Index.open(path, model=encoder) as again:
                recall(again, queries[::20])
            for kind, own in warm.items():
                last = before.get(kind)
                beside = NOTHING if last is None else last.milliseconds()
                row(f"warm search, {name}, {kind}; beside: the size before", own.milliseconds(),
                    "<= 2 (17,000 to 100,000)", beside, last and (own, last))  # fmt: skip
            before = warm
            opened(path, asked["15 words"][:100])
            search, imports = cold(path)
            row(f"cold search, {name}; beside: `{IMPORTS}`", search.milliseconds(), "<= 2.0",
                imports.milliseconds(), (search, imports))  # fmt: skip


if __name__ == "__main__":
    main()
