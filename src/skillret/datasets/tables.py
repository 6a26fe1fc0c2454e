"""Tables in SkillRet layout: `data/{skills,queries,qrels,negatives}/{split}.jsonl[.gz]|.parquet`.

Any other data set is read as rows of the same columns (`RowSource`), so that loading, checking and
converting are written once. Only `id`, `name` and `skill_md` (or `body`) of a skill and `id` and
`query` of a request are needed; any other column is carried along in `extra`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

from skillret.errors import DatasetError, SkillretError
from skillret.files import replacing
from skillret.types import Query, Skill

__all__ = [
    "SUFFIXES",
    "TABLES",
    "Row",
    "RowSource",
    "SkillRetFolder",
    "digest_files",
    "find_table",
    "parse_label",
    "parse_query",
    "parse_skill",
    "read_rows",
    "read_skills",
    "splits",
    "write_rows",
]

MAX_RELEVANCE = 1000  # trec_eval reserves memory by it
SUFFIXES = (".jsonl.gz", ".jsonl", ".parquet")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair
TABLES = ("skills", "queries", "qrels", "negatives")

Row: TypeAlias = dict[str, Any]


class RowSource(Protocol):
    """A data set of any layout, as rows in SkillRet's columns."""

    @property
    def layout(self) -> str:
        """`skillret`, `beir`, `library` or `requests`."""
        ...

    def splits(self) -> list[str]:
        """Names of its splits."""
        ...

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """Rows of one of `TABLES`, each with where it was read; none if the table is not there.

        Raises:
            DatasetError: If a file cannot be read.
        """
        ...

    def revision(self, split: str) -> str:
        """Start of a SHA-256 over all that the split was read from."""
        ...


class SkillRetFolder:
    """A folder in SkillRet layout."""

    layout = "skillret"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def splits(self) -> list[str]:
        """See `RowSource.splits`."""
        return splits(self.folder)

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """See `RowSource.rows`; without a table of labels those in the queries' `skill_ids`."""
        file = find_table(self.folder, table, split)
        if file is not None:
            for number, row in enumerate(read_rows(file), start=1):
                yield row, f"{file}, row {number}"
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
        return digest_files([f for f in files if f is not None])


def parse_skill(row: Mapping[str, Any], where: str) -> Skill:
    """A skill of a row.

    Raises:
        DatasetError: If its id or name is missing.
    """
    id_ = _text(row, "id", where)
    name = row.get("name")
    if not isinstance(name, (str, int)):
        raise DatasetError(f"{where}: the column 'name' is missing")
    body = row.get("skill_md")
    if body is None:
        body = row.get("body")
    used = ("id", "name", "description", "skill_md", "body")
    return Skill(
        id=id_,
        name=str(name),
        description=str(row.get("description") or ""),
        body=str(body or ""),
        path=str(row["source_url"]) if row.get("source_url") else None,
        extra={k: v for k, v in row.items() if k not in used},
    )


def parse_query(row: Mapping[str, Any], where: str) -> Query:
    """A query, or a request that needs no skill, of a row.

    Raises:
        DatasetError: If its id or text is missing.
    """
    extra = {k: v for k, v in row.items() if k not in ("id", "query")}
    return Query(_text(row, "id", where), _text(row, "query", where), extra)


def parse_label(row: Mapping[str, Any], where: str) -> tuple[str, str, int]:
    """Query id, skill id and relevance of a row.

    Raises:
        DatasetError: If an id is missing or the relevance is no whole number.
    """
    try:
        relevance = row.get("relevance", 1)
        if int(relevance) == float(relevance) and abs(int(relevance)) <= MAX_RELEVANCE:
            return _text(row, "query_id", where), _text(row, "skill_id", where), int(relevance)
    except (DatasetError, TypeError, ValueError, OverflowError):
        pass
    raise DatasetError(
        f"{where}: needs query_id, skill_id and a whole relevance of at most {MAX_RELEVANCE}"
    )


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    value = row.get(column)
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DatasetError(f"{where}: the column {column!r} is missing or empty")
    return value


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
        found = [file for s in SUFFIXES if (file := base / f"{split}{s}").is_file()]
        if len(found) > 1:
            names = " and ".join(file.name for file in found)
            raise DatasetError(f"{base} holds {names}: which is meant? keep one of them")
        if found:
            return found[0]
    return None


def splits(folder: Path) -> list[str]:
    """Names of the splits that have skills, in order of name."""
    base = folder / "data" / "skills"
    base = base if base.is_dir() else folder / "skills"
    if not base.is_dir():
        return []
    names = [f.name for f in base.iterdir() if f.is_file()]
    return sorted({n.removesuffix(x) for n in names for x in SUFFIXES if n.endswith(x)})


def read_skills(folder: Path, split: str) -> list[Skill]:
    """The skills of one split.

    Raises:
        DatasetError: If the folder or the split is missing, or a row is malformed.
    """
    if find_table(folder, "skills", split) is None:
        raise DatasetError(_missing(folder, split))
    return [parse_skill(*row) for row in SkillRetFolder(folder).rows("skills", split)]


def _missing(folder: Path, split: str) -> str:
    if not folder.is_dir():
        return f"no such data set folder: {folder}"
    found = splits(folder)
    if not found:
        return f"{folder} is no data set in SkillRet layout: it has no data/skills/SPLIT.jsonl.gz"
    return f"{folder} has no split {split!r}; it has: {', '.join(found)}"


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of a `.jsonl`, `.jsonl.gz` or `.parquet` file; a null is a missing column.

    Raises:
        DatasetError: If the file is truncated, no JSON, or holds anything but objects.
    """
    rows = _read_parquet(file) if file.suffix == ".parquet" else _read_json_lines(file)
    for row in rows:
        yield {column: value for column, value in row.items() if value is not None}


def _read_json_lines(file: Path) -> Iterator[Row]:
    number = 0
    try:
        opener = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DatasetError(f"{file}, line {number}: not a JSON object")
                if _HALF.search(line):
                    # Half of a character, left by a tool that cut a text: no UTF-8 holds it.
                    whole = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")
                    row = json.loads(whole)
                yield row
    except RecursionError:
        raise DatasetError(f"{file}, line {number}: not JSON (nested too deeply)") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise DatasetError(
            f"{file} cannot be read after line {number}: {e}; is it complete?"
        ) from None
    except ValueError as e:  # also of a number with thousands of digits
        reason = getattr(e, "msg", str(e))
        raise DatasetError(f"{file}, line {number}: not JSON ({reason})") from None


def _read_parquet(file: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise DatasetError(
            f"reading {file} needs pyarrow: pip install 'skillret[evaluate]'"
        ) from None
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=4096):
                yield from map(_without_nulls, batch.to_pylist())
    except (OSError, ValueError, pyarrow.ArrowException) as e:
        raise DatasetError(f"{file} cannot be read as parquet: {e}") from None


def _without_nulls(value: Any) -> Any:
    """Objects without the keys that parquet adds because another row has them."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as `.jsonl`, `.jsonl.gz` or `.parquet`, by the file's name; returns their number.

    The file is complete or not there at all, and the same rows are the same bytes.

    Raises:
        SkillretError: If the file cannot be written, or parquet cannot hold the values.
    """
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for row in rows:
            count += 1
            # Front matter holds dates; JSON does not.
            yield f"{json.dumps(row, ensure_ascii=False, default=str)}\n".encode()

    with replacing(file) as out:
        if file.suffix == ".parquet":
            count = _write_parquet(file, out, list(rows))
        elif file.suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, out, mtime=0) as packed:
                packed.writelines(lines())
        else:
            out.writelines(lines())
    return count


def _write_parquet(file: Path, out: IO[bytes], rows: Sequence[Mapping[str, Any]]) -> int:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise SkillretError("writing parquet needs pip install 'skillret[evaluate]'") from None
    columns = {}
    # Of all rows: by itself pyarrow takes the columns of the first and drops the rest.
    for column in dict.fromkeys(c for row in rows for c in row):
        try:
            columns[column] = pyarrow.array([row.get(column) for row in rows])
        except (pyarrow.ArrowException, OverflowError) as e:
            raise _unfit(file, f"the column {column!r}", e) from None
    try:
        parquet.write_table(pyarrow.table(columns), out)
    except pyarrow.ArrowException as e:
        raise _unfit(file, "a column", e) from None
    return len(rows)


def _unfit(file: Path, what: str, e: Exception) -> SkillretError:
    reason = str(e).splitlines()[0]
    return SkillretError(
        f"cannot write {file}: {what} is nothing for parquet ({reason}); use jsonl"
    )


def digest_files(files: Sequence[Path]) -> str:
    """Start of a SHA-256 over the names and bytes of files.

    Raises:
        DatasetError: If a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.parent.name}/{file.name}".encode())
        try:
            with file.open("rb") as data:
                while block := data.read(1 << 20):
                    digest.update(block)
        except OSError as e:
            raise DatasetError(f"{file} cannot be read: {e.strerror}") from None
    return digest.hexdigest()[:12]
