"""A table, JSON-lines or parquet file of queries that names skills in folders."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from skillret.charsets import name_of
from skillret.datasets.charset import encoding_of, other_encoding_of
from skillret.datasets.columns import (
    LABEL_COLUMNS,
    NO_LABELS,
    QUERY_COLUMNS,
    column_key,
    decimal,
    first_of,
    truth,
    verdict,
)
from skillret.datasets.delimited import delimited_rows
from skillret.datasets.library_rows import query_id, skill_rows
from skillret.datasets.row_files import Row, digest_files, numbered_rows
from skillret.datasets.source import OWN_SPLIT
from skillret.errors import DatasetError
from skillret.messages import counted, meant
from skillret.skills import Library

__all__ = ["QUERY_SUFFIXES", "QueryFile"]

QUERY_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".jsonl.gz", ".parquet")

_TABLES = (".csv", ".tsv", ".txt")
# Of a query that needs none.
_NONE = frozenset(("none", "-", "\u2014", "no skill", "null", "[]", "n/a"))
_SKILL_COLUMNS = (
    *("skill", "skillid", "skillname", "skills", "skillids", "skillnames"),
    *("expectedskill", "expectedskills", "expected", "goldskill", "goldskills", "gold"),
)
_MOST_SHOWN = 5  # columns in an error
_DROPPED = "; `skillret evaluate --allow-missing` drops such labels"
_SEVERAL = re.compile("[,;|]")
_AROUND = " \t\"'[]"  # a name in a cell that holds a list
_FILE = re.compile(r"/SKILL\.md$", re.IGNORECASE)
_RELEVANCE, *_AS_RELEVANCE = LABEL_COLUMNS["relevance"]


class _Relevance(NamedTuple):
    """What says of the rows of a file how relevant their skill is.

    Attributes:
        key: The column's `column_key`.
        called: Its name, if it is another one.
        wrong: How many rows it makes no labels.
        missed: Columns that may be meant for it, where nothing says which rows are labels.
    """

    key: str = _RELEVANCE
    called: str = ""
    wrong: int = 0
    missed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A file of queries and the folders of the skills that it names, as one split (a `RowSource`).

    A query stands in the column `request` or `query`; its skill, by name or id, in `skill`,
    `skill_id` or `skill_name`, or several of them as a list in `skills` or `skill_ids`, in a table
    with commas, semicolons or bars between them. Names of columns are compared by `column_key`. A
    `relevance` of 0 (under the names of `LABEL_COLUMNS`, too, where it is a number, or says yes or
    no), or `should_trigger` that says no, makes a row no label. A query whose skill is
    `none`, `N/A`, `-`, null or an empty list needs none; one with an empty cell has no label. One
    that is repeated with another skill is one query with two gold skills; of its other columns
    those of the first row count. Of one name the first skill in order of precedence is meant.

    Attributes:
        file: One of `QUERY_SUFFIXES`.
        library: Has the skills.
        split: What the file is called.
        allow_missing: Hand out labels of skills that the library lacks, by the names that rows give
            them, instead of refusing the first.
    """

    file: Path
    library: Library = field(repr=False)
    split: str = OWN_SPLIT
    layout: str = "queries"
    one_corpus: bool = False
    allow_missing: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """See `RowSource.notes`."""
        notes = []
        with suppress(OSError, DatasetError):  # whoever reads it says so
            encoding = "utf-8" if self.file.suffix == ".gz" else encoding_of(self.file)
            if not encoding.startswith("utf"):
                older = other_encoding_of(self.file)
                doubt = f", but it may be {older}: letters may be wrong" if older else ""
                name = f"{name_of(encoding)}{doubt}"
                notes.append(f"{self.file.name} was read as {name}; save it as UTF-8 to be sure")
            relevance = self._relevance()
            if relevance.wrong:
                rows = f"{counted(relevance.wrong, 'row')} of 0 or less"
                verb = "are no labels" if relevance.wrong > 1 else "is no label"
                notes.append(
                    f"the column {relevance.called!r:.80} of {self.file.name} is read as the"
                    f" relevance: {rows} {verb}"
                )
            if relevance.missed:
                columns = " and ".join(f"{name!r:.80}" for name in relevance.missed[:_MOST_SHOWN])
                notes.append(
                    f"every row of {self.file.name} is a label, and {columns} "
                    f"{'are' if len(relevance.missed) > 1 else 'is'} not read; what says whether a"
                    " skill is right must be called `relevance` and be a number, 0 for a wrong one"
                )
            unlabelled = sum(_is_blank(first_of(row, _SKILL_COLUMNS)) for row in self._unsaid())
            if unlabelled:
                verb = "name" if unlabelled > 1 else "names"
                notes.append(
                    f"{counted(unlabelled, 'row')} of {self.file.name} {verb} no skill and no label"
                    " is read off; write `none` where a query needs no skill"
                )
        return tuple(notes)

    @property
    def name(self) -> str:
        """See `RowSource.name`."""
        return self.file.name

    def splits(self) -> list[str]:
        """See `RowSource.splits`."""
        return [self.split]

    def rows(self, table: str, split: str) -> Iterator[tuple[Row, str]]:
        """See `RowSource.rows`.

        Raises:
            DatasetError: If a row is malformed or names a skill that is not there.
        """
        if table == "skills":
            for row in self._skill_rows():
                yield row, str(row["source_url"])
        elif table in ("queries", "negatives"):
            needless = self._needless()
            seen = set()
            for given, text, where in self._read():
                if (id_ := query_id(text)) in seen or (text in needless) != (table == "negatives"):
                    continue
                seen.add(id_)
                yield {**_others(given), "id": id_, "query": text}, where
        elif table == "qrels":
            yield from self._labels()

    def _unsaid(self) -> Iterator[Mapping[str, Any]]:
        """The rows that do not say that their query needs no skill."""
        names = {skill.name for skill in self.library.skills}
        return (row for row, _, _ in self._read() if not _says_none(row, names))

    def _relevance(self) -> _Relevance:
        """What says of the rows that name a skill how relevant it is."""
        numbers: dict[str, Counter[float]] = {}
        others: set[str] = set()
        names: dict[str, str] = {}
        judged = False
        for row in self._unsaid():
            if _is_blank(first_of(row, _SKILL_COLUMNS)):
                continue
            said = {column_key(name): value for name, value in row.items() if not _is_blank(value)}
            names |= {column_key(name): name for name in row}
            judged = judged or verdict(said) is not None
            for key, value in said.items():
                if (number := _number(value)) is None:
                    others.add(key)
                elif key in _AS_RELEVANCE or key not in others:
                    numbers.setdefault(key, Counter())[number] += 1
        wrong = {key: sum(n for v, n in found.items() if v <= 0) for key, found in numbers.items()}
        if judged or _RELEVANCE in {*numbers, *others}:
            return _Relevance()
        for key in _AS_RELEVANCE:
            if key in numbers:
                return _Relevance(key, names[key], wrong[key])
        used = {*QUERY_COLUMNS, *_SKILL_COLUMNS, *NO_LABELS, *others}
        some = {key for key, found in numbers.items() if 0 < wrong[key] < found.total()}
        some -= {
            key for key, found in numbers.items() if len(found) == found.total()
        }  # row numbers
        words = others.intersection(_AS_RELEVANCE)
        return _Relevance(missed=[n for key, n in names.items() if key in words | (some - used)])

    def _needless(self) -> set[str]:
        """Queries of which every row says that they need no skill."""
        names = {skill.name for skill in self.library.skills}
        said = [(text, _says_none(row, names)) for row, text, _ in self._read()]
        return {text for text, none in said if none} - {text for text, none in said if not none}

    def _labels(self) -> Iterator[tuple[Row, str]]:
        skills = self.library.skills
        ids = [row["id"] for row in self._skill_rows()]
        pairs = [*zip(skills, ids, strict=True)]
        known = {skill.name: id_ for skill, id_ in reversed(pairs)}
        known |= {id_: id_ for id_ in ids}
        known |= {skill.id: id_ for skill, id_ in pairs}
        small = {name.casefold(): id_ for name, id_ in reversed([*known.items()])}
        known = {**small, **known}
        seen, named = set(), False
        names = {skill.name for skill in skills}
        relevance = self._relevance().key
        columns: dict[str, None] = {}
        for row, text, where in self._read():
            columns |= dict.fromkeys([*row][:_MOST_SHOWN])
            named = named or any(column_key(name) in _SKILL_COLUMNS for name in row)
            if _says_none(row, names):
                continue
            for skill in _named_skills(row, known, where):
                missing = not isinstance(skill, str) or skill not in known
                if missing and not (self.allow_missing and isinstance(skill, str)):
                    hint = "; are the columns mixed up?" if text in known else ""
                    hint = hint or (meant(skill, names) if isinstance(skill, str) else "")
                    raise DatasetError(
                        f"{where}: the skill {skill!r} is not in the library{hint or _DROPPED}"
                    )
                if not _wanted(row, where, relevance):
                    continue
                label = (query_id(text), known.get(skill, skill))
                if label not in seen:
                    seen.add(label)
                    yield {"query_id": label[0], "skill_id": label[1], "relevance": 1}, where
        if not columns:
            raise DatasetError(f"{self.file} holds no query")
        if not named:
            found = ", ".join(repr(name)[:40] for name in [*columns][:_MOST_SHOWN])
            raise DatasetError(
                f"{self.file} has no column that names skills (skill, skills, skill_id or"
                f" expected_skill); it has {found}"
            )

    def revision(self, split: str) -> str:
        """See `RowSource.revision`."""
        digest = hashlib.sha256(digest_files([self.file]).encode())
        for row in self._skill_rows():
            text = json.dumps(row, sort_keys=True, default=str)
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:12]

    def stamp(self, split: str) -> str:
        """See `RowSource.stamp`."""
        return self.library.fingerprint

    def _skill_rows(self) -> list[Row]:
        return skill_rows(self.library.skills, [root.path for root in self.library.roots])

    def _read(self) -> Iterator[tuple[Mapping[str, Any], str, str]]:
        """Every row with its query and where it stands."""
        if self.file.suffix.lower() in _TABLES:
            rows = delimited_rows(self.file, QUERY_COLUMNS, "request or query")
        else:
            rows = numbered_rows(self.file, nulls=True)
        for row, where in rows:
            text = first_of(row, QUERY_COLUMNS)
            if not isinstance(text, str) or not text.strip():
                raise DatasetError(f"{where}: no query (column request or query)")
            yield row, text.strip(), where

    def repeated(self) -> int:
        """How many rows say what an earlier one has said: the same query with the same skills."""
        said = [(text, str(first_of(row, _SKILL_COLUMNS))) for row, text, _ in self._read()]
        return len(said) - len({*said})


def _named_skills(row: Mapping[str, Any], known: Container[str], where: str) -> Sequence[Any]:
    given = first_of(row, _SKILL_COLUMNS)
    if given is not None and not isinstance(given, (str, list)):
        raise DatasetError(f"{where}: a skill must be a name, or several a list of names")
    if not isinstance(given, str):
        return given or []
    one = given.strip()
    if one in known or not one:
        return [one] if one else []
    names = [_plain(part) for part in _SEVERAL.split(one) if _plain(part)]
    return names if any(name in known for name in names) else [one]


def _says_none(row: Mapping[str, Any], names: Container[str]) -> bool:
    """Whether a row says that its query needs no skill; a skill may be called "none"."""
    given = [value for name, value in row.items() if column_key(name) in _SKILL_COLUMNS]
    given = [value for value in given if value in ([], None) or not _is_blank(value)]
    return bool(given) and all(
        value in ([], None)
        or (isinstance(value, str) and value.strip().casefold() in _NONE and value not in names)
        for value in given
    )


def _is_blank(value: object) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def _plain(cell: str) -> str:
    """A skill's name of a cell that writes it as a command, a file or an item of a list."""
    return _FILE.sub("", cell.strip(_AROUND)).lstrip("/@$").casefold()


def _number(value: object) -> float | None:
    """A relevance, of which yes and no are one too; None where it is neither."""
    try:
        return decimal(value)
    except (TypeError, ValueError, OverflowError):
        said = truth(value)
        return None if said is None else float(said)


def _wanted(row: Mapping[str, Any], where: str, column: str) -> bool:
    """Whether a row's skill is a gold one.

    Args:
        row: It names a skill.
        where: Where it stands.
        column: The key of the one that holds the relevance.

    Raises:
        DatasetError: If it says neither yes nor no: taken for a yes, a near miss would be one.
    """
    said = {column_key(name): value for name, value in row.items()}
    wanted = verdict(said)
    if wanted is not None and truth(wanted) is None:
        raise DatasetError(f"{where}: should_trigger must be true or false, not {wanted!r:.80}")
    given = said.get(column)
    relevance = 1.0 if _is_blank(given) else _number(given)
    if relevance is None:
        raise DatasetError(f"{where}: a relevance is a number, not {given!r:.80}")
    return relevance > 0 and (wanted is None or truth(wanted) is True)


def _others(row: Mapping[str, Any]) -> Row:
    used = ("id", *QUERY_COLUMNS, *_SKILL_COLUMNS)
    return {k: v for k, v in row.items() if column_key(k) not in used and v not in ("", None)}
