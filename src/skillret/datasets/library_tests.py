"""The tests that skills bring along, as labelled queries.

They stand beside a SKILL.md or in its `evals/` folder (agentskills.io), in a folder of another name
where a file's own name promises them, or in one `evals/` folder of the library, whose files name
their skills or are called by them; `test_file` reads them. A malformed file is passed over, and a
malformed test: whoever measures a library has written few of its tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from skillret.datasets.columns import column_key
from skillret.datasets.library_rows import query_id, skill_rows
from skillret.datasets.source import RowsInMemory
from skillret.datasets.test_file import FORM, Test, may_hold_tests, promised, read_tests
from skillret.errors import DatasetError
from skillret.skills import Library
from skillret.types import Skill

__all__ = ["LibraryTest", "PassedOver", "library_source", "read_library_tests"]

_FOLDER, _SKILLS = "evals", "skills"
# Hold other files as well, so that only those count whose names promise tests.
_OTHER_FOLDERS = ("eval", "evaluation", "evaluations", "test", "tests", "testing")
# What follows the name of a skill in that of a file of its tests.
_ROLE = re.compile(r"[-_. ](?:evals?|tests?|trigger[-_ ]?evals?|queries|triggers?)$", re.IGNORECASE)
_SHOWN = 3  # files that are passed over
_MOST_TOLD = 20  # of those with their reasons


@dataclass(frozen=True, slots=True)
class LibraryTest:
    """One query of a skill's own tests.

    Attributes:
        text: The query.
        skill_id: The skill that it stands beside or names; empty if it says that none is needed.
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
    """A file that may hold tests, or a test of one, and is not read.

    Attributes:
        file: Which one.
        skill: Beside whose SKILL.md it lies, or whose name it has.
        why: What is wrong with it; None if it is sound, and holds no such tests.
        partly: Only one test is left out.
    """

    file: Path
    skill: Skill | None
    why: str | None = None
    partly: bool = False

    def __str__(self) -> str:
        """What is passed over, and why."""
        return f"left out: {self.why}" if self.partly else f"passed over: {self.why}"


def read_library_tests(
    skills: Sequence[Skill],
    passed: list[PassedOver] | None = None,
    roots: Sequence[Path] = (),
) -> Iterator[LibraryTest]:
    """The tests beside all skills, in order of the skills, and those of whole folders.

    Args:
        skills: Where to look, and what tests may name.
        passed: Gets the files and tests that are passed over.
        roots: The folders of the skills, where tests of several may lie.
    """
    ids: dict[str, str] = {}
    for skill in skills:
        for name in _names(skill):
            ids.setdefault(name, skill.id)
    passed = [] if passed is None else passed
    met: set[Path] = set()
    for skill in skills:
        known = {**ids, **dict.fromkeys(_names(skill), skill.id)}
        # Copies were collapsed into one skill; the tests may stand beside any of them.
        for folder in (Path(path).parent for path in (skill.path, *skill.aliases) if path):
            for file, why in _inside(folder):
                met.add(file)
                yield from _of_file(file, why, known, skill, passed)
    by_key = {column_key(name): skill for skill in reversed(skills) for name in _names(skill)}
    for root in roots:
        for file in _shared(root):
            if file not in met:
                met.add(file)
                below = file.parent.name if file.parent.name != _FOLDER else file.stem
                owner = by_key.get(column_key(_ROLE.sub("", below)))
                yield from _of_file(file, None, ids, owner, passed, shared=True)


def _of_file(
    file: Path,
    why: str | None,
    known: Mapping[str, str],
    owner: Skill | None,
    passed: list[PassedOver],
    *,
    shared: bool = False,
) -> Iterator[LibraryTest]:
    """The tests of one file; what is passed over of it is told."""
    tests: list[Test] = []
    odd: list[str] = []
    try:
        if not why:
            tests, odd = read_tests(file, known, owned=owner is not None, shared=shared)
    except ValueError as e:
        why = str(e)
    if not tests:
        passed.append(PassedOver(file, owner, why))
    passed += [PassedOver(file, owner, reason, partly=True) for reason in odd]
    for test in tests:
        if test.needless and not (owner and test.wanted is False):
            yield LibraryTest(test.text, "", False, "trigger", file)
            continue
        kind = "task" if test.wanted is None else "trigger"
        own = [owner.id] if owner else []
        for id_ in dict.fromkeys(map(known.__getitem__, test.skills)) or own:
            yield LibraryTest(test.text, id_, test.wanted is not False, kind, file)
        for id_ in dict.fromkeys(known[name] for name in test.instead if name in known):
            yield LibraryTest(test.text, id_, True, kind, file)


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
    for test in read_library_tests(skills, passed, [root.path for root in library.roots]):
        (wanted if test.should_trigger else unwanted).setdefault(test.text, []).append(test)
    both = _contradictory(wanted, unwanted)
    skipped = sum(d.level == "error" for d in library.diagnostics)
    if not wanted:
        more = f" ({skipped} more were skipped)" if skipped else ""
        raise DatasetError(
            f"the {len(skills)} skills in {folders}{more} have no tests: put queries into"
            f" eval_queries.json or evals/trigger-eval.json beside a SKILL.md, as [{FORM}]"
            + "".join(f"; {note}" for note in [*both, *_told(passed)])
        )
    queries, labels, negatives = [], [], []
    for text, group in wanted.items():
        gold = list(dict.fromkeys(ids[test.skill_id] for test in group))
        queries.append({"id": query_id(text), "query": text, "kind": group[0].kind})
        labels += [{"query_id": query_id(text), "skill_id": g, "relevance": 1} for g in gold]
    for text, group in unwanted.items():
        if text not in wanted:
            near = list(dict.fromkeys(ids[test.skill_id] for test in group if test.skill_id))
            of = {"negative_for": near} if near else {}
            negatives.append({"id": query_id(text), "query": text, **of})
    notes = [f"{len({row['skill_id'] for row in labels})} of {len(skills)} skills have tests"]
    notes += both
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


def _contradictory(
    wanted: dict[str, list[LibraryTest]], unwanted: dict[str, list[LibraryTest]]
) -> list[str]:
    """Take out the tests that want a skill for a query and want it not; what a person is told."""
    notes = []
    for text in wanted.keys() & unwanted.keys():
        denied = {test.skill_id for test in unwanted[text]}
        for test in [test for test in wanted[text] if test.skill_id in denied]:
            notes.append(
                f"{test.file}: left out: {text!r:.80} has a should_trigger that is true and one"
                " that is false"
            )
        both = denied & {test.skill_id for test in wanted[text]}
        for tests in (wanted, unwanted):
            tests[text] = [test for test in tests[text] if test.skill_id not in both]
            if not tests[text]:
                del tests[text]
    return sorted(set(notes))[:_MOST_TOLD]


def _told(passed: Sequence[PassedOver]) -> list[str]:
    """What a person should know of files that are passed over, a line for each malformed one."""
    odd = [p for p in passed if p.why is not None]
    notes = [f"{p.file}{':' if p.partly else ' is'} {p}" for p in odd[:_MOST_TOLD]]
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
    evals = folder / _FOLDER
    try:
        root = folder.resolve()
        others = [f for f in map(folder.joinpath, _OTHER_FOLDERS) if f.is_dir()]
        beside = [f for place in (folder, *others) for f in place.iterdir() if promised(f)]
        files = sorted([*beside, *(evals.iterdir() if evals.is_dir() else ())])
    except OSError as e:
        yield folder, f"it cannot be looked into: {e.strerror}"
        return
    for file in files:
        if not may_hold_tests(file):
            continue
        if not file.is_file():
            continue
        if file.resolve().is_relative_to(root):
            yield file, None
        elif promised(file):
            yield file, "it is a link that leaves its skill; put the file itself there"


def _shared(root: Path) -> Iterator[Path]:
    """The files in the `evals` folder of a library or beside it, and one folder below.

    No link may lead out of it.
    """
    folders = [root / _FOLDER, *([root.parent / _FOLDER] if root.name == _SKILLS else [])]
    for folder in folders:
        try:
            files = sorted([*folder.glob("*"), *folder.glob("*/*")]) if folder.is_dir() else []
            within = folder.resolve()
            for file in files:
                inside = file.resolve().is_relative_to(within)
                if may_hold_tests(file) and inside and file.is_file():
                    yield file
        except OSError:
            continue  # a folder beside the skills that nobody may look into is none of theirs
