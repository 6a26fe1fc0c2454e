"""The index: a searchable library. Keeps a store and its BM25 cache in step, atomically."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skillret.encoders import Encoder, Profile
from skillret.errors import EncoderMismatchError, IndexCorruptError, InputError, StoreError
from skillret.files import expand
from skillret.index.cache import Cache
from skillret.index.sqlite import SqliteStore
from skillret.index.store import Change, IndexInfo, Record, Store, VectorTable
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.skills import Library, content_hash, document_text
from skillret.skills.library import Root
from skillret.types import Skill, UpdateReport

__all__ = ["Index", "Snapshot", "Sources", "default_index_path"]

_CHUNK = 128  # documents between two commits of a build
_REWRITTEN = 500  # skills up to which every change writes BM25 anew: half a second

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the skills of an index come from, so that it can be brought up to date.

    Attributes:
        roots: Folders and their scopes, in order of precedence.
        dataset: A data set, instead of folders.
        split: Split of the data set.
    """

    roots: tuple[tuple[str, str], ...] = ()
    dataset: str | None = None
    split: str | None = None

    @classmethod
    def of(cls, library: Library) -> Sources:
        """The roots of a library."""
        return cls(roots=tuple((str(r.path), r.scope) for r in library.roots))

    def to_json(self) -> str:
        """As stored in an index."""
        return json.dumps({"roots": self.roots, "dataset": self.dataset, "split": self.split})

    @classmethod
    def from_info(cls, info: IndexInfo) -> Sources:
        """As read from an index."""
        try:
            data: Mapping[str, Any] = dict(info.sources)
            roots = tuple((str(path), str(scope)) for path, scope in data.get("roots", ()))
            dataset, split = data.get("dataset"), data.get("split")
            if not isinstance(dataset, str | None) or not isinstance(split, str | None):
                raise TypeError
        except (TypeError, ValueError):
            raise IndexCorruptError(
                "the index does not say where its skills come from: build it again with"
                " `skillret index build`"
            ) from None
        return cls(roots, dataset, split)

    def library(self) -> Library:
        """The library as it is on disk now; roots that are gone hold no skills any more.

        Raises:
            InputError: If no root exists any more, or the skills came from a data set.
        """
        roots = [Root(Path(p), s) for p, s in self.roots if Path(p).is_dir()]
        if not roots:
            gone = ", ".join(p for p, _ in self.roots) or "none recorded"
            raise InputError(f"the folders of this index no longer exist: {gone}")
        return Library(roots)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One generation of an index, in memory, ready to be searched."""

    generation: int
    table: VectorTable
    lexical: LexicalIndex
    profile: Profile | None  # of the encoder that made the vectors


def default_index_path(source: Library | Sources, model: str) -> Path:
    """The index of a library or a data set's split, and a model, in the OS's data directory."""
    import platformdirs

    if isinstance(source, Library):
        source = Sources.of(source)
    parts = [model, *(path for path, _ in source.roots)]
    if source.dataset is not None:
        parts += ["dataset", source.dataset, source.split or ""]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    folder = platformdirs.user_data_path("skillret", appauthor=False)
    return folder / "indexes" / f"{digest[:16]}.db"


class Index:
    """A built, searchable library in one file (and a folder beside it that can be rebuilt).

    Args:
        store: Where it lives. `Index.open` makes one for a file.
        cache: Folder for what is derived from the store.
    """

    def __init__(self, store: Store, cache: Path) -> None:
        self.store = store
        self._cache = Cache(cache)
        self._snapshot: Snapshot | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False) -> Index:
        """Open an index file.

        Args:
            path: The file.
            create: Make an empty one if it is missing.

        Raises:
            StoreError: If it is missing, damaged, of a newer version or cannot be written.
        """
        file = expand(path)
        if file.is_symlink():  # one index, one lock, one cache, by whatever name
            file = Path(os.path.realpath(file))
        return cls(SqliteStore(file, create=create), file.with_name(file.name + ".cache"))

    def info(self) -> IndexInfo:
        """What the index says of itself."""
        return self.store.info()

    def close(self) -> None:
        """Close the file."""
        self._snapshot = None
        self.store.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing ---------------------------------------------------------------------------

    def update(
        self,
        skills: Iterable[Skill],
        encoder: Encoder,
        *,
        sources: Sources,
        fingerprint: str = "",
        replace_encoder: bool = False,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> UpdateReport:
        """Make the index hold exactly `skills`; encode only what it does not know yet.

        Readers see the old content until everything is done, then the new one. Interrupted, it
        keeps the vectors it has made and goes on from there the next time.

        Args:
            skills: All skills the index is to hold; ids must be unique.
            encoder: Makes the vectors.
            sources: Where the skills come from.
            fingerprint: State of the sources.
            replace_encoder: Re-encode an index of another encoder instead of refusing.
            progress: Called with the documents encoded so far and in all.
            timeout: Seconds to wait for another writer; the store's default if None.

        Raises:
            EncoderMismatchError: If the index holds another encoder's vectors.
            IndexBusyError: If another process keeps writing it.
            StoreError: If it cannot be written.
            InputError: If two skills have one id, or one holds text that is no Unicode.
        """
        start = time.perf_counter()
        profile = encoder.profile
        with self.store.writing(timeout):
            info = self.store.info()
            if not replace_encoder:
                self.check_encoder(profile, info)
            wanted = _unique(skills)
            known = self.store.states()
            hashes = {id_: _hash(s) for id_, s in wanted.items()}
            details = {id_: _details_hash(s) for id_, s in wanted.items()}
            anew = info.profile is None or info.profile.identity != profile.identity
            stale = [
                id_
                for id_ in wanted
                if anew or known.get(id_, (0, "", ""))[1:] != (hashes[id_], details[id_])
            ]
            removed = [key for id_, (key, _, _) in known.items() if id_ not in wanted]
            vectors, encoded = self._vectors(
                [wanted[id_] for id_ in stale], hashes, encoder, progress
            )
            meta = {
                "profile": json.dumps(profile.to_json()),
                "sources": sources.to_json(),
                "fingerprint": fingerprint,
            }
            if not stale and not removed:
                if (info.fingerprint, Sources.from_info(info)) != (fingerprint, sources):
                    self.store.set_meta(meta)
            else:
                self._apply(wanted, stale, removed, known, hashes, details, vectors, meta, info)
        added = sum(id_ not in known for id_ in stale)
        return UpdateReport(
            total=len(wanted),
            added=added,
            changed=len(stale) - added,
            removed=len(removed),
            unchanged=len(wanted) - len(stale),
            encoded=encoded,
            seconds=time.perf_counter() - start,
        )

    def remove(self, ids: Sequence[str]) -> int:
        """Remove skills by id; how many there were. They return if the sources still hold them.

        Raises:
            IndexBusyError: If another process keeps writing the index.
            StoreError: If it cannot be written.
        """
        with self.store.writing():
            known = self.store.states()
            keys = [known[id_][0] for id_ in dict.fromkeys(ids) if id_ in known]
            if keys:
                info = self.store.info()
                # An empty fingerprint makes the next refresh look at the sources again.
                self._apply({}, [], keys, known, {}, {}, {}, {"fingerprint": ""}, info)
        return len(keys)

    def check_built(self) -> None:
        """Make sure that there is something to search or to update.

        Raises:
            StoreError: If no build of this index was ever finished.
        """
        if self.store.generation() == 0:
            raise StoreError(
                "the build of this index has not finished: wait for it, or run"
                " `skillret index build` again to go on"
            )

    def check_encoder(self, profile: Profile, found: IndexInfo | Snapshot | None = None) -> None:
        """Make sure that an encoder's vectors may meet those in the index.

        Raises:
            EncoderMismatchError: If they are of another encoder, template or version.
        """
        stored = (found or self.store.info()).profile
        if stored is None or stored.identity == profile.identity:
            return
        parts = {
            "weights": (stored.weights[:12], profile.weights[:12]),
            "dimension": (stored.dim, profile.dim),
            "document template": (stored.template, profile.template),
            "document prompt": (stored.document_prompt, profile.document_prompt),
            "document tokens": (stored.max_document_tokens, profile.max_document_tokens),
            "profile version": (stored.version, profile.version),
        }
        differs = "; ".join(f"{k} {a!r} there, {b!r} here" for k, (a, b) in parts.items() if a != b)
        raise EncoderMismatchError(
            f"this index was built with the encoder {stored.name}, not with {profile.name}"
            f" ({differs}): search it with that encoder (--model), or re-encode it with"
            " `skillret index build`"
        )

    def _vectors(
        self,
        skills: Sequence[Skill],
        hashes: Mapping[str, str],
        encoder: Encoder,
        progress: Progress | None,
    ) -> tuple[dict[str, bytes], int]:
        """float16 bytes by content hash for all `skills`, and how many had to be encoded."""
        profile = encoder.profile
        vectors = self.store.known_vectors(profile, (hashes[s.id] for s in skills))
        missing = {hashes[s.id]: s for s in skills if hashes[s.id] not in vectors}
        if not missing:
            return vectors, 0
        documents = {h: document_text(s, profile.template) for h, s in missing.items()}
        # Of one length together, longest first: less padding, and an honest estimate of time left.
        order = sorted(documents, key=lambda h: -len(documents[h]))
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, len(order))

        for start in range(0, len(order), _CHUNK):
            chunk = order[start : start + _CHUNK]
            rows = encoder.encode_documents([documents[h] for h in chunk], advance)
            fresh = {h: row.tobytes() for h, row in zip(chunk, _halve(rows), strict=True)}
            self.store.add_pending(profile, fresh)
            vectors.update(fresh)
        return vectors, len(order)

    def _apply(
        self,
        wanted: Mapping[str, Skill],
        stale: Sequence[str],
        removed: Sequence[int],
        known: Mapping[str, tuple[int, str, str]],
        hashes: Mapping[str, str],
        details: Mapping[str, str],
        vectors: Mapping[str, bytes],
        meta: Mapping[str, str],
        info: IndexInfo,
    ) -> None:
        """Write the next generation's BM25 index beside the old one, then flip the store to it."""
        next_key = self.store.next_key()
        changes: list[Change] = []
        for id_ in stale:
            if id_ in known:
                key = known[id_][0]
            else:
                key, next_key = next_key, next_key + 1
            vector = vectors[hashes[id_]]
            changes.append(Change(key, wanted[id_], hashes[id_], details[id_], vector))
        self._cache.clean({info.cache})
        token = os.urandom(8).hex()
        try:
            # BM25 goes on counting what was removed until its segments are merged, so in a small
            # library an update would score otherwise than a build.
            small = info.skills <= _REWRITTEN and bool(known)
            if small or self._cache.open_lexical(info.cache, info.skills) is None:
                gone = {*removed, *(c.key for c in changes)}
                kept = (pair for pair in self.store.skills() if pair[0] not in gone)
                new = ((c.key, c.skill) for c in changes)
                self._cache.write_lexical(token, itertools.chain(kept, new))
            else:
                texts = (
                    (c.key, c.skill)
                    for c in changes
                    if c.skill.id not in known or known[c.skill.id][1] != c.content_hash
                )
                self._cache.write_lexical(token, texts, removed, base=info.cache)
            self.store.apply(upserts=changes, removed=removed, meta={**meta, "cache": token})
        except BaseException:
            self._cache.discard(token)
            raise
        # The previous generation stays until the next change: a reader may be opening it.
        self._cache.clean({info.cache, token})

    # --- reading ---------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The current generation in memory; the same object as long as nothing changed.

        Raises:
            StoreError: If the index cannot be read.
        """
        if self.store.replaced() and isinstance(self.store, SqliteStore):
            path = self.store.path
            self.store.close()
            self.store = SqliteStore(path)
            self._snapshot = None
        generation = self.store.generation()
        if self._snapshot is None or self._snapshot.generation != generation:
            self._snapshot = self._load()
        return self._snapshot

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """The records of some keys; keys that are gone are left out."""
        return self.store.records(keys)

    def _load(self) -> Snapshot:
        # A writer may end the generation between two reads: then read again.
        for _ in range(10):
            info = self.store.info()
            dim = info.profile.dim if info.profile else 0
            table = self._cache.load_vectors(info.cache, (info.skills, dim))
            if table is None:
                table = self.store.vector_table()
                if len(table.keys) and table.vectors.shape[1] != dim:
                    raise IndexCorruptError(
                        f"the index holds vectors of {table.vectors.shape[1]} values where its"
                        f" encoder makes {dim}: delete it and build it again"
                    )
                self._cache.save_vectors(info.cache, table)
            lexical = self._open_lexical(info, table)
            if self.store.generation() == info.generation:
                return Snapshot(info.generation, table, lexical, info.profile)
        raise StoreError("the index keeps changing while it is read; try again")

    def _open_lexical(self, info: IndexInfo, table: VectorTable) -> LexicalIndex:
        """The BM25 cache of a generation; made anew from the store where it is gone or damaged."""
        cached = self._cache.open_lexical(info.cache, info.skills)
        if cached is not None and np.array_equal(cached.keys(), table.keys):
            return cached
        rebuilt = LexicalIndex(write_lexical(None, self.store.skills()))
        if len(rebuilt) != info.skills and self.store.generation() == info.generation:
            raise IndexCorruptError(
                f"the index holds {info.skills} skills and the texts of {len(rebuilt)}: delete it"
                " and build it again with `skillret index build`"
            )
        # Read-only or busy: then the one in memory serves this process alone.
        with contextlib.suppress(StoreError), self.store.writing(timeout=0):
            if info.cache and self.store.generation() == info.generation:
                self._cache.write_lexical(info.cache, self.store.skills())
        return rebuilt


def _unique(skills: Iterable[Skill]) -> dict[str, Skill]:
    wanted: dict[str, Skill] = {}
    for skill in skills:
        if skill.id in wanted:
            raise InputError(f"two skills have the id {skill.id!r}; ids must be unique")
        wanted[skill.id] = skill
    return wanted


def _hash(skill: Skill) -> str:
    try:
        for text in (skill.id, skill.path or "", skill.shadowed_by or ""):
            text.encode("utf-8")
        return content_hash(skill)
    except UnicodeEncodeError:
        raise InputError(
            f"the skill {skill.id!r} holds half a character (a lone surrogate); clean its text"
        ) from None


def _details_hash(skill: Skill) -> str:
    """SHA-256 over what is stored of a skill beside its document."""
    parts = [skill.path, skill.aliases, skill.shadowed_by]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _halve(rows: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float16]]:
    """float16 as stored: its rounding moves a cosine by less than 0.001."""
    return rows.astype(np.float16)
