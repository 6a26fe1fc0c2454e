"""What an index needs of a store: where skills, their vectors and their grams live."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from skillret.encoders import Profile
from skillret.errors import InputError
from skillret.files import parse_json
from skillret.index.corpus import Corpus, Record
from skillret.lexical.texts import SkillTexts
from skillret.types import Skill

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Change", "Encoded", "IndexInfo", "State", "Store", "metadata_json"]


class IndexInfo(NamedTuple):
    """What a store says of itself.

    Attributes:
        generation: Raised by every change; 0 until the first build is finished.
        profile: Encoder that made the vectors; None while the index is empty.
        sources: Where the skills come from, as `Index.update` was told.
        fingerprint: State of the sources when they were last read.
        skills: Number of skills.
        pending: Vectors kept of a build that did not finish.
    """

    generation: int
    profile: Profile | None
    sources: Mapping[str, Any]
    fingerprint: str
    skills: int
    pending: int


class State(NamedTuple):
    """A stored skill's key, the hash of its text, that of its places, and its metadata as JSON."""

    key: int
    content_hash: str
    details_hash: str
    metadata: str


class Encoded(NamedTuple):
    """What an encoder made of a text.

    Attributes:
        vector: float16 bytes.
        tokens: int8 bytes, `token_dim` of each token; None where the encoder shows none.
    """

    vector: bytes
    tokens: bytes | None = None


class Change(NamedTuple):
    """A skill to insert: its key and hashes, what its encoder made of it, its texts and grams."""

    key: int
    skill: Skill
    content_hash: str
    details_hash: str
    encoded: Encoded
    texts: SkillTexts
    grams: NDArray[np.uint32]


@runtime_checkable
class Store(Protocol):
    """Holds skills, their vectors and the identity of the encoder that made them.

    Every change is one transaction: readers see all of it or nothing. Methods may be called from
    several threads; writers queue. Methods raise `StoreError` where the store cannot be read or
    written.
    """

    def writing(self, timeout: float | None = None) -> AbstractContextManager[None]:
        """Be the only writer; waits for another one, then raises `IndexBusyError`.

        May be entered again by the thread that holds it.
        """
        ...

    def info(self) -> IndexInfo:
        """What the store says of itself."""
        ...

    def corpus(self) -> Corpus:
        """The current generation; the same object as long as nothing changed."""
        ...

    def states(self, ids: Sequence[str] | None = None) -> dict[str, State]:
        """The state of some skills by their ids, or of all; those that are not there left out."""
        ...

    def damaged(self) -> set[str]:
        """Ids of stored skills whose text, vector, grams or tokens are not what was stored.

        Raises:
            IndexCorruptError: If more is broken than single skills.
        """
        ...

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """The records of some keys; keys that are gone are left out."""
        ...

    def skills(self, keys: Sequence[int] | None = None) -> Iterator[tuple[int, Skill]]:
        """Key and skill, body included, of some keys or of all in the order of their keys."""
        ...

    def known_vectors(self, profile: Profile, hashes: Iterable[str]) -> dict[str, Encoded]:
        """Stored vectors of an encoder, with their tokens, for some content hashes."""
        ...

    def add_pending(self, profile: Profile, vectors: Mapping[str, Encoded]) -> None:
        """Keep what was freshly encoded, so that an interrupted build can go on."""
        ...

    def next_key(self) -> int:
        """A key that no skill has or ever had; valid while `writing`."""
        ...

    def apply(
        self,
        *,
        added: Iterable[Change],
        removed: Sequence[int],
        details: Sequence[tuple[int, Skill, str]],
        meta: Mapping[str, str],
    ) -> None:
        """Change skills in one transaction, which ends the generation; valid while `writing`.

        Args:
            added: New skills, in the order of their keys; read once, while they are written.
            removed: Keys to delete, before anything is added.
            details: Key, skill and details hash where only what is no text has changed.
            meta: Entries to set: `profile`, `sources`, `fingerprint`.

        Raises:
            IndexBusyError: If another writer was faster; nothing has changed then.
        """
        ...

    def set_meta(self, meta: Mapping[str, str]) -> None:
        """Set meta data that changes no result: the generation stays."""
        ...

    def close(self) -> None:
        """Release the store; searches under way come to their end."""
        ...


def metadata_json(skill: Skill) -> str:
    """A skill's metadata as stored.

    Raises:
        InputError: If it holds what is no JSON, or what `parse_json` would not read again.
    """
    if not skill.metadata:
        return "{}"
    try:
        text = json.dumps(dict(skill.metadata), allow_nan=False, sort_keys=True)
        parse_json(text)
        return text
    except (TypeError, ValueError, RecursionError) as e:
        raise InputError(f"the metadata of the skill {skill.id!r} is no JSON: {e}") from None
