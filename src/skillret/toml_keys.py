"""Keys of configuration files: each with its default, a check, and what is allowed in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import field
from typing import Any

__all__ = [
    "above_zero",
    "at_least_zero",
    "choice",
    "convert",
    "flag",
    "key",
    "listed",
    "share",
    "text",
    "whole",
]

Check = Callable[[Any], bool]


def key(default: Any, check: Check, allowed: str) -> Any:
    """A key of a dataclass.

    Args:
        default: Its value where a file gives none.
        check: Whether a value of the right type is allowed.
        allowed: What is, in words.
    """
    return field(default=default, metadata={"check": check, "allowed": allowed})


def text(default: str = "") -> Any:
    """Any text."""
    return key(default, lambda v: True, "any text")


def flag(default: bool) -> Any:
    """True or false."""
    return key(default, lambda v: True, "true or false")


def choice(default: str, *values: str) -> Any:
    """One of some texts."""
    return key(default, lambda v: v in values, "one of " + ", ".join(map(repr, values)))


def whole(default: int, least: int = 0) -> Any:
    """A whole number."""
    return key(default, lambda v: v >= least, f"a whole number of at least {least}")


def share(default: float, *, zero: bool = True, one: bool = True) -> Any:
    """A number between 0 and 1, which may be among them."""

    def check(v: float) -> bool:
        return (v >= 0 if zero else v > 0) and (v <= 1 if one else v < 1)

    bounds = f"{'from' if zero else 'above'} 0 {'to' if one else 'to below'} 1"
    return key(default, check, f"a number {bounds}")


def above_zero(default: float) -> Any:
    """A number above 0."""
    return key(default, lambda v: 0 < v < float("inf"), "a number above 0")


def at_least_zero(default: float) -> Any:
    """A number of at least 0."""
    return key(default, lambda v: 0 <= v < float("inf"), "a number of at least 0")


def convert(value: Any, kind: Any) -> tuple[Any, bool]:
    """The value as `kind`, and whether it is of that type; whole numbers serve as floats."""
    if kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        number = number and abs(value) <= sys.float_info.max  # nor is NaN a number
        return (float(value) if number else value), number
    if kind in (tuple[str, ...], tuple[int, ...]):
        item = str if kind == tuple[str, ...] else int
        ok = isinstance(value, list) and all(type(v) is item for v in value)
        return (tuple(value) if ok else value), ok
    if kind == dict[str, float]:
        ok = isinstance(value, dict) and all(convert(v, float)[1] for v in value.values())
        return ({k: float(v) for k, v in value.items()} if ok else value), ok
    return value, type(value) is kind


def listed(names: Any) -> str:
    """Names for a message."""
    return ", ".join(sorted(names))
