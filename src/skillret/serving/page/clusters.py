"""Groups of skills on the map, coarse and fine, and the words that tell each from the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skillret.arrays import Float32
from skillret.lexical.analyzer import STOP_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Label", "group", "label", "levels"]

_ROUNDS = 40  # of k-means at most
_BLOCK = 4096  # points that are compared at once
_GROUPS = (10, 45, 200)  # on the coarse, the middle and the fine level at most
_SKILLS = (6, 9, 12)  # of a group on average at least
_SHARE = 0.05  # of a group, at least, has a word of its label; of a small one a name
_LEAST = 3  # skills of a group that has a label
_WORD = re.compile(r"[^\W\d_][^\W_]*[+#]*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_READ = 300  # characters of a description: what a skill is about stands in front
_LONGEST = 18  # characters of a word in a label
# What says nothing about a skill among skills, however often one group has it.
_PLAIN = STOP_WORDS | frozenset(
    """
    skill skills use used user users using agent agents claude codex when asks ask asked best
    practice practices guide guides guidance help helps provide provides including include
    includes via new trigger triggers mention mentions task tasks work working create creating
    comprehensive expert also etc across based need needs support supports covers cover e.g
    handle handles make making get one two whenever invoke activate within without like
    reason reasons wants want good better plan way ways thing things set file files new
    """.split()
)


class Label(NamedTuple):
    """What a group is called, and where that stands.

    Attributes:
        x: From left to right.
        y: From top to bottom.
        text: One or two words.
        level: 0 for the coarse ones.
        size: Skills of the group.
    """

    x: float
    y: float
    text: str
    level: int
    size: int


def levels(count: int) -> list[int]:
    """How many groups a map of so many skills has at most, on each of its levels."""
    wanted = [min(g, count // s) for g, s in zip(_GROUPS, _SKILLS, strict=True)]
    kept = [wanted[0]] if wanted[0] >= 2 else []
    return kept + [w for w, before in zip(wanted[1:], wanted, strict=False) if w >= 2 * before > 2]


def group(positions: Float32, most: int) -> tuple[NDArray[np.int64], Float32]:
    """The group of each point, int64 `(n,)` from the largest, and a point in the middle of each.

    By k-means (Lloyd, 1982) on the map, not on the vectors: a group lies in one place, where its
    label can stand. It begins with points far from each other where many are, the same each time.

    Args:
        positions: `(n, 2)`, at least one.
        most: How many groups, unless there are fewer places.
    """
    centres = _spread(positions, most)
    groups = _closest(positions, centres)
    for _ in range(_ROUNDS):
        sizes = np.bincount(groups, minlength=len(centres))
        sums = [np.bincount(groups, weights=x, minlength=len(centres)) for x in positions.T]
        moved = np.column_stack(sums) / np.maximum(sizes, 1)[:, None]
        centres = np.where(sizes[:, None] > 0, moved, centres).astype(np.float32)
        now = _closest(positions, centres)
        if np.array_equal(now, groups):
            break
        groups = now
    sizes = np.bincount(groups, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    ranks = np.zeros(len(centres), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    groups = ranks[groups]
    apart = np.square(positions - centres[order][groups]).sum(axis=1)
    middle = np.lexsort((apart, groups))
    first = np.searchsorted(groups[middle], np.arange(len(order)))
    return groups, positions[middle[first]]


def _spread(positions: Float32, most: int) -> Float32:
    """Some of the points, far from each other: of a sample each time the one farthest from all."""
    some = positions[:: max(1, len(positions) // 4096)]
    chosen = [int(np.square(some - some.mean(axis=0)).sum(axis=1).argmin())]
    apart = np.square(some - some[chosen[0]]).sum(axis=1)
    while len(chosen) < most and apart.max() > 0:
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.square(some - some[chosen[-1]]).sum(axis=1))
    return some[chosen]


def _closest(positions: Float32, centres: Float32) -> NDArray[np.int64]:
    groups = np.empty(len(positions), dtype=np.int64)
    for start in range(0, len(positions), _BLOCK):
        block = positions[start : start + _BLOCK, None, :]
        groups[start : start + _BLOCK] = np.square(block - centres).sum(axis=2).argmin(axis=1)
    return groups


class Words(NamedTuple):
    """The words of skills: pairs of a skill and a word, with what each counts.

    A word of a name counts twice, the others once.
    """

    skills: NDArray[np.int64]
    words: NDArray[np.int64]
    weights: Float32
    names: list[str]
    total: int

    @classmethod
    def of(cls, texts: Sequence[tuple[str, str]]) -> Words:
        """Those of names and descriptions."""
        numbers: dict[str, int] = {}
        skills, words, weights = [], [], []
        for skill, (name, description) in enumerate(texts):
            counted = Counter(_read(_CAMEL.sub(" ", name)))
            counted.update(_read(description[:_READ]) - counted.keys())
            own = set(_read(_CAMEL.sub(" ", name)))
            for word in sorted(counted):
                skills.append(skill)
                words.append(numbers.setdefault(word, len(numbers)))
                weights.append(2.0 if word in own else 1.0)
        one = _singulars(numbers)
        merged = one[np.array(words, dtype=np.int64)] if words else np.empty(0, dtype=np.int64)
        return cls(
            np.array(skills, dtype=np.int64),
            merged,
            np.array(weights, dtype=np.float32),
            list(numbers),
            len(texts),
        )


def _read(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text) if 2 <= len(word) <= _LONGEST}
    return words - _PLAIN


def _singulars(numbers: dict[str, int]) -> NDArray[np.int64]:
    """For each word its number, or that of its singular if that is a word here too."""
    one = np.arange(len(numbers))
    for word, number in numbers.items():
        if word.endswith("s") and not word.endswith("ss") and word[:-1] in numbers:
            one[number] = numbers[word[:-1]]
    return one


def label(
    words: Words,
    groups: NDArray[np.int64],
    centres: Float32,
    level: int,
    around: NDArray[np.int64] | None = None,
) -> list[Label]:
    """The label of each group that is large enough: its most telling words.

    A word tells more the more of the group has it and the less of the others do.

    Args:
        words: Of all skills.
        groups: Of each skill, `(n,)`.
        centres: Of groups, `(g, 2)`.
        level: Of the groups.
        around: Of each skill the coarser group, if there is one; a word must tell a group from
            what is around it as well.
    """
    n, g, v = words.total, len(centres), max(len(words.names), 1)
    sizes = np.bincount(groups, minlength=g).astype(np.float64)
    of_group = _shares(words, groups, g, v)
    everywhere = np.bincount(words.words, weights=words.weights, minlength=v)
    outside = [(everywhere - of_group) / np.maximum(n - sizes, 1)[:, None]]
    if around is not None:
        wide = np.zeros(g, dtype=np.int64)
        wide[groups] = around  # any skill's will do: most of a group lie in one
        counts = np.bincount(around).astype(np.float64)
        near = _shares(words, around, len(counts), v)[wide] - of_group
        outside.append(np.maximum(near, 0) / np.maximum(counts[wide] - sizes, 1)[:, None])
    inside = of_group / np.maximum(sizes, 1)[:, None]
    floor = 0.5 / n
    tells = inside * np.log((inside + floor) / (np.maximum.reduce(outside) + floor))
    labels: list[Label] = []
    taken: set[str] = set()
    for number in np.argsort(-sizes, kind="stable"):
        if sizes[number] < _LEAST:
            continue
        # What few of a group have is no name for it.
        least = max(_SHARE, 2 / sizes[number])
        telling = np.where(inside[number] >= least, tells[number], 0)
        text = _text(words.names, telling, taken, 2 if level < 2 else 1)
        if text:
            x, y = centres[number].tolist()
            labels.append(Label(x, y, text, level, int(sizes[number])))
    return labels


def _shares(words: Words, groups: NDArray[np.int64], count: int, v: int) -> NDArray[np.float64]:
    places = groups[words.skills] * v + words.words
    summed = np.bincount(places, weights=words.weights, minlength=count * v)
    return summed.astype(np.float64).reshape(count, v)


def _text(names: Sequence[str], tells: NDArray[np.float64], taken: set[str], most: int) -> str:
    """One or two words that no other label of the level has, if there are any."""
    chosen: list[str] = []
    if not names:
        return ""
    best = np.argsort(-tells, kind="stable")[:12].tolist()
    least = 0.45 * tells[best[0]]
    for place in best:
        word = names[place]
        if tells[place] <= 0 or (chosen and tells[place] < least) or len(chosen) == most:
            break
        akin = any(word[:4] == other[:4] or word in other or other in word for other in chosen)
        if akin or word in taken:
            continue
        chosen.append(word)
    taken.update(chosen)
    return " · ".join(chosen)
