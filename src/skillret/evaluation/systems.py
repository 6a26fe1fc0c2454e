"""Runs of the package's own retrieval: the code, weights and order of ties of `Retriever`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path

import numpy as np

from skillret.arrays import Float32, top_rows
from skillret.datasets.dataset import Dataset
from skillret.encoders import Encoder, check_vectors
from skillret.evaluation.runs import Run
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.retrieval.retriever import clean_query
from skillret.retrieval.searcher import Scorer
from skillret.skills import content_hash, document_text
from skillret.types import Mode, Skill

__all__ = ["DEPTH", "encode_corpus", "make_run", "score_requests"]

DEPTH = 50  # skills kept of every query
_CHUNK = 4096  # documents whose texts are held at a time

Progress = Callable[[int, int], None]


def make_run(
    dataset: Dataset,
    mode: Mode,
    encoder: Encoder,
    *,
    depth: int = DEPTH,
    texts: Sequence[tuple[str, str]] | None = None,
    progress: Progress | None = None,
    searched: Progress | None = None,
    cache: bool = True,
) -> tuple[Run, dict[str, float]]:
    """Search every query of a data set.

    Args:
        dataset: Its skills are the corpus.
        mode: `hybrid`, `dense` or `lexical`.
        encoder: Not used in lexical mode.
        depth: Skills kept of every query.
        texts: Id and text of other requests than the data set's queries.
        progress: Called with the documents encoded so far and in all.
        searched: Called with the queries searched so far and in all.
        cache: Keep the encoded corpus for the next evaluation.

    Returns:
        The run, and the probability that each query needs a skill where the profile has a ranker,
        else its largest cosine (largest BM25 score in lexical mode).
    """
    pairs = list(texts) if texts is not None else [(q.id, q.text) for q in dataset.queries]
    ids = [s.id for s in dataset.skills]
    run: Run = {}
    best: dict[str, float] = {}
    for query_id, scores, largest in score_requests(
        dataset.skills, mode, encoder, pairs, progress=progress, cache=cache, depth=depth
    ):
        rows = top_rows(scores, depth)
        if mode == "lexical":
            rows = rows[scores[rows] > 0]
        run[query_id] = [
            (ids[i], s) for i, s in zip(rows.tolist(), scores[rows].tolist(), strict=True)
        ]
        best[query_id] = largest
        if searched is not None:
            searched(len(run), len(pairs))
    return run, best


def score_requests(
    skills: Sequence[Skill],
    mode: Mode,
    encoder: Encoder,
    requests: Iterable[tuple[str, str]],
    *,
    progress: Progress | None = None,
    cache: bool = True,
    depth: int = DEPTH,
) -> Iterator[tuple[str, Float32, float]]:
    """Score every skill for every request, a block of requests at a time.

    Args:
        skills: The corpus.
        mode: `hybrid`, `dense` or `lexical`.
        encoder: Not used in lexical mode.
        requests: Their ids and texts.
        progress: Called with the documents encoded so far and in all.
        cache: Keep the encoded corpus for the next evaluation.
        depth: Skills that get a score in lexical mode; all others have 0.

    Yields:
        Id, what skills are ranked by `(n,)`, and the probability that one is needed, or else the
        largest cosine or BM25 score.
    """
    corpus = lexical = None
    if mode != "lexical":
        corpus = encode_corpus(skills, encoder, progress, cache=cache)
    if mode != "dense":
        lexical = LexicalIndex(write_lexical(None, enumerate(skills)))
    vectors = np.empty((len(skills), 0), dtype=np.float32) if corpus is None else corpus
    ids, texts = tee(requests)
    found = Scorer(encoder).score_all(
        (clean_query(text) for _, text in texts), mode, vectors, lexical, depth=depth
    )
    for (query_id, _), scores in zip(ids, found, strict=True):
        # Scores fused without a ranker are scaled by request and say nothing of need.
        judged = scores.dense if mode == "hybrid" else scores.total
        assert judged is not None
        sure = float(judged.max(initial=0.0)) if scores.need is None else scores.need
        yield query_id, scores.total, sure


def encode_corpus(
    skills: Sequence[Skill],
    encoder: Encoder,
    progress: Progress | None = None,
    *,
    cache: bool = True,
) -> Float32:
    """Vectors of all skills, float32 `(n, dim)`; from the user's cache if they are there.

    The key is the encoder's identity (weights, template, limits) and the hash of every text.
    """
    file = _cache_file(skills, encoder) if cache else None
    if file is not None and file.is_file():
        try:
            # Mapped: its pages are the system's to drop when memory is short.
            stored = np.load(file, mmap_mode="r")
            if stored.shape == (len(skills), encoder.profile.dim):
                return np.asarray(stored, dtype=np.float32)
        except (OSError, ValueError, EOFError):
            pass  # damaged: made anew below
    template = encoder.profile.template
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, len(skills))

    vectors = np.empty((len(skills), encoder.profile.dim), dtype=np.float32)
    for start in range(0, len(skills), _CHUNK):
        texts = [document_text(s, template) for s in skills[start : start + _CHUNK]]
        vectors[start : start + _CHUNK] = check_vectors(
            encoder.encode_documents(texts, advance), encoder.profile.name
        )
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(f".{os.getpid()}.tmp")
            with temporary.open("wb") as out:
                np.save(out, vectors)
            temporary.replace(file)
        except OSError:
            pass  # a full or read-only disk only costs the next evaluation its time
    return vectors


def _cache_file(skills: Sequence[Skill], encoder: Encoder) -> Path:
    import platformdirs

    digest = hashlib.sha256(encoder.profile.identity.encode())
    for skill in skills:
        digest.update(content_hash(skill).encode())
    folder = platformdirs.user_cache_path("skillret", appauthor=False)
    return folder / "corpora" / f"{digest.hexdigest()[:32]}.npy"
