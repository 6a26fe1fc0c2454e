"""Values that may be of several kinds: what is wrong with one is said once, not for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

__all__ = ["MOST_NAMES", "MOST_TEXTS", "MOST_VALUES", "Text", "Texts", "WhereFilter"]

MOST_TEXTS = 256  # of a request: queries, or what is encoded
MOST_NAMES = 16  # of a filter
MOST_VALUES = 64
_JSON = ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a text"))


def _explained(wrong: Callable[[Any], str], remedy: str) -> WrapValidator:
    """Says of a value that is refused what is wrong with it, and what to send."""

    def validate(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError:
            said = {"wrong": wrong(value), "remedy": remedy}
            raise PydanticCustomError("odd_value", "{wrong}; send {remedy}", said) from None

    return WrapValidator(validate)


def _called(value: Any) -> str:
    """What a value is in JSON."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return next((name for kind, name in _JSON if isinstance(value, kind)), "null")


def _odd_filter(value: Any) -> str:
    """What is wrong with a filter."""
    if not isinstance(value, dict):
        return f"it is {_called(value)}"
    if len(value) > MOST_NAMES:
        return f"it has {len(value)} names, {MOST_NAMES} are the most"
    for name, wanted in value.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if len(values) > MOST_VALUES:
            return f"{name[:80]!r} has {len(values)} values, {MOST_VALUES} are the most"
        odd = [v for v in values if not isinstance(v, (bool, int, float, str))]
        if odd:
            return f"a value of {name[:80]!r} is {_called(odd[0])}"
    return "it cannot be read"


def _odd_texts(value: Any) -> str:
    """What is wrong with a text, or a list of texts."""
    if not isinstance(value, list):
        return "it is empty" if value == "" else f"it is {_called(value)}"
    if not 0 < len(value) <= MOST_TEXTS:
        return f"it has {len(value)} texts"
    for number, text in enumerate(value):
        if text == "" or not isinstance(text, str):
            return f"its item {number} is {'empty' if text == '' else _called(text)}"
    return "it cannot be read"


Scalar: TypeAlias = bool | int | Annotated[float, Field(allow_inf_nan=False)] | str
WhereFilter: TypeAlias = Annotated[
    dict[str, Scalar | Annotated[list[Scalar], Field(max_length=MOST_VALUES)]],
    Field(
        max_length=MOST_NAMES,
        description="What the metadata of a skill must hold: every name with the value, or with one"
        " of the values.",
        examples=[{"team": "billing"}, {"tag": ["pdf", "ocr"]}],
    ),
    _explained(
        _odd_filter,
        'names with what a skill must hold, such as {"team": "billing"} or {"tag": ["a", "b"]}',
    ),
]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Texts: TypeAlias = Annotated[
    Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)],
    _explained(_odd_texts, f"a text, or a list of 1 to {MOST_TEXTS} texts, none of them empty"),
]
