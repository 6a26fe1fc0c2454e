"""Options of training against plain training, on dev: prints a Markdown table.

    python benchmarks/training.py --base FOLDER --data ../shared/data/openskillret

Every variant is `skillret train` with the same recipe, pairs, order and steps and its own `--set`;
one row is plain training with another seed, to show what chance alone does. Scores are of the
trained model by exact search over all of dev; intervals are of the paired difference, from 2,000
bootstrap samples of the queries. Results are kept in `--output`, and what is there is not run
again. Never run this on a split that is reported as a test.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from skillret import load_encoder
from skillret.arrays import Float32, top_rows
from skillret.evaluation.metrics import measure
from skillret.training.dev_evaluator import DEPTH
from skillret.training.dev_split import Dev, read_dev

ROOT = Path(__file__).parents[1]
PLAIN = "plain"
SAMPLES = 2000
# Beyond the common settings. The miner and the teacher are the packaged encoder: it is at hand.
VARIANTS: Mapping[str, Sequence[str]] = {
    PLAIN: (),
    "plain, another seed": ("train.seed=7",),
    "mask: same skill": ("loss.mask=skill",),
    "mask: gold skills, near-duplicates": ("loss.mask=duplicates",),
    "1 hard negative, by BM25": ("negatives.per_pair=1", 'negatives.sources=["bm25"]'),
    "1 hard negative, by an encoder": (
        "negatives.per_pair=1",
        'negatives.sources=["encoder"]',
        "negatives.encoder=default",
    ),
    "2 hard negatives, one by each": ("negatives.per_pair=2", "negatives.encoder=default"),
    "gradient caching, 16 rows a pass": ("loss.mini_batch_size=16",),
    "distillation: scores": ("distill.teacher=default", "distill.target=scores"),
    "distillation: embeddings": ("distill.teacher=default", "distill.target=embeddings"),
    "matryoshka: half, quarter": ("loss.matryoshka=[{half}, {quarter}]",),
    "distillation: margins": ("distill.teacher=default", "distill.target=margins"),
}


@dataclass(frozen=True)
class Outcome:
    """What a variant came to; `ndcg` and `cut` hold NDCG@10 by query, in order of dev."""

    ndcg: list[float]
    cut: list[float]
    dim: int
    skills: int
    cpu_seconds: float
    peak_mb: float


def run(name: str, settings: Sequence[str], args: argparse.Namespace) -> Outcome:
    """Train a variant, or read what it came to."""
    slug = "".join(c if c.isalnum() else "-" for c in name)
    folder, file = args.output / slug, args.output / f"{slug}.json"
    if file.is_file():
        return Outcome(**json.loads(file.read_text()))
    command = [sys.executable, "-m", "skillret", "train", str(args.recipe)]
    command += ["--data", args.data, "--output", str(folder)]
    if (folder / "run.json").is_file():
        command.append("--resume")
    for setting in settings:
        command += ["--set", setting]
    # One process each: the peak of memory is its own, and CPU time does not mind the neighbours.
    child = subprocess.Popen(command, stdout=sys.stderr)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{name}: skillret train ended with {child.returncode}")
    dev = read_dev(folder / "data" / "dev.json")
    encoder = load_encoder(str(folder / "model"))
    with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
        vectors = encoder.encode_queries(dev.queries), encoder.encode_documents(dev.documents)
    dim = encoder.profile.dim
    scores = [by_query(dev, *(shortened(v, cut) for v in vectors)) for cut in (dim, dim // 4)]
    outcome = Outcome(
        ndcg=scores[0],
        cut=scores[1],
        dim=dim,
        skills=len(dev.skill_ids),
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
    )
    file.write_text(json.dumps(asdict(outcome)))
    return outcome


def by_query(dev: Dev, queries: Float32, documents: Float32) -> list[float]:
    """NDCG@10 of exact search, by query in order of dev; vectors are of unit length."""
    ranked = {
        id_: [dev.skill_ids[i] for i in top_rows(query @ documents.T, DEPTH)]
        for id_, query in zip(dev.query_ids, queries, strict=True)
    }
    values = measure(ranked, dev.qrels, (10,))
    return [values[id_]["ndcg@10"] for id_ in dev.query_ids]


def shortened(vectors: Float32, dim: int) -> Float32:
    """The first `dim` dimensions, of unit length again."""
    cut = vectors[:, :dim]
    return np.asarray(cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12))


def difference(ours: Sequence[float], plain: Sequence[float]) -> str:
    """Points of the mean difference and their 95 % interval, by paired bootstrap over queries."""
    deltas = 100 * (np.array(ours) - np.array(plain))
    draw = np.random.default_rng(0)
    means = [deltas[draw.integers(len(deltas), size=len(deltas))].mean() for _ in range(SAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{deltas.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="base model, a folder or hub id")
    parser.add_argument("--data", required=True, help="data set in SkillRet layout")
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "minilm-cpu.toml")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--set", action="append", default=[], help="for all variants")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), help="variants by name")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "training-options")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    common = [
        f"model.base={args.base}",
        f"model.max_tokens={args.tokens}",
        f"data.max_pairs={args.pairs}",
        f"train.precision={args.precision}",
        "loss.mask=none",
        "evaluate.every_steps=1000000",  # the first and the last step only
        "evaluate.max_queries=0",
        *args.set,
    ]
    plain = run(PLAIN, common, args)
    sizes = {"half": plain.dim // 2, "quarter": plain.dim // 4}
    print(
        f"{args.pairs:,} pairs, {args.tokens} tokens, one epoch; dev: {len(plain.ndcg):,} queries,"
        f" {plain.skills:,} skills\n"
    )
    print(
        f"| variant | NDCG@10 | points to plain (95 %) | at {plain.dim // 4} of {plain.dim}"
        " dimensions | CPU s | peak MB |\n|---|---:|---:|---:|---:|---:|"
    )
    for name in [PLAIN, *(v for v in args.only if v != PLAIN)]:
        own = [s.format(**sizes) if "{" in s else s for s in VARIANTS[name]]
        got = run(name, [*common, *own], args)
        print(
            f"| {name} | {np.mean(got.ndcg):.4f} |"
            f" {difference(got.ndcg, plain.ndcg) if name != PLAIN else ''} |"
            f" {np.mean(got.cut):.4f} | {got.cpu_seconds:.0f} | {got.peak_mb:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
