"""What every layout is read as: tables of rows in SkillRet's columns, streamed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from skillret.datasets.row_files import Row

__all__ = ["OWN_SPLIT", "TABLES", "RowSource", "RowsInMemory"]

TABLES = ("skills", "queries", "qrels", "negatives")
OWN_SPLIT = "tests"  # the one split of a library's own tests, and of a file of queries


class RowSource(Protocol):
    """A data set of any layout, as rows in SkillRet's columns. No text is kept between rows."""

    @property
    def layout(self) -> str:
        """`skillret`, `beir`, `library` or `queries`."""
        ...

    @property
    def name(self) -> str:
        """What cards and logs call it: a hub id, or the last part of a path."""
        ...

    @property
    def one_corpus(self) -> bool:
        """Whether all splits share their skills on purpose."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of results should know."""
        ...

    def splits(self) -> list[str]:
        """Names of its splits, in order of name."""
        ...

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """Rows of one of `TABLES`, each with where it was read; none if the table is not there.

        Raises:
            DatasetError: If a file cannot be read.
        """
        ...

    def revision(self, split: str) -> str:
        """Commit on the hub, or start of a SHA-256 over all that the split was read from."""
        ...

    def stamp(self, split: str) -> str:
        """State of the split's skills without reading them: equal means nothing changed."""
        ...


@dataclass(frozen=True, slots=True)
class RowsInMemory:
    """One split of rows (a `RowSource`).

    Attributes:
        layout: `library`.
        name: See `RowSource.name`.
        where: What errors name.
        tables: Rows by table.
        split: Its name.
        notes: What a reader of results should know.
        fingerprint: What `stamp` returns; the revision if it is empty.
    """

    layout: str
    name: str
    where: str
    tables: Mapping[str, Sequence[Row]] = field(repr=False)
    split: str = OWN_SPLIT
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    one_corpus: bool = False

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

    def stamp(self, split: str) -> str:
        """See `RowSource.stamp`."""
        return self.fingerprint or self.revision(split)
