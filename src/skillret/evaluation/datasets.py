"""Data sets in SkillRet layout, on disk or on the hub.

The tables are `data/{skills,queries,qrels}/{split}.jsonl[.gz]` or `.parquet`. Only `id`, `name`,
`description` and `skill_md` (or `body`) of a skill are needed; any other column is carried along
in `extra`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.errors import DatasetError
from skillret.types import Query, Skill

__all__ = ["Dataset", "find_table", "load_dataset", "read_rows", "read_skills"]

# Skills and queries of the two test splits that were published under one name.
_SKILLRET_TESTS = {
    (6660, 4997): "the test split of the SkillRet paper and of its model cards",
    (6006, 4392): "the reduced test split of hub revision a050ad2, about 3 points easier than the"
    " paper's: do not compare it with published figures",
}
_SUFFIXES = (".jsonl.gz", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One split of a data set.

    Attributes:
        name: As it was asked for.
        revision: Commit on the hub, or the start of a SHA-256 over the split's files.
        split: Its name.
        skills: The corpus, in file order.
        queries: The labelled requests, in file order.
        qrels: Relevance above 0 of skill ids, by query id.
        negatives: Requests that need no skill.
        notes: What a reader of results should know.
    """

    name: str
    revision: str
    split: str
    skills: list[Skill]
    queries: list[Query]
    qrels: dict[str, dict[str, int]]
    negatives: list[Query]
    notes: tuple[str, ...] = ()


def load_dataset(spec: str, split: str = "test", *, allow_missing: bool = False) -> Dataset:
    """Load one split from a folder, or from the hub by `id` or `id@revision`.

    Args:
        spec: Folder or hub id.
        split: Its name.
        allow_missing: Drop gold labels whose skill is not in the corpus instead of refusing.

    Raises:
        DatasetError: If it is missing, malformed, holds no query, a query twice, or names gold
            skills that do not exist.
    """
    folder, revision = Path(spec).expanduser(), ""
    if not folder.is_dir():
        folder, revision = _from_hub(spec, split)
    skills = read_skills(folder, split)
    files = {table: find_table(folder, table, split) for table in ("queries", "qrels", "negatives")}
    if files["queries"] is None:
        raise DatasetError(f"{spec} has skills but no queries of the split {split!r}")
    queries = _queries(files["queries"])
    if not queries:
        raise DatasetError(f"{files['queries']} holds no query")
    qrels = _qrels(files["qrels"], queries)
    notes = _check_gold(spec, skills, queries, qrels, allow_missing)
    note = _SKILLRET_TESTS.get((len(skills), len(queries)))
    if note is not None:
        notes.append(f"{len(skills)} skills, {len(queries)} queries: this is {note}")
    used = [find_table(folder, "skills", split), *files.values()]
    return Dataset(
        name=spec,
        revision=revision or _digest([f for f in used if f is not None]),
        split=split,
        skills=skills,
        queries=queries,
        qrels=qrels,
        negatives=_queries(files["negatives"]) if files["negatives"] else [],
        notes=tuple(notes),
    )


def _from_hub(spec: str, split: str) -> tuple[Path, str]:
    """Folder and commit of a data set on the hub, downloaded or from the hub's cache."""
    name, _, revision = spec.partition("@")
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise DatasetError(
            f"no such data set: {spec} is neither a folder nor a hub id like ThakiCloud/SKILLRET"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise DatasetError(
            f"loading {spec} from the hub needs huggingface_hub: pip install 'skillret[evaluate]'"
        ) from None
    try:
        path = snapshot_download(
            name,
            repo_type="dataset",
            revision=revision or None,
            allow_patterns=[f"data/*/{split}.*"],
        )
    except Exception as e:  # network, permission and cache errors share no base
        reason = next(iter(str(e).strip().splitlines()), type(e).__name__)
        raise DatasetError(
            f"cannot load {spec} from the hub: {reason[:200]}; without network give a folder that"
            f" holds data/{{skills,queries,qrels}}/{split}.jsonl"
        ) from None
    return Path(path), Path(path).name


def _queries(file: Path) -> list[Query]:
    out: dict[str, Query] = {}
    for number, row in enumerate(read_rows(file), start=1):
        missing = [c for c in ("id", "query") if not str(row.get(c) or "").strip()]
        if missing:
            raise DatasetError(
                f"{file}, row {number}: the column {missing[0]!r} is missing or empty"
            )
        key = str(row["id"])
        if key in out:
            raise DatasetError(f"{file}, row {number}: the query {key!r} is there twice")
        extra = {k: v for k, v in row.items() if k not in ("id", "query")}
        out[key] = Query(key, str(row["query"]), extra)
    return list(out.values())


def _qrels(file: Path | None, queries: list[Query]) -> dict[str, dict[str, int]]:
    """Labels of the qrels table; without one those in the queries' `skill_ids`."""
    out: dict[str, dict[str, int]] = {}
    if file is None:
        for query in queries:
            for id_ in query.extra.get("skill_ids") or ():
                out.setdefault(query.id, {})[str(id_)] = 1
        return out
    for number, row in enumerate(read_rows(file), start=1):
        try:
            relevance = int(row.get("relevance", 1))
            query_id, skill_id = str(row["query_id"]), str(row["skill_id"])
        except (KeyError, TypeError, ValueError):
            raise DatasetError(
                f"{file}, row {number}: needs query_id, skill_id and a whole relevance"
            ) from None
        if relevance > 0:
            out.setdefault(query_id, {})[skill_id] = relevance
    return out


def _check_gold(
    spec: str,
    skills: list[Skill],
    queries: list[Query],
    qrels: dict[str, dict[str, int]],
    allow_missing: bool,
) -> list[str]:
    """Notes on labels without a skill, which are dropped; refuses them unless allowed."""
    known = {s.id for s in skills}
    dangling = [(q, s) for q, gold in qrels.items() for s in gold if s not in known]
    notes = []
    if dangling:
        query_id, skill_id = dangling[0]
        text = (
            f"{spec}: {len(dangling)} gold labels name a skill that is not there, the first is"
            f" {skill_id!r} of query {query_id!r}"
        )
        if not allow_missing:
            raise DatasetError(f"{text}; --allow-missing drops them")
        for query_id, skill_id in dangling:
            del qrels[query_id][skill_id]
        notes.append(f"{text}; dropped")
    ids = {q.id for q in queries}
    for query_id in [q for q, gold in qrels.items() if not gold or q not in ids]:
        del qrels[query_id]
    if not qrels:
        raise DatasetError(f"{spec}: no query has a gold skill")
    if len(qrels) < len(queries):
        notes.append(f"{len(queries) - len(qrels)} queries have no gold skill and are not scored")
    return notes


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.parent.name}/{file.name}".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def find_table(folder: Path, table: str, split: str) -> Path | None:
    """The file of one table and split, or None.

    Args:
        folder: The data set's folder.
        table: `skills`, `queries`, `qrels` or `negatives`.
        split: `train`, `dev`, `test`, ...
    """
    for base in (folder / "data" / table, folder / table):
        for suffix in _SUFFIXES:
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
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise DatasetError(f"{file}, line {number}: not a JSON object")
                    yield row
    except json.JSONDecodeError as e:
        raise DatasetError(f"{file}, line {number}: not JSON ({e.msg})") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise DatasetError(
            f"{file} cannot be read after line {number}: {e}; is it complete?"
        ) from None


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


def _missing(folder: Path, split: str) -> str:
    if not folder.is_dir():
        return f"no such data set folder: {folder}"
    base = folder / "data" / "skills"
    base = base if base.is_dir() else folder / "skills"
    found = sorted({f.name.split(".")[0] for f in base.glob("*.*")}) if base.is_dir() else []
    if not found:
        return f"{folder} is no data set in SkillRet layout: it has no data/skills/SPLIT.jsonl.gz"
    return f"{folder} has no split {split!r}; it has: {', '.join(found)}"
