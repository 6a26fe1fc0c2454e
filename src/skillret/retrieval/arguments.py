"""What searches are given: checks of it, and how much of it is done in one turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import get_args

from skillret.errors import InputError
from skillret.types import Mode

__all__ = ["check_count", "check_mode", "check_where", "portions"]

# Of queries that are searched for in one turn, while others wait: some tenths of a second.
_QUERIES = 16
_CHARACTERS = 4000


def portions(queries: Sequence[str]) -> Iterator[list[str]]:
    """Queries in their order, as many at a time as are searched for in one turn."""
    some: list[str] = []
    size = 0
    for query in queries:
        more = len(query) if isinstance(query, str) else 0  # which is refused later
        if some and (len(some) == _QUERIES or size + more > _CHARACTERS):
            yield some
            some, size = [], 0
        some.append(query)
        size += more
    if some:
        yield some


def check_mode(mode: str) -> Mode:
    """A mode of search.

    Raises:
        InputError: If there is none of that name.
    """
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"unknown mode {mode!r}: choose hybrid, dense or lexical")


def check_count(name: str, value: object) -> None:
    """Make sure that a number is one of skills.

    Raises:
        InputError: If it is not whole, or below 1.
    """
    if not isinstance(value, Integral) or int(value) < 1:
        raise InputError(f"{name} must be at least 1 and whole, got {value!r}")


def check_where(where: object) -> None:
    """Make sure that a filter is one.

    Raises:
        InputError: If it is no mapping of names to values.
    """
    if where is None:
        return
    plain = (str, int, float, bool)
    if not isinstance(where, Mapping) or not all(
        isinstance(name, str)
        and isinstance(value, (*plain, list, tuple))
        and (isinstance(value, plain) or all(isinstance(v, plain) for v in value))
        for name, value in where.items()
    ):
        raise InputError(
            'where takes names of metadata with a value or a list of values, as {"tag": "x"}'
        )
