"""The one facade: from a request to the skills that fit it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from skillret.arrays import Float32, top_rows
from skillret.encoders import DEFAULT_MODEL, Encoder, load_encoder
from skillret.errors import InputError
from skillret.index import Index, default_index_path
from skillret.index.index import Progress, Snapshot
from skillret.retrieval.fusion import LEXICAL_CANDIDATES
from skillret.retrieval.refresh import NO_USUAL_PLACES, nothing_found, refresh
from skillret.retrieval.searcher import Scorer, Scores
from skillret.retrieval.selection import MAX_SELECTED, SAME, choose
from skillret.retrieval.sentences import segments, split_sentences
from skillret.skills import Library
from skillret.types import Explanation, Hit, Mode, Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_QUERY_CHARACTERS", "Retriever", "clean_query"]

MAX_QUERY_CHARACTERS = 100_000  # the rest of a longer request is not read
_MAX_SENTENCES = 64  # explained of one request
_TASKS = 4  # parts of a request that are asked for by themselves too; more are a story
_SURE = 0.2  # probability of the best skill of such a part
_SHARE = 0.6  # of the best hit's score that another selected one has, without a ranker


class Retriever:
    """Finds the skills of an index that fit a request. Safe to share between threads.

    Args:
        index: The index to search.
        encoder: The encoder that it was built with.
        mode: `hybrid`, `dense` or `lexical`.

    Raises:
        EncoderMismatchError: If the index holds another encoder's vectors.
        InputError: If the mode is unknown.

    Example:
        >>> retriever = Retriever.open(library="examples/skills")
        >>> [hit.name for hit in retriever.search("turn this scanned PDF into a spreadsheet", k=1)]
        ['scanned-pdf-to-spreadsheet']
    """

    def __init__(self, index: Index, encoder: Encoder, *, mode: Mode = "hybrid") -> None:
        self.index = index
        self.encoder = encoder
        self.mode = _check_mode(mode)
        self._scorer = Scorer(encoder)
        self._lock = threading.RLock()
        self._checked: Snapshot | None = None  # known to be of this encoder
        index.check_encoder(encoder.profile)

    @classmethod
    def open(
        cls,
        *,
        index: str | os.PathLike[str] | None = None,
        library: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        model: str = DEFAULT_MODEL,
        mode: Mode = "hybrid",
        trust_remote_code: bool = False,
        on_update: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> Retriever:
        """Open an index, or the index of a library, which is built or brought up to date first.

        Args:
            index: An index file. Without `library` it is searched as it is.
            library: Folder or folders with skills; without `index` too, the usual places.
            model: `default`, a folder or a hub id.
            mode: `hybrid`, `dense` or `lexical`.
            trust_remote_code: Run Python code that a model brings along.
            on_update: Told in one line what was built or refreshed, and why something was not.
            progress: Called with the documents encoded so far and in all.

        Raises:
            InputError: If a folder is missing or no skill is found.
            StoreError: If the index cannot be opened or written.
            EncoderError: If the encoder cannot be loaded.
            EncoderMismatchError: If an index given by name holds another encoder's vectors.
        """
        if isinstance(library, (str, os.PathLike)):
            library = [library]
        mode = _check_mode(mode)
        tell = on_update or (lambda _: None)
        encoder = load_encoder(model, trust_remote_code=trust_remote_code)
        if index is not None and not library:
            opened = Index.open(index)
            try:
                opened.check_built()
                return cls(opened, encoder, mode=mode)
            except BaseException:
                opened.close()
                raise
        found = Library.open(*(library or ()))
        if not found.roots:
            raise InputError(NO_USUAL_PLACES)
        path = Path(index) if index is not None else default_index_path(found, model)
        if not path.exists() and not found.skills:
            raise InputError(nothing_found(found))  # before an empty index is there to be found
        opened = Index.open(path, create=True)
        try:
            refresh(opened, found, encoder, tell, progress, ours=index is None)
            return cls(opened, encoder, mode=mode)
        except BaseException:
            opened.close()
            raise

    @property
    def threshold(self) -> float:
        """Probability of need below which nothing is selected."""
        calibration = self._scorer.calibration
        return (calibration.threshold if calibration else None) or 0.0

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def __enter__(self) -> Retriever:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self, query: str, k: int = 5, *, mode: Mode | None = None, explain: bool = False
    ) -> list[Hit]:
        """The best skills for a request, best first; of equal scores the one indexed earlier.

        Args:
            query: The request, as a user typed it; cut at 100,000 characters.
            k: How many at most. Lexical search returns fewer where fewer share a word.
            mode: Overrides the retriever's mode.
            explain: Say which terms and sentences of the request carried each hit.

        Raises:
            InputError: If the request is empty or `k` is below 1.
            StoreError: If the index cannot be read.
        """
        mode = self.mode if mode is None else _check_mode(mode)
        with self._lock:
            return self._find(query, k, mode, explain).hits

    def select(self, query: str, *, limit: int = MAX_SELECTED, explain: bool = False) -> Selection:
        """The set of skills to hand to an agent: as many as the request needs, or none.

        With a fitted ranker: nothing if the probability that a skill is needed stays below the
        profile's threshold or no skill is likely at all, else the best hit and the others that are
        likely enough, without near-duplicates. A request that is a skill's name gets that skill in
        any case. Where a request has two to four parts, each is searched for by itself as well,
        since the skill for one task stands little chance beside that for another one. For an
        encoder without a ranker: the best hit and those that come close to it.

        Args:
            query: The request.
            limit: How many at most.
            explain: As in `search`.

        Raises:
            InputError: If the request is empty or `limit` is below 1.
            StoreError: If the index cannot be read.
        """
        _check_count("limit", limit)
        with self._lock:
            found = self._find(query, 2 * limit, "hybrid", explain)
        hits, chosen = found.hits, self._choose(query, found, limit)
        picked = [hits[i] for i in chosen]
        if picked and self._scorer.ranker is not None:
            picked += self._of_parts(query, picked, found.vectors[chosen], explain)
            picked.sort(key=lambda hit: -hit.score)
        ranked = (replace(hit, rank=rank) for rank, hit in enumerate(picked[:limit], start=1))
        return Selection(query, tuple(ranked), found.need)

    def _of_parts(
        self, query: str, picked: Sequence[Hit], vectors: Float32, explain: bool
    ) -> list[Hit]:
        """The best skill of each part of a request, where it is likely and none of the picked."""
        text, added = clean_query(query), list[Hit]()
        spans = segments(text)
        for start, end in spans if len(spans) <= _TASKS else ():
            with self._lock:
                found = self._find(text[start:end], 1, "hybrid", explain)
            if not found.hits or (found.need or 0) < self.threshold:
                continue
            (hit,) = found.hits
            known = {h.id for h in (*picked, *added)}
            if hit.score < _SURE or hit.id in known or (vectors @ found.vectors[0]).max() >= SAME:
                continue
            added.append(hit)
            vectors = np.concatenate([vectors, found.vectors])
        return added

    def _choose(self, query: str, found: _Found, limit: int) -> list[int]:
        hits, need, ranker = found.hits, found.need, self._scorer.ranker
        # A word says little, unless it is what a skill is called.
        called = {i for i, hit in enumerate(hits) if _plain(hit.name) == _plain(query)}
        if need is not None and need < self.threshold:
            return sorted(called)[:limit]
        share = _SHARE if ranker is None else ranker.share
        scores = [hit.score for hit in hits]
        chosen = choose(scores, found.vectors, found.parts, share, limit)
        return sorted(called.union(chosen))[:limit]

    def _find(self, query: str, k: int, mode: Mode, explain: bool) -> _Found:
        text = clean_query(query)
        _check_count("k", k)
        snapshot = self.index.snapshot()
        if snapshot is not self._checked:
            # Another process may have re-encoded it meanwhile.
            self.index.check_encoder(self.encoder.profile, snapshot)
            self._checked = snapshot
        table = snapshot.table
        scores = self._scorer.score(
            text, mode, table.vectors, snapshot.lexical, table.keys, depth=k
        )
        rows = top_rows(scores.total, k)
        if mode == "lexical":
            rows = rows[scores.total[rows] > 0]
        rows, hits = self._hits(snapshot, rows, scores)
        if explain and hits:
            hits = self._explain(snapshot, text, mode, rows, hits)
        need = scores.need
        if need is None and scores.dense is not None:
            need = float(scores.dense.max(initial=0.0))
        return _Found(hits, table.vectors[rows], scores.parts(rows), need)

    def _hits(
        self,
        snapshot: Snapshot,
        rows: NDArray[np.int64],
        scores: Scores,
    ) -> tuple[NDArray[np.int64], list[Hit]]:
        """The hits, and their rows: those removed by another process meanwhile are left out."""
        keys = [int(key) for key in snapshot.table.keys[rows]]
        records = self.index.records(keys)
        hits: list[Hit] = []
        kept = [i for i, key in enumerate(keys) if key in records]
        for i in kept:
            row, record = rows[i], records[keys[i]]
            hits.append(
                Hit(
                    rank=len(hits) + 1,
                    id=record.id,
                    name=record.name,
                    description=record.description,
                    path=record.path,
                    score=float(scores.total[row]),
                    dense=None if scores.dense is None else float(scores.dense[row]),
                    lexical=None if scores.lexical is None else float(scores.lexical[row]),
                )
            )
        return rows[kept], hits

    def _explain(
        self,
        snapshot: Snapshot,
        text: str,
        mode: Mode,
        rows: NDArray[np.int64],
        hits: Sequence[Hit],
    ) -> list[Hit]:
        """The hits with the terms and sentences that carried each."""
        keys = [int(key) for key in snapshot.table.keys[rows]]
        sentences = split_sentences(text)[:_MAX_SENTENCES]
        terms = snapshot.lexical.term_scores(text, keys)
        if mode == "lexical":
            per_sentence = [snapshot.lexical.search(s, LEXICAL_CANDIDATES) for s in sentences]
            found = [dict(zip(ks.tolist(), vs.tolist(), strict=True)) for ks, vs in per_sentence]
            similar = np.array([[f.get(key, 0.0) for f in found] for key in keys])
        else:
            vectors = self.encoder.encode_queries(sentences)
            similar = snapshot.table.vectors[rows] @ vectors.T
        explained = []
        for number, (key, hit) in enumerate(zip(keys, hits, strict=True)):
            order = np.argsort(-similar[number], kind="stable")
            explanation = Explanation(
                terms=tuple(terms[key]) if mode != "dense" else (),
                sentences=tuple((sentences[i], float(similar[number][i])) for i in order),
            )
            explained.append(replace(hit, explanation=explanation))
        return explained


class _Found(NamedTuple):
    """Hits, their vectors, float32 `(len(hits), dim)`, and the probability that one is needed.

    Without a ranker `need` is the largest cosine of all skills, None in lexical mode.
    `parts` holds the part of the request that each hit fits best.
    """

    hits: list[Hit]
    vectors: Float32
    parts: list[int]
    need: float | None


def _plain(name: str) -> str:
    """Letters and digits of a name, however it is written."""
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def _check_mode(mode: str) -> Mode:
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"unknown mode {mode!r}: choose hybrid, dense or lexical")


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, Integral) or int(value) < 1:
        raise InputError(f"{name} must be at least 1 and whole, got {value!r}")


def clean_query(query: str) -> str:
    """A request as it is searched: stripped, cut at 100,000 characters, valid Unicode.

    Raises:
        InputError: If nothing is left, or it is no text.
    """
    if not isinstance(query, str):
        raise InputError(f"a request must be text, not {type(query).__name__}")
    # Surrogates come from arguments that are no UTF-8; nothing below can take them.
    text = query[:MAX_QUERY_CHARACTERS].encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        raise InputError("the request is empty: say in a few words what you want to do")
    return text
