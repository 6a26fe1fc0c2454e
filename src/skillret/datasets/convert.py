"""Data sets from one layout into another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

from skillret.datasets.beir import write_beir
from skillret.datasets.dataset import choose_split, open_rows
from skillret.datasets.pairs import request_tables
from skillret.datasets.tables import TABLES, RowSource, write_rows
from skillret.errors import DatasetError, InputError
from skillret.files import check_fresh, expand, fresh_folder

__all__ = ["FORMATS", "LAYOUTS", "convert"]

LAYOUTS = ("skillret", "beir")
FORMATS = ("jsonl", "jsonl.gz", "parquet")


def convert(
    spec: str,
    output: Path,
    to: str,
    *,
    file_format: str | None = None,
    split: str | None = None,
    libraries: Sequence[str] = (),
) -> list[str]:
    """Write a data set in another layout or format; all of its columns stay.

    Args:
        spec: As in `load_dataset`; or a `.csv`, `.jsonl`, `.jsonl.gz` or `.parquet` file of
            requests and the names of their skills.
        output: A folder that is empty or not there yet.
        to: One of `LAYOUTS`.
        file_format: One of `FORMATS`; BEIR has no parquet.
        split: The one to convert, all by default; what a file of requests is called.
        libraries: Folders of the skills that a file of requests names.

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
    source = _open(spec, split, libraries)
    names = source.splits() if split is None else [choose_split(spec, source, split)]
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
    return names


def _open(spec: str, split: str | None, libraries: Sequence[str]) -> RowSource:
    file = expand(spec)
    if not file.is_file():
        if libraries:
            raise InputError(f"--library goes with a file of requests; {spec} is no file")
        return open_rows(spec, split or "*")[0]
    if not libraries:
        raise InputError(f"{spec} names skills: give the folder that holds them with --library")
    return request_tables(file, libraries, split or "test")


def _write_skillret(source: RowSource, split: str, output: Path, suffix: str) -> None:
    for table in TABLES:
        rows = (row for row, _ in source.rows(table, split))
        head = list(islice(rows, 1))
        if head or table != "negatives":
            write_rows(output / "data" / table / f"{split}{suffix}", chain(head, rows))
