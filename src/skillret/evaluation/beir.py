"""Data sets in BEIR layout (arXiv:2104.08663): corpus, queries and tab-separated qrels.

`corpus.jsonl` has `_id`, `title`, `text`; `queries.jsonl` has `_id`, `text`; `qrels/{split}.tsv` has
a header and `query-id`, `corpus-id`, `score`. A skill is written as its name (title) and its
description and body (text); what a BEIR reader does not look at stands in `metadata`, so that the
way there and back loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from skillret.errors import DatasetError, SkillretError
from skillret.evaluation.tables import read_rows, write_rows
from skillret.types import Query, Skill

__all__ = ["beir_files", "beir_splits", "read_beir", "write_beir"]

_SUFFIXES = (".jsonl", ".jsonl.gz")


def beir_files(folder: Path) -> tuple[Path, Path] | None:
    """Corpus and queries, or None if the folder is not in BEIR layout."""
    found = [
        next((f for x in _SUFFIXES if (f := folder / f"{name}{x}").is_file()), None)
        for name in ("corpus", "queries")
    ]
    return (found[0], found[1]) if found[0] and found[1] else None


def beir_splits(folder: Path) -> list[str]:
    """Names of the splits that have qrels, in order of name."""
    return sorted(f.stem for f in (folder / "qrels").glob("*.tsv"))


def read_beir(
    folder: Path, split: str
) -> tuple[list[Skill], list[Query], dict[str, dict[str, int]], list[Path]]:
    """Skills, the split's queries, its qrels, and the files they came from.

    Raises:
        DatasetError: If a file is missing or malformed.
    """
    files = beir_files(folder)
    assert files is not None, "checked by the caller"
    qrels_file = folder / "qrels" / f"{split}.tsv"
    if not qrels_file.is_file():
        found = ", ".join(beir_splits(folder)) or "none"
        raise DatasetError(f"{folder} has no split {split!r} (qrels/{split}.tsv); it has: {found}")
    skills = [_skill(row, where) for row, where in _rows(files[0])]
    qrels: dict[str, dict[str, int]] = {}
    asked: set[str] = set()
    for query_id, skill_id, relevance in _read_qrels(qrels_file):
        asked.add(query_id)
        if relevance > 0:
            qrels.setdefault(query_id, {})[skill_id] = relevance
    # The file of queries is shared by all splits.
    queries = [q for q in (_query(row, where) for row, where in _rows(files[1])) if q.id in asked]
    return skills, queries, qrels, [*files, qrels_file]


def write_beir(
    folder: Path,
    split: str,
    skills: Iterable[Skill],
    queries: Iterable[Query],
    qrels: Mapping[str, Mapping[str, int]],
) -> None:
    """Write one split as a data set of its own.

    Raises:
        SkillretError: If a file cannot be written.
    """
    write_rows(folder / "corpus.jsonl", (_corpus_row(s) for s in skills))
    write_rows(
        folder / "queries.jsonl",
        ({"_id": q.id, "text": q.text, "metadata": dict(q.extra)} for q in queries),
    )
    lines = [f"{q}\t{s}\t{r}\n" for q, gold in qrels.items() for s, r in gold.items()]
    file = folder / "qrels" / f"{split}.tsv"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("query-id\tcorpus-id\tscore\n" + "".join(lines), encoding="utf-8")
    except OSError as e:
        raise SkillretError(f"cannot write {file}: {e.strerror or e}") from None


def _corpus_row(skill: Skill) -> dict[str, Any]:
    text = "\n\n".join(part for part in (skill.description, skill.body) if part)
    metadata = {**skill.extra, "description": skill.description}
    if skill.path:
        metadata["source_url"] = skill.path
    return {"_id": skill.id, "title": skill.name, "text": text, "metadata": metadata}


def _skill(row: Mapping[str, Any], where: str) -> Skill:
    id_ = row.get("_id")
    if not isinstance(id_, (str, int)) or id_ == "":
        raise DatasetError(f"{where}: the column '_id' is missing or empty")
    extra = dict(row.get("metadata") or {})
    text, description = str(row.get("text") or ""), str(extra.pop("description", ""))
    body = text
    if description and text.startswith(description):
        body = text[len(description) :].removeprefix("\n\n")
    path = extra.pop("source_url", None)
    name = str(row.get("title") or "")
    return Skill(id=str(id_), name=name, description=description, body=body, path=path, extra=extra)


def _query(row: Mapping[str, Any], where: str) -> Query:
    if not str(row.get("_id") or "").strip() or not str(row.get("text") or "").strip():
        raise DatasetError(f"{where}: the column '_id' or 'text' is missing or empty")
    return Query(str(row["_id"]), str(row["text"]), dict(row.get("metadata") or {}))


def _rows(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for number, row in enumerate(read_rows(file), start=1):
        yield row, f"{file}, row {number}"


def _read_qrels(file: Path) -> Iterator[tuple[str, str, int]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                cells = line.rstrip("\r\n").split("\t")
                if not line.strip() or (number == 1 and cells[-1] == "score"):
                    continue
                try:
                    query_id, skill_id, relevance = cells
                    yield query_id, skill_id, int(relevance)
                except ValueError:
                    raise DatasetError(
                        f"{file}, line {number}: not `query-id<TAB>corpus-id<TAB>score`"
                    ) from None
    except (OSError, UnicodeDecodeError) as e:
        raise DatasetError(f"{file} cannot be read: {e}") from None
