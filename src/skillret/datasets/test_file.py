"""One file of tests that skills bring along: what it asks, and which skills it wants.

`eval_queries.json` or `trigger-eval.json` hold a list of `{"query", "should_trigger"}` or an object
that holds one, and `evals.json` `{"evals": [{"prompt", ...}]}` (agentskills.io). Any other file is
read if it holds queries with `should_trigger`, or ones that name their skills, `{"skills": ["..."],
"query", ...}` (Anthropic's own form), and passed over otherwise. A `.jsonl` file holds one of them
a line.
"""

from __future__ import annotations

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

__all__ = ["FORM", "SUFFIXES", "Test", "promised", "read_tests"]

# Stems of files that must hold tests, by `column_key`.
_TRIGGERS = ("evalqueries", "triggereval", "triggerevals", "triggerqueries")
_TASKS = "evals"
SUFFIXES = (".json", ".jsonl")
_QUERIES = ("query", "prompt", "request", "question", "input", "userquery", "userprompt")
# What a request is called too, beside whether it wants a skill: alone it may be anything.
_ALSO_QUERIES = (*QUERY_COLUMNS, "message", "task")
_SKILL_NAMES = ("skill", "skillname", "skillid", "expectedskill", "expectedskills")
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
    """

    text: str
    wanted: bool | None = None
    skills: tuple[str, ...] = ()
    said: str = ""


def promised(file: Path) -> bool:
    """Whether a file's name says that it holds tests."""
    return column_key(file.stem) in (*_TRIGGERS, _TASKS)


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
    except (OSError, ValueError) as e:
        if not promised(file):
            return [], []
        raise ValueError(f"it cannot be read as JSON: {e}") from None
    tests = list(_tests(document, known if shared else None))
    tasks = column_key(file.stem) == _TASKS
    triggers = column_key(file.stem) in _TRIGGERS
    values = document.values() if isinstance(document, dict) else [document]
    if not tests and triggers and [] not in values:
        raise ValueError(f"it is no list of tests, [{FORM}]")
    if not (triggers or tasks or any(t.wanted is not None or t.skills or t.said for t in tests)):
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
    if not test.text or (test.wanted is None and not tasks and not test.skills):
        return f"needs a query and should_trigger (true or false), {FORM}"
    return "" if test.skills or owned else 'names no skill, "skill": "..."'


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
        named = _named(row, shared=known is not None)
        said = verdict(row)
        if said is None and isinstance(row.get(_EXPECTED), bool):
            said = row[_EXPECTED]
        judged = said is not None and not isinstance(said, list)
        text = first_of(value, _ALSO_QUERIES if judged or named or wanted is not None else _QUERIES)
        if isinstance(text, str) or judged:
            mine = truth(said) if judged else wanted
            if known is None and mine is not None:
                named = ()  # it judges the skill that it lies beside
            odd = f"{said!r:.80}" if judged and mine is None else ""
            yield Test(text.strip() if isinstance(text, str) else "", mine, named or owners, odd)
            return
        for name, inner in value.items():
            if isinstance(inner, (list, dict)):
                mine = _LISTS.get(column_key(name), wanted)
                whose = (name,) if known and name in known else named if known else ()
                yield from _tests(inner, known, mine, whose or owners, deep + 1)


def _named(row: Mapping[str, Any], *, shared: bool) -> tuple[str, ...]:
    """The skills that a test names."""
    names = next((row[n] for n in ("skills", *_SKILL_NAMES) if shared and row.get(n)), None)
    names = row.get("skills") if names is None else names
    if isinstance(names, str) and shared:
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(name.strip() for name in names)
