"""The forms that answers must have, and reading them: JSON and nothing else counts."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skillret.files import parse_json

__all__ = [
    "Categories",
    "Categorised",
    "Classified",
    "Judged",
    "Labels",
    "Written",
    "read_form",
]

_Form = TypeVar("_Form", bound="_Strict")
_FENCED = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_MOST = 200_000  # characters of an answer

# Few words: labels are repeated to the model as ours, and may have come from a skill's name.
_Label = Annotated[
    str, Field(min_length=2, max_length=40, pattern=r"^[A-Za-z][\w/+.-]*( [\w&/+.-]+){0,3}$")
]
_Number = Annotated[int, Field(ge=1, le=100_000)]


class _Strict(BaseModel):
    """No other field, and no text for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Written(_Strict):
    """A request."""

    request: Annotated[str, Field(min_length=2, max_length=4000)]


class Labels(_Strict):
    """The labels of a library."""

    actions: Annotated[list[_Label], Field(min_length=2, max_length=20)]
    objects: Annotated[list[_Label], Field(min_length=2, max_length=20)]
    domains: Annotated[list[_Label], Field(min_length=2, max_length=20)]


class _Tagged(_Strict):
    number: _Number
    action: str
    object: str
    domain: str


class Classified(_Strict):
    """The labels of skills."""

    skills: list[_Tagged]


class _Sorted(_Strict):
    number: _Number
    category: _Number


class Categorised(_Strict):
    """The categories of skills, by number."""

    skills: list[_Sorted]


class _Major(_Strict):
    name: _Label
    parts: Annotated[list[_Label], Field(min_length=1, max_length=8)]


class Categories(_Strict):
    """A taxonomy."""

    groups: Annotated[list[_Major], Field(min_length=2, max_length=10)]


class _Graded(_Strict):
    number: _Number
    grade: Annotated[int, Field(ge=0, le=2)]


class Judged(_Strict):
    """How far each skill does what a request asks for."""

    grades: list[_Graded]


def read_form(form: type[_Form], text: str) -> _Form:
    """An answer in its form; a fence around it is no fault.

    Raises:
        ValueError: With a reason that repeats nothing of the answer.
    """
    if len(text) > _MOST:
        raise ValueError("answer is too long")
    fenced = _FENCED.match(text)
    try:
        data: Any = parse_json(fenced[1] if fenced else text)
    except ValueError:
        raise ValueError("answer is no JSON") from None
    try:
        return form.model_validate(data)
    except ValidationError:
        raise ValueError("answer is not of the form") from None
