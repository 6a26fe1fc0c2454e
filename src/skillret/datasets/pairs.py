"""Skills in folders with labelled requests, as tables: a CSV or JSON-lines file of both."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skillret.datasets.tables import Row, read_rows
from skillret.errors import DatasetError
from skillret.skills import Library
from skillret.types import Skill

__all__ = ["MemoryTables", "read_requests", "request_id", "request_tables", "skill_rows"]

_REQUEST_COLUMNS = ("request", "query")
_SKILL_COLUMNS = ("skill", "skill_id", "skill_name", "skills", "skill_ids")


@dataclass(frozen=True, slots=True)
class MemoryTables:
    """One split of rows in SkillRet's columns (a `RowSource`).

    Attributes:
        layout: `library` or `requests`.
        split: Its name.
        tables: Rows by table.
        where: What errors name.
        notes: What a reader of results should know.
    """

    layout: str
    split: str
    tables: Mapping[str, Sequence[Row]] = field(repr=False)
    where: str
    notes: tuple[str, ...] = ()

    def splits(self) -> list[str]:
        """See `RowSource.splits`."""
        return [self.split]

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """See `RowSource.rows`."""
        for row in self.tables.get(table, ()):
            yield row, self.where

    def revision(self, split: str) -> str:
        """See `RowSource.revision`."""
        text = json.dumps(self.tables, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def request_tables(file: Path, libraries: Sequence[str], split: str) -> MemoryTables:
    """A file of requests and the folders of the skills that it names.

    Raises:
        DatasetError: If a row is malformed or names a skill that is not there.
        InputError: If a folder is missing.
    """
    library = Library.open(*libraries)
    rows = skill_rows(library.skills, [root.path for root in library.roots])
    ids = {skill.id: row["id"] for skill, row in zip(library.skills, rows, strict=True)}
    # A request that is repeated with another skill is one request with two gold skills.
    gold: dict[str, dict[str, None]] = {}
    for text, found, _ in read_requests(file, library.skills):
        gold.setdefault(text, {}).update(dict.fromkeys(ids[id_] for id_ in found))
    if not gold:
        raise DatasetError(f"{file} holds no requests")
    queries = [{"id": request_id(text), "query": text} for text in gold]
    labels = [
        {"query_id": request_id(text), "skill_id": skill, "relevance": 1}
        for text, skills in gold.items()
        for skill in skills
    ]
    tables = {"skills": rows, "queries": queries, "qrels": labels}
    return MemoryTables("requests", split, tables, str(file))


def read_requests(file: Path, skills: Sequence[Skill]) -> Iterator[tuple[str, list[str], str]]:
    """Text, ids of the gold skills and place of every row of a file of requests.

    The request stands in the column `request` or `query`; its skill, by name or id, in `skill`,
    `skill_id` or `skill_name`, or several of them as a list in `skills` or `skill_ids`.

    Args:
        file: `.csv`, `.jsonl`, `.jsonl.gz` or `.parquet`.
        skills: In order of precedence: of one name the first is meant.

    Raises:
        DatasetError: If a row is malformed or names a skill that is not there.
    """
    known = {skill.name: skill.id for skill in reversed(skills)}
    known |= {skill.id: skill.id for skill in skills}
    for number, row in _numbered_rows(file):
        where = f"{file}, row {number}"
        text = next((row[c] for c in _REQUEST_COLUMNS if row.get(c)), None)
        given = next((row[c] for c in _SKILL_COLUMNS if row.get(c)), None)
        if not isinstance(text, str) or not text.strip():
            raise DatasetError(f"{where}: no request (column {' or '.join(_REQUEST_COLUMNS)})")
        if given is not None and not isinstance(given, (str, list)):
            raise DatasetError(f"{where}: a skill must be a name, or several a list of names")
        wanted = [given] if isinstance(given, str) else list(given or ())
        unknown = [s for s in wanted if not isinstance(s, str) or s not in known]
        if unknown:
            raise DatasetError(f"{where}: the skill {unknown[0]!r} is not in the library")
        yield text.strip(), [known[s] for s in wanted], where


def _numbered_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if file.suffix != ".csv":
        yield from enumerate(read_rows(file), start=1)
        return
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            columns = list(reader.fieldnames or ())
            if not set(columns).intersection(_REQUEST_COLUMNS):
                raise DatasetError(
                    f"{file} has no column {' or '.join(_REQUEST_COLUMNS)}; its first line names"
                    " the columns"
                )
            if len(set(columns)) < len(columns):
                raise DatasetError(f"{file} names a column twice: {', '.join(columns)}")
            for number, row in enumerate(reader, start=1):
                if None in row:
                    raise DatasetError(f"{file}, row {number}: more cells than columns")
                yield number, row
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise DatasetError(f"{file} cannot be read as CSV: {e}") from None


def request_id(text: str) -> str:
    """An id that changes with the text and with nothing else."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def skill_rows(skills: Sequence[Skill], roots: Sequence[Path]) -> list[Row]:
    """Skills of a library as rows that are the same wherever the library lies.

    The id is the name, without blanks since a TREC run can hold none; where two skills share it,
    the hash of the path below the root tells them apart.
    """
    names = ["-".join(skill.name.split()) for skill in skills]
    count = Counter(names)
    rows = []
    for skill, name in zip(skills, names, strict=True):
        path = _below(skill.path or skill.id, roots)
        id_ = (
            name if count[name] == 1 else f"{name}@{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        )
        row = {"id": id_, "name": skill.name, "description": skill.description}
        front = {k: v for k, v in skill.extra.items() if k not in ("body", "source_url", *row)}
        rows.append({**row, **front, "source_url": path, "skill_md": skill.body})
    return rows


def _below(path: str, roots: Sequence[Path]) -> str:
    """A path below its root, the root's own name in front where there are several."""
    for root in roots:
        if Path(path).is_relative_to(root):
            start = root.parent if len(roots) > 1 else root
            return os.path.relpath(path, start).replace(os.sep, "/")
    return path
