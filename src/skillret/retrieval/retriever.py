"""The one facade: from a request to the skills that fit it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from skillret.encoders import DEFAULT_MODEL, Encoder, Float32, load_encoder
from skillret.errors import InputError
from skillret.index import Index, default_index_path
from skillret.index.dense import cosines, top_rows
from skillret.index.index import Progress, Snapshot
from skillret.index.store import Record
from skillret.retrieval.fusion import LEXICAL_CANDIDATES, fuse
from skillret.retrieval.refresh import NO_USUAL_PLACES, refresh
from skillret.retrieval.sentences import split_sentences
from skillret.skills import Library
from skillret.types import Explanation, Hit, Mode, Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_QUERY_CHARACTERS", "Retriever", "clean_query"]

MAX_QUERY_CHARACTERS = 100_000  # the rest of a longer request is not read
_MAX_SENTENCES = 64  # explained of one request
_SELECTED = 5  # at most
_SELECTED_SHARE = 0.6  # of the best hit's score


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
        self._lock = threading.RLock()
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
        opened = Index.open(path, create=True)
        try:
            # An index that nobody named is ours to re-encode, after an upgrade for example.
            refresh(opened, found, encoder, tell, progress, replace_encoder=index is None)
            return cls(opened, encoder, mode=mode)
        except BaseException:
            opened.close()
            raise

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
        text = clean_query(query)
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        with self._lock:
            snapshot = self.index.snapshot()
            scores, dense, lexical = self._score(snapshot, text, mode, k)
            rows = top_rows(scores, k)
            if mode == "lexical":
                rows = rows[scores[rows] > 0]
            records = self.index.records(snapshot.table.keys[rows].tolist())
            # Without what another process has removed since the snapshot was taken.
            rows = rows[[int(key) in records for key in snapshot.table.keys[rows]]]
            hits = self._hits(snapshot, rows, records, scores, dense, lexical)
            return self._explain(snapshot, text, mode, rows, hits) if explain and hits else hits

    def select(self, query: str) -> Selection:
        """The set of skills to hand to an agent: the best hit and those that come close to it.

        Empty where the profile has a threshold and the best hit's cosine stays below it.

        Raises:
            InputError: If the request is empty.
            StoreError: If the index cannot be read.
        """
        hits = self.search(query, k=_SELECTED)
        threshold = self.encoder.profile.threshold
        best = max((h.dense for h in hits if h.dense is not None), default=None)
        if not hits or (threshold is not None and best is not None and best < threshold):
            return Selection(query, ())
        floor = _SELECTED_SHARE * hits[0].score
        return Selection(query, tuple(h for h in hits if h.score >= floor))

    def _score(
        self, snapshot: Snapshot, text: str, mode: Mode, k: int
    ) -> tuple[Float32, Float32 | None, Float32 | None]:
        """Scores of all skills `(n,)`: what they are ranked by, cosines, BM25."""
        dense = lexical = None
        if mode != "lexical":
            vector = self.encoder.encode_queries([text])[0]
            dense = cosines(snapshot.table, vector) if len(snapshot.table.keys) else _none()
        if mode != "dense":
            keys, values = snapshot.lexical.search(text, max(LEXICAL_CANDIDATES, k))
            lexical = np.zeros(len(snapshot.table.keys), dtype=np.float32)
            lexical[np.searchsorted(snapshot.table.keys, keys)] = values
        if dense is None or lexical is None:
            only = lexical if dense is None else dense
            assert only is not None
            return only, dense, lexical
        return fuse(dense, lexical, self.encoder.profile.dense_weight), dense, lexical

    def _hits(
        self,
        snapshot: Snapshot,
        rows: NDArray[np.int64],
        records: Mapping[int, Record],
        scores: Float32,
        dense: Float32 | None,
        lexical: Float32 | None,
    ) -> list[Hit]:
        hits: list[Hit] = []
        for row in rows:
            record = records[int(snapshot.table.keys[row])]
            hits.append(
                Hit(
                    rank=len(hits) + 1,
                    id=record.id,
                    name=record.name,
                    description=record.description,
                    path=record.path,
                    score=float(scores[row]),
                    dense=None if dense is None else float(dense[row]),
                    lexical=None if lexical is None else float(lexical[row]),
                )
            )
        return hits

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


def _none() -> Float32:
    return np.empty(0, dtype=np.float32)


def _check_mode(mode: str) -> Mode:
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"unknown mode {mode!r}: choose hybrid, dense or lexical")


def clean_query(query: str) -> str:
    """A request as it is searched: stripped, cut at 100,000 characters, valid Unicode.

    Raises:
        InputError: If nothing is left.
    """
    # Surrogates come from arguments that are no UTF-8; nothing below can take them.
    text = query[:MAX_QUERY_CHARACTERS].encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        raise InputError("the request is empty: say in a few words what you want to do")
    return text
