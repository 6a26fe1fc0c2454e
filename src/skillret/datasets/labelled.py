"""Where training data comes from: SkillRet layout, a library with its eval queries, or a file.

Everything is streamed: a source yields skills and requests one by one and keeps no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skillret.datasets.hub import fetch
from skillret.datasets.library_tests import read_library_tests
from skillret.datasets.pairs import read_requests
from skillret.datasets.tables import find_table, parse_label, read_rows, read_skills
from skillret.errors import DatasetError, InputError
from skillret.files import expand
from skillret.skills import Library
from skillret.types import Skill

__all__ = ["Request", "Source", "open_source"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request with the ids of its gold skills.

    Attributes:
        id: Unique within its source.
        text: As a user typed it.
        gold: Ids of the skills it needs.
        where: Tells a person where it was read.
        kind: As the data set calls it, if it does.
        made: It was made of other requests or of a skill: good to train on, not to judge by.
    """

    id: str
    text: str
    gold: tuple[str, ...]
    where: str
    kind: str = ""
    made: bool = False


class Source(Protocol):
    """Training data that can be read more than once."""

    @property
    def name(self) -> str:
        """What cards and logs call the data."""
        ...

    @property
    def revision(self) -> str:
        """Revision on the hub, or `local`."""
        ...

    def skills(self) -> Iterator[Skill]:
        """All skills, each id once."""
        ...

    def requests(self) -> Iterator[Request]:
        """All requests with their gold skills."""
        ...


def open_source(data: str, split: str, libraries: Sequence[str] = ()) -> Source:
    """Find out what kind of data is meant.

    Args:
        data: Folder or hub id (`name/name[@revision]`) in SkillRet layout, a `.csv`, `.jsonl` or
            `.jsonl.gz` file, or empty to use the eval queries of the libraries.
        split: For SkillRet layout.
        libraries: Folders of skills that a file speaks of.

    Raises:
        InputError: If there is nothing to read, or a combination makes no sense.
        DatasetError: If the data set cannot be fetched or has no such split.
    """
    if not data and not libraries:
        raise InputError(
            "no training data: name it with data.source in the recipe, --data or --library"
        )
    path = expand(data)
    if data and (path.is_file() or path.suffix in (".csv", ".jsonl", ".gz")):
        if not path.is_file():
            raise InputError(f"no such file: {path}")
        if not libraries:
            raise InputError(f"{path} names skills: give the folder that holds them with --library")
        return LibrarySource(libraries, path)
    if libraries and data:
        raise InputError(
            f"--library stands alone or goes with a .csv or .jsonl file, not with {data}"
        )
    if libraries:
        return LibrarySource(libraries, None)
    if path.is_dir():
        return LayoutSource(path, path.resolve().name, "local", split)
    if path.is_absolute() or data.startswith((".", "~")) or data.count("/") != 1:
        raise InputError(f"no such data set folder: {data}")
    folder, revision = fetch(data, "*")  # dev chooses checkpoints, test is kept apart
    return LayoutSource(folder, data.partition("@")[0], revision, split)


class LayoutSource:
    """A data set in SkillRet layout.

    Raises:
        DatasetError: If the split's tables are missing.
    """

    def __init__(self, folder: Path, name: str, revision: str, split: str) -> None:
        self.folder, self.name, self.revision, self.split = folder, name, revision, split
        self._queries = find_table(folder, "queries", split)
        self._qrels = find_table(folder, "qrels", split)
        skills = find_table(folder, "skills", split)
        if skills is None:
            read_skills(folder, split)  # says what is missing
        assert skills is not None
        self._skills = skills
        if self._queries is None or self._qrels is None:
            raise DatasetError(f"{folder} has no queries and qrels for the split {split!r}")

    def skills(self) -> Iterator[Skill]:
        """See `Source.skills`. Without the columns that no document template has a use for."""
        for number, row in enumerate(read_rows(self._skills), start=1):
            id_, name = row.get("id"), row.get("name")
            if id_ in (None, "") or name in (None, ""):
                missing = "id" if id_ in (None, "") else "name"
                raise DatasetError(
                    f"{self._skills}, row {number}: the column {missing!r} is missing or empty"
                )
            body = row.get("skill_md")
            body = row.get("body") if body is None else body
            description = row.get("description") or ""
            yield Skill(str(id_), str(name), str(description), str(body or ""))

    def requests(self) -> Iterator[Request]:
        """See `Source.requests`."""
        assert self._queries is not None
        assert self._qrels is not None
        gold: dict[str, list[str]] = {}
        for number, row in enumerate(read_rows(self._qrels), start=1):
            query, skill, relevance = parse_label(row, f"{self._qrels}, row {number}")
            if relevance > 0:
                gold.setdefault(query, []).append(skill)
        seen: set[str] = set()
        for number, row in enumerate(read_rows(self._queries), start=1):
            where = f"{self._queries}, row {number}"
            if "id" not in row or not isinstance(row.get("query"), str):
                raise DatasetError(f"{where}: the column 'id' or 'query' is missing")
            query_id = str(row["id"])
            if query_id in seen:  # which of the labels are whose?
                raise DatasetError(f"{where}: the query id {query_id!r} occurs twice")
            seen.add(query_id)
            kind = str(row.get("kind") or "")
            yield Request(query_id, row["query"], tuple(gold.get(query_id, ())), where, kind)


class LibrarySource:
    """Skills in folders; requests from a file of request and skill, or from their eval queries."""

    revision = "local"

    def __init__(self, libraries: Sequence[str], pairs: Path | None) -> None:
        self._library = Library.open(*libraries)
        self._pairs = pairs
        names = [expand(folder).resolve().name for folder in libraries]
        self.name = pairs.name if pairs is not None else ", ".join(names)

    def skills(self) -> Iterator[Skill]:
        """See `Source.skills`."""
        return iter(self._library.skills)

    def requests(self) -> Iterator[Request]:
        """See `Source.requests`."""
        rows = (
            self._eval_queries()
            if self._pairs is None
            else read_requests(self._pairs, self._library.skills)
        )
        # A request that is repeated with another skill is one request with two gold skills.
        merged: dict[str, tuple[list[str], str]] = {}
        for text, gold, where in rows:
            known, _ = merged.setdefault(text.strip(), ([], where))
            known.extend(g for g in gold if g not in known)
        for number, (text, (ids, where)) in enumerate(merged.items(), start=1):
            yield Request(f"q{number}", text, tuple(ids), where)

    def _eval_queries(self) -> Iterator[tuple[str, list[str], str]]:
        for test in read_library_tests(self._library.skills):
            if test.should_trigger:
                yield test.text, [test.skill_id], str(test.file)
