"""One file of tests that skills bring along: what it asks, and which skills it wants.

`eval_queries.json` or `trigger-eval.json` hold a list of `{"query", "should_trigger"}` or an object
that holds one, and `evals.json` `{"evals": [{"prompt", ...}]}` (agentskills.io). Any other file is
read if it holds queries with `should_trigger`, or ones that name their skills, `{"skills": ["..."],
"query", ...}` (Anthropic's own form), and passed over otherwise. A `.jsonl` file holds one of them
a line. YAML is read where the name of a file promises tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from skillret.datasets.charset import encoding_of
from skillret.datasets.columns import (
    QUERY_COLUMNS,
    WANTED_COLUMNS,
    column_key,
    first_of,
    truth,
    verdict,
)
from skillret.datasets.row_files import MAX_ROW
from skillret.files import parse_json, read_start
from skillret.skills.frontmatter import BROKEN_YAML, parse_yaml

__all__ = ["FORM", "Test", "may_hold_tests", "promised", "read_tests"]

# Names of files that must hold tests: a word of what is measured, one of what with, and what else
# may stand beside them ("trigger_eval_set", "skill-trigger-tests", "evalQueries").
_MEASURED = frozenset("trigger triggers triggering activation routing invocation".split())
_WITH = frozenset(
    "eval evals evaluation evaluations test tests query queries prompts cases".split()
)
_BESIDE = frozenset("skill skills set sets data dataset file list all".split())
_ASKED = frozenset("query queries prompts".split())
_TASKS = "evals"
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_GLUED = re.compile(r"^(trigger|eval)(evals?|tests?|queries)$")
_SUFFIXES = (".json", ".jsonl")
_YAML = (".yaml", ".yml")
_QUERIES = ("query", "prompt", "request", "question", "input", "userquery", "userprompt")
# What a request is called too, beside whether it wants a skill: alone it may be anything.
_ALSO_QUERIES = (*QUERY_COLUMNS, "message", "task")
_RIGHT_ONES = ("expectedskill", "expectedskills", "correctskill", "rightskill", "goldskill")
_SKILLS = ("skills", "skill", "skillname", "skillid", "expectedskill", "expectedskills")
_NONE = frozenset(("", "none", "null", "-", "n/a", "no skill"))
_EXPECTED = "expected"  # says the same where it is true or false, and is an answer otherwise
_LISTS = {
    **dict.fromkeys((*WANTED_COLUMNS, "positive", "positives"), True),
    **dict.fromkeys(("shouldnottrigger", "negative", "negatives"), False),
}
FORM = '{"query": "...", "should_trigger": true}'
_DEEPEST = 6  # of lists and objects in one another


class Test(NamedTuple):
    """A query of a file.

    Attributes:
        text: What is asked.
        wanted: Whether its skill is; None if it is a task.
        skills: Those that it names itself.
        said: What it says of that, if it is neither yes nor no.
        instead: The skills that it says are wanted where its own is not.
        needless: It says that no skill is.
    """

    text: str
    wanted: bool | None = None
    skills: tuple[str, ...] = ()
    said: str = ""
    instead: tuple[str, ...] = ()
    needless: bool = False


def promised(file: Path) -> bool:
    """Whether a file's name says that it holds tests."""
    return column_key(file.stem) == _TASKS or _holds_triggers(file)


def may_hold_tests(file: Path) -> bool:
    """Whether a file is of a kind that tests are written in."""
    suffix = file.suffix.lower()
    return suffix in _SUFFIXES or (suffix in _YAML and promised(file))


def _holds_triggers(file: Path) -> bool:
    """Whether its name says that it holds queries, and whether a skill is wanted for each."""
    stem = _GLUED.sub(r"\1 \2", file.stem.lower())
    words = {word.lower() for word in _WORD.findall(stem if " " in stem else file.stem)}
    named = words & _MEASURED or (words & {"eval", "evals"} and words & _ASKED)
    return bool(named and words & _WITH) and words <= _MEASURED | _WITH | _BESIDE


def read_tests(
    file: Path, known: Mapping[str, str], *, owned: bool = True, shared: bool = False
) -> tuple[list[Test], list[str]]:
    """The tests of a file, and why others are left out.

    Args:
        file: It need not hold any, unless it promises them by its name.
        known: What a test may call a skill, and its id.
        owned: It is known which skill tests are for that name none.
        shared: The file lies beside no skill: whatever names one in it says whose test it is.

    Raises:
        ValueError: If a file that promises tests, or holds some, is malformed; the message is why.
    """
    try:
        document = _document(file)
    except (OSError, *BROKEN_YAML) as e:
        if not promised(file):
            return [], []
        form = "YAML" if file.suffix.lower() in _YAML else "JSON"
        raise ValueError(f"it cannot be read as {form}: {' '.join(str(e).split())}") from None
    tests = list(_tests(document, known if shared else None))
    if not owned:  # what is said to be right is then all that a near miss can be one of
        tests = [t if t.skills else t._replace(skills=t.instead, instead=()) for t in tests]
    tasks = column_key(file.stem) == _TASKS
    triggers = _holds_triggers(file)
    values = document.values() if isinstance(document, dict) else [document]
    if not tests and triggers and [] not in values:
        raise ValueError(f"it is no list of tests, [{FORM}]")
    said = any(t.wanted is not None or t.skills or t.said or t.needless for t in tests)
    if not (triggers or tasks or said):
        return [], []
    sound, odd = [], []
    for number, test in enumerate(tests, start=1):
        why = _why_not(test, known, owned=owned, tasks=tasks)
        if why:
            odd.append(f"test {number} {why}")
        else:
            sound.append(test)
    if odd and not sound:
        raise ValueError(odd[0])
    return sound, odd


def _why_not(test: Test, known: Mapping[str, str], *, owned: bool, tasks: bool) -> str:
    """Why a test cannot be used; empty if it can."""
    unknown = [name for name in test.skills if name not in known]
    if unknown:
        return f"wants the skill {unknown[0]!r:.80}, which is not here"
    if test.said:
        return f"needs a should_trigger that is true or false, not {test.said}"
    if not test.text or (test.wanted is None and not (tasks or test.skills or test.needless)):
        return f"needs a query and should_trigger (true or false), {FORM}"
    return "" if test.skills or test.needless or owned else 'names no skill, "skill": "..."'


def _document(file: Path) -> Any:
    """What a file holds; of lines a list, unless there is only one.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no JSON, but for comments and commas behind a last element.
        BROKEN_YAML: If it is no YAML.
    """
    if file.stat().st_size > MAX_ROW:
        raise ValueError(f"it is larger than {MAX_ROW >> 20} MB; no file of tests is")
    text = read_start(file, MAX_ROW).decode(encoding_of(file))
    if not text.strip():
        raise ValueError("it is empty")
    if file.suffix.lower() in _YAML:
        return parse_yaml(text)
    lines = [line for line in text.splitlines() if line.strip()]
    parts = lines if file.suffix.lower() == ".jsonl" else [text]
    documents = [parse_json(part, comments=True) for part in parts]
    return documents if len(parts) != 1 else documents[0]


def _tests(
    value: Any,
    known: Mapping[str, str] | None,
    wanted: bool | None = None,
    owners: tuple[str, ...] = (),
    deep: int = 0,
) -> Iterator[Test]:
    """Queries of a document, in lists or objects; empty texts stand for missing ones.

    Args:
        value: The document, or something in it.
        known: What may be called a skill, in a file that lies beside none.
        wanted: Whether the skill is, as what is around says.
        owners: The skills that what is around names.
        deep: In how many others it lies.
    """
    if isinstance(value, str) and wanted is not None:
        yield Test(value.strip(), wanted, owners)
    elif isinstance(value, list) and deep < _DEEPEST:
        for item in value:
            yield from _tests(item, known, wanted, owners, deep + 1)
    elif isinstance(value, dict) and deep < _DEEPEST:
        row = {column_key(name): inner for name, inner in value.items()}
        named = _named(row, known)
        none = known is not None and not (named or owners) and _says_none(row)
        said = verdict(row)
        if said is None and isinstance(row.get(_EXPECTED), bool):
            said = row[_EXPECTED]
        judged = said is not None and not isinstance(said, list)
        a_test = judged or named or none or wanted is not None
        text = first_of(value, _ALSO_QUERIES if a_test else _QUERIES)
        if isinstance(text, str) or judged:
            mine = truth(said) if judged else wanted
            if known is None and mine is not None:
                named = ()  # it judges the skill that it lies beside
            odd = f"{said!r:.80}" if judged and mine is None else ""
            asked = text.strip() if isinstance(text, str) else ""
            right = _right_ones(row) if mine is False else ()
            judged_ones = tuple(name for name in named or owners if name not in right)
            yield Test(asked, mine, judged_ones, odd, right, none and not mine)
            return
        for name, inner in value.items():
            if isinstance(inner, (list, dict)):
                mine = _LISTS.get(column_key(name), wanted)
                whose = (name,) if known and name in known else named if known else ()
                yield from _tests(inner, known, mine, whose or owners, deep + 1)


def _right_ones(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The skills that a near miss of another one says are wanted instead."""
    names = next((row[n] for n in _RIGHT_ONES if row.get(n)), None)
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(n.strip() for n in names if n.strip().casefold() not in _NONE)


def _named(row: Mapping[str, Any], known: Mapping[str, str] | None) -> tuple[str, ...]:
    """The skills that a test names; a skill may be called "none"."""
    if known is None:
        return _texts(row.get("skills"))
    for column in _SKILLS:
        value = row.get(column)
        names = _texts([value] if isinstance(value, str) else value)
        names = tuple(name for name in names if name in known or name.casefold() not in _NONE)
        if names:
            return names
    return ()


def _texts(names: Any) -> tuple[str, ...]:
    """The items of a list of texts; none of anything else."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(name.strip() for name in names)


def _says_none(row: Mapping[str, Any]) -> bool:
    """Whether a test says that it needs no skill, of those in which `_named` finds none."""
    said = [row[column] for column in _SKILLS if column in row]
    return bool(said) and all(
        value in (None, []) or bool(_texts([value] if isinstance(value, str) else value))
        for value in said
    )
