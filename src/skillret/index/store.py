"""What an index needs of a store: where skills and their vectors live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from skillret.arrays import Float32
from skillret.encoders import Profile
from skillret.types import Skill

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Change", "IndexInfo", "Record", "Store", "VectorTable"]


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What a store says of itself.

    Attributes:
        generation: Raised by every change; caches of another generation are stale.
        profile: Encoder that made the vectors; None while the index is empty.
        sources: Where the skills come from, as `Index.build` was told.
        fingerprint: State of the sources when they were last read.
        cache: Token of the derived files that belong to this generation.
        skills: Number of skills.
        pending: Vectors kept of a build that did not finish.
    """

    generation: int
    profile: Profile | None
    sources: Mapping[str, Any]
    fingerprint: str
    cache: str
    skills: int
    pending: int


class Change(NamedTuple):
    """A skill to insert or replace: its key, hashes and vector (float16 bytes) decided already."""

    key: int
    skill: Skill
    content_hash: str
    details_hash: str
    vector: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A stored skill without its body: `key` is its integer primary key, never used twice."""

    key: int
    id: str
    name: str
    description: str
    path: str | None
    aliases: tuple[str, ...]
    shadowed_by: str | None


@dataclass(frozen=True, slots=True)
class VectorTable:
    """All vectors: `keys` int64 of shape `(n,)`, ascending; `vectors` float32 `(n, dim)`."""

    keys: NDArray[np.int64]
    vectors: Float32


class Store(Protocol):
    """Holds skills, their vectors and the identity of the encoder that made them.

    Every change is one transaction: readers see all of it or nothing.
    """

    def writing(self, timeout: float | None = None) -> AbstractContextManager[None]:
        """Be the only writer; waits for another one, then raises `IndexBusyError`."""
        ...

    def generation(self) -> int:
        """The current generation; cheap enough to ask before every search."""
        ...

    def info(self) -> IndexInfo:
        """What the store says of itself."""
        ...

    def states(self) -> dict[str, tuple[int, str, str]]:
        """For each skill id: key, content hash, and hash of all other stored fields."""
        ...

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """The records of some keys; keys that are gone are left out."""
        ...

    def skills(self, keys: Sequence[int] | None = None) -> Iterable[tuple[int, Skill]]:
        """Key and skill, body included, of some keys or of all."""
        ...

    def vector_table(self) -> VectorTable:
        """All vectors of the current generation."""
        ...

    def known_vectors(self, profile: Profile, hashes: Iterable[str]) -> dict[str, bytes]:
        """Stored vectors (float16 bytes) of an encoder for some content hashes."""
        ...

    def add_pending(self, profile: Profile, vectors: Mapping[str, bytes]) -> None:
        """Keep freshly encoded vectors, so that an interrupted build can go on."""
        ...

    def next_key(self) -> int:
        """A key that no skill has or ever had; valid while `writing`."""
        ...

    def apply(
        self, *, upserts: Sequence[Change], removed: Sequence[int], meta: Mapping[str, str]
    ) -> None:
        """Change skills and meta data in one transaction, which ends the generation."""
        ...

    def set_meta(self, meta: Mapping[str, str]) -> None:
        """Set meta data that changes no result: the generation stays."""
        ...

    def replaced(self) -> bool:
        """Whether the store was exchanged for another one since it was opened."""
        ...

    def close(self) -> None:
        """Release the store; a closed store is not used again."""
        ...
