"""What a query's reader learns from: the candidates that a ranker has for it without late tokens.

The ranker knows words and single vectors. What late interaction is to add is what these leave
open, so its training begins from the ranker's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import Float32
from skillret.encoders import Encoder
from skillret.files import replacing
from skillret.index.memory import corpus_of
from skillret.lexical.grams import gram_reader
from skillret.retrieval.candidates import find_candidates
from skillret.retrieval.features import LATE, columns
from skillret.retrieval.query import read_queries
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.term_head import term_factors
from skillret.types import Skill

__all__ = ["Found", "Group", "group", "pick", "rank", "read_found", "write_found"]

# A candidate so like a gold skill may well do: it is no negative.
_ALIKE = 0.95  # cosine
_FIRST = (2, 3)  # of the negatives of a step so many are the ranker's best, the rest by chance


class Found(NamedTuple):
    """Candidates of a query, best first.

    Attributes:
        rows: Of the skills, int32 `(m,)`.
        outputs: Of the ranker, float32 `(m,)`.
    """

    rows: NDArray[np.int32]
    outputs: Float32


class Group(NamedTuple):
    """A query to learn from.

    Attributes:
        ids: Of its tokens.
        gold: Rows of its gold skills.
        found: Its candidates: first the gold ones, then those that are not, best first.
        golds: How many of them are gold.
        weight: How often it is drawn, beside others.
        sure: What the ranker's outputs are multiplied by.
    """

    ids: Sequence[int]
    gold: frozenset[int]
    found: Found
    golds: int
    weight: float = 1.0
    sure: float = 1.0


def rank(
    texts: Sequence[str],
    skills: Sequence[Skill],
    vectors: Float32,
    encoder: Encoder,
    ranker: Ranker,
    depth: int,
    gold: Sequence[frozenset[int]] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Found]:
    """The ranker's best candidates for each query, without late interaction.

    Args:
        texts: Queries, clean.
        skills: All skills.
        vectors: Theirs, float32 `(n, dim)`.
        encoder: Made the vectors, and shows tokens.
        ranker: Fitted for it.
        depth: How many.
        gold: Rows of skills that are taken in any case if they are candidates, by query.
        progress: Takes how many queries are done, and how many there are.
    """
    plain = ranker.without(LATE)
    grams = [gram_reader().read_skill(skill) for skill in skills]
    corpus = corpus_of(skills, vectors, encoder.profile, grams)
    for number, query in enumerate(read_queries(texts, encoder, tokens=True)):
        asking = plain.probe.asking(query.vectors)
        e = find_candidates(query, corpus, asking, term_factors(plain.terms, query))
        outputs = plain.outputs(columns(plain.features, e), e.excluded)
        order = np.argsort(-outputs, kind="stable")
        taken = np.zeros(len(order), dtype=np.bool_)
        taken[order[:depth]] = True
        if gold is not None:
            taken |= np.isin(e.keys, list(gold[number]))
        order = order[taken[order]]
        yield Found(e.keys[order].astype(np.int32), outputs[order].astype(np.float32))
        progress(number + 1, len(texts))


def write_found(found: Sequence[Found], file: Path) -> None:
    """Write candidates; see `read_found`."""
    ends = np.cumsum([len(f.rows) for f in found], dtype=np.int64)
    rows, outputs = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    with replacing(file) as out:
        np.savez(out, ends=ends, rows=rows, outputs=outputs)


def read_found(file: Path) -> list[Found]:
    """The candidates of each query, as `write_found` wrote them."""
    with np.load(file, allow_pickle=False) as held:
        ends = held["ends"][:-1]
        pieces = (np.split(held[name], ends) for name in ("rows", "outputs"))
        return [Found(*both) for both in zip(*pieces, strict=True)]


def group(
    ids: Sequence[int],
    gold: frozenset[int],
    found: Found,
    names: Sequence[str],
    vectors: Float32,
) -> Group | None:
    """What is to be learnt from a query; None if no gold skill is found, or nothing else.

    Candidates that have the name of a gold skill or a vector like its are left out.

    Args:
        ids: Of the query's tokens.
        gold: Rows of its gold skills.
        found: Its candidates.
        names: Of all skills.
        vectors: Of all skills, float32 `(n, dim)`.
    """
    held = np.isin(found.rows, list(gold))
    own = found.rows[held]
    known = {names[row] for row in own.tolist()}
    alike = (vectors[own] @ vectors[found.rows].T).max(axis=0, initial=-1) >= _ALIKE
    same = np.array([names[row] in known for row in found.rows.tolist()], dtype=np.bool_)
    others = ~(held | same | alike)
    if not len(own) or not others.any():
        return None
    order = np.concatenate([np.flatnonzero(held), np.flatnonzero(others)])
    return Group(ids, gold, Found(found.rows[order], found.outputs[order]), len(own))


def pick(group: Group, count: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Places of the candidates that a step looks at: all gold ones first, then others.

    Args:
        group: Has them.
        count: How many, as far as there are; at least one that is not gold.
        draw: Decides which of the less likely ones.
    """
    count = max(1, count - group.golds)
    top = group.golds + count * _FIRST[0] // _FIRST[1]
    every = np.arange(len(group.found.rows))
    tail = every[top:]
    more = draw.choice(tail, min(len(tail), group.golds + count - top), replace=False)
    return np.concatenate([every[:top], more])
