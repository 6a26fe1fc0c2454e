"""The tests that skills bring along, as labelled requests.

Two files stand beside a SKILL.md, or in its `evals/` folder (agentskills.io): `eval_queries.json`, a
list of `{"query", "should_trigger"}`, and `evals.json`, `{"evals": [{"prompt", ...}]}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.errors import DatasetError
from skillret.types import Query, Skill

__all__ = ["LibraryTest", "labelled_requests", "read_library_tests"]

_TRIGGERS = ("eval_queries.json", "evals/eval_queries.json")
_TASKS = ("evals.json", "evals/evals.json")


@dataclass(frozen=True, slots=True)
class LibraryTest:
    """One request of a skill's own tests.

    Attributes:
        text: The request.
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
        if skill.path is None:
            continue
        folder = Path(skill.path).parent
        for name in _TRIGGERS:
            for text, wanted in _triggers(folder / name):
                yield LibraryTest(text, skill.id, wanted, "trigger", folder / name)
        for name in _TASKS:
            for text in _tasks(folder / name):
                yield LibraryTest(text, skill.id, True, "task", folder / name)


def labelled_requests(
    tests: Sequence[LibraryTest],
) -> tuple[list[Query], dict[str, dict[str, int]], list[Query]]:
    """Queries, qrels and negatives.

    A request that several skills want has several gold skills; a near miss of one skill that
    another one wants is no negative.
    """
    wanted: dict[str, list[LibraryTest]] = {}
    unwanted: dict[str, list[LibraryTest]] = {}
    for test in tests:
        (wanted if test.should_trigger else unwanted).setdefault(test.text, []).append(test)
    queries, qrels = [], {}
    for number, (text, group) in enumerate(wanted.items(), start=1):
        queries.append(Query(f"q{number}", text, {"kind": group[0].kind}))
        qrels[f"q{number}"] = {t.skill_id: 1 for t in group}
    negatives = [
        Query(f"n{number}", text, {"negative_for": [t.skill_id for t in group]})
        for number, (text, group) in enumerate(unwanted.items(), start=1)
        if text not in wanted
    ]
    return queries, qrels, negatives


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
    """The objects of a JSON list, also one kept under `key`; none without the file."""
    if not file.is_file():
        return []
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as e:
        raise DatasetError(f"{file} cannot be read as JSON: {e}") from None
    if isinstance(rows, dict):
        rows = rows.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{file} is no list of tests")
    return rows
