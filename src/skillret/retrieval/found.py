"""What is told of the skills that a ranking or a selection found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skillret.retrieval.ranking import Ranking
from skillret.retrieval.searcher import Searcher
from skillret.retrieval.selection import Picked
from skillret.types import Hit, Mode

__all__ = ["hits_of", "picked_hits"]


def picked_hits(searcher: Searcher, picked: Sequence[Picked], explained: bool) -> tuple[Hit, ...]:
    """The hits of what was selected, from several rankings perhaps, best first."""
    hits: list[Hit] = []
    # Those of one ranking together: to explain one hit costs nearly as much as many.
    for ranking in {id(p.ranking): p.ranking for p in picked}.values():
        assert isinstance(ranking, Ranking)
        positions = [p.position for p in picked if p.ranking is ranking]
        hits += hits_of(searcher, ranking, "hybrid", explained, positions)
    hits.sort(key=lambda hit: -hit.score)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1))


def hits_of(
    searcher: Searcher,
    ranking: Ranking,
    mode: Mode,
    explained: bool,
    positions: Sequence[int] | None = None,
) -> list[Hit]:
    """The hits of a ranking; those removed by another process meanwhile are left out."""
    keys = ranking.keys.tolist()
    wanted = range(len(keys)) if positions is None else positions
    records = searcher.corpus.records([keys[i] for i in wanted])
    kept = [i for i in wanted if keys[i] in records]
    reasons = {}
    if explained and kept:
        from skillret.retrieval.explain import explain

        some = [keys[i] for i in kept]
        reasons = explain(ranking, some, mode, searcher.corpus, searcher.encoder)
    hits = []
    for rank, i in enumerate(kept, start=1):
        record = records[keys[i]]
        hits.append(
            Hit(
                rank=rank,
                id=record.id,
                name=record.name,
                description=record.description,
                path=record.path,
                score=float(ranking.scores[i]),
                dense=None if ranking.dense is None else float(ranking.dense[i]),
                lexical=None if ranking.lexical is None else float(ranking.lexical[i]),
                explanation=reasons.get(record.key),
                metadata=record.metadata,
                user_only=record.user_only,
            )
        )
    return hits
