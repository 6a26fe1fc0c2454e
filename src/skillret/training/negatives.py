"""Hard negatives: what retrieval takes for the answer and no label says is one.

Candidates are filtered for likely false negatives by name, by text overlap (SkillRouter,
arXiv:2603.22455, section 4) and by score relative to the positive's (NV-Retriever,
arXiv:2407.15831, section 3.2). Pairs that are left with too few get random skills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import cycle, islice, zip_longest
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.datasets.duplicates import jaccard, shingles
from skillret.encoders import Encoder
from skillret.files import expand
from skillret.training import rankings
from skillret.training.augment import SECTION
from skillret.training.rows import Tables, table_texts
from skillret.training.sections import NegativesSection
from skillret.types import Skill

__all__ = ["mine", "pick"]

Int64: TypeAlias = NDArray[np.int64]

_TRIES = 100  # random rows for one pair that may turn out to be likely answers
_SLACK = 50  # ranks beyond the last wanted one, for gold skills on the way and BM25's positive


def mine(
    tables: Tables,
    section: NegativesSection,
    encoder: Encoder | None,
    seed: int,
    skills: Sequence[Skill] = (),
) -> tuple[Int64, str]:
    """Mine negatives for all pairs.

    Args:
        tables: Skills of a dev split that was made from them, and sections, are never taken.
        section: `negatives` of the recipe.
        encoder: The miner, if `section.sources` asks for one.
        seed: Of the random ones.
        skills: Those of the tables, if `section.sources` asks for the retriever.

    Returns:
        int64 `(pairs, per_pair)` of skill rows, and a line for people.
    """
    by_query: dict[int, list[int]] = {}
    for number, query in enumerate(tables.pairs[:, 0].tolist()):
        by_query.setdefault(query, []).append(number)
    depth = section.last_rank + _SLACK
    streams = [
        _stream(source, tables, section, encoder, skills, list(by_query), depth)
        for source in section.sources
    ]
    ids = [str(id_) for id_ in table_texts(tables.skills, "id")]
    rows = {id_: row for row, id_ in enumerate(ids)}
    # Of a part the whole skill, which is an answer too.
    wholes = {
        row: rows[id_.removesuffix(SECTION)]
        for row, id_ in enumerate(ids)
        if id_.endswith(SECTION) and id_.removesuffix(SECTION) in rows
    }
    held_out = tables.held_out | {i for i, id_ in enumerate(ids) if id_.endswith(SECTION)}
    names = [n.strip().lower() for n in table_texts(tables.skills, "name")]
    allowed = np.array([i for i in range(len(names)) if i not in held_out])
    draw = np.random.default_rng(seed)
    out = np.zeros((len(tables.pairs), section.per_pair), dtype=np.int64)
    counts: Counter[str] = Counter()

    @lru_cache(maxsize=4096)
    def trigrams(row: int) -> NDArray[np.uint64]:
        return shingles(str(tables.skills[row]["document"]), 3)

    for query, found in zip(by_query, zip(*streams, strict=True), strict=True):
        gold = tables.gold[query]
        gold = (*gold, *tables.also.get(query, ()), *(wholes[g] for g in gold if g in wholes))
        groups = {int(tables.groups[s]) for s in gold}

        def fault(row: int, gold: Sequence[int] = gold, groups: set[int] = groups) -> str | None:
            if row in gold or int(tables.groups[row]) in groups:
                return "gold"
            if row in held_out:
                return "dev"
            if not section.same_name and names[row] in {names[g] for g in gold}:
                return "name"
            if section.max_overlap < 1 and any(
                jaccard(trigrams(row), trigrams(g)) > section.max_overlap for g in gold
            ):
                return "overlap"
            return None

        for number in by_query[query]:
            positive = int(tables.pairs[number, 1])
            lists = [_candidates(r, positive, section, fault, counts) for r in found]
            chosen = pick(lists, section.per_pair)
            counts["mined"] += len(chosen)
            counts["random"] += section.per_pair - len(chosen)
            out[number] = _filled(chosen, section.per_pair, allowed, gold, fault, draw)
    told = ", ".join(f"{counts[k]:,} {k}" for k in ("mined", "random"))
    left = ", ".join(f"{counts[k]:,} by {k}" for k in ("name", "overlap", "score"))
    return out, f"hard negatives: {told}; left out: {left}"


def _stream(
    source: str,
    tables: Tables,
    section: NegativesSection,
    encoder: Encoder | None,
    skills: Sequence[Skill],
    queries: Sequence[int],
    depth: int,
) -> Iterator[rankings.Ranking]:
    """What one source finds for each query."""
    if source == "bm25":
        return rankings.lexical(tables, queries, depth)
    if source == "run":
        return rankings.from_run(tables, expand(section.run), queries)
    assert encoder is not None
    if source == "retriever":
        return rankings.hybrid(tables, skills, encoder, queries, depth)
    return rankings.dense(tables, encoder, queries, depth)


def pick(lists: Sequence[Sequence[int]], count: int) -> list[int]:
    """The first `count` different rows, taken from the lists in turn."""
    chosen: dict[int, None] = {}
    for rows in zip_longest(*lists):
        for row in rows:
            if row is not None and len(chosen) < count:
                chosen.setdefault(row)
    return list(chosen)


def _filled(
    mined: Sequence[int],
    count: int,
    allowed: Int64,
    gold: Sequence[int],
    fault: Callable[[int], str | None],
    draw: np.random.Generator,
) -> list[int]:
    """Mined rows and random ones; in a tiny library faulty or repeated ones, rather than none."""
    chosen = list(mined)
    for _ in range(_TRIES):
        if len(chosen) == count:
            return chosen
        row = int(draw.choice(allowed))
        if row not in chosen and fault(row) is None:
            chosen.append(row)
    rest = [row for row in draw.permutation(allowed).tolist() if row not in gold]
    fresh = [row for row in rest if row not in chosen]
    return [*chosen, *islice(cycle(fresh or rest or allowed.tolist()), count - len(chosen))]


def _candidates(
    ranking: rankings.Ranking,
    positive: int,
    section: NegativesSection,
    fault: Callable[[int], str | None],
    counts: Counter[str],
) -> list[int]:
    rows, scores, gold_scores = ranking
    # A positive that the source did not find at all scores below everything it did find.
    own = gold_scores.get(positive, min(scores, default=0.0))
    limit = own * section.max_share if own > 0 else own
    if not section.max_share:
        limit = float("inf")
    found: list[int] = []
    rank = 0
    for row, score in zip(rows, scores, strict=True):
        if len(found) == section.per_pair or rank == section.last_rank:
            break
        if row in gold_scores:
            continue
        rank += 1
        if rank < section.first_rank:
            continue
        if score > limit:
            counts["score"] += 1
            continue
        reason = fault(row)
        if reason is None:
            found.append(row)
        else:
            counts[reason] += 1
    return found
