"""What a ranker is fitted on: a library with queries, and every query with its candidates.

A ranker shall serve libraries and queries of which a dev split has few, so queries are seen in
smaller libraries, amid small talk and joined as well, and those of the train split beside them.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import Float32, Float64
from skillret.calibration.composed import compose, pad
from skillret.datasets.dataset import Dataset
from skillret.datasets.labelled import LabelledQuery
from skillret.encoders import Encoder, Profile
from skillret.evaluation.corpora import read_corpus
from skillret.index.local import LocalCorpus
from skillret.index.memory import corpus_of
from skillret.lexical.grams import gram_reader
from skillret.retrieval.candidates import find_candidates, fitting_parts
from skillret.retrieval.features import columns, features_of
from skillret.retrieval.late import late_interaction
from skillret.retrieval.query import clean_query, read_queries
from skillret.retrieval.ranker import Probe
from skillret.retrieval.term_head import TermHead, needs_tokens, term_factors
from skillret.types import Progress, Query, Skill

__all__ = [
    "FOLDS",
    "Example",
    "Pool",
    "composed",
    "dataset_pool",
    "examples",
    "fold_numbers",
    "kind_weights",
    "padded",
    "some_of_each_kind",
    "subpools",
    "train_examples",
    "varied_examples",
    "weighted",
]


FOLDS = 5
_SHORT = 40  # words of a query that is joined with others
_BRIEF = re.compile(r"(?:[^\s?!.:]\S*\s+){1,11}[^\s?]+[.!]")  # one sentence, no question
_ONE_SENTENCE = 1 / 3  # queries joined to one sentence, for one of several sentences
_ANDS = (" and ", " and ", ", then ", " and then ", " and also ")
_SMALL = ((300, 1), (60, 2))  # size and seed of the smaller libraries a ranker is fitted on too
_PADDED = 0.06  # of the queries, which the ranker also sees amid small talk
_COMPOSED = 0.05  # queries joined from others, for one in a library of any size
_TRAIN_PER_KIND = 2000  # queries of the train split that a ranker is fitted on too
_TRAIN_WEIGHT = 0.45  # of each, beside one of dev: the encoder knows their skills
_STRANGE = 100  # skills of a library where queries for absent skills are needless ones


@dataclass(frozen=True, slots=True)
class Pool:
    """A library with queries whose gold skills are all in it.

    Attributes:
        skills: The library.
        vectors: Of the skills, float32 `(n, dim)`.
        queries: Queries; without gold skills where none is needed.
        gold: Gold skills' rows by query id.
        grams: Of the skills, uint32 each, if they have been read already.
        tokens: Of the skills, int8 `(d, token_dim)` each, if their encoder shows any.
    """

    skills: Sequence[Skill]
    vectors: Float32
    queries: Sequence[Query]
    gold: Mapping[str, frozenset[int]]
    grams: Sequence[NDArray[np.uint32]] | None = None
    tokens: Sequence[NDArray[np.int8]] | None = None

    def corpus(self, profile: Profile) -> LocalCorpus:
        """The library, ready to be searched, by the profile of its encoder; keys are rows."""
        return corpus_of(self.skills, self.vectors, profile, self.grams, self.tokens)


@dataclass(frozen=True, slots=True)
class Example:
    """One query with its candidates.

    Attributes:
        query: The query.
        rows: Of the pool, int64 `(m,)`.
        features: float32 `(m, f)`.
        excluded: How much of the query each excludes, float32 `(m,)`.
        parts: Part of the query that each fits best, int64 `(m,)`.
        evidence: Log odds that it asks for something, by a probe that never saw its fold.
        labels: 1 for gold skills, float64 `(m,)`.
        missed: Gold skills that are no candidates.
        fold: 0 to `FOLDS` - 1.
        skills: Of the library.
        weight: In the loss.
    """

    query: Query
    rows: NDArray[np.int64]
    features: Float32
    excluded: Float32
    parts: NDArray[np.int64]
    evidence: float
    labels: Float64
    missed: int
    fold: int
    skills: int
    weight: float = 1.0


def dataset_pool(dataset: Dataset, encoder: Encoder, progress: Progress | None = None) -> Pool:
    """The labelled queries of a data set and those that need no skill, with its library."""
    rows = {s.id: i for i, s in enumerate(dataset.skills)}
    gold = {q: frozenset(rows[s] for s in found) for q, found in dataset.qrels.items()}
    needless = [
        Query(f"\0negative-{i}", q.text, {"kind": "negative"})
        for i, q in enumerate(dataset.negatives)
    ]
    read = read_corpus(dataset.skills, encoder, progress)
    # Without a label nobody knows what a query needs, least of all that it needs nothing.
    labelled = [q for q in dataset.queries if q.id in gold]
    grams = list(gram_reader().read_skills(dataset.skills))
    queries = [*labelled, *needless]
    return Pool(dataset.skills, read.vectors, queries, gold, grams, read.tokens)


def examples(
    pool: Pool,
    encoder: Encoder,
    folds: Mapping[str, int],
    probes: Sequence[Probe],
    head: TermHead | None = None,
    progress: Progress | None = None,
) -> Iterator[Example]:
    """Candidates and labels of every query of a pool, by the probe of its fold."""
    corpus, names = pool.corpus(encoder.profile), features_of(encoder.profile)
    texts = (clean_query(q.text) for q in pool.queries)
    read = read_queries(texts, encoder, tokens=needs_tokens(head, encoder.profile))
    for number, (query, text) in enumerate(zip(pool.queries, read, strict=True), start=1):
        fold, vectors = folds[query.id], text.vectors
        probe = probes[fold]
        e = find_candidates(text, corpus, probe.asking(vectors), term_factors(head, text))
        e = e._replace(late=late_interaction(text, e, corpus))
        gold = pool.gold.get(query.id, frozenset())
        labels = np.isin(e.keys, list(gold)).astype(np.float64)
        missed = len(gold) - int(labels.sum())
        yield Example(
            query=query,
            rows=e.keys,
            features=columns(names, e),
            excluded=e.excluded,
            parts=fitting_parts(e),
            evidence=probe.evidence(vectors),
            labels=labels,
            missed=missed,
            fold=fold,
            skills=len(pool.skills),
        )
        if progress is not None:
            progress(number, len(pool.queries))


def fold_numbers(queries: Sequence[Query], gold: Mapping[str, frozenset[int]]) -> dict[str, int]:
    """A fold for every query; queries that share a gold skill, also by way of others, share it.

    Queries without gold skills are spread by their text, or by what their `extra` calls `plain`.
    """
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while parent.setdefault(row, row) != row:
            row = parent[row]
        return row

    for rows in gold.values():
        first, *others = rows or (-1,)
        for row in others:
            parent[root(row)] = root(first)
    out = {}
    for query in queries:
        wanted = gold.get(query.id)
        key = str(root(min(wanted)) if wanted else query.extra.get("plain", query.text))
        out[query.id] = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % FOLDS
    return out


def weighted(found: Sequence[Example]) -> list[Example]:
    """The examples with weights by kind: the square root of the kind's number in all."""
    weights = kind_weights([e.query for e in found]).tolist()
    return [replace(e, weight=w) for e, w in zip(found, weights, strict=True)]


def kind_weights(queries: Sequence[Query]) -> Float64:
    """Weights of queries, float64 `(n,)`, 1 on average."""
    kinds = [str(q.extra.get("kind")) for q in queries]
    counts = Counter(kinds)
    raw = np.array([counts[kind] ** -0.5 for kind in kinds])
    return np.asarray(raw / raw.mean(), dtype=np.float64)


def some_of_each_kind(queries: Sequence[Query], count: int, seed: int) -> list[Query]:
    """At most `count` random queries of each kind."""
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    kinds: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        kinds[str(query.extra.get("kind"))].append(query)
    return [q for k in kinds.values() for q in draw.sample(k, min(count, len(k)))]


def subpools(pool: Pool, size: int, seed: int, *, absent: bool = False) -> Iterator[Pool]:
    """Random parts of a pool of about `size` skills, with the queries that they can answer.

    A ranker fitted on a large library alone would take a small one for strange.

    Args:
        pool: The whole.
        size: Skills of a part.
        seed: Decides which skills and queries.
        absent: Add as many queries whose skill is not in the part, as queries that need none of
            it. In a large part some other skill would often do.
    """
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(pool.skills))
    for rows in np.array_split(order, max(1, len(order) // size)):
        place = {int(row): i for i, row in enumerate(rows)}
        queries, others, gold = [], [], {}
        for query in pool.queries:
            wanted = pool.gold.get(query.id, frozenset())
            if wanted and wanted <= place.keys():
                queries.append(query)
                gold[query.id] = frozenset(place[row] for row in wanted)
            elif not wanted or not wanted & place.keys():
                others.append(query)
        # Queries that need no skill would be in every part: a fair share is enough.
        needless = [q for q in others if not pool.gold.get(q.id)]
        queries += [needless[i] for i in draw.permutation(len(needless))[: len(needless) // 8]]
        if absent:
            strange = [q for q in others if pool.gold.get(q.id)]
            chosen = draw.permutation(len(strange))[: len(gold)]
            queries += [replace(strange[i], extra={"kind": "absent"}) for i in chosen]
        yield Pool(
            skills=[pool.skills[i] for i in rows],
            vectors=pool.vectors[rows],
            queries=queries,
            gold=gold,
            grams=None if pool.grams is None else [pool.grams[i] for i in rows],
            tokens=None if pool.tokens is None else [pool.tokens[i] for i in rows],
        )


def padded(pool: Pool, share: float, seed: int) -> Pool:
    """A share of a pool's queries, each amid many sentences that need no skill."""
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    chosen = [q for q in pool.queries if draw.random() < share]
    queries = [replace(q, text=pad(q.text, draw), extra={"kind": "padded"}) for q in chosen]
    return replace(pool, queries=queries)


def composed(
    pool: Pool, share: float, folds: Mapping[str, int], seed: int
) -> tuple[Pool, dict[str, int]]:
    """Queries for two or three skills, joined from short ones for one, and their folds.

    Args:
        pool: Has the queries for one.
        share: How many to make, for one of them.
        folds: Of the pool's queries; those of one fold are joined.
        seed: Decides which, and in what order.
    """
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    singles: dict[int, list[LabelledQuery]] = defaultdict(list)
    for q in pool.queries:
        wanted, text = pool.gold.get(q.id, frozenset()), q.text.strip()
        if len(wanted) == 1 and len(text.split()) <= _SHORT:
            text = text if text.endswith((".", "?", "!")) else f"{text}."
            singles[folds[q.id]].append(LabelledQuery(q.id, text, (str(min(wanted)),), ""))
    queries: list[Query] = []
    gold: dict[str, frozenset[int]] = {}
    own: dict[str, int] = {}
    for fold, short in sorted(singles.items()):
        count = round(share * len(short))
        brief = [r for r in short if _BRIEF.fullmatch(r.text)]
        joined = _one_sentence(brief, round(_ONE_SENTENCE * count), draw)
        for made in (*compose(short, count, draw), *joined):
            query = Query(f"\0composed-{len(queries)}", made.text, {"kind": "composed"})
            queries.append(query)
            gold[query.id], own[query.id] = frozenset(map(int, made.gold)), fold
    return replace(pool, queries=queries, gold=gold), own


def _one_sentence(
    singles: Sequence[LabelledQuery], count: int, draw: random.Random
) -> Iterator[LabelledQuery]:
    """Queries that need two skills and are one sentence, from short ones that need one."""
    if len({r.gold for r in singles}) < 2:
        return
    for _ in range(count):
        first = draw.choice(singles)
        second = draw.choice([r for r in singles if r.gold != first.gold])
        words = second.text[0].lower() + second.text[1:]
        text = first.text.rstrip(".!") + draw.choice(_ANDS) + words
        yield LabelledQuery("", text, (*first.gold, *second.gold), "")


def varied_examples(
    pool: Pool,
    encoder: Encoder,
    folds: Mapping[str, int],
    probes: Sequence[Probe],
    head: TermHead | None,
) -> tuple[list[Example], list[Example], list[Example]]:
    """A pool's queries as a ranker shall see them too.

    Args:
        pool: The whole library.
        encoder: Made its vectors.
        folds: Of its queries.
        probes: One for each fold.
        head: Says how much terms count.

    Returns:
        Queries in smaller libraries, some amid small talk, and some joined, in libraries of every
        size.
    """
    parts = [
        part
        for size, seed in _SMALL
        if len(pool.skills) >= 2 * size
        for part in subpools(pool, size, seed, absent=size <= _STRANGE)
    ]
    small = [e for part in parts for e in examples(part, encoder, folds, probes, head)]
    talk = list(examples(padded(pool, _PADDED, 3), encoder, folds, probes, head))
    joined: list[Example] = []
    for seed, part in enumerate([pool, *parts]):
        several, own = composed(part, _COMPOSED, folds, seed)
        joined += examples(several, encoder, own, probes, head)
    return small, talk, joined


def train_examples(
    train: Dataset,
    encoder: Encoder,
    probe: Probe,
    head: TermHead | None,
    progress: Progress | None = None,
) -> list[Example]:
    """Queries of the train split, each weighing less than one of dev.

    Args:
        train: Skills and queries, of which at most 2,000 of a kind are taken.
        encoder: May have been trained on them.
        probe: Of the ranker that is fitted.
        head: Says how much terms count.
        progress: Called with the documents encoded so far and in all.
    """
    pool = dataset_pool(train, encoder, progress)
    labelled = [q for q in train.queries if q.id in pool.gold]
    chosen = some_of_each_kind(labelled, _TRAIN_PER_KIND, 0)
    pool = replace(pool, queries=chosen)
    folds = dict.fromkeys((q.id for q in chosen), 0)
    found = weighted(list(examples(pool, encoder, folds, [probe], head)))
    return [replace(e, weight=_TRAIN_WEIGHT * e.weight) for e in found]
