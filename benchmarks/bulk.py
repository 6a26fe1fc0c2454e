"""How many documents a second several workers encode: prints a table.

    python benchmarks/bulk.py ../shared/data/openskillret-2 --split dev2 --sample 400

Documents of a split are encoded by one worker with one core, by several, and by this process alone
with all cores, in turns. Starting the workers is not counted. Workers run on this machine, or on
the Ray cluster that `RAY_ADDRESS` names.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from skillret import load_encoder
from skillret.datasets.dataset import load_dataset
from skillret.encoders import Encoder, read_chunks
from skillret.encoders.distributed import DistributedEncoder
from skillret.skills import document_text

CHUNK = 32  # documents; `index build` takes 128, of more documents


def rate(encoder: Encoder, documents: list[str]) -> float:
    """Documents a second."""
    chunks = (documents[i : i + CHUNK] for i in range(0, len(documents), CHUNK))
    start = time.perf_counter()
    for _ in read_chunks(encoder, chunks):
        pass
    return len(documents) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="../shared/data/openskillret-2")
    parser.add_argument("--split", default="dev2")
    parser.add_argument("--sample", type=int, default=400, help="documents")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="default")
    args = parser.parse_args()
    alone = load_encoder(args.model)
    skills = list(load_dataset(args.dataset, args.split).skills)
    skills = random.Random(0).sample(skills, min(args.sample, len(skills)))
    documents = [document_text(skill, alone.profile.template) for skill in skills]
    # As `index build` does: of one length together.
    documents.sort(key=len, reverse=True)
    rates: dict[str, list[float]] = {}
    for number in range(args.rounds + 1):
        for workers in (1, args.workers, 0):
            name = f"{workers} worker{'s' * (workers > 1)}" if workers else "this process alone"
            if workers:
                with DistributedEncoder(args.model, workers) as encoder:
                    rate(encoder, documents[:CHUNK] * workers)  # the weights are loaded at first
                    measured = rate(encoder, documents)
            else:
                measured = rate(alone, documents)
            if number:  # the first round warms the machine up
                rates.setdefault(name, []).append(measured)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    first = next(iter(medians.values()))
    print(f"{len(documents)} documents of {args.split}, {alone.profile.name}\n")
    print("| | documents/s | beside 1 worker |")
    print("|---|---:|---:|")
    for name, value in medians.items():
        print(f"| {name} | {value:.1f} | {value / first:.2f} |")


if __name__ == "__main__":
    main()
