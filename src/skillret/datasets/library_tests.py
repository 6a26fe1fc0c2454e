"""The tests that skills bring along, as labelled queries.

They stand beside a SKILL.md or in its `evals/` folder (agentskills.io): `eval_queries.json` or
`trigger-eval.json`, a list of `{"query", "should_trigger"}` or an object that holds one, and
`evals.json`, `{"evals": [{"prompt", ...}]}`. Any other `evals/*.json` is read if it holds queries
with `should_trigger`, and passed over otherwise. A `.jsonl` file holds one of them a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.datasets.charset import encoding_of
from skillret.datasets.columns import column_key, first_of, truth
from skillret.datasets.library_rows import query_id, skill_rows
from skillret.datasets.row_files import MAX_ROW
from skillret.datasets.source import RowsInMemory
from skillret.errors import DatasetError
from skillret.files import parse_json, read_start
from skillret.skills import Library
from skillret.types import Skill

__all__ = ["LibraryTest", "library_source", "read_library_tests"]

# Stems of files that must hold tests, by `column_key`.
_TRIGGERS = ("evalqueries", "triggereval", "triggerevals", "triggerqueries")
_TASKS = "evals"
_SUFFIXES = (".json", ".jsonl")
_QUERIES = ("query", "prompt", "request", "question", "input", "userquery", "userprompt")
_WANTED = ("shouldtrigger", "expectedtrigger", "expecttrigger", "shouldactivate", "shouldinvoke")
_LISTS = {
    **dict.fromkeys((*_WANTED, "positive", "positives"), True),
    **dict.fromkeys(("shouldnottrigger", "negative", "negatives"), False),
}
_FORM = '{"query": "...", "should_trigger": true}'
_DEEPEST = 6  # of lists and objects in one another
_SHOWN = 3  # files that are passed over


@dataclass(frozen=True, slots=True)
class LibraryTest:
    """One query of a skill's own tests.

    Attributes:
        text: The query.
        skill_id: The skill that it stands beside.
        should_trigger: Whether the skill is wanted; a near miss of it otherwise.
        kind: `trigger` (queries with should_trigger) or `task` (prompts of evals.json).
        file: Where it was read.
    """

    text: str
    skill_id: str
    should_trigger: bool
    kind: str
    file: Path


def read_library_tests(
    skills: Sequence[Skill], passed: list[Path] | None = None
) -> Iterator[LibraryTest]:
    """The tests beside all skills, in order of the skills.

    Args:
        skills: Where to look.
        passed: Gets the files in `evals/` that hold no such tests.

    Raises:
        DatasetError: If a file of tests is malformed.
    """
    for skill in skills:
        # Copies were collapsed into one skill; the tests may stand beside any of them.
        for folder in (Path(path).parent for path in (skill.path, *skill.aliases) if path):
            for file in _inside(folder):
                tests = _read(file)
                if not tests and passed is not None:
                    passed.append(file)
                for text, wanted in tests:
                    kind = "task" if wanted is None else "trigger"
                    yield LibraryTest(text, skill.id, wanted is not False, kind, file)


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
    passed: list[Path] = []
    for test in read_library_tests(skills, passed):
        (wanted if test.should_trigger else unwanted).setdefault(test.text, []).append(test)
    skipped = sum(d.level == "error" for d in library.diagnostics)
    if not wanted:
        more = f" ({skipped} more were skipped)" if skipped else ""
        raise DatasetError(
            f"the {len(skills)} skills in {folders}{more} have no tests: put queries into"
            f" eval_queries.json or evals/trigger-eval.json beside a SKILL.md, as [{_FORM}]"
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
    if passed:
        shown = ", ".join([*map(str, passed[:_SHOWN]), *["..."] * (len(passed) > _SHOWN)])
        notes.append(f"files without queries and should_trigger are passed over: {shown}")
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


def _inside(folder: Path) -> Iterator[Path]:
    """The files of a skill that may hold tests; no link may lead out of its folder."""
    root = folder.resolve()
    beside = [f for f in folder.iterdir() if _promised(f)]
    evals = folder / "evals"
    for file in sorted([*beside, *(evals.iterdir() if evals.is_dir() else ())]):
        if file.suffix.lower() not in _SUFFIXES:
            continue
        if not file.is_file():
            continue
        if file.resolve().is_relative_to(root):
            yield file
        elif _promised(file):
            raise DatasetError(f"{file} is a link that leaves its skill; put the file itself there")


def _promised(file: Path) -> bool:
    """Whether a file's name says that it holds tests."""
    return column_key(file.stem) in (*_TRIGGERS, _TASKS)


def _read(file: Path) -> list[tuple[str, bool | None]]:
    """Each query of a file, and whether its skill is wanted; None where it is a task of it.

    Raises:
        DatasetError: If a file that promises tests by its name, or holds some, is malformed.
    """
    try:
        if file.stat().st_size > MAX_ROW:
            raise ValueError(f"it is larger than {MAX_ROW >> 20} MB; no file of tests is")
        text = read_start(file, MAX_ROW).decode(encoding_of(file))
        lines = [line for line in text.splitlines() if line.strip()]
        parts = lines if file.suffix.lower() == ".jsonl" else [text]
        document: Any = [parse_json(part) for part in parts]
        document = document if len(parts) != 1 else document[0]
    except (OSError, ValueError) as e:
        if not _promised(file):
            return []
        raise DatasetError(f"{file} cannot be read as JSON: {e}") from None
    tests = list(_tests(document))
    tasks = column_key(file.stem) == _TASKS
    triggers = column_key(file.stem) in _TRIGGERS
    values = document.values() if isinstance(document, dict) else [document]
    if not tests and triggers and [] not in values:
        raise DatasetError(f"{file} is no list of tests, [{_FORM}]")
    if not (triggers or tasks or any(wanted is not None for _, wanted in tests)):
        return []
    for number, (text, wanted) in enumerate(tests, start=1):
        if not text.strip() or (wanted is None and not tasks):
            raise DatasetError(
                f"{file}: test {number} needs a query and should_trigger (true or false), {_FORM}"
            )
    return [(text.strip(), wanted) for text, wanted in tests]


def _tests(
    value: Any, wanted: bool | None = None, deep: int = 0
) -> Iterator[tuple[str, bool | None]]:
    """Queries of a document, in lists or objects; empty texts stand for missing ones."""
    if isinstance(value, str) and wanted is not None:
        yield value, wanted
    elif isinstance(value, list) and deep < _DEEPEST:
        for item in value:
            yield from _tests(item, wanted, deep + 1)
    elif isinstance(value, dict) and deep < _DEEPEST:
        row = {column_key(name): inner for name, inner in value.items()}
        text = first_of(value, _QUERIES)
        said = next((row[name] for name in _WANTED if name in row), None)
        if isinstance(text, str) or (said is not None and not isinstance(said, list)):
            yield text if isinstance(text, str) else "", wanted if said is None else truth(said)
            return
        for name, inner in row.items():
            if isinstance(inner, (list, dict)):
                yield from _tests(inner, _LISTS.get(name, wanted), deep + 1)
