"""Hard negatives: what an encoder and BM25 take for the answer and no label says is one.

Candidates are filtered for likely false negatives by name, by text overlap (SkillRouter,
arXiv:2603.22455, section 4) and by score relative to the positive's (NV-Retriever,
arXiv:2407.15831, section 3.2). Pairs that are left with too few get random skills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import cycle, islice, zip_longest
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import top_rows
from skillret.encoders import Encoder
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.training.augment import SECTION
from skillret.training.duplicates import jaccard, shingles
from skillret.training.rows import Tables, table_texts
from skillret.training.sections import NegativesSection
from skillret.training.teacher import encode_tables
from skillret.types import Skill

__all__ = ["Ranking", "mine", "pick"]

Int64: TypeAlias = NDArray[np.int64]
# Skill rows best first, their scores, and the score of every gold skill (by row).
Ranking: TypeAlias = tuple[Sequence[int], Sequence[float], Mapping[int, float]]

_TRIES = 100  # random rows for one pair that may turn out to be likely answers
_SLACK = 50  # ranks beyond the last wanted one, for gold skills on the way and BM25's positive


def mine(
    tables: Tables, section: NegativesSection, encoder: Encoder | None, seed: int
) -> tuple[Int64, str]:
    """Mine negatives for all pairs.

    Args:
        tables: Skills of a dev split that was made from them, and sections, are never taken.
        section: `negatives` of the recipe.
        encoder: The miner, if `section.sources` asks for one.
        seed: Of the random ones.

    Returns:
        int64 `(pairs, per_pair)` of skill rows, and a line for people.
    """
    by_query: dict[int, list[int]] = {}
    for number, query in enumerate(tables.pairs[:, 0].tolist()):
        by_query.setdefault(query, []).append(number)
    depth = section.last_rank + _SLACK
    streams = []
    for source in section.sources:
        if source == "encoder":
            assert encoder is not None
            streams.append(_dense(tables, encoder, list(by_query), depth))
        else:
            streams.append(_lexical(tables, list(by_query), depth))
    ids = enumerate(table_texts(tables.skills, "id"))
    held_out = tables.held_out | {i for i, id_ in ids if str(id_).endswith(SECTION)}
    names = [n.strip().lower() for n in table_texts(tables.skills, "name")]
    allowed = np.array([i for i in range(len(names)) if i not in held_out])
    draw = np.random.default_rng(seed)
    out = np.zeros((len(tables.pairs), section.per_pair), dtype=np.int64)
    counts: Counter[str] = Counter()

    @lru_cache(maxsize=4096)
    def trigrams(row: int) -> NDArray[np.uint64]:
        return shingles(str(tables.skills[row]["document"]), 3)

    for query, rankings in zip(by_query, zip(*streams, strict=True), strict=True):
        gold = tables.gold[query]
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
            lists = [_candidates(r, positive, section, fault, counts) for r in rankings]
            chosen = pick(lists, section.per_pair)
            counts["mined"] += len(chosen)
            counts["random"] += section.per_pair - len(chosen)
            out[number] = _filled(chosen, section.per_pair, allowed, gold, fault, draw)
    told = ", ".join(f"{counts[k]:,} {k}" for k in ("mined", "random"))
    left = ", ".join(f"{counts[k]:,} by {k}" for k in ("name", "overlap", "score"))
    return out, f"hard negatives: {told}; left out: {left}"


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
    ranking: Ranking,
    positive: int,
    section: NegativesSection,
    fault: Callable[[int], str | None],
    counts: Counter[str],
) -> list[int]:
    rows, scores, gold_scores = ranking
    # A positive that the source did not find at all scores below everything it did find.
    own = gold_scores.get(positive, min(scores, default=0.0))
    limit = own * section.max_share if own > 0 else own
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


def _dense(
    tables: Tables, encoder: Encoder, queries: Sequence[int], depth: int
) -> Iterator[Ranking]:
    files = tables.folder / "miner-queries.npy", tables.folder / "miner-documents.npy"
    encode_tables(encoder, tables, *files)
    asked, documents = np.load(files[0], mmap_mode="r"), np.load(files[1])
    for start in range(0, len(queries), 256):
        block = list(queries[start : start + 256])
        for query, line in zip(block, np.asarray(asked[block]) @ documents.T, strict=True):
            rows = top_rows(line, depth)
            gold = {g: float(line[g]) for g in tables.gold[query]}
            yield rows.tolist(), line[rows].tolist(), gold
    for file in files:
        file.unlink()


def _lexical(tables: Tables, queries: Sequence[int], depth: int) -> Iterator[Ranking]:
    documents = zip(
        table_texts(tables.skills, "name"), table_texts(tables.skills, "document"), strict=True
    )
    skills = ((row, Skill(str(row), n, "", d)) for row, (n, d) in enumerate(documents))
    index = LexicalIndex(write_lexical(None, skills))
    for query in queries:
        rows, scores = index.search(str(tables.queries[query]["text"]), depth)
        found = dict(zip(rows.tolist(), scores.tolist(), strict=True))
        gold = {g: found[g] for g in tables.gold[query] if g in found}
        yield list(found), list(found.values()), gold
