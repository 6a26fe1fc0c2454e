"""Data sets: SkillRet layout on disk or on the hub, BEIR layout, and a library's own tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from skillret.datasets.beir import BeirFolder
from skillret.datasets.hub import fetch
from skillret.datasets.library_tests import LIBRARY_SPLIT, library_tables
from skillret.datasets.pairs import MemoryTables
from skillret.datasets.tables import (
    RowSource,
    SkillRetFolder,
    parse_label,
    parse_query,
    parse_skill,
    splits,
)
from skillret.errors import DatasetError
from skillret.files import expand
from skillret.skills import Library
from skillret.types import Query, Skill

__all__ = ["NEAR_MISSES", "Dataset", "choose_split", "load_dataset", "open_rows", "published"]

NEAR_MISSES = "negatives are near misses of one skill; another may still fit them"  # a note

_Item = TypeVar("_Item", Skill, Query)

# Skills and queries of the two test splits that were published under one name.
_SKILLRET_TESTS = {
    (6660, 4997): "the test split of the SkillRet paper and of its model cards",
    (6006, 4392): "the reduced test split of hub revision a050ad2, about 3 points easier than the"
    " paper's: do not compare it with published figures",
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """One split of a data set.

    Attributes:
        name: As it was asked for.
        revision: Commit on the hub, or the start of a SHA-256 over the split's files.
        split: Its name.
        skills: The corpus, in file order.
        queries: The labelled requests, in file order.
        qrels: Relevance above 0 of skill ids, by query id.
        negatives: Requests that need no skill.
        notes: What a reader of results should know.
    """

    name: str
    revision: str
    split: str
    skills: list[Skill]
    queries: list[Query]
    qrels: dict[str, dict[str, int]]
    negatives: list[Query]
    notes: tuple[str, ...] = ()


def load_dataset(spec: str, split: str = "test", *, allow_missing: bool = False) -> Dataset:
    """Load one split.

    Args:
        spec: Folder in SkillRet or BEIR layout; folder of skills, whose own tests are the labelled
            requests (one split, `tests`, which is also given for `test`); or `id[@revision]` on
            the hub.
        split: Its name.
        allow_missing: Drop gold labels whose skill is not in the corpus instead of refusing.

    Raises:
        DatasetError: If it is missing, malformed, holds no query, a query or a skill twice, or
            names gold skills that do not exist.
    """
    source, revision = open_rows(spec, split)
    split = choose_split(spec, source, split)
    skills = _unique("skill", (parse_skill(*r) for r in source.rows("skills", split)), spec)
    queries = _unique("query", (parse_query(*r) for r in source.rows("queries", split)), spec)
    negatives = _unique(
        "negative", (parse_query(*r) for r in source.rows("negatives", split)), spec
    )
    if not queries:
        raise DatasetError(f"{spec} holds no query of the split {split!r}")
    qrels: dict[str, dict[str, int]] = {}
    for row in source.rows("qrels", split):
        query_id, skill_id, relevance = parse_label(*row)
        if relevance > 0:
            qrels.setdefault(query_id, {})[skill_id] = relevance
    notes = list(source.notes) if isinstance(source, MemoryTables) else []
    notes += _check_gold(spec, skills, queries, qrels, allow_missing)
    if any(n.extra.get("negative_for") for n in negatives):
        notes.append(NEAR_MISSES)
    notes += published(len(skills), len(queries))
    return Dataset(
        name=spec,
        revision=revision or source.revision(split),
        split=split,
        skills=skills,
        queries=queries,
        qrels=qrels,
        negatives=negatives,
        notes=tuple(notes),
    )


def open_rows(spec: str, split: str = "*") -> tuple[RowSource, str]:
    """The rows of a data set, and its commit on the hub or "".

    Args:
        spec: As in `load_dataset`.
        split: What to fetch from the hub; `*` for all splits.

    Raises:
        DatasetError: If there is no such data set.
    """
    folder = expand(spec)
    if folder.is_file():
        raise DatasetError(f"{spec} is a file; a data set is the folder that holds its tables")
    if not folder.is_dir():
        path, revision = fetch(spec, split)
        return SkillRetFolder(path), revision
    beir = BeirFolder.find(folder)
    if beir is not None:
        return beir, ""
    if splits(folder):
        return SkillRetFolder(folder), ""
    if not Library.open(folder).skills:
        raise DatasetError(
            f"{folder} is no data set: it has neither data/skills/SPLIT.jsonl (SkillRet layout) nor"
            " corpus.jsonl and queries.jsonl (BEIR) nor a SKILL.md in any folder"
        )
    return library_tables(folder), ""


def choose_split(spec: str, source: RowSource, split: str) -> str:
    """The split of that name; of a library's own tests their only one, also for `test`.

    Raises:
        DatasetError: If there is none; the message lists those that there are.
    """
    found = source.splits()
    if split == "test" and found == [LIBRARY_SPLIT]:
        return LIBRARY_SPLIT
    if split not in found:
        raise DatasetError(
            f"{spec} has no split {split!r}; it has: {', '.join(found) or 'none with skills'}"
        )
    return split


def published(n_skills: int, n_queries: int) -> list[str]:
    """A note that tells the two published SkillRet test splits apart; none for other sizes."""
    note = _SKILLRET_TESTS.get((n_skills, n_queries))
    return [f"{n_skills} skills, {n_queries} queries: this is {note}"] if note else []


def _unique(what: str, items: Iterable[_Item], spec: str) -> list[_Item]:
    out: dict[str, _Item] = {}
    for number, item in enumerate(items, start=1):
        if item.id in out:
            raise DatasetError(
                f"{spec}: the {what} {item.id!r} is there twice, again as no. {number}"
            )
        out[item.id] = item
    return list(out.values())


def _check_gold(
    spec: str,
    skills: list[Skill],
    queries: list[Query],
    qrels: dict[str, dict[str, int]],
    allow_missing: bool,
) -> list[str]:
    """Notes on labels without a skill or query, which are dropped; the former only if allowed."""
    known = {s.id for s in skills}
    dangling = [(q, s) for q, gold in qrels.items() for s in gold if s not in known]
    notes = []
    if dangling:
        query_id, skill_id = dangling[0]
        text = (
            f"{spec}: {len(dangling)} gold labels name a skill that is not there, the first is"
            f" {skill_id!r} of query {query_id!r}"
        )
        if not allow_missing:
            raise DatasetError(f"{text}; --allow-missing drops them")
        for query_id, skill_id in dangling:
            del qrels[query_id][skill_id]
        notes.append(f"{text}; dropped")
    ids = {q.id for q in queries}
    strange = [q for q in qrels if q not in ids]
    if strange:
        notes.append(
            f"labels of {len(strange)} queries that are not there, the first is {strange[0]!r};"
            " dropped"
        )
    for query_id in [q for q, gold in qrels.items() if not gold or q not in ids]:
        del qrels[query_id]
    if not qrels:
        raise DatasetError(f"{spec}: no query has a gold skill")
    if len(qrels) < len(queries):
        notes.append(f"{len(queries) - len(qrels)} queries have no gold skill and are not scored")
    return notes
