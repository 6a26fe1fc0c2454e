"""Fitting the ranker on labelled requests: the last, small step after an encoder is trained.

The loss is the sum of two. Listwise softmax cross-entropy (ListNet's top one, Cao et al. 2007)
puts the gold skills of a request before its other candidates; binary cross-entropy over all
candidates, with requests that need no skill among them, makes outputs comparable between requests,
so that one logistic curve (Platt 1999) turns them into probabilities. Kinds of requests weigh by
the square root of their number. Everything reported is out of fold: folds share no gold skill.
NumPy alone: a few hundred weights need no torch, and `skillret calibrate` runs where
`skillret search` does.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.encoders import Encoder, Float32
from skillret.index.lexical import LexicalIndex, write_lexical
from skillret.retrieval.features import FEATURES, find_candidates
from skillret.retrieval.ranker import Probe, Ranker
from skillret.retrieval.request import read_requests
from skillret.retrieval.retriever import clean_query
from skillret.retrieval.terms import TermHead, term_factors
from skillret.training.adamw import AdamW
from skillret.training.augment import compose, pad
from skillret.training.sources import Request
from skillret.types import Query, Skill

__all__ = [
    "FOLDS",
    "Example",
    "Pool",
    "composed",
    "cross_fit",
    "examples",
    "fit_logistic",
    "fit_ranker",
    "fold_numbers",
    "kind_weights",
    "logistic",
    "padded",
    "some_of_each_kind",
    "subpools",
    "weighted",
]

Float64: TypeAlias = NDArray[np.float64]

FOLDS = 5
_HIDDEN = 24
_EPOCHS = 30
_BATCH = 64  # requests of one step
_RATE = 1e-2
_DECAY = 0.1
_POINTWISE = 0.5  # weight of the binary loss
_HARD = ("lexical", "dense", "sentence_dense")  # features whose best candidates are learnt from
_HARDEST = 30  # by each of them
_SHORT = 40  # words of a request that is joined with others
_BRIEF = re.compile(r"(?:[^\s?!.:]\S*\s+){1,11}[^\s?]+[.!]")  # one sentence, no question
_ONE_SENTENCE = 1 / 3  # requests joined to one sentence, for one of several sentences
_ANDS = (" and ", " and ", ", then ", " and then ", " and also ")


@dataclass(frozen=True, slots=True)
class Pool:
    """A library with requests whose gold skills are all in it.

    Attributes:
        skills: The library.
        vectors: Of the skills, float32 `(n, dim)`.
        queries: Requests; without gold skills where none is needed.
        gold: Gold skills' rows by query id.
    """

    skills: Sequence[Skill]
    vectors: Float32
    queries: Sequence[Query]
    gold: Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Example:
    """One request with its candidates.

    Attributes:
        query: The request.
        rows: Of the pool, int64 `(m,)`.
        features: float32 `(m, f)`.
        parts: Part of the request that each fits best, int64 `(m,)`.
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
    parts: NDArray[np.int64]
    evidence: float
    labels: Float64
    missed: int
    fold: int
    skills: int
    weight: float = 1.0


def subpools(pool: Pool, size: int, seed: int, *, absent: bool = False) -> Iterator[Pool]:
    """Random parts of a pool of about `size` skills, with the requests that they can answer.

    A ranker fitted on a large library alone would take a small one for strange.

    Args:
        pool: The whole.
        size: Skills of a part.
        seed: Decides which skills and requests.
        absent: Add as many requests whose skill is not in the part, as requests that need none of
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
        # Requests that need no skill would be in every part: a fair share is enough.
        needless = [q for q in others if not pool.gold.get(q.id)]
        queries += [needless[i] for i in draw.permutation(len(needless))[: len(needless) // 8]]
        if absent:
            strange = [q for q in others if pool.gold.get(q.id)]
            chosen = draw.permutation(len(strange))[: len(gold)]
            queries += [replace(strange[i], extra={"kind": "absent"}) for i in chosen]
        yield Pool([pool.skills[i] for i in rows], pool.vectors[rows], queries, gold)


def padded(pool: Pool, share: float, seed: int) -> Pool:
    """A share of a pool's requests, each amid many sentences that need no skill."""
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    chosen = [q for q in pool.queries if draw.random() < share]
    queries = [replace(q, text=pad(q.text, draw), extra={"kind": "padded"}) for q in chosen]
    return Pool(pool.skills, pool.vectors, queries, pool.gold)


def composed(
    pool: Pool, share: float, folds: Mapping[str, int], seed: int
) -> tuple[Pool, dict[str, int]]:
    """Requests for two or three skills, joined from short ones for one, and their folds.

    Args:
        pool: Has the requests for one.
        share: How many to make, for one of them.
        folds: Of the pool's requests; those of one fold are joined.
        seed: Decides which, and in what order.
    """
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    singles: dict[int, list[Request]] = defaultdict(list)
    for q in pool.queries:
        wanted, text = pool.gold.get(q.id, frozenset()), q.text.strip()
        if len(wanted) == 1 and len(text.split()) <= _SHORT:
            text = text if text.endswith((".", "?", "!")) else f"{text}."
            singles[folds[q.id]].append(Request(q.id, text, (str(min(wanted)),), ""))
    queries: list[Query] = []
    gold: dict[str, frozenset[int]] = {}
    own: dict[str, int] = {}
    for fold, requests in sorted(singles.items()):
        count = round(share * len(requests))
        brief = [r for r in requests if _BRIEF.fullmatch(r.text)]
        joined = _one_sentence(brief, round(_ONE_SENTENCE * count), draw)
        for made in (*compose(requests, count, draw), *joined):
            query = Query(f"\0composed-{len(queries)}", made.text, {"kind": "composed"})
            queries.append(query)
            gold[query.id], own[query.id] = frozenset(map(int, made.gold)), fold
    return Pool(pool.skills, pool.vectors, queries, gold), own


def _one_sentence(singles: Sequence[Request], count: int, draw: random.Random) -> Iterator[Request]:
    """Requests that need two skills and are one sentence, from short ones that need one."""
    if len({r.gold for r in singles}) < 2:
        return
    for _ in range(count):
        first = draw.choice(singles)
        second = draw.choice([r for r in singles if r.gold != first.gold])
        words = second.text[0].lower() + second.text[1:]
        text = first.text.rstrip(".!") + draw.choice(_ANDS) + words
        yield Request("", text, (*first.gold, *second.gold), "")


def some_of_each_kind(queries: Sequence[Query], count: int, seed: int) -> list[Query]:
    """At most `count` random requests of each kind."""
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    kinds: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        kinds[str(query.extra.get("kind"))].append(query)
    return [q for k in kinds.values() for q in draw.sample(k, min(count, len(k)))]


def examples(
    pool: Pool,
    encoder: Encoder,
    folds: Mapping[str, int],
    probes: Sequence[Probe],
    head: TermHead | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Example]:
    """Candidates and labels of every request of a pool, by the probe of its fold."""
    lexical = LexicalIndex(write_lexical(None, enumerate(pool.skills)))
    texts = (clean_query(q.text) for q in pool.queries)
    requests = read_requests(texts, encoder, pool.vectors, tokens=head is not None)
    for number, (query, request) in enumerate(zip(pool.queries, requests, strict=True), start=1):
        fold, vectors = folds[query.id], request.vectors
        probe = probes[fold]
        factors = term_factors(head, request, lexical)
        found = find_candidates(request, lexical, None, probe.asking(vectors), factors)
        gold = pool.gold.get(query.id, frozenset())
        labels = np.isin(found.rows, list(gold)).astype(np.float64)
        missed = len(gold) - int(labels.sum())
        yield Example(
            query=query,
            rows=found.rows,
            features=found.features,
            parts=found.parts,
            evidence=probe.evidence(vectors),
            labels=labels,
            missed=missed,
            fold=fold,
            skills=len(pool.skills),
        )
        if progress is not None:
            progress(number, len(pool.queries))


def fold_numbers(queries: Sequence[Query], gold: Mapping[str, frozenset[int]]) -> dict[str, int]:
    """A fold for every request; requests that share a gold skill, also by way of others, share it.

    Requests without gold skills are spread by their text.
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
        key = str(root(min(wanted))) if wanted else query.text
        out[query.id] = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % FOLDS
    return out


def weighted(found: Sequence[Example]) -> list[Example]:
    """The examples with weights by kind: the square root of the kind's number in all."""
    weights = kind_weights([e.query for e in found]).tolist()
    return [replace(e, weight=w) for e, w in zip(found, weights, strict=True)]


def kind_weights(queries: Sequence[Query]) -> Float64:
    """Weights of requests, float64 `(n,)`, 1 on average."""
    kinds = [str(q.extra.get("kind")) for q in queries]
    counts = Counter(kinds)
    raw = np.array([counts[kind] ** -0.5 for kind in kinds])
    return np.asarray(raw / raw.mean(), dtype=np.float64)


def fit_ranker(found: Sequence[Example], probe: Probe, seed: int = 0) -> Ranker:
    """Fit the weights by AdamW; `slope` and `intercept` are those of the binary loss.

    Args:
        found: Training examples, of which the candidates that are hard to tell apart are taken.
        probe: Becomes the ranker's.
        seed: Of initial weights and order.
    """
    found = [_hardest(e) for e in found]
    values = np.concatenate([e.features for e in found])
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-3)
    x, y, mask = _padded(found, mean, scale)
    w = np.array([e.weight for e in found], dtype=np.float32)
    draw = np.random.default_rng(seed)
    f = x.shape[2]
    parameters: list[Float32] = [
        draw.normal(0, f**-0.5, (_HIDDEN, f)).astype(np.float32),
        np.zeros(_HIDDEN, dtype=np.float32),
        draw.normal(0, _HIDDEN**-0.5, _HIDDEN).astype(np.float32),
        np.array([-4.0], dtype=np.float32),
    ]
    optimizer = AdamW(parameters, _RATE, _DECAY, _EPOCHS * -(-len(found) // _BATCH))
    for _ in range(_EPOCHS):
        order = draw.permutation(len(found))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            optimizer.step(_gradients(parameters, x[rows], y[rows], mask[rows], w[rows]))
    hidden, bias, output, intercept = parameters
    return Ranker(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        hidden=hidden.astype(np.float32),
        hidden_bias=bias.astype(np.float32),
        output=output.astype(np.float32),
        slope=1.0,
        intercept=float(intercept[0]),
        probe=probe,
        terms=None,
        need_weight=0.0,
        need_slope=1.0,
        need_intercept=float(intercept[0]),
        need_size=0.0,
        need_skills=1.0,
        share=0.5,
    )


def _hardest(example: Example) -> Example:
    """The example with its gold skills and its best candidates by each of three scores.

    The others teach a ranker nothing, and take most of the time.
    """
    keep = example.labels > 0
    for name in _HARD:
        order = np.argsort(-example.features[:, FEATURES.index(name)], kind="stable")
        keep[order[:_HARDEST]] = True
    return replace(
        example,
        rows=example.rows[keep],
        features=example.features[keep],
        parts=example.parts[keep],
        labels=example.labels[keep],
    )


def _padded(
    found: Sequence[Example], mean: Float32, scale: Float32
) -> tuple[Float32, Float32, NDArray[np.bool_]]:
    longest = max(len(e.rows) for e in found)
    x = np.zeros((len(found), longest, len(FEATURES)), dtype=np.float32)
    y = np.zeros((len(found), longest), dtype=np.float32)
    mask = np.zeros((len(found), longest), dtype=bool)
    for i, e in enumerate(found):
        x[i, : len(e.rows)] = (e.features - mean) / scale
        y[i, : len(e.rows)] = e.labels
        mask[i, : len(e.rows)] = True
    return x, y, mask


def _gradients(
    parameters: Sequence[Float32],
    x: Float32,
    y: Float32,
    mask: NDArray[np.bool_],
    w: Float32,
) -> list[Float32]:
    """Of the mean loss of a batch: features `(b, m, f)`, labels and mask `(b, m)`, weights."""
    hidden, bias, output, intercept = parameters
    flat = x.reshape(-1, x.shape[2])
    layer = np.tanh(flat @ hidden.T + bias)
    scores = np.where(mask, (layer @ output).reshape(mask.shape), np.float32(-1e9))
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax = exp / exp.sum(axis=1, keepdims=True)
    count = y.sum(axis=1, keepdims=True)
    listwise = np.where(count > 0, softmax - y / np.maximum(count, 1), np.float32(0))
    likely = 1 / (1 + np.exp(-np.clip(scores + intercept, -60, 60)))
    pointwise = np.where(mask, likely - y, np.float32(0)) * np.float32(_POINTWISE)
    weight = w[:, None] / np.float32(len(x))
    d = ((listwise + pointwise) * weight).reshape(-1)
    d_layer = d[:, None] * output * (1 - layer * layer)
    return [
        d_layer.T @ flat,
        d_layer.sum(axis=0),
        layer.T @ d,
        np.array([(pointwise * weight).sum()], dtype=np.float32),
    ]


def cross_fit(
    found: Sequence[Example],
    others: Sequence[Example] = (),
    seeds: int = 1,
    also: Sequence[Example] = (),
) -> list[Float64]:
    """Out-of-fold outputs of every example, `(m,)` each, first of `found`, then of `others`.

    Args:
        found: Examples to fit rankers on.
        others: Further examples of the same folds, which no ranker is fitted on.
        seeds: Rankers fitted per fold, whose outputs are averaged.
        also: Examples that every ranker is fitted on, by their weights as they are.
    """
    both, probe = [*found, *others], Probe(np.empty(0, dtype=np.float32), 0.0)
    scores: list[Float64] = [np.zeros(len(e.rows)) for e in both]

    def fit(fold: int) -> None:
        training = [*weighted([e for e in found if e.fold != fold]), *also]
        for seed in range(seeds):
            ranker = fit_ranker(training, probe, seed)
            for i, e in enumerate(both):
                if e.fold == fold:
                    scores[i] += ranker.outputs(e.features) / seeds

    # Threads: NumPy does the work, outside of Python's lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fit, range(FOLDS)))
    return scores


def fit_logistic(
    x: Float64, labels: Float64, weights: Float64, ridge: float = 0.0
) -> tuple[Float64, float]:
    """Logistic regression by Newton's method: weights `(d,)` and intercept.

    Args:
        x: Inputs `(n, d)`.
        labels: 0 or 1 `(n,)`.
        weights: Of the rows `(n,)`.
        ridge: Penalty on the squared weights, not on the intercept.
    """
    inputs = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    penalty = np.diag([*[ridge] * x.shape[1], 0.0]) + 1e-9 * np.eye(inputs.shape[1])
    theta = np.zeros(inputs.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(inputs @ theta, -30, 30)))
        gradient = inputs.T @ (weights * (p - labels)) + penalty @ theta
        curvature = (inputs * (weights * p * (1 - p) + 1e-12)[:, None]).T @ inputs + penalty
        step = np.linalg.solve(curvature, gradient)
        # A step too long for the curve's flat ends would never come back.
        theta -= step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-7:
            break
    return theta[:-1], float(theta[-1])


def logistic(x: Float64) -> Float64:
    """The logistic curve."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), dtype=np.float64)
