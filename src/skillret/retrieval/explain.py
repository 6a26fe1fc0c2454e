"""Why a skill was found: the words and the sentences of a query that carried it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skillret.arrays import Float32, cosines
from skillret.encoders import Encoder
from skillret.index.corpus import Corpus
from skillret.lexical.analyzer import read_words
from skillret.retrieval.ranking import Ranking
from skillret.retrieval.sentences import split_sentences
from skillret.types import Explanation, Mode

__all__ = ["explain"]

_MAX_SENTENCES = 64  # explained of one query


def explain(
    ranking: Ranking, keys: Sequence[int], mode: Mode, corpus: Corpus, encoder: Encoder
) -> dict[int, Explanation]:
    """What of a query carried some of its hits.

    Args:
        ranking: Of the query; the words of a hit add up to its BM25 score in there.
        keys: Of hits.
        mode: Kind of retrieval.
        corpus: In which they were found.
        encoder: Reads the sentences, unless the mode is lexical.
    """
    sentences = split_sentences(ranking.text)[:_MAX_SENTENCES]
    words: dict[str, str] = {}
    for word in read_words(ranking.text):
        for term in word.terms:
            words.setdefault(term, ranking.text[word.start : word.end])
    terms = {}
    if ranking.terms is not None and ranking.lexical is not None:
        # A skill beyond the depth of the search for terms counts as one that holds none.
        scored = set(ranking.keys[ranking.lexical > 0].tolist())
        terms = corpus.explain(ranking.terms, [key for key in keys if key in scored])
    excluded = {}
    if ranking.excluded is not None:
        excluded = dict(zip(ranking.keys.tolist(), ranking.excluded.tolist(), strict=True))
    late = {}
    if ranking.late is not None:
        met = zip(ranking.keys.tolist(), ranking.late.tolist(), strict=True)
        late = {key: value for key, value in met if not math.isnan(value)}
    explained = {}
    for key, similar in zip(keys, _similar(sentences, keys, mode, corpus, encoder), strict=True):
        shares = sorted(terms.get(key, {}).items(), key=lambda pair: -pair[1])
        order = np.argsort(-similar, kind="stable").tolist()
        explained[key] = Explanation(
            terms=tuple((words.get(term, term), score) for term, score in shares),
            sentences=tuple((sentences[i], float(similar[i])) for i in order),
            excluded=excluded.get(key),
            tokens=late.get(key),
        )
    return explained


def _similar(
    sentences: Sequence[str], keys: Sequence[int], mode: Mode, corpus: Corpus, encoder: Encoder
) -> Float32:
    """Cosine, or BM25 in lexical mode, of each skill with each sentence `(len(keys), s)`."""
    if mode != "lexical":
        vectors = corpus.vectors(np.array(keys, dtype=np.int64))
        return cosines(vectors, encoder.encode_queries(sentences))
    columns = []
    for sentence in sentences:
        scores = corpus.explain(corpus.terms(sentence), keys)
        columns.append([sum(scores[key].values()) for key in keys])
    return np.asarray(np.array(columns, dtype=np.float32).T)
