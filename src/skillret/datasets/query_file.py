"""A CSV, JSON-lines or parquet file of queries that names skills in folders."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skillret.datasets.library_rows import query_id, skill_rows
from skillret.datasets.row_files import Row, digest_files, numbered_rows, read_lines
from skillret.datasets.source import OWN_SPLIT
from skillret.errors import DatasetError
from skillret.skills import Library

__all__ = ["QUERY_SUFFIXES", "QueryFile"]

QUERY_SUFFIXES = (".csv", ".jsonl", ".jsonl.gz", ".parquet")

_QUERY_COLUMNS = ("request", "query")
_SKILL_COLUMNS = ("skill", "skill_id", "skill_name", "skills", "skill_ids")


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A file of queries and the folders of the skills that it names, as one split (a `RowSource`).

    A query stands in the column `request` or `query`; its skill, by name or id, in `skill`,
    `skill_id` or `skill_name`, or several of them as a list in `skills` or `skill_ids`. A query
    that is repeated with another skill is one query with two gold skills; of its other columns
    those of the first row count. Of one name the first skill in order of precedence is meant.

    Attributes:
        file: One of `QUERY_SUFFIXES`.
        library: Has the skills.
        split: What the file is called.
    """

    file: Path
    library: Library = field(repr=False)
    split: str = OWN_SPLIT
    layout: str = "queries"
    one_corpus: bool = False
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """See `RowSource.name`."""
        return self.file.name

    def splits(self) -> list[str]:
        """See `RowSource.splits`."""
        return [self.split]

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """See `RowSource.rows`.

        Raises:
            DatasetError: If a row is malformed or names a skill that is not there.
        """
        if table == "skills":
            for row in self._skill_rows():
                yield row, str(row["source_url"])
        elif table == "queries":
            seen = set()
            for given, text, where in self._read():
                if (id_ := query_id(text)) not in seen:
                    seen.add(id_)
                    yield {**_others(given), "id": id_, "query": text}, where
        elif table == "qrels":
            yield from self._labels()

    def _labels(self) -> Iterator[tuple[Row, str]]:
        skills = self.library.skills
        ids = [row["id"] for row in self._skill_rows()]
        pairs = [*zip(skills, ids, strict=True)]
        known = {skill.name: id_ for skill, id_ in reversed(pairs)}
        known |= {id_: id_ for id_ in ids}
        known |= {skill.id: id_ for skill, id_ in pairs}
        seen = set()
        for row, text, where in self._read():
            for skill in _named_skills(row, where):
                if not isinstance(skill, str) or skill not in known:
                    raise DatasetError(f"{where}: the skill {skill!r} is not in the library")
                label = (query_id(text), known[skill])
                if label not in seen:
                    seen.add(label)
                    yield {"query_id": label[0], "skill_id": label[1], "relevance": 1}, where

    def revision(self, split: str) -> str:
        """See `RowSource.revision`."""
        digest = hashlib.sha256(digest_files([self.file]).encode())
        for row in self._skill_rows():
            text = json.dumps(row, sort_keys=True, default=str)
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:12]

    def stamp(self, split: str) -> str:
        """See `RowSource.stamp`."""
        return self.library.fingerprint

    def _skill_rows(self) -> list[Row]:
        return skill_rows(self.library.skills, [root.path for root in self.library.roots])

    def _read(self) -> Iterator[tuple[Mapping[str, Any], str, str]]:
        """Every row with its query and where it stands."""
        rows = _csv_rows(self.file) if self.file.suffix == ".csv" else numbered_rows(self.file)
        for row, where in rows:
            text = next((row[c] for c in _QUERY_COLUMNS if row.get(c)), None)
            if not isinstance(text, str) or not text.strip():
                raise DatasetError(f"{where}: no query (column {' or '.join(_QUERY_COLUMNS)})")
            yield row, text.strip(), where


def _named_skills(row: Mapping[str, Any], where: str) -> Sequence[Any]:
    given = next((row[c] for c in _SKILL_COLUMNS if row.get(c)), None)
    if given is not None and not isinstance(given, (str, list)):
        raise DatasetError(f"{where}: a skill must be a name, or several a list of names")
    return [given] if isinstance(given, str) else given or []


def _others(row: Mapping[str, Any]) -> Row:
    used = ("id", *_QUERY_COLUMNS, *_SKILL_COLUMNS)
    return {k: v for k, v in row.items() if k and k not in used and v not in ("", None)}


def _csv_rows(file: Path) -> Iterator[tuple[Row, str]]:
    try:
        reader = csv.DictReader(read_lines(file, newline=""))
        columns = list(reader.fieldnames or ())
        if not set(columns).intersection(_QUERY_COLUMNS):
            raise DatasetError(
                f"{file} has no column {' or '.join(_QUERY_COLUMNS)}; its first line names the"
                " columns"
            )
        if len(set(columns)) < len(columns):
            raise DatasetError(f"{file} names a column twice: {', '.join(columns)}")
        for number, row in enumerate(reader, start=1):
            where = f"{file}, row {number}"
            if None in row:
                raise DatasetError(f"{where}: more cells than columns")
            yield row, where
    except csv.Error as e:
        raise DatasetError(f"{file} cannot be read as CSV: {e}") from None
