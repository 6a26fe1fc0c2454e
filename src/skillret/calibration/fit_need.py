"""Fitting the judgement whether a query needs any skill at all.

A probe, logistic regression on the vectors of queries, tells what asks for something from small
talk; need is a second one on the probe's evidence and the best candidate's output. Queries of
data sets are whole sentences for the most part. People type commands ("resize images") as well,
and would be turned away; so the names of skills and the first words of their descriptions stand in
for commands: as they are, as one says a second query ("After that, ..."), or asked for ("can you
..."). What is as short and needs no skill are turns of a conversation ("yes please") and casual
questions, both of them also as politely put. The probe is shown casual tasks as well, and sentences
of mere background.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from skillret.arrays import Float64
from skillret.calibration.composed import join
from skillret.calibration.examples import FOLDS, Example, Pool, fold_numbers, kind_weights
from skillret.calibration.fit_ranker import fit_logistic
from skillret.calibration.written import asked, written
from skillret.encoders import Encoder
from skillret.retrieval.query import clean_query
from skillret.retrieval.ranker import Probe, Ranker
from skillret.types import Query, Skill

__all__ = ["fit_need", "fit_probes", "rescale_need", "short_queries"]

_COMMANDS = 700  # skills that commands are made of
# Of short queries. Casual ones are rare in data sets, but what people type.
_WEIGHTS = {
    "command": 0.6,
    "turn": 0.6,
    "turn, asked": 0.6,
    "casual": 2.0,
    "casual, asked": 1.0,
}
_SMALL_WEIGHT = 0.003  # of the queries of smaller libraries
_RIDGE = 0.3  # of the probe, on unit vectors
_SLIGHT = 1e-3  # keeps a curve finite where no query is in doubt
_HIGH = 0.9  # quantile of needless queries that libraries of two sizes are compared at
_WORDS = (2, 8)  # of a command; a name may be one
# How casual tasks begin that cannot be put into "can you ...?".
_NO_VERB = re.compile(r"(what|which|why|who|is|are|can|there|someone|my|our|the|need)\b")
_CLAUSE = re.compile(r"[.,;:(]| [-\u2013\u2014] | (?:when|using|with|for) ")


def short_queries(pool: Pool, seed: int) -> Pool:
    """The same library with other queries: commands made of its skills, and what needs none.

    Args:
        pool: The library.
        seed: Decides which skills.
    """
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    rows = draw.sample(range(len(pool.skills)), min(_COMMANDS, len(pool.skills)))
    queries: list[Query] = []
    gold: dict[str, frozenset[int]] = {}
    for row in rows:
        for command in _texts(pool.skills[row]):
            forms = (command, join(command, draw), asked(command, written("asked"), draw))
            text = draw.choice(forms)
            query = Query(f"\0command-{len(queries)}", text, {"kind": "command"})
            queries.append(query)
            gold[query.id] = frozenset({row})
    for kind, texts, ways in (
        ("turn", written("turns"), written("answered")),
        ("casual", written("idle"), written("mentioned")),
    ):
        for number, text in enumerate(texts):
            queries.append(Query(f"\0{kind}-{number}", text, {"kind": kind}))
            said = asked(text, ways, draw)
            extra = {"kind": f"{kind}, asked", "plain": text}
            queries.append(Query(f"\0{kind}-{number}-asked", said, extra))
    return replace(pool, queries=queries, gold=gold)


def _texts(skill: Skill) -> Iterator[str]:
    first = _CLAUSE.split(skill.description)[0]
    for text, least in ((re.sub(r"[-_]+", " ", skill.name), 1), (first, _WORDS[0])):
        words = text.split()
        if least <= len(words) <= _WORDS[1]:
            yield " ".join(words)


def fit_probes(pool: Pool, short: Pool, folds: Mapping[str, int], encoder: Encoder) -> list[Probe]:
    """A probe for every fold, fitted without it, and behind them one fitted on all.

    Args:
        pool: Queries, those without gold skills needing none.
        short: As `short_queries` makes them.
        folds: Of both.
        encoder: Made the pool's vectors.
    """
    queries = [*pool.queries, *short.queries]
    # Beside them what belongs to no library.
    draw = random.Random(0)  # noqa: S311 (not for secrets)
    ways, plain = written("asked"), written("tasks")
    casual = (*plain, *[asked(t, ways, draw) for t in plain if not _NO_VERB.match(t)])
    others = [Query(f"\0other-{i}", t) for i, t in enumerate((*casual, *written("background")))]
    tasks = np.arange(len(others)) < len(casual)
    other_folds = fold_numbers(others, {})
    texts = [clean_query(q.text) for q in [*queries, *others]]
    x = encoder.encode_queries(texts).astype(np.float64)
    gold = {**pool.gold, **short.gold}
    y = np.concatenate([[bool(gold.get(q.id)) for q in queries], tasks]).astype(np.float64)
    other_weights = np.where(tasks, _WEIGHTS["casual"], 1.0)
    w = np.concatenate([kind_weights(pool.queries), _weights(short.queries), other_weights])
    fold = np.array([folds[q.id] for q in queries] + [other_folds[q.id] for q in others])
    probes = []
    for left_out in range(FOLDS + 1):
        kept = fold != left_out
        weights, bias = fit_logistic(x[kept], y[kept], w[kept], _RIDGE)
        probes.append(Probe(weights.astype(np.float32), bias))
    return probes


def fit_need(
    ranker: Ranker,
    examples: Sequence[Example],
    outputs: Sequence[Float64],
    *,
    whole: int,
    short: int,
) -> Ranker:
    """The ranker with its judgement of need.

    Args:
        ranker: Gets the weights; it has its probe already.
        examples: First those of the whole library, last short queries, between them those of
            smaller libraries, where a needed skill may be absent.
        outputs: Of all examples, out of fold.
        whole: Number of the first.
        short: Number of the last.
    """
    x = np.array([[e.evidence, o.max()] for e, o in zip(examples, outputs, strict=True)])
    y = np.array([float(e.labels.any() or e.missed > 0) for e in examples])
    # Queries of smaller libraries sharpen the judgement of what is absent; those of the whole
    # library are what is asked.
    w = np.array([e.weight for e in examples])
    w[whole:] *= _SMALL_WEIGHT
    w[len(w) - short :] = _weights([e.query for e in examples[len(w) - short :]])
    (weight, slope), intercept = fit_logistic(x, y, w, _SLIGHT)
    odds = x @ np.array([weight, slope]) + intercept
    return replace(
        ranker,
        need_weight=float(weight),
        need_slope=float(slope),
        need_intercept=float(intercept),
        need_size=_size(examples, odds),
        need_skills=float(examples[0].skills),
    )


def _weights(short: Sequence[Query]) -> Float64:
    """Of short queries."""
    return np.array([_WEIGHTS[str(q.extra.get("kind"))] for q in short], dtype=np.float64)


def _size(examples: Sequence[Example], odds: Float64) -> float:
    """How much less needless queries look like others in the smallest library, per logarithm.

    The best of many chance fits is better than the best of few. What is added makes as many
    needless queries stay below a threshold there as in the whole library.
    """
    skills = np.array([e.skills for e in examples])
    needless = np.array([e.query.extra.get("kind") == "negative" for e in examples])
    least, most = skills.min(), skills.max()
    few, many = (odds[needless & (skills <= 1.5 * least)], odds[needless & (skills == most)])
    if most < 2 * least or not len(few):
        return 0.0
    gain = np.quantile(many, _HIGH) - np.quantile(few, _HIGH)
    return max(0.0, float(gain / np.log(most / least)))


def rescale_need(
    ranker: Ranker, found: Sequence[Example], outputs: Sequence[Float64], needed: Sequence[bool]
) -> Ranker:
    """The ranker with its own judgement of need, its log odds stretched and shifted to fit."""
    pairs = zip(outputs, found, strict=True)
    odds = np.array([ranker.need_odds(o, e.evidence, e.skills) for o, e in pairs])
    weights = np.array([e.weight for e in found])
    labels = np.array(needed, dtype=np.float64)
    (stretch,), shift = fit_logistic(odds[:, None], labels, weights, _SLIGHT)
    return replace(
        ranker,
        need_weight=float(stretch * ranker.need_weight),
        need_slope=float(stretch * ranker.need_slope),
        need_intercept=float(stretch * ranker.need_intercept + shift),
        need_size=float(stretch * ranker.need_size),
    )
