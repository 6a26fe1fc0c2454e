"""Skills in folders as rows of a data set, which are the same wherever the folders lie."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from skillret.datasets.row_files import Row
from skillret.types import Skill

__all__ = ["query_id", "skill_rows"]


def query_id(text: str) -> str:
    """An id that changes with the text and with nothing else."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def skill_rows(skills: Sequence[Skill], roots: Sequence[Path]) -> list[Row]:
    """Skills of a library as rows that are the same wherever the library lies.

    The id is the name, without blanks since a TREC run can hold none; where two skills share it,
    the hash of the path below the root tells them apart.
    """
    names = ["-".join(skill.name.split()) for skill in skills]
    count = Counter(names)
    rows = []
    for skill, name in zip(skills, names, strict=True):
        path = _below(skill.path or skill.id, roots)
        id_ = (
            name if count[name] == 1 else f"{name}@{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        )
        row: Row = {"id": id_, "name": skill.name, "description": skill.description}
        own = ("body", "source_url", "metadata", *row)
        front = {k: v for k, v in skill.extra.items() if k not in own}
        if skill.metadata:
            front["metadata"] = dict(skill.metadata)
        rows.append({**row, **front, "source_url": path, "skill_md": skill.body})
    return rows


def _below(path: str, roots: Sequence[Path]) -> str:
    """A path below its root, the root's own name in front where there are several."""
    for root in roots:
        if Path(path).is_relative_to(root):
            start = root.parent if len(roots) > 1 else root
            return os.path.relpath(path, start).replace(os.sep, "/")
    return path
