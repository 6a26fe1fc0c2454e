"""Tables of delimited cells as spreadsheets save them: commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from skillret.datasets.charset import encoding_of
from skillret.datasets.columns import column_key
from skillret.datasets.row_files import Row, read_lines
from skillret.errors import DatasetError

__all__ = ["delimited_rows"]

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NOTHING = " \r\n\"'\0\x1a" + "".join(_DELIMITERS)  # an old end of a file, too
_ABOVE = 10  # lines that are looked at for the names of the columns; a title may stand above
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*')  # Excel's own first line


def delimited_rows(file: Path, wanted: Collection[str], what: str) -> Iterator[tuple[Row, str]]:
    """The rows of a table by its header, each with where it stands; blank rows are left out.

    Args:
        file: A text file, whose first line that is not blank names the columns.
        wanted: Keys of columns (`column_key`), one of which must be there.
        what: What errors call that column.

    Raises:
        DatasetError: If there is no such column, the table cannot be read, or a row is too long.
    """
    lines = read_lines(file, newline="")
    number, first = _first_line(lines, 0)
    given = _SEPARATOR.fullmatch(first)
    if given:
        number, first = _first_line(lines, number)
    top = (number, first)

    def columns(delimiter: str) -> tuple[int, int]:
        cells = first.strip("\r\n").split(delimiter)
        return len({*map(column_key, cells)}.intersection(wanted)), len(cells)

    above: list[str] = []
    while len(above) < _ABOVE and first and not any(columns(d)[0] for d in _DELIMITERS):
        above.append(first)
        number, first = _first_line(lines, number)
    if len(above) == _ABOVE or not first:  # none names them
        number, first = top
    delimiter = given[1] if given else max(_DELIMITERS, key=columns)
    reader = csv.reader(
        chain([first], lines),
        delimiter=delimiter,
        quotechar="'" if first.lstrip().startswith("'") else '"',
        skipinitialspace=True,
        strict=True,  # else a mark that is not closed would swallow all that follows
    )
    try:
        names = [name.strip() for name in next(reader, [])]
        keys = Counter(column_key(name) for name in names if name)
        if not keys.keys() & {*wanted}:
            shown = ", ".join(repr(name)[:40] for name in names[:5])
            told = _DELIMITERS.get(delimiter, repr(delimiter))
            raise DatasetError(
                f"{file} has no column {what}; its first line, read as {encoding_of(file)} with"
                f" {told} between cells, names {shown or 'none'}"
            )
        if max(keys.values()) > 1:
            raise DatasetError(f"{file} names a column twice: {', '.join(names)}")
        for cells in reader:
            where = f"{file}, line {number - 1 + reader.line_num}"
            if not any(cell.strip(_NOTHING) for cell in cells):
                continue
            if any(map(str.strip, cells[len(names) :])):
                raise DatasetError(f"{where}: more cells than columns")
            yield {n: c for n, c in zip(names, cells, strict=False) if n}, where
    except csv.Error as e:
        raise DatasetError(
            f"{file}, line {number - 1 + reader.line_num}: cannot be read as CSV: {e}; is a"
            " quotation mark left open?"
        ) from None


def _first_line(lines: Iterator[str], number: int) -> tuple[int, str]:
    """The number of the next line that is not blank, and the line."""
    for line in lines:
        number += 1
        if line.strip(_NOTHING):
            return number, line
    return number, ""
