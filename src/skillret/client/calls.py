"""What a service is asked, and what its answers mean: for plain and async clients alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

from skillret.errors import InputError
from skillret.types import Explanation, Hit, Mode, Selection, Skill, Where

__all__ = [
    "Call",
    "LibraryInfo",
    "Page",
    "create_library",
    "delete",
    "delete_library",
    "encoded",
    "get",
    "libraries",
    "library_info",
    "put",
    "put_all",
    "search",
    "search_batch",
    "select",
    "skills",
]

_T = TypeVar("_T")
_PAGE = 500  # skills of one answer, where all are listed
_MOST_SKILLS = 50  # sent at once: a slow server encodes ten a second, and its time is limited
_MOST_QUERIES = 256  # of one search
_MOST_BODY = 1024 * 1024  # bytes of skills or queries that are sent at once; half of what is taken


class LibraryInfo(NamedTuple):
    """A library of a service.

    Attributes:
        name: What the client's `library` takes.
        writable: Whether skills can be put into it; folders that are served are read-only.
        skills: How many it holds.
        generation: A larger number as soon as it has changed.
        model: The encoder.
    """

    name: str
    writable: bool
    skills: int
    generation: int
    model: str | None


@dataclass(frozen=True, slots=True)
class Call(Generic[_T]):
    """One request, and how its answer is read.

    Attributes:
        method: Of HTTP.
        path: Below the service's address, percent-encoded.
        read: From the JSON of the answer; None where there is none.
        params: Of the query string; those that are None are left out.
        body: Sent as JSON.
        missing: What a skill that is not there amounts to, if it is no error.
    """

    method: str
    path: str
    read: Callable[[Any], _T]
    params: Mapping[str, str | None] | None = None
    body: Mapping[str, Any] | None = None
    missing: Callable[[], _T] | None = None


class Page(NamedTuple):
    """Some skills of a library, and where the next ones begin; None if these are the last."""

    skills: list[Skill]
    next: str | None


def search(
    library: str, query: str, k: int, mode: Mode | None, where: Where | None, explain: bool
) -> Call[list[Hit]]:
    """`POST /v1/search` for one query: the service puts it together with those of others."""
    asked = {"query": query, "k": k, "mode": mode, "where": where}
    body = asked | {"explain": explain, "library": library}
    return Call("POST", "/v1/search", lambda answer: _hits(answer["hits"]), body=body)


def search_batch(
    library: str,
    queries: Sequence[str],
    k: int,
    mode: Mode | None,
    where: Where | None,
    explain: bool,
) -> Iterator[Call[list[list[Hit]]]]:
    """`POST /v1/search`: hits for each query, as many by each call as a service takes.

    Raises:
        InputError: If `queries` is one text, whose letters would be taken for queries.
    """
    if isinstance(queries, str):
        raise InputError("give a list of queries; for a single one there is `search`")
    for some in _portions(queries, _MOST_QUERIES):
        asked = {"queries": some, "k": k, "mode": mode, "where": where}
        yield Call(
            "POST",
            "/v1/search",
            lambda answer: [_hits(result["hits"]) for result in answer["results"]],
            body=asked | {"explain": explain, "library": library},
        )


def select(
    library: str, query: str, near: int, limit: int | None, where: Where | None, explain: bool
) -> Call[tuple[list[Hit], Selection]]:
    """`POST /v1/select`: the nearest skills, and which of all fit."""

    def read(answer: Any) -> tuple[list[Hit], Selection]:
        need = answer["need"]
        missing = tuple(map(str, answer.get("missing") or ()))
        for_user = tuple(_hits(answer.get("for_user") or ()))  # an older server says none
        selection = Selection(query, tuple(_hits(answer["hits"])), need, missing, for_user)
        return _hits(answer.get("near") or ()), selection

    asked = {"query": query, "limit": limit, "where": where, "near": near}
    body = asked | {"explain": explain, "library": library}
    return Call("POST", "/v1/select", read, body=body)


def skills(library: str, name: str | None, where: Where | None, after: str | None) -> Call[Page]:
    """`GET /v1/skills`: one page, from where the one before has ended."""

    def read(answer: Any) -> Page:
        following = answer["next"]
        if following is not None and following == after:
            raise ValueError("a page that leads to itself")
        return Page([_skill(record) for record in answer["skills"]], following)

    params = {
        "library": library,
        "limit": str(_PAGE),
        "after": after,
        "name": name,
        "where": None if where is None else encoded(where).decode(),
    }
    return Call("GET", "/v1/skills", read, params=params)


def get(library: str, id_: str) -> Call[Skill | None]:
    """`GET /v1/skills/ID`: a skill with its body; None if it is not there."""
    params = {"library": library}
    return Call("GET", _skill_path(id_), _skill, params=params, missing=lambda: None)


def put(library: str, skill: Skill) -> Call[bool]:
    """`PUT /v1/skills/ID`: add or replace one; whether it is a new one."""
    body = _record(skill)
    del body["id"]
    return Call(
        "PUT",
        _skill_path(skill.id),
        lambda answer: answer["added"] > 0,
        params={"library": library},
        body=body,
    )


def put_all(library: str, skills: Iterable[Skill]) -> Iterator[Call[int]]:
    """`POST /v1/skills`: add or replace several, as many by each call as a service takes."""
    for records in _portions(map(_record, skills), _MOST_SKILLS):
        yield Call(
            "POST",
            "/v1/skills",
            lambda answer: int(answer["added"] + answer["changed"]),
            body={"library": library, "skills": records},
        )


def delete(library: str, id_: str) -> Call[bool]:
    """`DELETE /v1/skills/ID`: whether it was there."""
    return Call(
        "DELETE",
        _skill_path(id_),
        lambda _: True,
        params={"library": library},
        missing=lambda: False,
    )


def libraries() -> Call[list[str]]:
    """`GET /v1/libraries`: the names of those that the token is for."""
    return Call("GET", "/v1/libraries", lambda answer: [str(name) for name in answer["libraries"]])


def library_info(name: str) -> Call[LibraryInfo]:
    """`GET /v1/libraries/NAME`."""
    return Call(
        "GET",
        _library_path(name),
        lambda answer: LibraryInfo(*(answer[field] for field in LibraryInfo._fields)),
    )


def create_library(name: str) -> Call[None]:
    """`PUT /v1/libraries/NAME`."""
    return Call("PUT", _library_path(name), lambda _: None)


def delete_library(name: str) -> Call[None]:
    """`DELETE /v1/libraries/NAME`."""
    return Call("DELETE", _library_path(name), lambda _: None)


def encoded(value: Any) -> bytes:
    """JSON as a service takes it.

    Raises:
        InputError: If it holds what JSON has no word for.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as e:
        raise InputError(f"a service takes plain JSON values: {e}") from None
    return text.encode("utf-8", "replace")  # as a query of `Retriever` is read


def _portions(items: Iterable[_T], most: int) -> Iterator[list[_T]]:
    """Some items at a time, as many as one request holds: a number of them, and of bytes."""
    portion: list[_T] = []
    size = 0
    for item in items:
        more = len(encoded(item))
        if portion and (size + more > _MOST_BODY or len(portion) == most):
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += more
    if portion:
        yield portion


def _library_path(name: str) -> str:
    return f"/v1/libraries/{_segment(name, 'name of a library')}"


def _skill_path(id_: str) -> str:
    return f"/v1/skills/{_segment(id_, 'id of a skill')}"


def _segment(text: str, what: str) -> str:
    """Text as one segment of a path."""
    if text in ("", ".", ".."):  # clients take these for a way through the path
        raise InputError(f"no {what}: {text!r}")
    return quote(text, safe="", errors="replace")


def _record(skill: Skill) -> dict[str, Any]:
    return {
        "id": skill.id,
        "name": skill.name,
        "description": skill.description,
        "body": skill.body,
        "metadata": dict(skill.metadata),
        "user_only": skill.user_only,
    }


def _skill(record: Mapping[str, Any]) -> Skill:
    return Skill(
        id=record["id"],
        name=record["name"],
        description=record["description"],
        body=record.get("body", ""),
        path=record.get("path"),
        metadata=record.get("metadata") or {},
        user_only=record.get("user_only", False),
    )


def _hits(records: Iterable[Mapping[str, Any]]) -> list[Hit]:
    return [
        Hit(
            rank=record["rank"],
            id=record["id"],
            name=record["name"],
            description=record["description"],
            path=record.get("path"),
            score=record["score"],
            dense=record.get("dense"),
            lexical=record.get("lexical"),
            explanation=_explanation(record.get("explanation")),
            metadata=record.get("metadata") or {},
            user_only=record.get("user_only", False),
        )
        for record in records
    ]


def _explanation(record: Mapping[str, Any] | None) -> Explanation | None:
    if record is None:
        return None
    terms = tuple((str(term), float(score)) for term, score in record["terms"])
    sentences = tuple((str(sentence), float(score)) for sentence, score in record["sentences"])
    excluded, tokens = (
        None if (value := record.get(name)) is None else float(value)
        for name in ("excluded", "tokens")
    )
    return Explanation(terms, sentences, excluded, tokens)
