"""From queries to ranked skills of one generation: corpus, encoder and calibration, never changed.

Everything above a search goes through here: the `Retriever`, evaluation and calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, cosines, distinct, holds
from skillret.encoders import Encoder
from skillret.index.corpus import Corpus, Record
from skillret.lexical.analyzer import read_terms
from skillret.lexical.bm25 import Terms
from skillret.lexical.glossary import GLOSSARIES, gloss
from skillret.lexical.language import SCRIPTS
from skillret.retrieval.bare import BareName
from skillret.retrieval.calibration import Calibration
from skillret.retrieval.called import calls_in, plain_name
from skillret.retrieval.candidates import TINY, Evidence, find_candidates, fitting_parts, scores_of
from skillret.retrieval.features import LATE, columns
from skillret.retrieval.fusion import LEXICAL_CANDIDATES, fuse
from skillret.retrieval.late import late_interaction
from skillret.retrieval.query import (
    ReadQuery,
    asked_words,
    clean_query,
    plain_query,
    read_queries,
    unread_language,
)
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.ranking import (
    Ranking,
    extended,
    nothing,
    reordered,
    unknown_parts,
    without,
)
from skillret.retrieval.referents import names_material
from skillret.retrieval.rerank import DEPTH, Reranker, read_again, read_likeliest
from skillret.retrieval.selection import (
    Chosen,
    Picked,
    SelectionPolicy,
    select,
    spells_identifier,
)
from skillret.retrieval.talk import is_talk
from skillret.retrieval.term_head import needs_tokens, term_factors
from skillret.skills.names import known_names
from skillret.skills.walk import Root
from skillret.types import Mode, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Searcher"]

_DENSE_CANDIDATES = 100
_FEW = 3  # skills of a name that is a whole query
_ASKED_OF = 100  # words of a query of which skills may have their own
_TOLD_BY_FORM = 7  # letters of a word whose other forms are told by likeness
_NATIVE = 0.5  # of a query's words, if skills have more of them they speak its language
_NEAR = 20  # hits among which the skill is looked for that hides another one from an agent
_MOST_BY_NAME = 5_000  # skills whose names are all looked through
_WORDS_OF_NAME = 4
_BELOW = np.float32(0.99)  # of the last candidate's score, for what stands behind the candidates


class Searcher:
    """Ranks the skills of one corpus. Threads may share it: what is seen of it never changes.

    Args:
        corpus: The skills.
        encoder: Made the corpus's vectors.
        calibration: What was fitted for the encoder; None fuses cosines and BM25 by the weight of
            the encoder's profile.
        reranker: Reads the best hits again in hybrid mode: its score is a feature of the ranker if
            the calibration was fitted with it, or else it decides their order.
        of_agent: The skills are those of one agent, which cannot start one that another one's name
            hides.
        roots: Of the skills' library, which say what stands before their names.

    Raises:
        EncoderError: If the calibration was fitted with another reranker.
    """

    def __init__(
        self,
        corpus: Corpus,
        encoder: Encoder,
        calibration: Calibration | None = None,
        reranker: Reranker | None = None,
        *,
        of_agent: bool = False,
        roots: Sequence[Root] = (),
    ) -> None:
        self.corpus = corpus
        self.encoder = encoder
        self.calibration = calibration
        self.reranker = reranker
        self.of_agent = of_agent
        self.roots = tuple(roots)
        self._by_name: dict[str, list[int]] | None = None
        self.policy = SelectionPolicy.of(calibration)
        self._knows_reranker = calibration is not None and bool(calibration.reranker)
        if calibration is not None:
            calibration.check_reranker(reranker)

    def rank(
        self, query: str, k: int, mode: Mode = "hybrid", where: Where | None = None
    ) -> Ranking:
        """The best `k` skills for one query; see `rank_all`."""
        (ranking,) = self.rank_all([query], k, mode, where)
        return ranking

    def rank_all(
        self,
        queries: Iterable[str],
        k: int,
        mode: Mode = "hybrid",
        where: Where | None = None,
    ) -> Iterator[Ranking]:
        """The best skills for each of many queries, in order.

        Encoding them together changes no score by more than the rounding of a matrix product.

        Args:
            queries: As users typed them.
            k: How many at most. In lexical mode those that share no term with a query are no hits.
            mode: `hybrid`, `dense` or `lexical`.
            where: Filter on metadata.

        Raises:
            InputError: If a query is empty.
            EncoderError: If the encoder fails.
            StoreError: If the corpus cannot be read.
        """
        texts = map(clean_query, queries)
        if not len(self.corpus):
            for text in texts:
                yield nothing(text, mode)
        elif mode == "lexical":
            for text in texts:
                yield self._lexical(text, k, where)
        elif mode == "dense":
            for query in read_queries(texts, self.encoder, split=False):
                yield self._dense(query, k, where)
        elif self.calibration is None:
            for query in read_queries(texts, self.encoder, split=False):
                found = self._reranked(self._fused(query, self._deep(k), where), k)
                yield self._in_order(found, query, k, where)
        else:
            ranker = self.calibration.ranker
            tokens = needs_tokens(ranker.terms, self.encoder.profile)
            texts = map(self._in_english, texts)
            for query in read_queries(texts, self.encoder, tokens=tokens):
                found = self._reranked(self._ranked(ranker, query, self._deep(k), where), k)
                yield self._in_order(found, query, k, where)

    def select(
        self,
        query: str,
        policy: SelectionPolicy | None = None,
        where: Where | None = None,
        ranking: Ranking | None = None,
    ) -> Chosen:
        """The set of skills to hand to an agent, and how sure it is that one is needed.

        Where nothing would be selected, the best skill is if the query spells an identifier in it,
        and so are the few that hold the name which is all of the query ("IT", "C#").

        Args:
            query: The query.
            policy: How to choose; the searcher's own if None.
            where: Filter on metadata.
            ranking: Of the query, if it is known already; what is left to the user is only told
                from it.
        """
        policy = (policy or self.policy).among(len(self.corpus), self.calibration)
        known: dict[str, Ranking] = {}

        def rank(text: str, k: int) -> Ranking:
            asked = k
            while True:
                known[text] = found = self.rank(text, asked, where=where)
                kept = self._startable(found)
                if len(kept) >= k or len(found) < asked or len(kept) == len(found):
                    return kept
                asked *= 4

        def rank_all(text: str, k: int) -> Ranking:
            found = known.get(text)
            return self._of_agent(self.rank(text, k, where=where) if found is None else found)

        plain = plain_query(query)
        text = asked_words(plain)
        if self.calibration is not None and text != plain and not names_material(text):
            policy = policy.beside_material()
        whole = self._startable(ranking) if ranking else rank(text, policy.depth)
        chosen = select(whole, rank, self._all_names, policy)
        if not chosen.picked and (told := asked_words(plain, language=True)) != text:
            chosen = select(rank(told, policy.depth), rank, self._all_names, policy)
        if not chosen.picked and len(whole):
            (best,) = whole.keys[:1].tolist()
            skill = self.corpus.texts([best]).get(best)
            if skill and spells_identifier(text, f"{skill.description}\n{skill.body}"):
                chosen = Chosen([Picked(whole, 0)], whole.need)
        if not chosen.picked and (name := BareName(text)):
            chosen = chosen._replace(picked=self._of_name(name, whole, policy))
        # Without a calibration nothing says what fits.
        judged = self.calibration is not None or policy.threshold > 0
        if judged and ranking is not None and whole is not ranking:
            every = select(self._of_agent(ranking), rank_all, self._all_names, policy)
            records = self.corpus.records([p.key for p in every.picked])
            left = [p for p in every.picked if p.key in records and records[p.key].user_only]
            if left:
                chosen = chosen._replace(for_user=tuple(left), missing=every.missing)
        return chosen

    def _of_name(self, name: BareName, whole: Ranking, policy: SelectionPolicy) -> list[Picked]:
        """The skills that hold a bare name, unless many do."""
        keys = whole.keys[: policy.depth].tolist()
        texts = self.corpus.texts(keys)
        held = [
            Picked(whole, place)
            for place, key in enumerate(keys)
            if key in texts and name.stands_in(f"{texts[key].name}\n{texts[key].description}")
        ]
        return held if len(held) <= min(_FEW, policy.limit) else []

    def _in_english(self, query: str) -> str:
        """A query word by word in English, if neither encoder nor skills know its language."""
        language = unread_language(query, self.encoder.profile)
        if language not in GLOSSARIES or is_talk(query) or self._names_own(query):
            return query
        told = gloss(query, language, _first(self._has_own, _ASKED_OF))
        own = {term for word in told.words for term in read_terms(word)}
        # Where nothing stands between words, these may be others than the query's.
        if not told.text or self._speaks(own) or self._speaks({*read_terms(query)}):
            return query
        return told.text

    def _names_own(self, query: str) -> bool:
        """Whether a query calls a skill by its name, which no dictionary must translate."""
        called = calls_in(query).outright
        return bool(called) and not called.isdisjoint(self._keys_by_name())

    def _speaks(self, terms: set[str]) -> bool:
        """Whether skills hold more than half of some terms: then they speak their language."""
        held = self.corpus.terms(" ".join(sorted(terms)))
        return len({*held.names} - held.guessed) > _NATIVE * len(terms)

    def _has_own(self, word: str, english: str) -> bool:
        """Whether skills hold a word, no more of them than its English; or only a form of it."""
        own, other = self.corpus.terms(word), self.corpus.terms(english)
        common = [
            w for n, w in zip(other.names, other.weights, strict=True) if n not in other.guessed
        ]
        if own.guessed or not own.names:
            return bool(own.names) and len(word) >= _TOLD_BY_FORM and not common
        return not {*own.names} <= {*other.names} and max(own.weights) >= max(common, default=0.0)

    def _of_agent(self, ranking: Ranking) -> Ranking:
        """A ranking for a user: what the agent does not know at all is as good as absent."""
        if not self.of_agent:
            return ranking
        records = self.corpus.records(ranking.keys.tolist())
        return without(ranking, [key for key, r in records.items() if self._hidden(r)])

    def _hidden(self, record: Record) -> bool:
        return self.of_agent and record.shadowed_by is not None

    def _startable(self, ranking: Ranking) -> Ranking:
        """A ranking for an agent: what it cannot start is as good as absent."""
        records = self.corpus.records(ranking.keys.tolist())
        kept = without(ranking, [k for k, r in records.items() if r.user_only or self._hidden(r)])
        if kept is ranking or self.calibration is None or not ranking.need or not len(kept):
            return kept
        best, rest = float(ranking.scores.max()), float(kept.scores.max())
        need = self.calibration.ranker.need_of_rest(ranking.need, best, rest)
        scores = (kept.scores * (need / ranking.need)).astype(np.float32)
        return replace(kept, scores=scores, need=need)

    def _all_names(self, keys: Sequence[int]) -> dict[int, set[str]]:
        """All that some skills may be called."""
        records = self.corpus.records(keys)
        return {
            k: known_names(r.name, (r.path, *r.aliases), self.roots) for k, r in records.items()
        }

    def _deep(self, k: int) -> int:
        k = max(k, _NEAR) if self.of_agent else k
        return k if self.reranker is None or self._knows_reranker else max(k, DEPTH)

    def _in_order(self, ranking: Ranking, query: ReadQuery, k: int, where: Where | None) -> Ranking:
        """The best `k` of a ranking: what the query calls by name first, wherever it stands.

        And of two skills of one name the one that the agent can start before the other one.
        """
        called = self._called(ranking)
        new = [] if where else [key for key in called if key not in ranking.keys]
        called = [key for key in called if not where or key in ranking.keys]
        if new:
            keys = np.array(sorted(new), dtype=np.int64)
            vectors = self.corpus.vectors(keys)
            none = np.zeros(len(keys), dtype=np.float32)
            scores = none + ranking.scores.min(initial=np.float32(1.0))
            dense = cosines(query.vectors[:1], vectors)[0]
            ranking = extended(ranking, keys, scores, dense, none, vectors)
        first = self._startable_first([*dict.fromkeys([*called, *ranking.keys.tolist()])])
        return reordered(ranking, first, k) if first != ranking.keys.tolist()[:k] else ranking

    def _called(self, ranking: Ranking) -> list[int]:
        """Keys of the skills that a query calls by name, those of the ranking in its order."""
        calls = calls_in(ranking.text)
        if not calls.outright and not 0 < len(ranking.text.split()) <= _WORDS_OF_NAME:
            return []
        known = self._keys_by_name() if calls.outright else {}
        found = (key for name in calls.outright for key in known.get(name, ()))
        keys = [*dict.fromkeys([*ranking.keys.tolist(), *found])]
        names = self._all_names(keys)
        return [key for key in keys if calls.fit(names.get(key, ()))]

    def _keys_by_name(self) -> dict[str, list[int]]:
        """The skills by their names and those of their folders; none of a huge corpus.

        No text holds the name of a folder, so that no other look-up would find it.
        """
        if self._by_name is None:
            found: dict[str, list[int]] = {}
            if len(self.corpus) <= _MOST_BY_NAME:
                for key, record in self.corpus.records(self.corpus.keys().tolist()).items():
                    for name in known_names(record.name, (record.path, *record.aliases), ()):
                        found.setdefault(plain_name(name), []).append(key)
            self._by_name = found
        return self._by_name

    def _startable_first(self, keys: list[int]) -> list[int]:
        """Keys in their order, but none before that of the skill that hides it."""
        if not self.of_agent:
            return keys
        records = self.corpus.records(keys)
        by_path = {path: key for key, r in records.items() for path in (r.path, *r.aliases)}
        order: dict[int, None] = {}
        for key in keys:
            winner = records[key].shadowed_by if key in records else None
            if winner in by_path and winner is not None:
                order.setdefault(by_path[winner])
            order.setdefault(key)
        return list(order)

    def _reranked(self, ranking: Ranking, k: int) -> Ranking:
        """The best `k` of a ranking, the first hits in the order of the reranker, if any."""
        if self.reranker is None or self._knows_reranker or not len(ranking):
            return ranking
        keys = ranking.keys[:DEPTH].tolist()
        scores = read_again(self.reranker, ranking.text, keys, self.corpus.texts)
        return reordered(ranking, sorted(scores, key=lambda key: -scores[key]), k)

    def _lexical(self, text: str, k: int, where: Where | None) -> Ranking:
        terms = self.corpus.terms(text)
        keys, scores = self.corpus.best(terms, max(LEXICAL_CANDIDATES, k), where)
        order = np.lexsort((keys, -scores))[:k]
        keys, scores = keys[order], scores[order]
        return Ranking(text, keys, scores, None, scores, unknown_parts(keys), None, None, terms)

    def _dense(self, query: ReadQuery, k: int, where: Where | None) -> Ranking:
        ((keys, cosines),) = self.corpus.nearest(query.vectors[:1], [k], where)
        need, vectors = float(cosines.max(initial=0.0)), self.corpus.vectors(keys)
        return Ranking(
            query.text, keys, cosines, cosines, None, unknown_parts(keys), vectors, need, None
        )

    def _fused(self, query: ReadQuery, k: int, where: Where | None) -> Ranking:
        terms = self.corpus.terms(query.text)
        keys, dense, bm25, vectors = self._both(query, terms, k, where)
        low = self._lowest(query)
        scores = fuse(dense, bm25, self.encoder.profile.dense_weight, low)
        order = np.argsort(-scores, kind="stable")[:k]
        return Ranking(
            text=query.text,
            keys=keys[order],
            scores=scores[order],
            dense=dense[order],
            lexical=bm25[order],
            parts=unknown_parts(keys[order]),
            vectors=vectors[order],
            need=float(dense.max(initial=0.0)),
            terms=terms,
        )

    def _both(
        self, query: ReadQuery, terms: Terms, k: int, where: Where | None
    ) -> tuple[NDArray[np.int64], Float32, Float32, Float32]:
        """Keys, cosines, BM25 and vectors of the best skills by either, by ascending key."""
        count = max(_DENSE_CANDIDATES, k)
        (near,) = self.corpus.nearest(query.vectors[:1], [count], where)
        held, scores = self.corpus.best(terms, max(LEXICAL_CANDIDATES, k), where)
        keys = distinct(np.concatenate([near.keys, held]))
        vectors = self.corpus.vectors(keys)
        return keys, cosines(query.vectors[:1], vectors)[0], scores_of(keys, held, scores), vectors

    def _lowest(self, query: ReadQuery) -> float:
        means, deviations = self.corpus.moments.cosines(query.vectors[:1])
        return float(means[0] - 3 * deviations[0])

    def _shared(self, query: ReadQuery, k: int, where: Where | None) -> Ranking:
        """The order of BM25: what the encoder cannot read has no vectors that say anything."""
        terms = self.corpus.terms(query.text)
        keys, dense, bm25, vectors = self._both(query, terms, k, where)
        order = np.lexsort((-dense, -bm25))[:k]
        best = keys[order[:1]].tolist()
        held = sum(map(len, self.corpus.explain(terms, best).values()))
        said = max(len(set(read_terms(query.text))), 1)
        # The root, since half of what is said without spaces is no word, or says nothing.
        need = min((held / said) ** 0.5, 0.99)
        scores = need * bm25[order] / max(bm25.max(initial=np.float32(0.0)), TINY)
        return Ranking(
            text=query.text,
            keys=keys[order],
            scores=scores.astype(np.float32),
            dense=dense[order],
            lexical=bm25[order],
            parts=unknown_parts(keys[order]),
            vectors=vectors[order],
            need=need,
            terms=terms,
        )

    def _ranked(self, ranker: Ranker, query: ReadQuery, k: int, where: Where | None) -> Ranking:
        plain = query.text.isascii()  # most are, and no language needs to be told then
        if not plain and unread_language(query.text, self.encoder.profile) in SCRIPTS:
            return self._shared(query, k, where)
        asking = ranker.probe.asking(query.vectors)
        factors = term_factors(ranker.terms, query)
        e = find_candidates(query, self.corpus, asking, factors, where)
        if any(name in LATE for name in ranker.features):
            e = e._replace(late=late_interaction(query, e, self.corpus))
        outputs = ranker.outputs(columns(ranker.features, e), e.excluded)
        if self.reranker is not None and self._knows_reranker:
            read = read_likeliest(self.reranker, query.text, e.keys, outputs, self.corpus.texts)
            e = e._replace(reranked=read)
            outputs = ranker.outputs(columns(ranker.features, e), e.excluded)
        asks = ranker.probe.evidence(query.vectors)
        need = ranker.need(outputs, asks, len(self.corpus))
        likely = (need * ranker.probabilities(outputs)).astype(np.float32)
        order = np.argsort(-likely, kind="stable")[:k]
        ranking = Ranking(
            text=query.text,
            keys=e.keys[order],
            scores=likely[order],
            dense=e.dense[order],
            lexical=e.lexical[order],
            parts=fitting_parts(e)[order],
            vectors=e.vectors[order],
            need=need,
            terms=e.terms,
            excluded=e.excluded[order],
            late=None if e.late is None else e.late.scores[order],
            asks=asks,
        )
        return ranking if k <= len(e.keys) else self._extended(ranking, e, query, k, where)

    def _extended(
        self, ranking: Ranking, e: Evidence, query: ReadQuery, k: int, where: Where | None
    ) -> Ranking:
        """Whoever asks for more than the candidates gets the rest behind them, in simpler order."""
        keys, dense, bm25, vectors = self._both(query, e.terms, k, where)
        rest = fuse(dense, bm25, self.encoder.profile.dense_weight, self._lowest(query))
        rest *= _BELOW * ranking.scores.min(initial=np.float32(1.0))
        new = ~holds(keys, e.keys)
        order = np.flatnonzero(new)[np.argsort(-rest[new], kind="stable")][: k - len(ranking)]
        return extended(
            ranking, keys[order], rest[order], dense[order], bm25[order], vectors[order]
        )


def _first(asks: Callable[[str, str], bool], most: int) -> Callable[[str, str], bool]:
    """The same answers for so many questions, and no to all later ones."""
    known: dict[tuple[str, str], bool] = {}

    def ask(word: str, english: str) -> bool:
        if (word, english) not in known and len(known) < most:
            known[word, english] = asks(word, english)
        return known.get((word, english), False)

    return ask
