"""The tests that skills bring along, as labelled queries.

They stand beside a SKILL.md or in its `evals/` folder (agentskills.io): `eval_queries.json` or
`trigger-eval.json`, a list of `{"query", "should_trigger"}` or an object that holds one, and
`evals.json`, `{"evals": [{"prompt", ...}]}`. Any other `evals/*.json` is read if it holds queries
with `should_trigger`, or ones that name their skills, `{"skills": ["..."], "query", ...}`
(Anthropic's own form), and passed over otherwise. A `.jsonl` file holds one of them a line. A
malformed file is passed over too: whoever measures a library has written few of its tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from skillret.datasets.charset import encoding_of
from skillret.datasets.columns import column_key, first_of, truth
from skillret.datasets.library_rows import query_id, skill_rows
from skillret.datasets.row_files import MAX_ROW
from skillret.datasets.source import RowsInMemory
from skillret.errors import DatasetError
from skillret.files import parse_json, read_start
from skillret.skills import Library
from skillret.types import Skill

__all__ = ["LibraryTest", "PassedOver", "library_source", "read_library_tests"]

# Stems of files that must hold tests, by `column_key`.
_TRIGGERS = ("evalqueries", "triggereval", "triggerevals", "triggerqueries")
_TASKS = "evals"
_SUFFIXES = (".json", ".jsonl")
_QUERIES = ("query", "prompt", "request", "question", "input", "userquery", "userprompt")
_WANTED = ("shouldtrigger", "expectedtrigger", "expecttrigger", "shouldactivate", "shouldinvoke")
_EXPECTED = "expected"  # says the same where it is true or false, and is an answer otherwise
_LISTS = {
    **dict.fromkeys((*_WANTED, "positive", "positives"), True),
    **dict.fromkeys(("shouldnottrigger", "negative", "negatives"), False),
}
_FORM = '{"query": "...", "should_trigger": true}'
_DEEPEST = 6  # of lists and objects in one another
_SHOWN = 3  # files that are passed over
_MOST_TOLD = 20  # of those with their reasons


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


class PassedOver(NamedTuple):
    """A file that may hold tests, and is not read.

    Attributes:
        file: Which one.
        skill: Beside whose SKILL.md it lies.
        why: What is wrong with it; None if it is sound, and holds no such tests.
    """

    file: Path
    skill: Skill
    why: str | None = None


class _Test(NamedTuple):
    """A query of a file: whether its skill is wanted, None if it is a task, or which are."""

    text: str
    wanted: bool | None = None
    skills: tuple[str, ...] = ()


def read_library_tests(
    skills: Sequence[Skill], passed: list[PassedOver] | None = None
) -> Iterator[LibraryTest]:
    """The tests beside all skills, in order of the skills.

    Args:
        skills: Where to look, and what tests may name.
        passed: Gets the files that are passed over.
    """
    ids: dict[str, str] = {}
    for skill in skills:
        for name in _names(skill):
            ids.setdefault(name, skill.id)
    passed = [] if passed is None else passed
    for skill in skills:
        known = {**ids, **dict.fromkeys(_names(skill), skill.id)}
        # Copies were collapsed into one skill; the tests may stand beside any of them.
        for folder in (Path(path).parent for path in (skill.path, *skill.aliases) if path):
            for file, why in _inside(folder):
                try:
                    tests = [] if why else _read(file, known)
                except ValueError as e:
                    tests, why = [], str(e)
                if not tests:
                    passed.append(PassedOver(file, skill, why))
                for test in tests:
                    kind = "task" if test.wanted is None else "trigger"
                    for id_ in dict.fromkeys(map(known.__getitem__, test.skills)) or [skill.id]:
                        yield LibraryTest(test.text, id_, test.wanted is not False, kind, file)


def library_source(library: Library) -> RowsInMemory:
    """Skills in folders and their own tests, as the one split `tests`.

    A query that several skills want has several gold skills; a near miss of one skill that
    another one wants is no negative. Ids depend neither on where the folder lies nor on other
    skills and tests, so that runs of two versions of a library can be compared.

    Raises:
        DatasetError: If no skill has a test.
    """
    skills = library.skills
    folders = ", ".join(str(root.path) for root in library.roots)
    rows = skill_rows(skills, [root.path for root in library.roots])
    ids = {skill.id: row["id"] for skill, row in zip(skills, rows, strict=True)}
    wanted: dict[str, list[LibraryTest]] = {}
    unwanted: dict[str, list[LibraryTest]] = {}
    passed: list[PassedOver] = []
    for test in read_library_tests(skills, passed):
        (wanted if test.should_trigger else unwanted).setdefault(test.text, []).append(test)
    skipped = sum(d.level == "error" for d in library.diagnostics)
    if not wanted:
        more = f" ({skipped} more were skipped)" if skipped else ""
        raise DatasetError(
            f"the {len(skills)} skills in {folders}{more} have no tests: put queries into"
            f" eval_queries.json or evals/trigger-eval.json beside a SKILL.md, as [{_FORM}]"
            + "".join(f"; {note}" for note in _told(passed))
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
    notes += _told(passed)
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


def _told(passed: Sequence[PassedOver]) -> list[str]:
    """What a person should know of files that are passed over, a line for each malformed one."""
    odd = [p for p in passed if p.why is not None]
    notes = [f"{p.file} is passed over: {p.why}" for p in odd[:_MOST_TOLD]]
    if len(odd) > _MOST_TOLD:
        notes.append(f"{len(odd) - _MOST_TOLD} more are passed over; `skillret doctor` names them")
    others = [str(p.file) for p in passed if p.why is None]
    if others:
        shown = ", ".join([*others[:_SHOWN], *["..."] * (len(others) > _SHOWN)])
        notes.append(f"files without queries and should_trigger are passed over: {shown}")
    return notes


def _names(skill: Skill) -> list[str]:
    """What a test may call a skill."""
    return [skill.name, *(Path(path).parent.name for path in (skill.path, *skill.aliases) if path)]


def _inside(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """The files of a skill that may hold tests, and why one is not read.

    No link may lead out of its folder.
    """
    evals = folder / "evals"
    try:
        root = folder.resolve()
        beside = [f for f in folder.iterdir() if _promised(f)]
        files = sorted([*beside, *(evals.iterdir() if evals.is_dir() else ())])
    except OSError as e:
        yield folder, f"it cannot be looked into: {e.strerror}"
        return
    for file in files:
        if file.suffix.lower() not in _SUFFIXES:
            continue
        if not file.is_file():
            continue
        if file.resolve().is_relative_to(root):
            yield file, None
        elif _promised(file):
            yield file, "it is a link that leaves its skill; put the file itself there"


def _promised(file: Path) -> bool:
    """Whether a file's name says that it holds tests."""
    return column_key(file.stem) in (*_TRIGGERS, _TASKS)


def _read(file: Path, known: Mapping[str, str]) -> list[_Test]:
    """The tests of a file.

    Args:
        file: It need not hold any, unless it promises them by its name.
        known: What a test may call a skill, and its id.

    Raises:
        ValueError: If a file that promises tests, or holds some, is malformed; the message is why.
    """
    try:
        document = _document(file)
    except (OSError, ValueError) as e:
        if not _promised(file):
            return []
        raise ValueError(f"it cannot be read as JSON: {e}") from None
    tests = list(_tests(document))
    tasks = column_key(file.stem) == _TASKS
    triggers = column_key(file.stem) in _TRIGGERS
    values = document.values() if isinstance(document, dict) else [document]
    if not tests and triggers and [] not in values:
        raise ValueError(f"it is no list of tests, [{_FORM}]")
    if not (triggers or tasks or any(t.wanted is not None or t.skills for t in tests)):
        return []
    for number, test in enumerate(tests, start=1):
        unknown = [name for name in test.skills if name not in known]
        if unknown:
            raise ValueError(f"test {number} wants the skill {unknown[0]!r:.80}, which is not here")
        if not test.text or (test.wanted is None and not tasks and not test.skills):
            raise ValueError(
                f"test {number} needs a query and should_trigger (true or false), {_FORM}"
            )
    return tests


def _document(file: Path) -> Any:
    """The JSON of a file; of lines a list, unless there is only one.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no JSON.
    """
    if file.stat().st_size > MAX_ROW:
        raise ValueError(f"it is larger than {MAX_ROW >> 20} MB; no file of tests is")
    text = read_start(file, MAX_ROW).decode(encoding_of(file))
    if not text.strip():
        raise ValueError("it is empty")
    lines = [line for line in text.splitlines() if line.strip()]
    parts = lines if file.suffix.lower() == ".jsonl" else [text]
    documents = [parse_json(part) for part in parts]
    return documents if len(parts) != 1 else documents[0]


def _tests(value: Any, wanted: bool | None = None, deep: int = 0) -> Iterator[_Test]:
    """Queries of a document, in lists or objects; empty texts stand for missing ones."""
    if isinstance(value, str) and wanted is not None:
        yield _Test(value.strip(), wanted)
    elif isinstance(value, list) and deep < _DEEPEST:
        for item in value:
            yield from _tests(item, wanted, deep + 1)
    elif isinstance(value, dict) and deep < _DEEPEST:
        row = {column_key(name): inner for name, inner in value.items()}
        text = first_of(value, _QUERIES)
        said = next((row[name] for name in _WANTED if name in row), None)
        if said is None and isinstance(row.get(_EXPECTED), bool):
            said = row[_EXPECTED]
        if isinstance(text, str) or (said is not None and not isinstance(said, list)):
            text = text.strip() if isinstance(text, str) else ""
            named = _named(row) if said is None and wanted is None else ()
            yield _Test(text, wanted if said is None else truth(said), named)
            return
        for name, inner in row.items():
            if isinstance(inner, (list, dict)):
                yield from _tests(inner, _LISTS.get(name, wanted), deep + 1)


def _named(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The skills that a test names."""
    names = row.get("skills")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(name.strip() for name in names)
