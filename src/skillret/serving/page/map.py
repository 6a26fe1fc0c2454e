"""The map of a library: where its skills stand, in which groups, and what these are called."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.arrays import Float32
from skillret.index.corpus import Corpus, Record
from skillret.index.sources import Sources
from skillret.messages import printable
from skillret.retrieval import Retriever
from skillret.serving.page.clusters import Words, group, label, levels
from skillret.serving.page.layout import lay_out, place_among

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAP_VERSION", "Drawn", "draw"]

MAP_VERSION = 1  # of what is drawn: raised where the same vectors give another map
_UNIT = 10_000  # of coordinates as they are sent
_CHUNK = 500  # records read at once
_LONGEST = 80  # characters of a name
_MOST_NEW = 0.1  # share of a library that is placed into the map of the generation before


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drawn:
    """The map of one generation.

    Attributes:
        generation: Of the library.
        keys: Of skills, int64 `(n,)`, ascending.
        positions: Float32 `(n, 2)`, the longer side from -1 to 1.
        document: As it is sent, JSON.
    """

    generation: str
    keys: NDArray[np.int64]
    positions: Float32
    document: bytes


def draw(retriever: Retriever, before: Drawn | None = None) -> Drawn:
    """The map of a library's current generation; the same for the same library.

    Args:
        retriever: Of the library.
        before: The map of an earlier generation. Where little has changed since, skills stay where
            they stood and new ones come beside those that they are like: people find them again.

    Raises:
        StoreError: If the library cannot be read.
    """
    corpus, store = retriever.searcher().corpus, retriever.index.store
    keys = np.array(sorted(state.key for state in store.states().values()), dtype=np.int64)
    records = _records(corpus, keys)
    keys = np.array([key for key in keys.tolist() if key in records], dtype=np.int64)
    positions = _positions(corpus, keys, before)
    skills = [records[key] for key in keys.tolist()]
    roots = [path for path, _ in Sources.from_info(retriever.index.info()).roots]
    document = _document(corpus.generation, skills, positions, roots)
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )
    return Drawn(corpus.generation, keys, positions, data)


def _records(corpus: Corpus, keys: NDArray[np.int64]) -> dict[int, Record]:
    found: dict[int, Record] = {}
    for start in range(0, len(keys), _CHUNK):
        found |= corpus.records(keys[start : start + _CHUNK].tolist())
    return found


def _positions(corpus: Corpus, keys: NDArray[np.int64], before: Drawn | None) -> Float32:
    vectors = np.asarray(corpus.vectors(keys), dtype=np.float32)
    if before is None or not len(keys):
        return lay_out(vectors)
    stood = np.isin(keys, before.keys)
    if (~stood).sum() > _MOST_NEW * len(keys) or stood.sum() < (1 - _MOST_NEW) * len(before.keys):
        return lay_out(vectors)
    positions = np.empty((len(keys), 2), dtype=np.float32)
    positions[stood] = before.positions[np.isin(before.keys, keys)]
    positions[~stood] = place_among(vectors[~stood], vectors[stood], positions[stood])
    return positions


def _document(
    generation: str, skills: Sequence[Record], positions: Float32, roots: Sequence[str]
) -> Mapping[str, Any]:
    words = Words.of([(s.name, s.description) for s in skills])
    groups = np.zeros(len(skills), dtype=np.int64)
    labels, coarse = [], None
    for level, most in enumerate(levels(len(skills))):
        own, centres = group(positions, most)
        labels += label(words, own, centres, level, coarse)
        if coarse is None:
            groups = coarse = own
    placed = np.rint(positions * _UNIT).astype(np.int64)
    of_root = [_root_of(skill.path, roots) for skill in skills]
    return {
        "generation": generation,
        "unit": _UNIT,
        "ids": [skill.id for skill in skills],
        "names": [printable(skill.name)[:_LONGEST] for skill in skills],
        "x": placed[:, 0].tolist(),
        "y": placed[:, 1].tolist(),
        "groups": groups.tolist(),
        "roots": [_shown(root) for root in roots],
        "root": of_root,
        "labels": [
            {
                "x": round(item.x * _UNIT),
                "y": round(item.y * _UNIT),
                "text": printable(item.text),
                "level": item.level,
                "size": item.size,
            }
            for item in labels
        ],
    }


def _root_of(path: str | None, roots: Sequence[str]) -> int:
    """The number of the root that a skill lies under, the innermost one; -1 if under none."""
    inside = [
        (len(root), number)
        for number, root in enumerate(roots)
        if path is not None and path.startswith(root.rstrip(os.sep) + os.sep)
    ]
    return max(inside, default=(0, -1))[1]


def _shown(root: str) -> str:
    """A folder, as its user would write it."""
    home = os.fspath(Path.home())
    return printable("~" + root[len(home) :] if root.startswith(home + os.sep) else root)
