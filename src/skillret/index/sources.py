"""Where the skills of an index come from, and where it lies if nobody says."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skillret.errors import IndexCorruptError, InputError
from skillret.index.schema import SCHEMA_VERSION
from skillret.index.store import IndexInfo
from skillret.skills import Library, Root
from skillret.skills.overrides import Overrides
from skillret.skills.permissions import Permissions

__all__ = ["Sources", "default_index_path", "default_indexes"]


class Sources(NamedTuple):
    """Where the skills of an index come from, so that it can be brought up to date.

    Attributes:
        roots: Folders and their scopes, in order of precedence.
        dataset: A data set, instead of folders.
        split: Split of the data set.
        agent: The agent whose rules say what is loaded, if the folders are those of one.
        hide: What is left out (`skillret.skills.Library`).
        overrides: What the agent's own settings say of single skills.
        permissions: What its permission rules say of skills.
    """

    roots: tuple[tuple[str, str], ...] = ()
    dataset: str | None = None
    split: str | None = None
    agent: str | None = None
    hide: tuple[str, ...] = ()
    overrides: Overrides = Overrides()
    permissions: Permissions = Permissions()

    @classmethod
    def of(cls, library: Library) -> Sources:
        """The roots of a library, and by what rules it reads them."""
        roots = tuple((str(r.path), r.scope) for r in library.roots)
        return cls(
            roots,
            agent=library.agent,
            hide=library.hide,
            overrides=library.overrides,
            permissions=library.permissions,
        )

    def to_json(self) -> str:
        """As stored in an index."""
        data = {"roots": self.roots, "dataset": self.dataset, "split": self.split}
        rules = {
            "agent": self.agent,
            "hide": self.hide,
            "overrides": self.overrides,
            "permissions": self.permissions,
        }
        return json.dumps(data | {key: value for key, value in rules.items() if value})

    @classmethod
    def from_info(cls, info: IndexInfo) -> Sources:
        """As read from an index.

        Raises:
            IndexCorruptError: If it is not what `to_json` writes.
        """
        try:
            data: Mapping[str, Any] = dict(info.sources)
            roots = tuple((str(path), str(scope)) for path, scope in data.get("roots", ()))
            dataset, split = data.get("dataset"), data.get("split")
            agent, hide = data.get("agent"), tuple(map(str, data.get("hide", ())))
            said = Overrides(*(tuple(map(str, part)) for part in data.get("overrides", ())))
            permissions = Permissions.read(data.get("permissions"))
            if not all(isinstance(text, str | None) for text in (dataset, split, agent)):
                raise TypeError
        except (TypeError, ValueError):
            raise IndexCorruptError(
                "the index does not say where its skills come from",
                "build it again with `skillret index build`",
            ) from None
        return cls(roots, dataset, split, agent, hide, said, permissions)

    def __bool__(self) -> bool:
        """Whether anything is known of them: skills may also be added one by one."""
        return bool(self.roots or self.dataset)

    def command(
        self, action: str, index: Path | str | None = None, model: Sequence[str] = ()
    ) -> str:
        """What to type to `build` or `update` an index of these skills, as far as they are known.

        Args:
            action: Which of both.
            index: The index, if it is not the one that the skills have without a name.
            model: The options that name its encoder, if it is not the one that is taken without.
        """
        words = ["skillret", "index", action]
        if (
            self
            and index is not None
            and not (isinstance(index, Path) and index.parent == _folder())
        ):
            words += ["--index", str(index)]
        given = [place for place, scope in self.roots if scope == "given"]
        if action == "build":
            words += [word for place in given for word in ("--library", place)]
        for option, value in (
            ("dataset", self.dataset),
            ("split", self.split),
            ("agent", self.agent),
        ):
            # An index that has a name knows what it holds.
            if value and (action == "build" or "--index" not in words):
                words += [f"--{option}", value]
        return shlex.join([*words, *model])

    @property
    def folders(self) -> list[Root]:
        """The roots, whether they are still there or not."""
        return [Root(Path(path), scope) for path, scope in self.roots]

    def library(self) -> Library:
        """The library as it is on disk now; roots that are gone hold no skills any more.

        Raises:
            InputError: If no root exists any more, or the skills came from a data set.
        """
        roots = [root for root in self.folders if root.path.is_dir()]
        if not roots:
            gone = ", ".join(p for p, _ in self.roots) or "none recorded"
            raise InputError(f"the folders of this index no longer exist: {gone}")
        return Library(
            roots,
            agent=self.agent,
            hide=self.hide,
            overrides=self.overrides,
            permissions=self.permissions,
        )


def default_index_path(source: Library | Sources, model: str) -> Path:
    """The index of a library or a data set's split, and a model, in the OS's data directory."""
    if isinstance(source, Library):
        source = Sources.of(source)
    # An older skillret, in another environment, goes on with a file that it can read.
    parts = [f"format {SCHEMA_VERSION}", model]
    # A plugin's folder has another name with each version: that makes no other library.
    parts += [scope if ":" in scope else path for path, scope in source.roots]
    if source.agent is not None:
        parts += ["agent", source.agent]
    if source.dataset is not None:
        parts += ["dataset", source.dataset, source.split or ""]
    parts += [f"hide {pattern}" for pattern in source.hide]  # else two projects would take turns
    if source.overrides:
        parts += ["overrides", *source.overrides.off, "user-only", *source.overrides.user_only]
    if source.permissions:
        rules = source.permissions.rules
        parts += ["permissions", *(f"{rule.denies} {rule.pattern}" for rule in rules)]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return _folder() / f"{digest[:16]}.db"


def default_indexes() -> list[Path]:
    """All indexes in the OS's data directory."""
    return sorted(_folder().glob("*.db"))


def _folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path("skillret", appauthor=False) / "indexes"
