"""What a row must hold: the columns of skills, queries and labels, and their rules.

Only `id`, `name` and `skill_md` (or `body`) of a skill and `id` and `query` of a query are needed;
any other column is carried along in `extra`. Labels, tests and files of queries are also known by
the names that other tools give their columns, whatever their case, blanks and hyphens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from skillret.errors import DatasetError
from skillret.types import Query, Skill

__all__ = [
    "LABEL_COLUMNS",
    "MAX_RELEVANCE",
    "NO_LABELS",
    "QUERY_COLUMNS",
    "WANTED_COLUMNS",
    "column_key",
    "decimal",
    "first_of",
    "label_row",
    "missed_label",
    "parse_label",
    "parse_query",
    "parse_skill",
    "truth",
    "verdict",
]

MAX_RELEVANCE = 1000  # trec_eval reserves memory by it
QUERY_COLUMNS = (
    *("request", "query", "prompt", "question", "utterance", "text", "requesttext", "querytext"),
    *("userrequest", "userquery", "userprompt", "usermessage", "input"),
)
# Say whether a skill is wanted, ...
WANTED_COLUMNS = (
    *("shouldtrigger", "expectedtrigger", "expecttrigger", "shouldactivate", "shouldinvoke"),
)
# ... and so do these where they say yes or no; a phrase or an answer otherwise.
_PERHAPS_WANTED = ("trigger", "triggers", "triggered")
LABEL_COLUMNS = {
    "query_id": ("queryid", "qid", "query", "topic"),
    "skill_id": ("skillid", "corpusid", "docid", "docno", "documentid", "pid", "skill", "doc"),
    # What a person gave before what may be a system's.
    "relevance": (
        *("relevance", "relevancelabel", "relevancegrade", "relevancescore", "relscore", "rel"),
        *("relevant", "isrelevant", "judgement", "judgment", "grade", "label", "rating", "gain"),
        *("score",),
    ),
}
# Of a row of labels, numbers that are none.
NO_LABELS = ("id", "index", "row", "rank", "position", "turn", "round", "iteration", "iter")

_SKILL_FIELDS = ("id", "name", "description", "skill_md", "body")
_COMMA = re.compile(r"^(\s*[-+]?\d*),(\d+\s*)$")
_JOINTS = re.compile(r"[\W_]+")
# Also as spreadsheets of other countries write them.
_TRUE = frozenset(
    "true yes y t on wahr ja vrai oui verdadero si sí vero verdadeiro sim waar prawda tak sant"
    " истина да 是 真 はい 예".split()
)
_FALSE = frozenset(
    "false no n f off falsch nein faux non falso não nao onwaar fałsz nie falskt nej"
    " ложь нет 否 假 いいえ 아니요".split()
)


def column_key(name: str) -> str:
    """What is compared of a column's name: `Skill ID`, `skill-id` and `skillId` are one."""
    return _JOINTS.sub("", name).casefold()


def first_of(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value of the first of some columns (by `column_key`) that holds one, or None."""
    known = {column_key(name): value for name, value in row.items() if value}
    return next((known[key] for key in keys if key in known), None)


def truth(value: object) -> bool | None:
    """Yes or no, also as texts say it; None where it is neither."""
    text = str(value).strip().casefold()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    try:
        return {1.0: True, 0.0: False}.get(decimal(text))
    except ValueError:
        return None


def verdict(row: Mapping[str, Any]) -> Any:
    """What a row says of whether its skill is wanted; None where it has no column for that.

    Args:
        row: Its columns by `column_key`.
    """
    for name in WANTED_COLUMNS:
        if name in row:
            return "" if row[name] is None else row[name]
    return next((row[n] for n in _PERHAPS_WANTED if truth(row.get(n)) is not None), None)


def decimal(value: Any) -> float:
    """A number, also as a text, and with the decimal comma of many countries' spreadsheets.

    Raises:
        TypeError: If it is neither number nor text.
        ValueError: If it is a text of something else.
    """
    return float(_COMMA.sub(r"\1.\2", value) if isinstance(value, str) else value)


def label_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of labels in our columns, whatever they were called; others are carried along."""
    if row.keys() >= LABEL_COLUMNS.keys():
        return dict(row)
    names = {column_key(name): name for name in reversed([*row])}
    if row.keys() >= {"query_id", "skill_id"}:  # labels of another kind may stand beside these
        grades = LABEL_COLUMNS["relevance"]
        names = {k: n for k, n in names.items() if k not in grades or _is_number(row[n])}
    ours = {
        own: next((names[key] for key in keys if key in names), own)
        for own, keys in LABEL_COLUMNS.items()
    }
    others = {name: value for name, value in row.items() if name not in ours.values()}
    return {**{own: row[name] for own, name in ours.items() if name in row}, **others}


def missed_label(row: Mapping[str, Any]) -> str:
    """What is doubtful about a row of labels in our columns without a relevance; mostly empty.

    All its labels would be gold ones, also those that a column of another name says are none.
    """
    if "relevance" in row:
        return ""
    for name, value in row.items():
        used = name in LABEL_COLUMNS or column_key(name) in NO_LABELS or isinstance(value, bool)
        if not used and _is_number(value) and decimal(value) <= 0:
            return (
                f"there is no relevance, and {str(value)[:20]} in the column {name!r:.80}: if that"
                " says how relevant the skill is, call it relevance; else add a relevance of 1"
            )
    return ""


def parse_skill(row: Mapping[str, Any], where: str) -> Skill:
    """A skill of a row.

    Raises:
        DatasetError: If its id is missing or empty, or its name is missing; a name may be empty, as
            titles of BEIR's corpora are.
    """
    id_ = _text(row, "id", where)
    name = row.get("name")
    if not isinstance(name, (str, int)) or isinstance(name, bool):
        raise DatasetError(f"{where}: the column 'name' is missing")
    body = row.get("skill_md")
    if body is None:
        body = row.get("body")
    # Data sets call all kinds of columns so; what is no object is one of the other columns.
    metadata = row.get("metadata")
    used = (*_SKILL_FIELDS, "metadata") if isinstance(metadata, Mapping) else _SKILL_FIELDS
    return Skill(
        id=id_,
        name=str(name),
        description=str(row.get("description") or ""),
        body=str(body or ""),
        path=str(row["source_url"]) if row.get("source_url") else None,
        metadata=dict(metadata) if isinstance(metadata, Mapping) else {},
        extra={k: v for k, v in row.items() if k not in used},
    )


def parse_query(row: Mapping[str, Any], where: str) -> Query:
    """A query, with or without need of a skill, of a row.

    Raises:
        DatasetError: If its id or text is missing.
    """
    extra = {k: v for k, v in row.items() if k not in ("id", "query")}
    return Query(_text(row, "id", where), _text(row, "query", where), extra)


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, (int, float, str)) and bool(str(decimal(value)))
    except (ValueError, OverflowError):
        return False


def parse_label(row: Mapping[str, Any], where: str) -> tuple[str, str, float]:
    """Query id, skill id and relevance of a row; a whole relevance is an `int`.

    Raises:
        DatasetError: If an id is missing, the relevance is no number, or another column may be it.
    """
    if missed := missed_label(row):
        raise DatasetError(f"{where}: {missed}")
    try:
        relevance = decimal(row.get("relevance", 1))
        if abs(relevance) <= MAX_RELEVANCE:
            whole = int(relevance) if relevance.is_integer() else relevance
            return _text(row, "query_id", where), _text(row, "skill_id", where), whole
    except (DatasetError, TypeError, ValueError, OverflowError):
        pass
    raise DatasetError(
        f"{where}: needs query_id, skill_id and a relevance, a number of at most {MAX_RELEVANCE}"
    )


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    value = row.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DatasetError(f"{where}: the column {column!r} is missing or empty")
    return value
