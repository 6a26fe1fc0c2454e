"""One split of a data set, held in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from skillret.datasets.labelled import missing_gold, one_gold, open_split
from skillret.errors import DatasetError
from skillret.messages import counted
from skillret.types import Query, Skill

__all__ = ["Dataset", "is_near_miss", "load_dataset", "published"]

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
        queries: The labelled queries, in file order.
        qrels: Relevance above 0 of skill ids, by query id.
        negatives: Queries that need no skill, or not the one that they are near misses of.
        notes: What a reader of results should know.
        nonrelevant: Skill ids that were judged and found wrong, by query id: labelled 0.
    """

    name: str
    revision: str
    split: str
    skills: list[Skill]
    queries: list[Query]
    qrels: dict[str, dict[str, int]]
    negatives: list[Query]
    notes: tuple[str, ...] = ()
    nonrelevant: Mapping[str, Set[str]] = field(default_factory=dict)

    @property
    def needless(self) -> list[Query]:
        """The negatives that need no skill at all: another skill may fit a near miss of one."""
        return [query for query in self.negatives if not is_near_miss(query)]

    @property
    def near_misses(self) -> list[Query]:
        """The other negatives: near misses of single skills."""
        return [query for query in self.negatives if is_near_miss(query)]


def is_near_miss(negative: Query) -> bool:
    """Whether a query that needs no skill was written as a near miss of a single one."""
    return bool(negative.extra.get("negative_for"))


def load_dataset(
    spec: str | os.PathLike[str],
    split: str | None = None,
    *,
    usual: str = "test",
    libraries: Sequence[str | os.PathLike[str]] = (),
    allow_missing: bool = False,
) -> Dataset:
    """Load one split.

    Args:
        spec: As in `open_source`.
        split: As in `open_split`.
        usual: As in `open_split`.
        libraries: Folders of the skills that a file of queries names.
        allow_missing: Drop gold labels whose skill is not in the corpus instead of refusing.

    Raises:
        DatasetError: If it is missing, malformed, holds no query, a query or a skill twice, or
            names gold skills that do not exist.
        InputError: As `open_source`.
    """
    data = open_split(spec, split, usual=usual, libraries=libraries, allow_missing=allow_missing)
    skills, queries = [*data.skills()], [*data.bare_queries()]
    negatives = [*data.bare_queries("negatives")]
    qrels = data.labels()
    notes = [*data.source.notes]
    notes += _check_gold(data.name, skills, queries, qrels, allow_missing)
    notes += published(len(skills), len(queries))
    same = one_gold(qrels.values())
    if same and data.source.layout != "library":
        notes.append(f"{same}: is the right column taken for skills?")
    if data.grading > 1:
        notes.append(
            f"relevances are fractions: they are grades, all times {data.grading}, which leaves"
            " NDCG as it is; for all else any skill above 0 is a gold one"
        )
    dataset = Dataset(
        name=data.name,
        revision=data.revision,
        split=data.split,
        skills=skills,
        queries=queries,
        qrels=qrels,
        negatives=negatives,
        nonrelevant=data.nonrelevant,
    )
    near = len(dataset.near_misses)
    if near:
        notes.append(
            f"{counted(near, 'near miss')} of one skill among"
            f" {counted(len(negatives), 'negative')}, counted apart: another skill may still fit"
        )
    return replace(dataset, notes=tuple(notes))


def published(n_skills: int, n_queries: int) -> list[str]:
    """A note that tells the two published SkillRet test splits apart; none for other sizes."""
    note = _SKILLRET_TESTS.get((n_skills, n_queries))
    return [f"{n_skills} skills, {n_queries} queries: this is {note}"] if note else []


def _check_gold(
    name: str,
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
        text = missing_gold(name, len(dangling), query_id, skill_id)
        if not allow_missing:
            raise DatasetError(f"{text}; `skillret evaluate --allow-missing` drops them")
        for query_id, skill_id in dangling:
            del qrels[query_id][skill_id]
        notes.append(f"{text}; dropped")
    ids = {q.id for q in queries}
    strange = [q for q in qrels if q not in ids]
    if strange:
        notes.append(
            f"dropped the labels of {counted(len(strange), 'missing query')}, the first is"
            f" {strange[0]!r}"
        )
    for query_id in [q for q, gold in qrels.items() if not gold or q not in ids]:
        del qrels[query_id]
    if not qrels:
        raise DatasetError(f"{name}: no query has a gold skill")
    if len(qrels) < len(queries):
        unlabelled = counted(len(queries) - len(qrels), "query")
        notes.append(f"{unlabelled} without a gold skill: not scored")
    return notes
