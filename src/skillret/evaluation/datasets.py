"""Data sets: SkillRet layout on disk or on the hub, BEIR layout, and a library's own tests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from skillret.errors import DatasetError
from skillret.evaluation.beir import beir_files, read_beir
from skillret.evaluation.library_tests import labelled_requests, read_library_tests
from skillret.evaluation.tables import find_table, read_rows, read_skills, splits
from skillret.skills import Library, content_hash
from skillret.types import Query, Skill

__all__ = [
    "LIBRARY_SPLIT",
    "Dataset",
    "check_gold",
    "layout",
    "load_dataset",
    "locate",
    "read_queries",
]

LIBRARY_SPLIT = "tests"  # what a library's own tests are called
# Skills and queries of the two test splits that were published under one name.
_SKILLRET_TESTS = {
    (6660, 4997): "the test split of the SkillRet paper and of its model cards",
    (6006, 4392): "the reduced test split of hub revision a050ad2, about 3 points easier than the"
    " paper's: do not compare it with published figures",
}


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
    """Load one split.

    Args:
        spec: Folder in SkillRet or BEIR layout; folder of skills, whose own tests are the labelled
            requests (it has one split, `tests`, whatever is asked for); or `id[@revision]` on the hub.
        split: Its name.
        allow_missing: Drop gold labels whose skill is not in the corpus instead of refusing.

    Raises:
        DatasetError: If it is missing, malformed, holds no query, a query or a skill twice, or
            names gold skills that do not exist.
    """
    folder, revision = locate(spec, split)
    kind = layout(folder)
    if kind == "library":
        data = _load_library(spec, folder)
    elif kind == "beir":
        skills, queries, qrels, files = read_beir(folder, split)
        data = Dataset(spec, revision or _digest(files), split, skills, queries, qrels, [])
    else:
        data = _load_skillret(spec, folder, split, revision)
    if not data.queries:
        raise DatasetError(f"{spec} holds no query of the split {data.split!r}")
    _refuse_twice(spec, "skill", [s.id for s in data.skills])
    _refuse_twice(spec, "query", [q.id for q in data.queries])
    notes = check_gold(spec, data.skills, data.queries, data.qrels, allow_missing)
    note = _SKILLRET_TESTS.get((len(data.skills), len(data.queries)))
    if note is not None:
        notes.append(f"{len(data.skills)} skills, {len(data.queries)} queries: this is {note}")
    return replace(data, notes=(*data.notes, *notes))


def locate(spec: str, split: str = "*") -> tuple[Path, str]:
    """The folder of a data set, fetched from the hub if need be, and its revision there or "".

    Raises:
        DatasetError: If there is none.
    """
    folder = Path(spec).expanduser()
    return (folder, "") if folder.is_dir() else _from_hub(spec, split)


def layout(folder: Path) -> str:
    """`skillret`, `beir` or `library`, by what a folder holds."""
    if beir_files(folder) is not None:
        return "beir"
    if (folder / "data").is_dir() or (folder / "skills").is_dir():
        if splits(folder) or not _has_skill(folder):
            return "skillret"
    return "library" if _has_skill(folder) else "skillret"


def _has_skill(folder: Path) -> bool:
    return (
        any(folder.glob("SKILL.md"))
        or any(folder.glob("*/SKILL.md"))
        or any(folder.glob("*/*/SKILL.md"))
    )


def _load_skillret(spec: str, folder: Path, split: str, revision: str) -> Dataset:
    skills = read_skills(folder, split)
    files = {table: find_table(folder, table, split) for table in ("queries", "qrels", "negatives")}
    if files["queries"] is None:
        raise DatasetError(f"{spec} has skills but no queries of the split {split!r}")
    queries = read_queries(files["queries"])
    used = [find_table(folder, "skills", split), *files.values()]
    return Dataset(
        name=spec,
        revision=revision or _digest([f for f in used if f is not None]),
        split=split,
        skills=skills,
        queries=queries,
        qrels=_qrels(files["qrels"], queries),
        negatives=read_queries(files["negatives"]) if files["negatives"] else [],
    )


def _load_library(spec: str, folder: Path) -> Dataset:
    """A folder of skills, with the tests that stand beside them."""
    skills = Library.open(folder).skills
    queries, qrels, negatives = labelled_requests(list(read_library_tests(skills)))
    if not queries:
        raise DatasetError(
            f"the skills in {folder} have no tests: put requests into eval_queries.json beside a"
            ' SKILL.md, as [{"query": "...", "should_trigger": true}, ...]'
        )
    digest = hashlib.sha256()
    for skill in skills:
        digest.update(content_hash(skill).encode())
    for query in (*queries, *negatives):
        digest.update(f"{query.id}\0{query.text}\0".encode())
    tested = {id_ for gold in qrels.values() for id_ in gold}
    notes = [f"{len(tested)} of {len(skills)} skills have tests"]
    if negatives:
        notes.append("negatives are near misses of one skill; another may still fit them")
    revision = digest.hexdigest()[:12]
    return Dataset(
        spec, revision, LIBRARY_SPLIT, list(skills), queries, qrels, negatives, tuple(notes)
    )


def _refuse_twice(spec: str, what: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for id_ in ids:
        if id_ in seen:
            raise DatasetError(f"{spec}: the {what} {id_!r} is there twice")
        seen.add(id_)


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


def read_queries(file: Path) -> list[Query]:
    """Queries or negatives of one split, in file order.

    Raises:
        DatasetError: If a row lacks its id or text, or an id is there twice.
    """
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


def check_gold(
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
