"""Where the skills of an index come from, and where it lies if nobody says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from skillret.errors import IndexCorruptError, InputError
from skillret.index.store import IndexInfo
from skillret.skills import Library, Root

__all__ = ["Sources", "default_index_path", "default_indexes"]


class Sources(NamedTuple):
    """Where the skills of an index come from, so that it can be brought up to date.

    Attributes:
        roots: Folders and their scopes, in order of precedence.
        dataset: A data set, instead of folders.
        split: Split of the data set.
        hide: Names and patterns of skills in the folders that are left out.
    """

    roots: tuple[tuple[str, str], ...] = ()
    dataset: str | None = None
    split: str | None = None
    hide: tuple[str, ...] = ()

    @classmethod
    def of(cls, library: Library) -> Sources:
        """The roots of a library."""
        return cls(tuple((str(r.path), r.scope) for r in library.roots), hide=library.hide)

    def to_json(self) -> str:
        """As stored in an index."""
        data = {"roots": self.roots, "dataset": self.dataset, "split": self.split}
        return json.dumps(data | ({"hide": self.hide} if self.hide else {}))

    @classmethod
    def from_info(cls, info: IndexInfo) -> Sources:
        """As read from an index."""
        try:
            data: Mapping[str, Any] = dict(info.sources)
            roots = tuple((str(path), str(scope)) for path, scope in data.get("roots", ()))
            dataset, split = data.get("dataset"), data.get("split")
            hide = tuple(map(str, data.get("hide", ())))
            if not isinstance(dataset, str | None) or not isinstance(split, str | None):
                raise TypeError
        except (TypeError, ValueError):
            raise IndexCorruptError(
                "the index does not say where its skills come from: build it again with"
                " `skillret index build`"
            ) from None
        return cls(roots, dataset, split, hide)

    def __bool__(self) -> bool:
        """Whether anything is known of them: skills may also be added one by one."""
        return bool(self.roots or self.dataset)

    def library(self) -> Library:
        """The library as it is on disk now; roots that are gone hold no skills any more.

        Raises:
            InputError: If no root exists any more, or the skills came from a data set.
        """
        roots = [Root(Path(p), s) for p, s in self.roots if Path(p).is_dir()]
        if not roots:
            gone = ", ".join(p for p, _ in self.roots) or "none recorded"
            raise InputError(f"the folders of this index no longer exist: {gone}")
        return Library(roots, hide=self.hide)


def default_index_path(source: Library | Sources, model: str) -> Path:
    """The index of a library or a data set's split, and a model, in the OS's data directory."""
    if isinstance(source, Library):
        source = Sources.of(source)
    parts = [model, *(path for path, _ in source.roots)]
    if source.dataset is not None:
        parts += ["dataset", source.dataset, source.split or ""]
    parts += [f"hide {pattern}" for pattern in source.hide]  # else two projects would take turns
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return _folder() / f"{digest[:16]}.db"


def default_indexes() -> list[Path]:
    """All indexes in the OS's data directory."""
    return sorted(_folder().glob("*.db"))


def _folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path("skillret", appauthor=False) / "indexes"
