"""What all adapters share: skills for an agent, from a `Retriever` or from a `Client`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import iscoroutinefunction
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from skillret.errors import InputError
from skillret.messages import reveal
from skillret.serving import skill_files
from skillret.types import Hit, Skill, Where

if TYPE_CHECKING:
    from skillret.client import Client
    from skillret.retrieval import Retriever

    Source: TypeAlias = "Retriever" | "Client"

__all__ = ["SkillSource"]

_REMEMBERED = 1024  # names of skills that were found
_MOST_HITS = 100  # that a service gives
_MOST_FILE = 1024 * 1024  # bytes of a skill's file


class SkillSource:
    """Finds and reads skills for an agent: never one that only the user may start.

    What skills hold is data by their authors; hidden characters are made visible.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many skills are found at most.
        select: Only those that the query needs, perhaps none, instead of the nearest.
        where: What their metadata must hold; see `Retriever.search`.
        name: What a framework calls a skill of this name.

    Raises:
        InputError: If the source is an `AsyncClient`.
    """

    def __init__(
        self,
        source: Source,
        *,
        k: int = 5,
        select: bool = False,
        where: Where | None = None,
        name: Callable[[str], str] = reveal,
    ) -> None:
        if iscoroutinefunction(source.search):
            raise InputError(
                f"adapters take a Retriever or a Client, no {type(source).__name__}: frameworks"
                " call them from threads of their own"
            )
        self._source, self._name = source, name
        self._k, self._select, self._where = k, select, where
        self._ids: OrderedDict[str, str] = OrderedDict()

    def find(self, query: str, k: int | None = None) -> list[Hit]:
        """The skills for a query, best first."""
        most = k or self._k
        if self._select:
            found = list(self._source.select(query, limit=most, where=self._where))
        else:
            found = self._source.search(query, _with_spare(most), where=self._where)
        return self._usable(found, most)

    def look_up(self, query: str) -> tuple[list[Hit], set[str]]:
        """Those that fit a query, then those that are merely near; and the ids of the former."""
        near, selection = self._source.look_up(query, _with_spare(self._k), where=self._where)
        fitting = {hit.id for hit in selection}
        others = [hit for hit in near if hit.id not in fitting]
        return self._usable([*selection, *others], self._k), fitting

    def _usable(self, hits: list[Hit], most: int) -> list[Hit]:
        usable = [
            replace(hit, name=self._name(hit.name), description=reveal(hit.description))
            for hit in hits
            if not hit.user_only
        ][:most]
        for hit in reversed(usable):  # of equal names the best one is remembered
            self._ids.pop(hit.name, None)
            self._ids[hit.name] = hit.id
        while len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
        return usable

    def text(self, hit: Hit, body: bool) -> str:
        """What a document says of a skill: its instructions, or else what it is for."""
        return self.get(hit.id).body if body else f"{hit.name}: {hit.description}"

    @staticmethod
    def facts(hit: Hit) -> dict[str, Any]:
        """What a document carries beside its text."""
        return {
            "id": hit.id,
            "name": hit.name,
            "description": hit.description,
            "path": hit.path,
            "score": hit.score,
            "metadata": dict(hit.metadata),
        }

    def all(self) -> Iterator[Skill]:
        """All skills that an agent may use, without what their authors hid."""
        store: Any = getattr(self._source, "index", self._source)
        return (self._shown(skill) for skill in store.skills() if not skill.user_only)

    def get(self, id_: str) -> Skill:
        """A skill with its body.

        Raises:
            InputError: If there is none, or only the user may start it.
        """
        # An index and a client have this method in common.
        store: Any = getattr(self._source, "index", self._source)
        skill: Skill | None = store.get(skill_files.check_id(id_))
        if skill is None or skill.user_only:
            raise InputError(f"there is no skill {id_[:80]!r}: search for one")
        return self._shown(skill)

    def _shown(self, skill: Skill) -> Skill:
        return replace(
            skill,
            name=self._name(skill.name),
            description=reveal(skill.description),
            body=reveal(skill.body),
        )

    def named(self, name: str) -> Skill:
        """A skill by its name: the one that was found last, or else the first one.

        Raises:
            InputError: If there is none.
        """
        id_ = self._ids.get(name)
        if id_ is None:
            id_ = next((skill.id for skill in self.all() if skill.name == name), None)
        if id_ is None:
            raise InputError(f"there is no skill named {name[:80]!r}: search for one")
        return self.get(id_)

    def files(self, skill: Skill) -> list[str]:
        """The names of a skill's further files; none for skills of a service."""
        folder = self._folder(skill)
        if folder is None:
            return []
        names = (name for name in skill_files.names(folder) if name.lower() != "skill.md")
        return list(islice(names, skill_files.MAX_FILES))

    def file(self, skill: Skill, name: str) -> bytes:
        """The first MiB of a skill's file.

        Raises:
            InputError: If there is none, or it lies elsewhere.
        """
        folder = self._folder(skill)
        if folder is None:
            raise InputError(f"the skill {skill.name!r} has no files but its instructions")
        return skill_files.read(folder, name, _MOST_FILE)

    def _folder(self, skill: Skill) -> Any:
        # The path that a service names is one of its machine, not of this one.
        return skill_files.folder_of(skill) if hasattr(self._source, "index") else None


def _with_spare(k: int) -> int:
    """How many to ask for, since some of them may be left out."""
    return max(k, min(2 * k, _MOST_HITS))
