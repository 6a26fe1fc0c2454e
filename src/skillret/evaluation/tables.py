"""Tables in SkillRet layout: `data/{skills,queries,qrels,negatives}/{split}.jsonl[.gz]|.parquet`.

Only `id`, `name`, `description` and `skill_md` (or `body`) of a skill are needed; any other column
is carried along in `extra`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from skillret.errors import DatasetError, SkillretError
from skillret.types import Skill

__all__ = ["SUFFIXES", "find_table", "read_rows", "read_skills", "splits", "write_rows"]

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
SUFFIXES = (".jsonl.gz", ".jsonl", ".parquet")


def find_table(folder: Path, table: str, split: str) -> Path | None:
    """The file of one table and split, or None.

    Args:
        folder: The data set's folder.
        table: `skills`, `queries`, `qrels` or `negatives`.
        split: `train`, `dev`, `test`, ...
    """
    for base in (folder / "data" / table, folder / table):
        for suffix in SUFFIXES:
            file = base / f"{split}{suffix}"
            if file.is_file():
                return file
    return None


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a `.jsonl`, `.jsonl.gz` or `.parquet` file.

    Raises:
        DatasetError: If the file is truncated, no JSON, or holds anything but objects.
    """
    if file.suffix == ".parquet":
        yield from _read_parquet(file)
        return
    number = 0
    try:
        opener = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    row = _parse(line)
                    if not isinstance(row, dict):
                        raise DatasetError(f"{file}, line {number}: not a JSON object")
                    yield row
    except json.JSONDecodeError as e:
        raise DatasetError(f"{file}, line {number}: not JSON ({e.msg})") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise DatasetError(
            f"{file} cannot be read after line {number}: {e}; is it complete?"
        ) from None


def _parse(line: str) -> Any:
    """A line of JSON; halves of characters (lone surrogates), which are no Unicode, as `?`."""
    try:
        row = json.loads(line)
        if _HALF.search(line):
            row = json.loads(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
    return row


def read_skills(folder: Path, split: str) -> list[Skill]:
    """The skills of one split.

    Raises:
        DatasetError: If the folder or the split is missing, or a row is malformed.
    """
    file = find_table(folder, "skills", split)
    if file is None:
        raise DatasetError(_missing(folder, split))
    return [_skill(row, file, number) for number, row in enumerate(read_rows(file), start=1)]


def _skill(row: Mapping[str, Any], file: Path, number: int) -> Skill:
    for column in ("id", "name"):
        if not isinstance(row.get(column), (str, int)) or row[column] == "":
            raise DatasetError(f"{file}, row {number}: the column {column!r} is missing or empty")
    body = row.get("skill_md")
    if body is None:
        body = row.get("body")
    used = ("id", "name", "description", "skill_md", "body")
    return Skill(
        id=str(row["id"]),
        name=str(row["name"]),
        description=str(row.get("description") or ""),
        body=str(body or ""),
        path=str(row["source_url"]) if row.get("source_url") else None,
        extra={k: v for k, v in row.items() if k not in used},
    )


def _read_parquet(file: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise DatasetError(
            f"reading {file} needs pyarrow: pip install 'skillret[evaluate]'"
        ) from None
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches():
                yield from batch.to_pylist()
    except (OSError, ValueError) as e:
        raise DatasetError(f"{file} cannot be read as parquet: {e}") from None


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as `.jsonl`, `.jsonl.gz` or `.parquet`, by the file's name.

    Raises:
        SkillretError: If the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            _write_parquet(file, rows)
        elif file.suffix == ".gz":
            # No time stamp in the header: the same rows are the same bytes.
            with file.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
                out.writelines(f"{json.dumps(r, ensure_ascii=False)}\n".encode() for r in rows)
        else:
            with file.open("w", encoding="utf-8", newline="\n") as text:
                text.writelines(f"{json.dumps(r, ensure_ascii=False)}\n" for r in rows)
    except OSError as e:
        raise SkillretError(f"cannot write {file}: {e.strerror or e}") from None


def _write_parquet(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise DatasetError("writing parquet needs pip install 'skillret[evaluate]'") from None
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)


def splits(folder: Path) -> list[str]:
    """Names of the splits that have skills, in order of name."""
    base = folder / "data" / "skills"
    base = base if base.is_dir() else folder / "skills"
    if not base.is_dir():
        return []
    names = (f.name for f in base.iterdir() if f.is_file())
    return sorted({n.removesuffix(x) for n in names for x in SUFFIXES if n.endswith(x)})


def _missing(folder: Path, split: str) -> str:
    if not folder.is_dir():
        return f"no such data set folder: {folder}"
    found = splits(folder)
    if not found:
        return f"{folder} is no data set in SkillRet layout: it has no data/skills/SPLIT.jsonl.gz"
    return f"{folder} has no split {split!r}; it has: {', '.join(found)}"
