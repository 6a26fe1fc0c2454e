"""Queries made of others: joined, said as the second of several, amid talk that needs no skill."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from skillret.calibration.written import written
from skillret.datasets.labelled import LabelledQuery

__all__ = ["compose", "join", "pad"]

_JOINS = ("Also: ", "And then ", "After that, ", "Besides, ", "Second thing: ", "Oh, and ", "")
_LABEL = re.compile(r"^[^:.!?]{3,60}: (?=\S)")


def compose(
    singles: Sequence[LabelledQuery], count: int, draw: random.Random
) -> Iterator[LabelledQuery]:
    """Queries that need two or three skills, from queries that need one.

    Args:
        singles: Queries with one gold skill each.
        count: How many to make.
        draw: Decides which and in what order.
    """
    if len({r.gold for r in singles}) < 3:
        return
    for number in range(count):
        parts: dict[tuple[str, ...], LabelledQuery] = {}
        wanted = draw.choice((2, 2, 3))
        while len(parts) < wanted:
            query = draw.choice(singles)
            parts.setdefault(query.gold, query)
        gold = tuple(g for (g,) in parts)
        where = "composed of " + ", ".join(r.id for r in parts.values())
        text = _join(list(parts.values()), draw)
        yield LabelledQuery(f"composed-{number}", text, gold, where, made=True)


def pad(text: str, draw: random.Random) -> str:
    """A query amid 8 to 24 sentences that need no skill."""
    sentences = draw.sample(written("background"), draw.randint(8, 24))
    sentences.insert(draw.randrange(len(sentences) + 1), text)
    return " ".join(sentences)


def join(text: str, draw: random.Random) -> str:
    """A query as the second one of several is said: "After that, ..."."""
    words = draw.choice(_JOINS)
    return f"{words}{text[0].lower() + text[1:] if words.endswith(', ') else text}"


def _join(parts: Sequence[LabelledQuery], draw: random.Random) -> str:
    lines = []
    for number, query in enumerate(parts):
        text = _LABEL.sub("", query.text.strip())
        lines.append(join(text, draw) if number else text)
    for sentence in draw.sample(written("background"), draw.randrange(4)):
        lines.insert(draw.randrange(len(lines) + 1), sentence)
    return draw.choice((" ", " ", "\n")).join(lines)
