"""How fast a model of the 0.6B shape indexes, beside sentence-transformers alone."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from benchmarks.gpu.results import Column, Session, Table
from benchmarks.gpu.shapes import (
    QWEN_06B,
    TINY,
    device_name,
    peak_flops,
    peak_memory,
    save_qwen,
    synchronize,
    words,
)

from skillret.encoders.profile import Profile
from skillret.encoders.sentence_transformers import SentenceTransformerEncoder
from skillret.index import Index
from skillret.skills import document_text
from skillret.types import Skill

__all__ = ["measure_indexing"]

COLUMNS = (
    Column("documents", "documents", ","),
    Column("tokens of one", "tokens"),
    Column("documents/s", "documents_s", ",.1f"),
    Column("sentence-transformers alone", "alone_s", ",.1f"),
    Column("ratio", "ratio", ".2f"),
    Column("tokens/s", "tokens_s", ",.0f"),
    Column("TFLOP/s", "tflops", ",.1f"),
    Column("share of peak", "share", ".1%"),
    Column("peak GiB", "memory", ".1f"),
)


@dataclass(frozen=True)
class Corpus:
    """So many documents, their lengths spread evenly in logarithm between two numbers of tokens."""

    documents: int
    shortest: int
    longest: int

    def lengths(self, draw: random.Random) -> list[int]:
        low, high = math.log(self.shortest), math.log(self.longest)
        return [round(math.exp(draw.uniform(low, high))) for _ in range(self.documents)]


CORPORA = (
    Corpus(2048, 512, 512),
    Corpus(768, 2048, 2048),
    Corpus(128, 8192, 8192),
    Corpus(512, 128, 8192),
)
DRY = (Corpus(6, 16, 16), Corpus(8, 8, 64))
FRAME = 5  # tokens of a document beside its body: name, description, what joins them, the end


def measure_indexing(session: Session) -> None:
    """Build an index of each corpus; a row for each."""
    shape = TINY if session.dry else QWEN_06B
    device = "cuda" if torch.cuda.is_available() and not session.dry else "cpu"
    base = save_qwen(shape, session.work / "indexing" / "base", device)
    limit = max(c.longest for c in (DRY if session.dry else CORPORA))
    profile = Profile("random", max_document_tokens=limit, pooling="lasttoken")
    encoder = SentenceTransformerEncoder(base, device=device, profile=profile)
    model: Any = encoder.model
    name = device_name(device)
    peak = peak_flops(name)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    notes = [f"{name or 'A CPU'}, torch {torch.__version__}; random weights in {dtype}."]
    table = Table(session, "indexing", COLUMNS, notes)
    encoder.encode_documents([words(random.Random(1), limit, shape.vocabulary)])
    peak_memory(device)
    for number, corpus in enumerate(DRY if session.dry else CORPORA):
        draw = random.Random(number)
        lengths = corpus.lengths(draw)
        skills = []
        for i, length in enumerate(lengths):
            name, purpose, body = (words(draw, n, shape.vocabulary) for n in (1, 1, length - FRAME))
            skills.append(Skill(str(i), name, purpose, body))
        documents = [document_text(s, profile.template) for s in skills]
        file = session.work / "indexing" / f"{number}.db"
        ours = _seconds(device, partial(_build, file, encoder, skills))
        memory = peak_memory(device)
        alone = _seconds(
            device, partial(model.encode, documents, prompt="", show_progress_bar=False)
        )
        peak_memory(device)
        flops = sum(map(shape.forward_flops, lengths)) / ours
        even = corpus.shortest == corpus.longest
        table.add(
            {
                "documents": len(skills),
                "tokens": f"{corpus.shortest:,}" + ("" if even else f" to {corpus.longest:,}"),
                "documents_s": len(skills) / ours,
                "alone_s": len(skills) / alone,
                "ratio": alone / ours,
                "tokens_s": sum(lengths) / ours,
                "tflops": flops / 1e12,
                "share": flops / peak if peak else None,
                "memory": memory,
            }
        )


def _build(file: Any, encoder: SentenceTransformerEncoder, skills: Sequence[Skill]) -> None:
    with Index.open(file, create=True, model=encoder) as index:
        index.update(skills)


def _seconds(device: str, action: Callable[[], object]) -> float:
    synchronize(device)
    start = time.perf_counter()
    action()
    synchronize(device)
    return time.perf_counter() - start
