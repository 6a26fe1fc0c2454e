"""What a row must hold: the columns of skills, queries and labels, and their rules.

Only `id`, `name` and `skill_md` (or `body`) of a skill and `id` and `query` of a query are needed;
any other column is carried along in `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skillret.errors import DatasetError
from skillret.types import Query, Skill

__all__ = ["MAX_RELEVANCE", "parse_label", "parse_query", "parse_skill"]

MAX_RELEVANCE = 1000  # trec_eval reserves memory by it

_SKILL_FIELDS = ("id", "name", "description", "skill_md", "body")


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


def parse_label(row: Mapping[str, Any], where: str) -> tuple[str, str, int]:
    """Query id, skill id and relevance of a row.

    Raises:
        DatasetError: If an id is missing or the relevance is no whole number.
    """
    try:
        relevance = row.get("relevance", 1)
        if int(relevance) == float(relevance) and abs(int(relevance)) <= MAX_RELEVANCE:
            return _text(row, "query_id", where), _text(row, "skill_id", where), int(relevance)
    except (DatasetError, TypeError, ValueError, OverflowError):
        pass
    raise DatasetError(
        f"{where}: needs query_id, skill_id and a whole relevance of at most {MAX_RELEVANCE}"
    )


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    value = row.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DatasetError(f"{where}: the column {column!r} is missing or empty")
    return value
