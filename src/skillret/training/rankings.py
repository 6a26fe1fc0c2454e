"""What several systems find for the training queries: where hard negatives come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from skillret.arrays import top_rows
from skillret.encoders import Encoder
from skillret.evaluation.runs import check_run, read_run
from skillret.evaluation.systems import open_searcher, rank_queries
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.training.augment import SECTION
from skillret.training.rows import Tables, table_texts
from skillret.training.teacher import encode_tables
from skillret.types import Skill

__all__ = ["Ranking", "dense", "from_run", "hybrid", "lexical"]

# Skill rows best first, their scores, and the score of every gold skill (by row).
Ranking: TypeAlias = tuple[Sequence[int], Sequence[float], Mapping[int, float]]


def dense(
    tables: Tables, encoder: Encoder, queries: Sequence[int], depth: int
) -> Iterator[Ranking]:
    """By cosine, exactly; one ranking for each row of a query, as all of these."""
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


def lexical(tables: Tables, queries: Sequence[int], depth: int) -> Iterator[Ranking]:
    """By BM25."""
    documents = zip(
        table_texts(tables.skills, "name"), table_texts(tables.skills, "document"), strict=True
    )
    skills = ((row, Skill(str(row), n, "", d)) for row, (n, d) in enumerate(documents))
    index = LexicalIndex(write_lexical(None, skills))
    for query in queries:
        rows, scores = index.search(str(tables.queries[query]["text"]), depth)
        yield _found(tables, query, rows.tolist(), scores.tolist())


def hybrid(
    tables: Tables,
    skills: Sequence[Skill],
    encoder: Encoder,
    queries: Sequence[int],
    depth: int,
) -> Iterator[Ranking]:
    """By our own retriever, as a search ranks: with what was fitted for the encoder.

    Args:
        tables: The tables.
        skills: Those of the tables, in their order; parts of skills are not searched.
        encoder: Of the retriever.
        queries: Rows.
        depth: Skills of each ranking.
    """
    rows = [row for row, skill in enumerate(skills) if not skill.id.endswith(SECTION)]
    searcher = open_searcher([skills[row] for row in rows], "hybrid", encoder)
    texts = ((str(query), str(tables.queries[query]["text"])) for query in queries)
    for query, ranking in rank_queries(searcher, texts, depth):
        keys = [rows[key] for key in ranking.keys.tolist()]
        yield _found(tables, int(query), keys, ranking.scores.tolist())


def from_run(tables: Tables, file: Path, queries: Sequence[int]) -> Iterator[Ranking]:
    """As a TREC run says, whichever system made it; a query that it lacks has an empty ranking.

    Copies of a query (`repeat` of a recipe) have the original's ranking.

    Raises:
        InputError: If it cannot be read, or is of another data set.
    """
    run = read_run(file)
    rows = {str(id_): row for row, id_ in enumerate(table_texts(tables.skills, "id"))}
    check_run(run, table_texts(tables.queries, "id"), rows, file.name)
    for query in queries:
        id_ = str(tables.queries[query]["id"])
        hits = run.get(id_) or run.get(id_.partition("#")[0]) or []
        yield _found(tables, query, [rows[s] for s, _ in hits], [score for _, score in hits])


def _found(tables: Tables, query: int, rows: Sequence[int], scores: Sequence[float]) -> Ranking:
    """A ranking that knows the scores of those gold skills that are in it."""
    by_row = dict(zip(rows, scores, strict=True))
    return rows, scores, {g: by_row[g] for g in tables.gold[query] if g in by_row}
