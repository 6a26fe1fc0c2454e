"""SkillRet layout: `data/{skills,queries,qrels,negatives}/{split}.jsonl[.gz]|.parquet`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skillret.datasets.columns import label_row
from skillret.datasets.row_files import SUFFIXES, Row, digest_files, numbered_rows, stamp_file
from skillret.datasets.source import TABLES
from skillret.errors import DatasetError

__all__ = ["SkillRetFolder", "find_table", "split_names"]


class SkillRetFolder:
    """A folder in SkillRet layout (a `RowSource`).

    Args:
        folder: Holds `data`, or its folders themselves.
        name: See `RowSource.name`; the folder's by default.
        commit: Of the hub, which is then the revision of every split.
    """

    layout = "skillret"
    one_corpus = False
    notes = ()

    def __init__(self, folder: Path, name: str = "", commit: str = "") -> None:
        self.folder, self.commit = folder, commit
        self.name = name or folder.resolve().name

    def splits(self) -> list[str]:
        """See `RowSource.splits`."""
        return split_names(self.folder)

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """See `RowSource.rows`; without a table of labels those in the queries' `skill_ids`."""
        file = find_table(self.folder, table, split)
        if file is not None:
            for row, where in numbered_rows(file):
                yield (label_row(row) if table == "qrels" else row), where
        elif table == "qrels":
            for row, where in self.rows("queries", split):
                ids = row.get("skill_ids") or ()
                if not isinstance(ids, (list, tuple)):
                    raise DatasetError(f"{where}: the column 'skill_ids' is no list")
                for id_ in ids:
                    yield {"query_id": row.get("id"), "skill_id": id_, "relevance": 1}, where

    def revision(self, split: str) -> str:
        """See `RowSource.revision`."""
        files = [find_table(self.folder, table, split) for table in TABLES]
        return self.commit or digest_files([f for f in files if f is not None])

    def stamp(self, split: str) -> str:
        """See `RowSource.stamp`."""
        file = find_table(self.folder, "skills", split)
        return stamp_file(file) if file is not None else ""


def find_table(folder: Path, table: str, split: str) -> Path | None:
    """The file of one table and split, or None.

    Args:
        folder: The data set's folder.
        table: One of `TABLES`.
        split: `train`, `dev`, `test`, ...

    Raises:
        DatasetError: If several files could be meant.
    """
    for base in (folder / "data" / table, folder / table):
        files = [file for s in SUFFIXES if (file := base / f"{split}{s}").is_file()]
        if len(files) > 1:
            names = " and ".join(file.name for file in files)
            raise DatasetError(f"{base} holds {names}: which is meant? keep one of them")
        if files:
            return files[0]
    return None


def split_names(folder: Path) -> list[str]:
    """Names of the splits that have skills, in order of name."""
    base = folder / "data" / "skills"
    base = base if base.is_dir() else folder / "skills"
    if not base.is_dir():
        return []
    names = [f.name for f in base.iterdir() if f.is_file()]
    return sorted({n.removesuffix(x) for n in names for x in SUFFIXES if n.endswith(x)})
