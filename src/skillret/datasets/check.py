"""What is wrong with a data set: what evaluation refuses, and what makes its figures doubtful."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, TypeVar

from skillret.datasets.columns import parse_label, parse_query, parse_skill
from skillret.datasets.dataset import published
from skillret.datasets.labelled import one_gold, whole_factor
from skillret.datasets.layouts import open_source
from skillret.datasets.row_files import Row
from skillret.datasets.source import RowSource
from skillret.errors import DatasetError
from skillret.types import Skill

__all__ = ["Check", "Finding", "check_dataset"]

_FEW_QUERIES = 100
_EXAMPLES = 3
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of fault.

    Attributes:
        split: Where, or `a, b` for two splits.
        what: What it is, to be read after the count if there are examples.
        count: How often.
        examples: The first of them; none where the split as a whole is meant.
        refused: Whether evaluation refuses the split because of it.
    """

    split: str
    what: str
    count: int
    examples: tuple[str, ...]
    refused: bool


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found.

    Attributes:
        dataset: As it was asked for.
        layout: `skillret`, `beir`, `library` or `queries`.
        splits: Per split its `revision` and counts: `skills`, `queries`, `qrels`, `negatives`,
            `characters` of all skills, and `k=1`, `k=2`, ...: queries by number of gold skills.
        findings: The faults, refused ones first.
    """

    dataset: str
    layout: str
    splits: Mapping[str, Mapping[str, Any]]
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether evaluation takes every split."""
        return not any(f.refused for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The check as plain JSON types."""
        return {
            "dataset": self.dataset,
            "layout": self.layout,
            "ok": self.ok,
            "splits": {name: dict(counts) for name, counts in self.splits.items()},
            "findings": [
                {
                    "split": f.split,
                    "what": f.what,
                    "count": f.count,
                    "examples": list(f.examples),
                    "refused": f.refused,
                }
                for f in self.findings
            ],
        }


@dataclass(slots=True)
class _Notes:
    """Faults of one place, counted as they are met."""

    split: str
    counts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, example: str | None = None, *, refused: bool = False) -> None:
        self.counts[what, refused] += 1
        shown = self.examples.setdefault(what, [])
        if example is not None and len(shown) < _EXAMPLES:
            shown.append(example)

    def findings(self) -> Iterator[Finding]:
        for (what, refused), count in self.counts.items():
            yield Finding(self.split, what, count, tuple(self.examples[what]), refused)


@dataclass(slots=True)
class _Split:
    """What of one split is kept: ids and hashes, no texts."""

    skills: dict[str, bytes] = field(default_factory=dict)
    queries: dict[str, bytes] = field(default_factory=dict)
    gold: dict[str, set[str]] = field(default_factory=dict)
    negatives: dict[str, bytes] = field(default_factory=dict)
    characters: int = 0


def check_dataset(
    spec: str | os.PathLike[str], libraries: Sequence[str | os.PathLike[str]] = ()
) -> Check:
    """Read every split of a data set and collect its faults instead of stopping at the first.

    Rows are parsed by the code that evaluation uses, so what it refuses is found here.

    Args:
        spec: As in `open_source`.
        libraries: Folders of the skills that a file of queries names.

    Raises:
        DatasetError: If there is no such data set.
        InputError: As `open_source`.
    """
    source = open_source(spec, libraries=libraries)
    names = source.splits()
    if not names:
        raise DatasetError(f"{spec} has no split")
    splits: dict[str, _Split] = {}
    counts: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for name in names:
        notes = _Notes(name)
        split = splits[name] = _read_split(source, name, notes)
        for note in source.notes:
            notes.add(note)
        for note in published(len(split.skills), len(split.queries)):
            notes.add(note)
        findings += notes.findings()
        sizes = Counter(len(gold) for id_, gold in split.gold.items() if id_ in split.queries)
        counts[name] = {
            "revision": source.revision(name),
            "skills": len(split.skills),
            "queries": len(split.queries),
            "qrels": sum(map(len, split.gold.values())),
            "negatives": len(split.negatives),
            "characters": split.characters,
            **{f"k={k}": sizes[k] for k in sorted(sizes)},
        }
    for a, b in combinations(names, 2):
        notes = _Notes(f"{a}, {b}")
        _leaks(splits[a], splits[b], notes, one_corpus=source.one_corpus)
        findings += notes.findings()
    findings.sort(key=lambda f: not f.refused)
    return Check(os.fspath(spec), source.layout, counts, findings)


def _read_split(source: RowSource, name: str, notes: _Notes) -> _Split:
    split = _Split()
    copies: dict[bytes, str] = {}
    for skill in _parsed(source, "skills", name, parse_skill, notes):
        if skill.id in split.skills:
            notes.add("skills are there twice (by id)", skill.id, refused=True)
            continue
        content = split.skills[skill.id] = _content(skill)
        split.characters += len(skill.name) + len(skill.description) + len(skill.body)
        first = copies.setdefault(content, skill.id)
        if first != skill.id:
            notes.add("skills are copies of another one (equal content)", f"{skill.id} = {first}")
        _empty_parts(skill, notes)
    _read_queries(source, name, split, notes)
    _read_labels(source, name, split, notes)
    return split


def _empty_parts(skill: Skill, notes: _Notes) -> None:
    if not (skill.description.strip() or skill.body.strip()):
        notes.add("skills have no text beside their name", skill.id)
    elif not skill.description.strip():
        notes.add("skills have no description", skill.id)
    elif not skill.body.strip():
        notes.add("skills have no body", skill.id)


def _read_queries(source: RowSource, name: str, split: _Split, notes: _Notes) -> None:
    texts: dict[bytes, str] = {}
    for query in _parsed(source, "queries", name, parse_query, notes):
        if query.id in split.queries:
            notes.add("queries are there twice (by id)", query.id, refused=True)
            continue
        text = split.queries[query.id] = _hash(query.text)
        first = texts.setdefault(text, query.id)
        if first != query.id:
            notes.add("queries have the text of another one", f"{query.id} = {first}")
    if 0 < len(split.queries) < _FEW_QUERIES:
        points = 196 * 0.4 / len(split.queries) ** 0.5  # 0.4: a usual deviation of NDCG
        notes.add(
            f"with only {len(split.queries)} queries figures are good to about {points:.0f} points"
            " of 100"
        )
    for query in _parsed(source, "negatives", name, parse_query, notes):
        if query.id in split.negatives:
            notes.add("negatives are there twice (by id)", query.id, refused=True)
        text = split.negatives[query.id] = _hash(query.text)
        if text in texts:
            notes.add("negatives have the text of a query", f"{query.id} = {texts[text]}")
    if not split.queries:
        what = "there are no queries"
        if split.negatives:
            what += " that need a skill; at least one must"
        notes.add(what, refused=True)


def _read_labels(source: RowSource, name: str, split: _Split, notes: _Notes) -> None:
    seen: set[tuple[str, str]] = set()
    grades: set[float] = set()
    for query, skill, relevance in _parsed(source, "qrels", name, parse_label, notes):
        pair = f"{query} -> {skill}"
        if (query, skill) in seen:
            notes.add("labels are there twice", pair)
        seen.add((query, skill))
        if relevance <= 0:
            continue
        grades.add(relevance)
        if skill not in split.skills:
            notes.add("labels name a skill that is not there", pair, refused=True)
        if query not in split.queries:
            notes.add("labels name a query that is not there", pair)
        split.gold.setdefault(query, set()).add(skill)
    for query in split.queries:
        if query not in split.gold:
            notes.add("queries have no gold skill and are not scored", query)
    if split.queries and not split.gold.keys() & split.queries.keys():
        notes.add("no query has a gold skill", refused=True)
    if same := one_gold(split.gold.values()):
        notes.add(f"{same}; training and calibration refuse that: is the right column taken?")
    try:
        if grades and (factor := whole_factor(name, grades)) > 1:
            notes.add(f"relevances are fractions; they are grades, all times {factor}")
    except DatasetError as e:
        notes.add(str(e), refused=True)


def _parsed(
    source: RowSource,
    table: str,
    split: str,
    parse: Callable[[Row, str], _Parsed],
    notes: _Notes,
) -> Iterator[_Parsed]:
    """Rows that can be parsed; the others, and a file that cannot be read on, become faults."""
    try:
        for row, where in source.rows(table, split):
            try:
                item = parse(row, where)
            except DatasetError as e:
                notes.add(f"rows of {table} are malformed", str(e), refused=True)
                continue
            yield item
    except DatasetError as e:
        notes.add(f"file of {table} cannot be read", str(e), refused=True)


def _leaks(a: _Split, b: _Split, notes: _Notes, *, one_corpus: bool) -> None:
    """What two splits share; a corpus that all splits share on purpose is none."""
    if not one_corpus:
        other = {content: id_ for id_, content in b.skills.items()}
        for id_, content in a.skills.items():
            if id_ in b.skills:
                notes.add("skills are in both splits (by id)", id_)
            elif content in other:
                notes.add("skills are in both splits (equal content)", f"{id_} = {other[content]}")
    texts = {text: id_ for id_, text in b.queries.items()}
    for id_, text in a.queries.items():
        if text in texts:
            notes.add("queries are in both splits (equal text)", f"{id_} = {texts[text]}")


def _content(skill: Skill) -> bytes:
    """A hash that copies share: of description and body, of the name where those are empty."""
    text = f"{skill.description} {skill.body}"
    return _hash(text if text.strip() else skill.name)


def _hash(text: str) -> bytes:
    """16 bytes that texts share which differ in case and white space only."""
    return hashlib.sha256(" ".join(text.lower().split()).encode()).digest()[:16]
