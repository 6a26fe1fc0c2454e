"""Data sets in BEIR layout (arXiv:2104.08663): corpus, queries and tab-separated qrels.

`corpus.jsonl` has `_id`, `title`, `text`; `queries.jsonl` has `_id`, `text`; `qrels/{split}.tsv`
has a header and `query-id`, `corpus-id`, `score`, or is what other tools write (`LABEL_COLUMNS`).
A skill is written as its name (title) and its description and body (text); what a BEIR reader does
not look at stands in `metadata` and in `negatives/{split}.jsonl`, so that the way there and back
loses nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skillret.datasets.columns import (
    decimal,
    label_row,
    missed_label,
    parse_label,
    parse_query,
    parse_skill,
)
from skillret.datasets.row_files import (
    Row,
    digest_files,
    numbered_rows,
    read_lines,
    stamp_file,
    write_rows,
)
from skillret.datasets.source import RowSource
from skillret.errors import DatasetError
from skillret.files import replacing

__all__ = ["BeirFolder", "read_qrels", "write_beir"]

_SUFFIXES = (".jsonl", ".jsonl.gz")
_GAP = "\n\n"  # between description and body
_START = 1 << 16  # bytes that tell how lines end
_TABLES = (".tsv", ".csv", ".txt", ".qrels", ".qrel", ".trec", *_SUFFIXES)  # of qrels
_PLAIN = {
    3: ["query_id", "skill_id", "relevance"],
    4: ["query_id", "round", "skill_id", "relevance"],
}
_SHOWN = 3  # files that are not read
_DELIMITERS = "\t;,"  # what counts first: in a table of semicolons a comma begins decimals
_BLANKS = re.compile(r"\s*(?:[^\s,]+\s+){2,3}\d*,\d+\s*")  # TREC's columns with such a relevance


class BeirFolder:
    """A folder in BEIR layout (a `RowSource`): all splits share corpus and file of queries."""

    layout = "beir"
    one_corpus = True
    notes = ()

    def __init__(self, folder: Path, corpus: Path, queries: Path) -> None:
        self.folder, self.corpus, self.queries = folder, corpus, queries
        self.name = folder.resolve().name

    @classmethod
    def find(cls, folder: Path) -> BeirFolder | None:
        """The data set in a folder, or None if it is not in BEIR layout."""
        corpus, queries = (_first(folder / name) for name in ("corpus", "queries"))
        return cls(folder, corpus, queries) if corpus and queries else None

    def splits(self) -> list[str]:
        """Names of the splits that have qrels, in order of name.

        Raises:
            DatasetError: If there are none; what may have been meant for some is named.
        """
        names = sorted(self._qrels())
        if not names:
            seen = (*self.folder.iterdir(), *self.folder.glob("qrels/*"))
            files = sorted(f for f in seen if f.is_file() and f not in (self.corpus, self.queries))
            told = ", ".join(str(f.relative_to(self.folder)) for f in files[:_SHOWN])
            raise DatasetError(
                f"{self.folder} has no split: its labels belong in qrels/SPLIT.tsv"
                + (f"; {told} {'is' if len(files) == 1 else 'are'} not read" if files else "")
            )
        return names

    def _qrels(self) -> dict[str, Path]:
        """The file of labels of each split."""
        files = [f for f in (self.folder / "qrels").glob("*") if f.name.endswith(_TABLES)]
        found: dict[str, Path] = {}
        for file in sorted(files):
            name = next(file.name.removesuffix(s) for s in _TABLES if file.name.endswith(s))
            if name in found:
                raise DatasetError(
                    f"{file.parent} holds {found[name].name} and {file.name}: which is meant? keep"
                    " one of them"
                )
            found[name] = file
        return found

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """See `RowSource.rows`; queries are those that the split's qrels ask."""
        if table == "skills":
            for row, where in numbered_rows(self.corpus):
                yield _skill_row(row, where), where
        elif table == "queries":
            asked = {row["query_id"] for row, _ in self.rows("qrels", split)}
            for row, where in numbered_rows(self.queries):
                if str(_id(row)) in asked:
                    yield _query_row(row, where), where
        elif table == "qrels":
            yield from read_qrels(self._qrels()[split])
        elif (file := _first(self.folder / "negatives" / split)) is not None:
            for row, where in numbered_rows(file):
                yield _query_row(row, where), where

    def revision(self, split: str) -> str:
        """See `RowSource.revision`."""
        negatives = _first(self.folder / "negatives" / split)
        files = [self.corpus, self.queries, self._qrels()[split]]
        return digest_files([*files, *([negatives] if negatives else [])])

    def stamp(self, split: str) -> str:
        """See `RowSource.stamp`."""
        return stamp_file(self.corpus)


def write_beir(source: RowSource, split: str, folder: Path, suffix: str = ".jsonl") -> None:
    """Write one split as a data set of its own.

    Args:
        source: Where it comes from.
        split: Its name, kept.
        folder: Where to write.
        suffix: `.jsonl`, which every BEIR reader takes, or `.jsonl.gz`.

    Raises:
        DatasetError: If a row is malformed.
        SkillretError: If a file cannot be written or an id cannot stand in a table of tabs.
    """
    corpus = (_corpus_line(*row) for row in source.rows("skills", split))
    write_rows(folder / f"corpus{suffix}", corpus)
    queries = (_query_line(*row) for row in source.rows("queries", split))
    write_rows(folder / f"queries{suffix}", queries)
    with replacing(folder / "qrels" / f"{split}.tsv") as out:
        out.write(b"query-id\tcorpus-id\tscore\n")
        for row, where in source.rows("qrels", split):
            cells = parse_label(row, where)
            line = "\t".join(map(str, cells))
            if len(line.splitlines()) != 1 or line.count("\t") != 2:
                raise DatasetError(f"{where}: an id holds a tab or line break; qrels cannot")
            out.write(f"{line}\n".encode())
    negatives = [_query_line(*row) for row in source.rows("negatives", split)]
    if negatives:
        write_rows(folder / "negatives" / f"{split}{suffix}", negatives)


def _first(stem: Path) -> Path | None:
    return next((f for x in _SUFFIXES if (f := stem.with_name(stem.name + x)).is_file()), None)


def _metadata(row: Mapping[str, Any], where: str) -> Row:
    metadata = row.get("metadata", {})
    if not isinstance(metadata, dict):
        raise DatasetError(f"{where}: the column 'metadata' is no object")
    return metadata


def _skill_row(row: Mapping[str, Any], where: str) -> Row:
    if "_id" not in row:
        raise DatasetError(f"{where}: the column '_id' is missing")
    text = str(row.get("text", ""))
    metadata = _metadata(row, where)
    description = metadata.get("description")
    if isinstance(description, str) and description and text.startswith(description):
        text = text[len(description) :].removeprefix(_GAP)
    return {**metadata, "id": _id(row), "name": row.get("title", ""), "skill_md": text}


def _corpus_line(row: Mapping[str, Any], where: str) -> Row:
    skill = parse_skill(row, where)
    text = _GAP.join(part for part in (skill.description, skill.body) if part)
    used = ("id", "name", "skill_md" if "skill_md" in row else "body")
    metadata = {k: v for k, v in row.items() if k not in used}
    return {"_id": skill.id, "title": skill.name, "text": text, "metadata": metadata}


def _query_row(row: Mapping[str, Any], where: str) -> Row:
    return {**_metadata(row, where), "id": _id(row), "query": row.get("text")}


def _id(row: Mapping[str, Any]) -> Any:
    """An id without the spaces around it, which tables of labels add and lose."""
    return _plain(row.get("_id"))


def _plain(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _delimiter(line: str) -> str | None:
    """What is between the cells of a table by its first line; None if that is blanks."""
    found = next((d for d in _DELIMITERS if d in line), None)
    return None if found == "," and _BLANKS.fullmatch(line) else found


def _cells(line: str, delimiter: str | None) -> list[str]:
    """The cells of a line without what is around them; blanks are between those of TREC."""
    if delimiter is None:
        return line.split()
    if delimiter == "\t":  # in which quotation marks may be part of an id
        return [cell.strip().strip('"').strip() for cell in line.split(delimiter)]
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _query_line(row: Mapping[str, Any], where: str) -> Row:
    query = parse_query(row, where)
    return {"_id": query.id, "text": query.text, "metadata": dict(query.extra)}


def read_qrels(file: Path) -> Iterator[tuple[Row, str]]:
    """Labels of a table with or without a header, or of the four columns of TREC.

    Raises:
        DatasetError: If the file cannot be read, or a line is no label.
    """
    if file.name.endswith(_SUFFIXES):
        for row, where in numbered_rows(file):
            yield {name: _plain(value) for name, value in label_row(row).items()}, where
        return
    names: list[str] = []
    delimiter: str | None = None
    # An id may hold what else ends lines, unless that is all that ends any.
    newline = "\n" if file.suffix == ".tsv" and not _has_old_ends(file) else None
    for number, line in enumerate(read_lines(file, newline=newline), start=1):
        line = line.strip("\r\n")
        if not line.strip(" \t,;"):
            continue
        if not names:  # the first line tells what is between cells: an id may hold the others
            delimiter = _delimiter(line)
        cells = _cells(line, delimiter)
        if not names and {"query_id", "skill_id"} <= label_row(dict.fromkeys(cells)).keys():
            names = cells
            continue
        names = names or _PLAIN.get(len(cells), [])
        try:
            row = label_row(dict(zip(names, cells, strict=True)))
            grade = decimal(row.get("relevance", 1))
            whole = int(grade) if grade.is_integer() else grade
            missed = missed_label(row)
            row = {"query_id": row["query_id"], "skill_id": row["skill_id"], "relevance": whole}
        except (KeyError, ValueError):
            raise DatasetError(
                f"{file}, line {number}: not `query-id<TAB>corpus-id<TAB>score`, nor TREC's"
                " `query-id 0 corpus-id score`"
            ) from None
        if missed:
            raise DatasetError(f"{file}, line {number}: {missed}")
        yield row, f"{file}, line {number}"


def _has_old_ends(file: Path) -> bool:
    """Whether the lines of a file end as those of old Macs do, and of some spreadsheets."""
    try:
        with file.open("rb") as data:
            start = data.read(_START)
    except OSError:  # whoever reads it says so
        return False
    return b"\r" in start and b"\n" not in start
