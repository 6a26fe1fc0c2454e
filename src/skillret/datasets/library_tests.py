"""The tests that skills bring along, as labelled queries.

Two files stand beside a SKILL.md, or in its `evals/` folder (agentskills.io): `eval_queries.json`,
a list of `{"query", "should_trigger"}`, and `evals.json`, `{"evals": [{"prompt", ...}]}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.datasets.library_rows import query_id, skill_rows
from skillret.datasets.row_files import MAX_ROW
from skillret.datasets.source import RowsInMemory
from skillret.errors import DatasetError
from skillret.files import parse_json, read_start
from skillret.skills import Library
from skillret.types import Skill

__all__ = ["LibraryTest", "library_source", "read_library_tests"]

_TRIGGERS = ("eval_queries.json", "evals/eval_queries.json")
_TASKS = ("evals.json", "evals/evals.json")


@dataclass(frozen=True, slots=True)
class LibraryTest:
    """One query of a skill's own tests.

    Attributes:
        text: The query.
        skill_id: The skill that it stands beside.
        should_trigger: Whether the skill is wanted; a near miss of it otherwise.
        kind: `trigger` (eval_queries.json) or `task` (evals.json).
        file: Where it was read.
    """

    text: str
    skill_id: str
    should_trigger: bool
    kind: str
    file: Path


def read_library_tests(skills: Sequence[Skill]) -> Iterator[LibraryTest]:
    """The tests beside all skills, in order of the skills.

    Raises:
        DatasetError: If a file of tests is malformed.
    """
    for skill in skills:
        # Copies were collapsed into one skill; the tests may stand beside any of them.
        for folder in (Path(path).parent for path in (skill.path, *skill.aliases) if path):
            for file in _inside(folder, _TRIGGERS):
                for text, wanted in _triggers(file):
                    yield LibraryTest(text, skill.id, wanted, "trigger", file)
            for file in _inside(folder, _TASKS):
                for text in _tasks(file):
                    yield LibraryTest(text, skill.id, True, "task", file)


def library_source(library: Library) -> RowsInMemory:
    """Skills in folders and their own tests, as the one split `tests`.

    A query that several skills want has several gold skills; a near miss of one skill that
    another one wants is no negative. Ids depend neither on where the folder lies nor on other
    skills and tests, so that runs of two versions of a library can be compared.

    Raises:
        DatasetError: If no skill has a test, or a file of tests is malformed.
    """
    skills = library.skills
    folders = ", ".join(str(root.path) for root in library.roots)
    rows = skill_rows(skills, [root.path for root in library.roots])
    ids = {skill.id: row["id"] for skill, row in zip(skills, rows, strict=True)}
    wanted: dict[str, list[LibraryTest]] = {}
    unwanted: dict[str, list[LibraryTest]] = {}
    for test in read_library_tests(skills):
        (wanted if test.should_trigger else unwanted).setdefault(test.text, []).append(test)
    skipped = sum(d.level == "error" for d in library.diagnostics)
    if not wanted:
        more = f" ({skipped} more were skipped)" if skipped else ""
        raise DatasetError(
            f"the {len(skills)} skills in {folders}{more} have no tests: put queries into"
            ' eval_queries.json beside a SKILL.md, as [{"query": "...", "should_trigger": true}]'
        )
    queries, labels, negatives = [], [], []
    for text, group in wanted.items():
        gold = list(dict.fromkeys(ids[test.skill_id] for test in group))
        queries.append({"id": query_id(text), "query": text, "kind": group[0].kind})
        labels += [{"query_id": query_id(text), "skill_id": g, "relevance": 1} for g in gold]
    for text, group in unwanted.items():
        if text not in wanted:
            near = list(dict.fromkeys(ids[test.skill_id] for test in group))
            negatives.append({"id": query_id(text), "query": text, "negative_for": near})
    notes = [f"{len({row['skill_id'] for row in labels})} of {len(skills)} skills have tests"]
    if skipped:
        notes.append(f"{skipped} more skills were skipped; `skillret index build` says why")
    tables = {"skills": rows, "queries": queries, "qrels": labels, "negatives": negatives}
    return RowsInMemory(
        layout="library",
        name=", ".join(root.path.name for root in library.roots),
        where=folders,
        tables=tables,
        notes=tuple(notes),
        fingerprint=library.fingerprint,
    )


def _inside(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """The files of a skill that are there; no link may lead out of its folder."""
    root = folder.resolve()
    for name in names:
        file = folder / name
        if not file.is_file():
            continue
        if not file.resolve().is_relative_to(root):
            raise DatasetError(f"{file} is a link that leaves its skill; put the file itself there")
        yield file


def _triggers(file: Path) -> Iterator[tuple[str, bool]]:
    for row in _list(file, "evals"):
        text, wanted = row.get("query"), row.get("should_trigger")
        if not isinstance(text, str) or not text.strip() or not isinstance(wanted, bool):
            raise DatasetError(f"{file}: a test needs a query and should_trigger (true or false)")
        yield text.strip(), wanted


def _tasks(file: Path) -> Iterator[str]:
    for row in _list(file, "evals"):
        text = row.get("prompt", row.get("query"))
        if not isinstance(text, str) or not text.strip():
            raise DatasetError(f"{file}: a test needs a prompt")
        yield text.strip()


def _list(file: Path, key: str) -> list[dict[str, Any]]:
    """The objects of a JSON list, also one kept under `key`."""
    try:
        if file.stat().st_size > MAX_ROW:
            raise DatasetError(f"{file} is larger than {MAX_ROW >> 20} MB; no file of tests is")
        rows = parse_json(read_start(file, MAX_ROW).decode("utf-8-sig"))
    except (OSError, ValueError) as e:
        raise DatasetError(f"{file} cannot be read as JSON: {e}") from None
    if isinstance(rows, dict):
        rows = rows.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{file} is no list of tests")
    return rows
