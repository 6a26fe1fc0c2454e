"""Which layout a data set has, and which of its splits is meant: the same for every command."""

from __future__ import annotations

import os
from collections.abc import Sequence

from skillret.datasets.beir import BeirFolder
from skillret.datasets.hub import fetch
from skillret.datasets.library_tests import library_source
from skillret.datasets.query_file import QUERY_SUFFIXES, QueryFile
from skillret.datasets.skillret_folder import SkillRetFolder, split_names
from skillret.datasets.source import OWN_SPLIT, RowSource
from skillret.errors import DatasetError, InputError
from skillret.files import expand
from skillret.skills import Library

__all__ = ["choose_split", "open_source"]


def open_source(
    spec: str | os.PathLike[str],
    split: str = "*",
    libraries: Sequence[str | os.PathLike[str]] = (),
    *,
    allow_missing: bool = False,
) -> RowSource:
    """The rows of a data set of any layout.

    Args:
        spec: Folder in SkillRet or BEIR layout; folder of skills, whose own tests are the labelled
            queries; a `.csv`, `.tsv`, `.txt`, `.jsonl`, `.jsonl.gz` or `.parquet` file of
            queries; `id[@revision]` on the hub; or empty, for the own tests of the skills in
            `libraries`.
        split: What to fetch from the hub; `*` for all splits.
        libraries: Folders of the skills that a file of queries names.
        allow_missing: See `QueryFile`; folders hand out labels of missing skills anyway.

    Raises:
        DatasetError: If there is no such data set.
        InputError: If a library is missing, or a data set goes without or not with one.
    """
    name = os.fspath(spec)
    if not name:
        if not libraries:
            raise InputError("the name of the data set is empty")
        return library_source(Library.open(*libraries))
    path = expand(spec)
    if path.is_file() or (path.name.lower().endswith(QUERY_SUFFIXES) and not path.is_dir()):
        return _query_file(path, libraries, allow_missing)
    if libraries:
        raise InputError(
            f"--library goes with a {', '.join(QUERY_SUFFIXES[:-1])} or {QUERY_SUFFIXES[-1]} file"
            f" of queries, not with {name}"
        )
    if not path.is_dir():
        folder, commit = fetch(name, split)
        return SkillRetFolder(folder, name.partition("@")[0], commit)
    beir = BeirFolder.find(path)
    if beir is not None:
        return beir
    if split_names(path):
        return SkillRetFolder(path)
    library = Library.open(path)
    if not library.skills:
        raise DatasetError(
            f"{path} is no data set: it has neither data/skills/SPLIT.jsonl (SkillRet layout) nor"
            " corpus.jsonl and queries.jsonl (BEIR) nor a SKILL.md in any folder"
        )
    return library_source(library)


def _query_file(
    path: os.PathLike[str],
    libraries: Sequence[str | os.PathLike[str]],
    allow_missing: bool,
) -> QueryFile:
    file = expand(path)
    if not file.is_file():
        raise DatasetError(f"no such file: {file}")
    if not file.name.lower().endswith(QUERY_SUFFIXES):
        raise DatasetError(
            f"{file} is a file; a data set is the folder that holds its tables, or a"
            f" {', '.join(QUERY_SUFFIXES[:-1])} or {QUERY_SUFFIXES[-1]} file of queries"
        )
    if not libraries:
        raise InputError(f"{file} names skills: give the folder that holds them with --library")
    return QueryFile(file, Library.open(*libraries), allow_missing=allow_missing)


def choose_split(name: str, source: RowSource, split: str | None, usual: str = "test") -> str:
    """The split that is meant.

    A library's own tests and a file of queries have one split, `tests`. It is taken where no split
    is asked for, and for `test`.

    Args:
        name: What errors call the data set.
        source: The data set.
        split: As asked for.
        usual: Without `split` that of all other data sets.

    Raises:
        DatasetError: If there is none of that name; the message lists those that there are.
    """
    names = source.splits()
    if names == [OWN_SPLIT] and split in (None, "test"):
        return OWN_SPLIT
    wanted = usual if split is None else split
    if wanted not in names:
        raise DatasetError(
            f"{name} has no split {wanted!r}; it has: {', '.join(names) or 'none with skills'}"
        )
    return wanted
