"""BM25 by tantivy, over three fields: the whole document, and once more name and description.

A term in the name or in the description says more about what a skill is for than one somewhere
in its body, hence the two extra fields. Requests are full of words that say nothing about the
skill they need ("I", "want", "could you", "please"); the usual stop list of 33 words leaves them
in, and on dev they cost more than anything else tried. Field weights and stop words come from
the dev split of OpenSkillRet (benchmarks/fusion.py).

A word of a request that no skill holds is taken for a typing error: it stands for the words one
letter away.

Beside BM25 there are simpler questions, which a ranker learns from: which skills hold the words
and the neighbouring words of a request, as `skillret.lexical.grams` reads them, and how much of a
skill's name the request says.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import tantivy

from skillret.arrays import Float32
from skillret.errors import StoreError
from skillret.lexical.grams import GRAMS, MAX_WORDS, GramReader, Grams
from skillret.types import Skill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Clause: TypeAlias = tuple[tantivy.Occur, tantivy.Query]

__all__ = [
    "FIELD_WEIGHTS",
    "LEXICAL_VERSION",
    "STOP_WORDS",
    "LexicalIndex",
    "Terms",
    "Word",
    "write_lexical",
]

# Raised when the analyzer or the fields change: caches of another version are made anew.
LEXICAL_VERSION = 4
FIELD_WEIGHTS = {"text": 1.0, "name": 0.1, "description": 0.4}
STOP_WORDS = frozenset(
    """
    a about above after again against all also am an and any are as at be because been before
    being below between both but by can cannot could did do does doing don down during each few
    for from further had has have having he her here hers herself him himself his how i if in
    into is it its itself just let lets like me more most my myself need no nor not now of off on
    once only or other our ours ourselves out over own please same she should so some such than
    that the their theirs them themselves then there these they this those through to too under
    until up us very want was we were what when where which while who whom why will with would
    you your yours yourself yourselves
    aren cant couldn couldnt didn didnt doesn doesnt dont id ill im isn ive thats wasn wont
    wouldn youre d ll m re s t ve
    """.split()
)
MAX_TERMS = 2000  # of one request; more come from pasted files

_KNOWN_TERMS = 8192  # whose queries are kept (4 MB): most words of requests come back
_KNOWN_GRAMS = 16384
_COMMON = 0.6  # a gram of more skills than this share tells none apart, and costs most to look up
_FEW = 20
# At most, and only as far as a build fills it: 17,000 skills make one segment, which is searched a
# third faster than six.
_WRITER_BYTES = 256 * 1024 * 1024
_ANALYZER = "english"
_FREQUENCIES = "freq"  # without positions: nobody searches for phrases
_BASIC = "basic"  # that a skill holds it, not how often
_NUMBERS = "whitespace"
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?](?=\s|$)|\n")
_GUESSES = 32  # typing errors looked up for one text: each is a search of its own
_MISSPELT = re.compile(r"[a-z]{5,20}")  # shorter ones are one letter from anything
_DOUBT = 0.7  # of the weight of a word that is only guessed


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (
        tantivy.Filter.remove_long(64),
        tantivy.Filter.lowercase(),
        tantivy.Filter.custom_stopword(sorted(STOP_WORDS)),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(part)
    return builder.build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("key", indexed=True, fast=True)
    builder.add_integer_field("name_terms", fast=True)
    for field in ("text", "name", "description"):
        builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option=_FREQUENCIES)
    for field in GRAMS:
        builder.add_text_field(field, tokenizer_name=_NUMBERS, index_option=_BASIC)
    return builder.build()


def _open(folder: Path | None) -> tantivy.Index:
    index = tantivy.Index(_schema(), path=None if folder is None else str(folder))
    index.register_tokenizer(_ANALYZER, _analyzer())
    return index


def write_lexical(
    folder: Path | None,
    upserts: Iterable[tuple[int, Skill]],
    removed: Sequence[int] = (),
    base: Path | None = None,
) -> tantivy.Index:
    """Write a BM25 index, from nothing or as a changed copy of another one.

    Args:
        folder: Where; it must not exist. None keeps it in memory.
        upserts: Key and skill of all that is new or changed.
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
        index, analyzer = _open(folder), _analyzer()
        reader = GramReader(analyzer.analyze)
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        changed = 0
        for key in removed:
            writer.delete_documents_by_term("key", key)
            changed += 1
        for key, skill in upserts:
            if base is not None:
                writer.delete_documents_by_term("key", key)
            text = f"{skill.name} {skill.description} {skill.body}"
            grams = reader.read(text)
            document = tantivy.Document(
                key=key,
                text=text,
                name=skill.name,
                description=skill.description,
                name_terms=len(set(analyzer.analyze(skill.name))),
                **{kind: " ".join(getattr(grams, kind)) for kind in GRAMS},
            )
            writer.add_document(document)
            changed += 1
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
            "the BM25 index is damaged; delete the folder that ends in .cache beside the index file"
        ) from None


@dataclass(frozen=True, slots=True)
class _Term:
    """A term as it is searched for: its weight, and the queries that score it."""

    weight: float  # inverse document frequency; 0 for a term of no skill
    bm25: tuple[tantivy.Query, ...]  # one per field
    named: tantivy.Query  # the weight for each skill whose name holds it


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one text, ready to be searched for in the index that read them.

    Attributes:
        known: Those that some skill holds.
        factors: What the scores of each are multiplied by.
        weight: Sum of their inverse document frequencies, as BM25 weighs them, times their factors.
    """

    known: tuple[_Term, ...]
    factors: tuple[float, ...]
    weight: float

    def clauses(self, queries: Callable[[_Term], tantivy.Query]) -> list[_Clause]:
        """One of its queries for every term, multiplied by the term's factor."""
        return [
            (
                tantivy.Occur.Should,
                query if factor == 1 else tantivy.Query.boost_query(query, factor),
            )
            for query, factor in zip(map(queries, self.known), self.factors, strict=True)
        ]


class Word(NamedTuple):
    """A word of a text: the characters `start:end`, and its terms; none if it is a stop word."""

    start: int
    end: int
    terms: Sequence[str]


class LexicalIndex:
    """BM25 search over one generation of an index.

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
        self._analyzer = _analyzer()
        self._analyzed = lru_cache(_KNOWN_TERMS)(self._analyzer.analyze)
        # Bound to no method: in a cycle of references files would stay open until it is found.
        self._term = lru_cache(_KNOWN_TERMS)(partial(_make_term, self._searcher, self._schema))
        self._guess = lru_cache(_KNOWN_TERMS)(partial(_make_misspelt, self._searcher, self._schema))
        self._gram = lru_cache(_KNOWN_GRAMS)(partial(_make_gram, self._searcher, self._schema))
        self._reader = GramReader(self._analyzer.analyze)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def terms(self, text: str, factors: Mapping[str, float] | None = None) -> Terms:
        """The terms of a text; whoever searches for it more than once reads it once.

        Args:
            text: The text.
            factors: What the scores of terms are multiplied by, 1 where nothing is said.
        """
        read, given = self._read(text), factors or {}
        own = tuple([given.get(name, 1.0) for name in read])
        known = tuple(read.values())
        weight = sum([t.weight * f for t, f in zip(known, own, strict=True)])
        return Terms(known, own, weight)

    def term(self, name: str) -> Terms:
        """A single term, as `words` and `Terms` name it."""
        term = self._term(name)
        return Terms((term,), (1.0,), term.weight) if term.weight else Terms((), (), 0.0)

    def words(self, text: str) -> list[Word]:
        """The words of a text in order, with their terms."""
        return [Word(*m.span(), self._analyzed(m.group())) for m in _WORD.finditer(text)]

    def _read(self, text: str) -> dict[str, _Term]:
        """The distinct terms that some skill holds, or a word one letter away from them."""
        # A term said twice counts once: in a long request repetition is style, not weight.
        words = list(dict.fromkeys(self._analyzer.analyze(text)))[:MAX_TERMS]
        terms = {word: self._term(word) for word in words}
        unknown = {word for word, term in terms.items() if not term.weight}
        if unknown:
            terms |= {word: self._guess(word) for word in self._misspelt(text, unknown)}
        return {word: term for word, term in terms.items() if term.weight}

    def _misspelt(self, text: str, unknown: set[str]) -> list[str]:
        """The unknown words that may be typing errors, at most 32."""
        found: dict[str, None] = {}
        for sentence in _SENTENCE.split(text):
            words = dict.fromkeys(self._analyzer.analyze(sentence))
            strange = [word for word in words if word in unknown]
            # More unknown words than that are another language, not typing errors.
            if len(strange) <= max(1, len(words) / 2):
                found |= dict.fromkeys(word for word in strange if _MISSPELT.fullmatch(word))
            if len(found) >= _GUESSES:
                break
        return list(found)[:_GUESSES]

    def search(self, text: str | Terms, k: int) -> tuple[NDArray[np.int64], Float32]:
        """Keys and BM25 scores, both `(m,)`, of the `k` best skills that share a term."""
        terms = self.terms(text) if isinstance(text, str) else text
        # Field by field, the order in which the scores are summed.
        fields = [partial(_field, i) for i in range(len(FIELD_WEIGHTS))]
        return self._best([clause for field in fields for clause in terms.clauses(field)], k)

    def search_names(self, text: str | Terms, k: int) -> tuple[NDArray[np.int64], Float32]:
        """Keys of the `k` skills whose names hold most of `text`, and the weight per term of each.

        A name that `text` says in full has the mean inverse document frequency of its terms.
        """
        terms = self.terms(text) if isinstance(text, str) else text
        addresses, values = self._hits(terms.clauses(lambda t: t.named), k)
        counts = self._values("name_terms", addresses)
        return self._values("key", addresses), np.asarray(
            values / np.maximum(counts, 1), dtype=np.float32
        )

    def grams(self, text: str) -> Grams:
        """The grams of a request."""
        return self._reader.read(text, MAX_WORDS)

    def search_grams(
        self, kind: str, factors: Mapping[str, float], k: int
    ) -> tuple[NDArray[np.int64], Float32, float]:
        """Keys of the `k` skills that hold most of some grams, their weight, and that of all.

        Args:
            kind: One of `GRAMS`.
            factors: Grams with what their inverse document frequency is multiplied by.
            k: How many at most.
        """
        read = [(*self._gram(kind, gram), factor) for gram, factor in factors.items()]
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(query, factor))
            for query, weight, factor in read
            if weight and factor > 0
        ]
        keys, values = self._best(clauses, k)
        return keys, values, sum(weight * factor for _, weight, factor in read)

    def keys(self) -> NDArray[np.int64]:
        """Keys of all skills, ascending."""
        everything = (tantivy.Occur.Should, tantivy.Query.all_query())
        return np.sort(self._best([everything], len(self))[0])

    def _best(self, clauses: list[_Clause], k: int) -> tuple[NDArray[np.int64], Float32]:
        addresses, scores = self._hits(clauses, k)
        return self._values("key", addresses), scores

    def _hits(self, clauses: list[_Clause], k: int) -> tuple[list[tantivy.DocAddress], Float32]:
        if clauses and k > 0:
            query, limit = tantivy.Query.boolean_query(clauses), min(k, len(self))
            with _panics_are_errors():
                hits = self._searcher.search(query, limit=limit, count=False).hits
            if hits:
                scores, addresses = zip(*hits, strict=True)
                return list(addresses), np.array(scores, dtype=np.float32)
        return [], np.empty(0, dtype=np.float32)

    def _values(self, field: str, addresses: list[tantivy.DocAddress]) -> NDArray[np.int64]:
        return _field_values(self._searcher, field, addresses)

    def term_scores(self, text: str, keys: Sequence[int]) -> dict[int, list[tuple[str, float]]]:
        """For each key, the words of `text` in its skill with their BM25 score, largest first."""
        known = self._read(text)
        words: dict[str, str] = {}
        for word in _WORD.findall(text):
            for term in self._analyzer.analyze(word):
                words.setdefault(term, word)
        scores: dict[int, list[tuple[str, float]]] = {key: [] for key in keys}
        for key in keys:
            wanted = tantivy.Query.term_query(self._schema, "key", key)
            hits = self._searcher.search(wanted, limit=1, count=False).hits
            if not hits:
                continue
            for name, term in known.items():
                score = self._explain(term, hits[0][1])
                if score > 0:
                    scores[key].append((words.get(name, name), score))
            scores[key].sort(key=lambda pair: -pair[1])
        return scores

    def _explain(self, term: _Term, address: tantivy.DocAddress) -> float:
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, q) for q in term.bm25])
        try:
            explanation = json.loads(query.explain(self._searcher, address).to_json())
        except ValueError:  # tantivy's answer for a document that does not match
            return 0.0
        return float(explanation["value"])


def _field(number: int, term: _Term) -> tantivy.Query:
    return term.bm25[number]


def _make_term(searcher: tantivy.Searcher, schema: tantivy.Schema, term: str) -> _Term:
    with _panics_are_errors():
        found = searcher.doc_freq("text", term)
    weight = _weight(searcher, found)
    bm25 = []
    for field, boost in FIELD_WEIGHTS.items():
        query = tantivy.Query.term_query(schema, field, term, index_option=_FREQUENCIES)
        if boost != 1.0:
            query = tantivy.Query.boost_query(query, boost)
        bm25.append(query)
    held = tantivy.Query.term_query(schema, "name", term, index_option=_BASIC)
    return _Term(weight, tuple(bm25), tantivy.Query.const_score_query(held, weight))


def _make_misspelt(searcher: tantivy.Searcher, schema: tantivy.Schema, term: str) -> _Term:
    """A term of no skill stands for the terms one letter away; weight 0 if there is none."""
    query = tantivy.Query.fuzzy_term_query(schema, "text", term, distance=1)
    with _panics_are_errors():
        found = searcher.search(query, limit=1, count=True).count or 0
    weight = _DOUBT * _weight(searcher, found)
    # A search by edit distance knows no frequencies: the weight is all there is to score.
    held, nothing = tantivy.Query.const_score_query(query, weight), tantivy.Query.empty_query()
    return _Term(weight, (held, *[nothing] * (len(FIELD_WEIGHTS) - 1)), nothing)


def _make_gram(
    searcher: tantivy.Searcher, schema: tantivy.Schema, kind: str, gram: str
) -> tuple[tantivy.Query, float]:
    with _panics_are_errors():
        found = searcher.doc_freq(kind, gram)
    common = found > max(_FEW, _COMMON * searcher.num_docs)
    weight = 0.0 if common else _weight(searcher, found)
    held = tantivy.Query.term_query(schema, kind, gram, index_option=_BASIC)
    return tantivy.Query.const_score_query(held, weight), weight


def _field_values(
    searcher: tantivy.Searcher, field: str, addresses: list[tantivy.DocAddress]
) -> NDArray[np.int64]:
    if not addresses:
        return np.empty(0, dtype=np.int64)
    with _panics_are_errors():
        return np.array(searcher.fast_field_values(field, addresses), dtype=np.int64)


def _weight(searcher: tantivy.Searcher, found: int) -> float:
    # Skills that were removed are counted in `found` until tantivy merges their segment.
    rest = max(searcher.num_docs - found, 0)
    return math.log1p((rest + 0.5) / (found + 0.5)) if found else 0.0
