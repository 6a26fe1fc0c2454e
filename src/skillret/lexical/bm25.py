"""BM25 by tantivy, over three fields: the whole document, and once more name and description.

A term in the name or in the description says more about what a skill is for than one somewhere
in its body, hence the two extra fields. Field weights come from the dev split of OpenSkillRet
(benchmarks/fusion.py).

A word of a query that no skill holds is taken for a typing error: it stands for the words one
letter away. Stop words are found in names and descriptions alone, by queries that say nothing else.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import tantivy

from skillret.arrays import Float32
from skillret.errors import StoreError
from skillret.lexical.analyzer import (
    make_analyzer,
    make_plain_analyzer,
    read_stops,
    read_terms,
)
from skillret.lexical.texts import SkillTexts, metadata_pair, read_texts
from skillret.types import Skill, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Clause: TypeAlias = tuple[tantivy.Occur, tantivy.Query]

__all__ = [
    "FIELD_WEIGHTS",
    "LEXICAL_VERSION",
    "LexicalIndex",
    "Terms",
    "guess_weight",
    "idf",
    "read_query_terms",
    "stop_weight",
    "write_lexical",
]

# Raised when the analyzer, the fields or the grams change: caches of another version are made anew.
LEXICAL_VERSION = 13
FIELD_WEIGHTS = {"text": 1.0, "name": 0.1, "description": 0.4}
MAX_TERMS = 2000  # of one query; more come from pasted files

_KNOWN_TERMS = 8192  # whose queries are kept (4 MB): most words of queries come back
# At most, and only as far as a build fills it: 17,000 skills make one segment, which is searched a
# third faster than six.
_WRITER_BYTES = 256 * 1024 * 1024
_ANALYZER, _PLAIN = "english", "plain"
_STOPS = "stops"  # field of names and descriptions with their stop words
_FREQUENCIES = "freq"  # without positions: nobody searches for phrases
_BASIC = "basic"  # that a skill holds it, not how often
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?](?=\s|$)|\n")
_GUESSES = 32  # typing errors looked up for one text: each is a search of its own
_MISSPELT = re.compile(r"[a-z]{5,20}")  # shorter ones are one letter from anything
_PRONOUN = 0.5  # of the weight of a stop word that is not in capitals
_DOUBT = 0.7  # of the weight of a word that is only guessed


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("key", indexed=True, fast=True)
    for field in FIELD_WEIGHTS:
        builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option=_FREQUENCIES)
    builder.add_text_field(_STOPS, tokenizer_name=_PLAIN, index_option=_BASIC)
    builder.add_text_field("metadata", tokenizer_name="raw", index_option=_BASIC)
    return builder.build()


def _open(folder: Path | None) -> tantivy.Index:
    index = tantivy.Index(_schema(), path=None if folder is None else str(folder))
    index.register_tokenizer(_ANALYZER, make_analyzer())
    index.register_tokenizer(_PLAIN, make_plain_analyzer())
    return index


def write_lexical(
    folder: Path | None,
    upserts: Iterable[tuple[int, Skill | SkillTexts]],
    removed: Sequence[int] = (),
    base: Path | None = None,
) -> tantivy.Index:
    """Write a BM25 index, from nothing or as a changed copy of another one.

    Args:
        folder: Where; it must not exist. None keeps it in memory.
        upserts: Key and skill of all that is new, or its texts where they have been read.
        removed: Keys to leave out.
        base: An index to start from; its files are linked, not copied, and stay as they are.

    Raises:
        StoreError: If it cannot be written.
    """
    try:
        if folder is not None:
            folder.mkdir(parents=True)
            if base is not None:
                _link_files(base, folder)
        index = _open(folder)
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        changed = False
        for key in removed:
            writer.delete_documents_by_term("key", key)
            changed = True
        for key, skill in upserts:
            texts = read_texts(skill) if isinstance(skill, Skill) else skill
            document = tantivy.Document(
                key=key,
                text=texts.text,
                name=texts.name,
                description=texts.description,
                stops=texts.stops,
            )
            for pair in texts.metadata:
                document.add_text("metadata", pair)
            writer.add_document(document)
            changed = True
        if changed:
            writer.commit()
        writer.wait_merging_threads()
        index.reload()
    except (OSError, ValueError) as e:
        raise StoreError(
            f"cannot write the BM25 index {folder}: {e}; is the disk full or read-only?"
        ) from None
    return index


def _link_files(source: Path, target: Path) -> None:
    """Share segments, which never change; copy the small files that tantivy rewrites."""
    for file in source.iterdir():
        if file.name.endswith(".lock"):
            continue
        copy = target / file.name
        if file.name.endswith(".json"):
            shutil.copyfile(file, copy)
            continue
        try:
            os.link(file, copy)
        except OSError:  # a file system without hard links
            shutil.copyfile(file, copy)


@contextmanager
def _panics_are_errors() -> Iterator[None]:
    """Turn a panic of tantivy, which damaged files cause and no `except Exception` stops."""
    try:
        yield
    except BaseException as e:
        if type(e).__name__ != "PanicException":
            raise
        raise StoreError(
            "the BM25 cache of this index is damaged; it is made anew if the folder that ends in"
            " .cache beside the index file is deleted"
        ) from None


def idf(found: NDArray[np.int64] | int, skills: int) -> NDArray[np.float64]:
    """Inverse document frequency as BM25 weighs terms; 0 for what no skill holds.

    Args:
        found: How many skills hold it, an array or one number.
        skills: How many there are.
    """
    held = np.asarray(found, dtype=np.float64)
    # Skills that were removed are counted in `found` until tantivy merges their segment.
    rest = np.maximum(skills - held, 0)
    return np.asarray(np.where(held > 0, np.log1p((rest + 0.5) / (held + 0.5)), 0.0))


class Terms(NamedTuple):
    """The terms of one text that some skill holds.

    Attributes:
        names: The terms.
        weights: Inverse document frequency of each, as BM25 weighs it; less for a guess.
        factors: What the scores of each are multiplied by.
        guessed: Those that no skill holds, and that stand for the terms one letter away.
        weight: Sum of the weights times their factors.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    factors: tuple[float, ...]
    guessed: frozenset[str]
    weight: float


class LexicalIndex:
    """BM25 search over one generation of an index. May be shared by threads.

    Args:
        index: A folder that `write_lexical` made, or what it returned.

    Raises:
        StoreError: If the folder holds no usable index.
    """

    def __init__(self, index: Path | tantivy.Index) -> None:
        try:
            with _panics_are_errors():
                opened = _open(index) if isinstance(index, Path) else index
                self._searcher = opened.searcher()
                self._schema = opened.schema
        except (OSError, ValueError) as e:
            raise StoreError(f"cannot open the BM25 index {index}: {e}") from None
        # Bound to no method: in a cycle of references files would stay open until it is found.
        self._term = lru_cache(_KNOWN_TERMS)(partial(_make_term, self._searcher, self._schema))
        self._guess = lru_cache(_KNOWN_TERMS)(partial(_make_misspelt, self._searcher, self._schema))

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def terms(self, text: str, factors: Mapping[str, float] | None = None) -> Terms:
        """The terms of a text; whoever searches for it more than once reads it once.

        Args:
            text: The text.
            factors: What the scores of terms are multiplied by, 1 where nothing is said.
        """
        return read_query_terms(
            text,
            factors,
            lambda words: {word: self._term(word).weight for word in words},
            lambda words: {word: self._guess(word).weight for word in words},
        )

    def term(self, name: str) -> Terms:
        """A single term, as `Terms` names it."""
        weight = self._term(name).weight
        return _terms({name: weight} if weight else {}, {}, frozenset())

    def search(
        self, text: str | Terms, k: int, where: Where | None = None
    ) -> tuple[NDArray[np.int64], Float32]:
        """Keys and BM25 scores, both `(m,)`, of the `k` best skills that share a term.

        Args:
            text: A text or its terms.
            k: How many at most.
            where: What a skill's metadata must hold.
        """
        terms = self.terms(text) if isinstance(text, str) else text
        queries = [
            (self._guess if name in terms.guessed else self._term)(name).bm25
            for name in terms.names
        ]
        # Field by field, the order in which the scores are summed.
        clauses = [
            (
                tantivy.Occur.Should,
                fields[number] if f == 1 else tantivy.Query.boost_query(fields[number], f),
            )
            for number in range(len(FIELD_WEIGHTS))
            for fields, f in zip(queries, terms.factors, strict=True)
        ]
        if not clauses or k < 1:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        query = tantivy.Query.boolean_query(clauses)
        if where:
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, query), *self._conditions(where)]
            )
        return self._best(query, k)

    def keys(self, where: Where | None = None) -> NDArray[np.int64]:
        """Keys of all skills, or of those whose metadata holds something, ascending."""
        everything = [(tantivy.Occur.Must, tantivy.Query.all_query())]
        query = tantivy.Query.boolean_query([*everything, *self._conditions(where or {})])
        return np.sort(self._best(query, max(1, len(self)))[0])

    def _conditions(self, where: Where) -> Iterator[_Clause]:
        for key, value in where.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            term = partial(tantivy.Query.term_query, self._schema, "metadata", index_option=_BASIC)
            either = [(tantivy.Occur.Should, term(metadata_pair(key, v))) for v in values]
            condition = tantivy.Query.boolean_query(either)
            # Of no weight: who is left out is all that it decides.
            yield tantivy.Occur.Must, tantivy.Query.const_score_query(condition, 0.0)

    def _best(self, query: tantivy.Query, k: int) -> tuple[NDArray[np.int64], Float32]:
        with _panics_are_errors():
            hits = self._searcher.search(query, limit=min(k, len(self)) or 1, count=False).hits
            if hits:
                scores, addresses = zip(*hits, strict=True)
                keys = self._searcher.fast_field_values("key", list(addresses))
                return np.array(keys, dtype=np.int64), np.array(scores, dtype=np.float32)
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)

    def explain(self, terms: Terms, keys: Sequence[int]) -> dict[int, dict[str, float]]:
        """For each key, what each term adds to its BM25 score; terms that add nothing left out.

        The values of a key sum to its score by `search`.
        """
        scores: dict[int, dict[str, float]] = {key: {} for key in keys}
        for key in keys:
            wanted = tantivy.Query.term_query(self._schema, "key", key)
            with _panics_are_errors():
                hits = self._searcher.search(wanted, limit=1, count=False).hits
            if not hits:
                continue
            for name, factor in zip(terms.names, terms.factors, strict=True):
                term = (self._guess if name in terms.guessed else self._term)(name)
                score = factor * self._explain(term, hits[0][1])
                if score > 0:
                    scores[key][name] = score
        return scores

    def _explain(self, term: _Term, address: tantivy.DocAddress) -> float:
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, q) for q in term.bm25])
        try:
            with _panics_are_errors():
                explanation = json.loads(query.explain(self._searcher, address).to_json())
        except ValueError:  # tantivy's answer for a document that does not match
            return 0.0
        return float(explanation["value"])


def read_query_terms(
    text: str,
    factors: Mapping[str, float] | None,
    weigh: Callable[[Sequence[str]], dict[str, float]],
    guess: Callable[[Sequence[str]], dict[str, float]],
) -> Terms:
    """The terms of a text that skills hold.

    Args:
        text: The text.
        factors: What the scores of terms are multiplied by, 1 where nothing is said.
        weigh: Gives the weights of words, 0 for those that no skill holds.
        guess: Gives those of words that are taken for typing errors.
    """
    # A term said twice counts once: in a long query repetition is style, not weight.
    words = list(dict.fromkeys([*read_terms(text), *map(_stop, read_stops(text))]))[:MAX_TERMS]
    weights = weigh(words)
    unknown = {word for word, weight in weights.items() if not weight}
    guessed: frozenset[str] = frozenset()
    if unknown:
        guesses = guess(_misspelt(text, unknown))
        guessed = frozenset(w for w, weight in guesses.items() if weight)
        weights |= guesses
    return _terms({w: x for w, x in weights.items() if x}, factors or {}, guessed)


def _misspelt(text: str, unknown: set[str]) -> list[str]:
    """The unknown words that may be typing errors, at most 32."""
    likely: dict[str, None] = {}
    for sentence in _SENTENCE.split(text):
        words = dict.fromkeys(read_terms(sentence))
        strange = [word for word in words if word in unknown]
        # More unknown words than that are another language, not typing errors.
        if len(strange) <= max(1, len(words) / 2):
            likely |= dict.fromkeys(word for word in strange if _MISSPELT.fullmatch(word))
        if len(likely) >= _GUESSES:
            break
    return list(likely)[:_GUESSES]


def stop_weight(term: str) -> float:
    """What the weight of a stop word is multiplied by; "it" is seldom what IT stands for."""
    return _PRONOUN if term.strip('"').islower() else 1.0


def guess_weight(held: int, skills: int) -> float:
    """The weight of a word that is only guessed: of the `held` skills that hold one near it."""
    return _DOUBT * _idf(held, skills)


def _terms(
    weights: Mapping[str, float], factors: Mapping[str, float], guessed: frozenset[str]
) -> Terms:
    own = tuple([factors.get(name, 1.0) for name in weights])
    total = sum([w * f for w, f in zip(weights.values(), own, strict=True)])
    return Terms(tuple(weights), tuple(weights.values()), own, guessed, total)


class _Term(NamedTuple):
    """A term as it is searched for: its weight, and the queries that score it, one per field."""

    weight: float
    bm25: tuple[tantivy.Query, ...]


def _stop(word: str) -> str:
    """The name of a stop word as a term; no other term has quotes."""
    return f'"{word}"'


def _make_term(searcher: tantivy.Searcher, schema: tantivy.Schema, term: str) -> _Term:
    if term.startswith('"'):
        return _make_stop(searcher, schema, term.strip('"'))
    with _panics_are_errors():
        held = searcher.doc_freq("text", term)
    bm25 = []
    for field, boost in FIELD_WEIGHTS.items():
        query = tantivy.Query.term_query(schema, field, term, index_option=_FREQUENCIES)
        if boost != 1.0:
            query = tantivy.Query.boost_query(query, boost)
        bm25.append(query)
    return _Term(_idf(held, searcher.num_docs), tuple(bm25))


def _make_stop(searcher: tantivy.Searcher, schema: tantivy.Schema, word: str) -> _Term:
    with _panics_are_errors():
        held = searcher.doc_freq(_STOPS, word)
    query = tantivy.Query.term_query(schema, _STOPS, word, index_option=_BASIC)
    sure = stop_weight(word)
    return _in_one(sure * _idf(held, searcher.num_docs), tantivy.Query.boost_query(query, sure))


def _in_one(weight: float, query: tantivy.Query) -> _Term:
    """A term that one field alone scores."""
    return _Term(weight, (query, *[tantivy.Query.empty_query()] * (len(FIELD_WEIGHTS) - 1)))


def _make_misspelt(searcher: tantivy.Searcher, schema: tantivy.Schema, term: str) -> _Term:
    """A term of no skill stands for the terms one letter away; weight 0 if there is none."""
    query = tantivy.Query.fuzzy_term_query(schema, "text", term, distance=1)
    with _panics_are_errors():
        held = searcher.search(query, limit=1, count=True).count or 0
    weight = guess_weight(held, searcher.num_docs)
    # A search by edit distance knows no frequencies: the weight is all there is to score.
    return _in_one(weight, tantivy.Query.const_score_query(query, weight))


def _idf(held: int, skills: int) -> float:
    return math.log1p((max(skills - held, 0) + 0.5) / (held + 0.5)) if held else 0.0
