"""The skills that a benchmark is made of, from folders of skills or from a data set."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from skillret.datasets.columns import parse_skill
from skillret.datasets.layouts import open_source
from skillret.datasets.library_rows import skill_rows
from skillret.datasets.library_tests import read_library_tests
from skillret.datasets.row_files import Row
from skillret.errors import DatasetError
from skillret.files import expand
from skillret.skills import Library

__all__ = ["TESTS", "LibraryRows", "read_library"]

TESTS = "own_tests"  # the column that a skill's own tests travel in; no data set gets it
_UNREADABLE = "description cannot be read"


@dataclass(slots=True)
class LibraryRows:
    """A library as rows.

    Attributes:
        name: What the card calls it.
        rows: Skills in SkillRet's columns, each with a `repo`.
        dropped: Those that are no row, as `{"id", "reason"}`.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    dropped: list[Row] = field(default_factory=list)


def read_library(spec: str | os.PathLike[str], split: str | None = None) -> LibraryRows:
    """Read all skills of a folder of skills, or of a data set.

    Args:
        spec: A folder of skills, or a data set as in `open_source`.
        split: Of a data set; all by default.

    Raises:
        DatasetError: If there is no skill, or a file of tests is malformed.
        InputError: If the folder is missing.
    """
    path = expand(spec)
    found = _from_dataset(spec, split)
    if found is None:
        found = _from_folder(path)
    if not found.rows:
        raise DatasetError(f"{spec} holds no skill that can be read")
    return found


def _from_dataset(spec: str | os.PathLike[str], split: str | None) -> LibraryRows | None:
    """The skills of a data set; None if it is a folder of skills."""
    path = expand(spec)
    if path.is_dir() and not any((path / n).exists() for n in ("data", "skills", "corpus.jsonl")):
        return None
    try:
        source = open_source(spec, split or "*")
    except DatasetError:
        if path.is_dir() and Library.open(path).skills:  # without tests it is no data set
            return None
        raise
    if source.layout in ("library", "queries"):
        return None
    names = source.splits()
    if split is not None and split not in names:
        raise DatasetError(f"{spec} has no split {split!r}; it has: {', '.join(names)}")
    found = LibraryRows(source.name)
    seen: set[str] = set()
    for name in names if split is None else [split]:
        for row, where in source.rows("skills", name):
            try:
                skill = parse_skill(row, where)
            except DatasetError as e:
                found.dropped.append(
                    {"id": str(row.get("id")), "reason": _UNREADABLE, "why": str(e)}
                )
                continue
            if skill.id in seen:
                found.dropped.append({"id": skill.id, "reason": "id is there twice"})
                continue
            seen.add(skill.id)
            kept = {k: v for k, v in row.items() if k != "body"}
            repo = str(row.get("repo") or source.name)
            text = {"description": skill.description, "skill_md": skill.body}
            found.rows.append({**kept, "id": skill.id, "name": skill.name, **text, "repo": repo})
    return found


def _from_folder(path: Path) -> LibraryRows:
    library = Library.open(path)
    skills = library.skills
    root = path.resolve()
    found = LibraryRows(root.name)
    tests = defaultdict(list)
    for test in read_library_tests(skills, roots=[r.path for r in library.roots]):
        said = {"query": test.text, "wanted": test.should_trigger, "kind": test.kind}
        tests[test.skill_id].append(said)
    rows = skill_rows(skills, [r.path for r in library.roots])
    for skill, row in zip(skills, rows, strict=True):
        repo = str(row.get("repo") or _repository(Path(skill.path or root), root))
        more = {TESTS: tests[skill.id]} if tests[skill.id] else {}
        found.rows.append({**row, "repo": repo, **more})
        found.dropped += [
            {"id": os.path.relpath(alias, root), "reason": "is a copy", "of": row["id"]}
            for alias in skill.aliases
        ]
    for remark in library.diagnostics:
        if remark.level == "error":
            where = os.path.relpath(remark.path, root)
            found.dropped.append({"id": where, "reason": _UNREADABLE, "why": remark.message})
    return found


def _repository(path: Path, root: Path) -> str:
    """The repository of a SKILL.md: the nearest folder with `.git`, or the first below the root."""
    for folder in path.parents:
        if (folder / ".git").exists():
            return root.name if folder == root else os.path.relpath(folder, root)
        if folder == root:
            break
    inner = path.relative_to(root).parts if path.is_relative_to(root) else ()
    # NAME/SKILL.md lies in the library itself, REPOSITORY/.../NAME/SKILL.md in a part of it.
    return inner[0] if len(inner) > 2 else root.name
