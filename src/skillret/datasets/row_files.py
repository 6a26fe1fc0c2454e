"""Files of rows: JSON lines, plain or compressed, parquet, and the lines of any text file.

What is read is bounded: a row, its values, and what a small file may grow to in memory, so that a
file made to fill it is refused with one line instead.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from skillret.datasets.charset import encoding_of
from skillret.errors import DatasetError, SkillretError
from skillret.files import parse_json, replacing, stored_bytes

__all__ = [
    "MAX_ROW",
    "SUFFIXES",
    "Row",
    "digest_files",
    "numbered_rows",
    "read_lines",
    "read_rows",
    "stamp_file",
    "write_rows",
]

MAX_ROW = 16 << 20  # characters of a line, bytes of a row of parquet
SUFFIXES = (".jsonl.gz", ".jsonl", ".parquet")

# Real tables shrink to a third or a thirtieth. gzip can do a thousandth.
_MAX_RATIO = 200
_ANY_RATIO = 256 << 20  # up to this size
_MAX_VALUES = 10_000  # of one column's lists, per row in the mean
_MOST_VALUES = 1 << 20  # of one row
_VALUE = 56  # bytes of a number or an empty text, about
_SLICE = 8  # rows of parquet that are made into objects at once

Row: TypeAlias = dict[str, Any]


def numbered_rows(file: Path, *, nulls: bool = False) -> Iterator[tuple[Row, str]]:
    """`read_rows`, each row with where it stands."""
    for number, row in enumerate(read_rows(file, nulls=nulls), start=1):
        yield row, f"{file}, row {number}"


def read_rows(file: Path, *, nulls: bool = False) -> Iterator[Row]:
    """The rows of a `.jsonl`, `.jsonl.gz` or `.parquet` file; a null is a missing column.

    Args:
        file: The file.
        nulls: Keep the nulls of JSON, which somebody wrote; those of parquet fill its columns.

    Raises:
        DatasetError: If the file is truncated, no JSON, holds anything but objects, or a row or
            the whole is larger than any real one.
    """
    rows = _read_parquet(file) if file.suffix == ".parquet" else _read_json_lines(file)
    total = 0
    try:
        most = _most(file)
        for number, row in enumerate(rows, start=1):
            total += _weight(row)
            if total > most:
                raise _grows(file, f"row {number}")
            yield {c: value for c, value in row.items() if nulls or value is not None}
    except OSError as e:
        raise _unreadable(file, e) from None


def _most(file: Path) -> int:
    """Bytes that what a file holds may grow to.

    Raises:
        DatasetError: If there is hardly anything in it: reading holes would take hours.
    """
    try:
        return max(_ANY_RATIO, _MAX_RATIO * stored_bytes(file, "data set"))
    except ValueError as e:
        raise DatasetError(str(e)) from None


def _weight(value: Any) -> int:
    """Bytes that a value takes in memory, about: `{}` takes thirty times its text."""
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, dict):
        return _VALUE + sum(len(key) + _weight(one) for key, one in value.items())
    return _VALUE + (sum(map(_weight, value)) if isinstance(value, list) else 0)


def _grows(file: Path, where: str) -> DatasetError:
    return DatasetError(
        f"{file}, {where}: it grows to more than {_MAX_RATIO} times its size; no real data set"
        " does. Unpack it first if it is one"
    )


def _unreadable(file: Path, error: OSError) -> DatasetError:
    if isinstance(error, FileNotFoundError):
        return DatasetError(f"no such file: {file}")
    return DatasetError(f"{file} cannot be read: {error.strerror}")


def read_lines(file: Path, *, newline: str | None = None) -> Iterator[str]:
    """The lines of a text file, `.gz` (then in UTF-8) or not, as `open` returns them.

    Raises:
        DatasetError: If the file cannot be read, is truncated, or grows beyond the bounds.
    """
    number = total = 0
    try:
        packed = file.suffix == ".gz"
        opener, encoding = (gzip.open, "utf-8-sig") if packed else (open, encoding_of(file))
        with opener(file, "rt", encoding=encoding, newline=newline) as lines:
            most = _most(file)
            while line := lines.readline(MAX_ROW + 1):
                number += 1
                total += len(line)
                if len(line) > MAX_ROW:
                    raise DatasetError(
                        f"{file}, line {number}: longer than {MAX_ROW >> 20} million characters;"
                        " no row of a data set is"
                    )
                if total > most:
                    raise _grows(file, f"line {number}")
                yield line
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        if number == 0 and isinstance(e, OSError) and e.strerror:  # it was not even opened
            raise _unreadable(file, e) from None
        raise DatasetError(
            f"{file} cannot be read after line {number}: {e}; is it complete?"
        ) from None


def _read_json_lines(file: Path) -> Iterator[Row]:
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        if len(line) > _MOST_VALUES and sum(map(line.count, ",[{")) > _MOST_VALUES:
            raise DatasetError(f"{file}, line {number}: more than a million values in one row")
        try:
            # Half a character is left by tools that cut texts.
            row = parse_json(line, mend=True)
        except ValueError as e:  # also of a number with thousands of digits
            reason = getattr(e, "msg", str(e))
            raise DatasetError(f"{file}, line {number}: not JSON ({reason})") from None
        if not isinstance(row, dict):
            raise DatasetError(f"{file}, line {number}: not a JSON object")
        yield row


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
            _check_parquet(file, table.metadata)
            columns = map(table.metadata.schema.column, range(table.metadata.num_columns))
            texts = [c.path for c in columns if c.physical_type == "BYTE_ARRAY"]
        # As dictionaries, since a text that is repeated a thousand times is stored once.
        with parquet.ParquetFile(file, read_dictionary=texts, buffer_size=1 << 20) as table:
            done = 0
            for batch in table.iter_batches(batch_size=256):
                for rows in _slices(file, batch, done + 1):
                    yield from map(_without_nulls, rows.to_pylist())
                done += len(batch)
    except (OSError, ValueError, pyarrow.ArrowException) as e:
        raise DatasetError(f"{file} cannot be read as parquet: {e}") from None


def _check_parquet(file: Path, metadata: Any) -> None:
    """Refuse what would unpack to far more than it is, before a page is read."""
    most = _most(file)
    total = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        values = max((group.column(c).num_values for c in range(group.num_columns)), default=0)
        total += max(group.total_byte_size, 8 * values)
        if total > most or values > max(1, group.num_rows) * _MAX_VALUES:
            raise _grows(file, f"{metadata.num_rows} rows")


def _slices(file: Path, batch: Any, first: int) -> Iterator[Any]:
    """A few rows at a time, since as objects every repeated text becomes one of its own."""
    for start in range(0, len(batch), _SLICE):
        rows = batch.slice(start, _SLICE)
        if sum(map(_unpacked, rows.columns)) <= MAX_ROW:
            yield rows
            continue
        for row in range(len(rows)):
            one = rows.slice(row, 1)
            for name, column in zip(one.schema.names, one.columns, strict=True):
                if _unpacked(column) > MAX_ROW + _VALUE:
                    raise DatasetError(
                        f"{file}, row {first + start + row}: the column {name!r} is longer than"
                        f" {MAX_ROW >> 20} million characters; no row of a data set is"
                    )
            yield one


def _unpacked(column: Any) -> int:
    """Bytes of a column's values, each repeated text counted as often as it is there."""
    import pyarrow.compute as compute
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        if not types.is_large_string(kind.value_type) and not types.is_string(kind.value_type):
            return _VALUE * len(column) + int(column.dictionary.nbytes)
        lengths = compute.take(compute.binary_length(column.dictionary), column.indices)
        return _VALUE * len(column) + (compute.sum(compute.cast(lengths, "int64")).as_py() or 0)
    if types.is_struct(kind):
        return sum(map(_unpacked, column.flatten()), _VALUE * len(column))
    if types.is_nested(kind):
        return _VALUE * len(column) + _unpacked(column.flatten())
    return _VALUE * len(column) + int(column.nbytes)


def _without_nulls(value: Any) -> Any:
    """Objects without the keys that parquet adds because another row has them.

    A NaN is how some tools write a missing number.
    """
    if isinstance(value, dict):
        plain = {k: _without_nulls(v) for k, v in value.items()}
        return {k: v for k, v in plain.items() if v is not None}
    if isinstance(value, float) and math.isnan(value):
        return None
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as `.jsonl`, `.jsonl.gz` or `.parquet`, by the file's name; returns their number.

    The file is complete or not there at all, and the same rows are the same bytes.

    Raises:
        SkillretError: If the file cannot be written, or its format cannot hold the values.
    """
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for row in rows:
            count += 1
            try:  # front matter holds dates; JSON does not
                text = json.dumps(row, ensure_ascii=False, default=str, allow_nan=False)
            except ValueError:
                raise SkillretError(
                    f"cannot write {file}: row {count} holds NaN or an infinite number, which JSON"
                    " cannot hold"
                ) from None
            yield f"{text}\n".encode()

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
            _most(file)
            with file.open("rb") as data:
                while block := data.read(1 << 20):
                    digest.update(block)
        except OSError as e:
            raise _unreadable(file, e) from None
    return digest.hexdigest()[:12]


def stamp_file(file: Path) -> str:
    """A SHA-256 over path, size and time of a file.

    Raises:
        DatasetError: If the file cannot be looked at.
    """
    try:
        status = file.stat()
    except OSError as e:
        raise _unreadable(file, e) from None
    parts = [str(file), status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
