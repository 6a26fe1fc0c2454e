"""Data sets from one layout into another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from skillret.datasets.beir import write_beir
from skillret.datasets.layouts import choose_split, open_source
from skillret.datasets.query_file import QueryFile
from skillret.datasets.row_files import write_rows
from skillret.datasets.source import TABLES, RowSource
from skillret.errors import DatasetError, InputError
from skillret.files import check_fresh, fresh_folder

__all__ = ["FORMATS", "LAYOUTS", "convert"]

LAYOUTS = ("skillret", "beir")
FORMATS = ("jsonl", "jsonl.gz", "parquet")


def convert(
    spec: str | os.PathLike[str],
    output: Path,
    to: str,
    *,
    file_format: str | None = None,
    split: str | None = None,
    libraries: Sequence[str | os.PathLike[str]] = (),
    on_note: Callable[[str], None] | None = None,
) -> list[str]:
    """Write a data set in another layout or format; all of its columns stay.

    Args:
        spec: As in `open_source`.
        output: A folder that is empty or not there yet.
        to: One of `LAYOUTS`.
        file_format: One of `FORMATS`; BEIR has no parquet.
        split: The one to convert, all by default; what a file of queries is called
            from then on (default: `tests`).
        libraries: Folders of the skills that a file of queries names.
        on_note: Called with each line of what is worth knowing of the data set.

    Returns:
        The splits that were written.

    Raises:
        DatasetError: If the data set is missing or a row is malformed.
        InputError: If the output is not empty, or the arguments make no sense together.
        SkillretError: If a file cannot be written.
    """
    if to == "beir" and file_format == "parquet":
        raise InputError("BEIR layout is jsonl or jsonl.gz, not parquet")
    if split is not None and (Path(split).name != split or "\\" in split):
        raise InputError(f"{split!r} cannot be the name of a split: it becomes that of a file")
    check_fresh(output)
    source = open_source(spec, split or "*", libraries)
    if isinstance(source, QueryFile) and split:
        source = replace(source, split=split)
    names = source.splits() if split is None else [choose_split(str(spec), source, split)]
    if not names:
        raise DatasetError(f"{spec} has no split")
    if to == "beir" and len(names) > 1:
        raise InputError(
            f"in BEIR layout all splits share one corpus, in {spec} each has its own: choose"
            f" with --split one of {', '.join(names)}"
        )
    with fresh_folder(output):
        for name in names:
            if to == "beir":
                write_beir(source, name, output, f".{file_format or 'jsonl'}")
            else:
                _write_skillret(source, name, output, f".{file_format or 'jsonl.gz'}")
    if on_note is not None:
        for remark in source.notes:
            on_note(remark)
    return names


def _write_skillret(source: RowSource, split: str, output: Path, suffix: str) -> None:
    for table in TABLES:
        rows = (row for row, _ in source.rows(table, split))
        head = list(islice(rows, 1))
        if head or table != "negatives":
            write_rows(output / "data" / table / f"{split}{suffix}", chain(head, rows))
