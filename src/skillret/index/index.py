"""The index: a searchable library that can be built, edited and searched."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count, repeat, tee
from pathlib import Path
from typing import Any

import numpy as np

from skillret.encoders import DEFAULT_MODEL, Encoder, Profile, load_encoder, read_chunks
from skillret.errors import EncoderMismatchError, IndexMissingError, StoreError
from skillret.extensions import STORES, find_extension
from skillret.files import expand, is_address
from skillret.index.corpus import Corpus
from skillret.index.given import details_hash, skill_hash, unique
from skillret.index.memory import MemoryStore
from skillret.index.sources import Sources
from skillret.index.sqlite import SqliteStore
from skillret.index.store import Change, Encoded, IndexInfo, State, Store, metadata_json
from skillret.lexical.grams import gram_reader
from skillret.lexical.texts import read_texts
from skillret.skills import document_text
from skillret.types import Progress, Skill, UpdateReport

__all__ = ["Index"]

_SCHEME = re.compile(r"[a-z][a-z0-9_+.-]+:")  # one letter is a drive
_CHUNK = 128  # documents encoded at a time
_UNKEPT = 1.0  # seconds of encoding that a build may lose; a commit costs as much as many skills


class Index:
    """A searchable library. Several threads and processes may read and write one: writers queue.

    Args:
        store: Where it lives.
        model: The encoder that makes its vectors: a name, a folder or an encoder; loaded when it is
            first needed.
        trust_remote_code: Run Python code that a model brings along.

    Example:
        >>> index = Index.in_memory()
        >>> index.add([Skill("1", "release-notes", "Write release notes from commits.", "...")])
        UpdateReport(total=1, added=1, changed=0, removed=0, unchanged=0, encoded=1, ...)
    """

    def __init__(
        self,
        store: Store,
        model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
        *,
        trust_remote_code: bool = False,
    ) -> None:
        self.store = store
        self._model = model
        self._trusted = trust_remote_code
        self._encoder: Encoder | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
        trust_remote_code: bool = False,
    ) -> Index:
        """Open an index file, and the folder `FILE.cache` beside it that can be rebuilt.

        Another package may offer stores by the entry points `skillret.stores` (see
        `skillret.extensions`): `NAME:REST` is then given to its factory, with `create`.

        Args:
            path: The file, `NAME:REST`, or an address of Milvus: `milvus://HOST:PORT/COLLECTION`,
                perhaps with `?tenant=NAME`, or `milvus-lite:FILE.db`.
            create: Make an empty one if it is missing.
            model: See `Index`.
            trust_remote_code: See `Index`.

        Raises:
            StoreError: If it is missing, damaged, of a newer version or cannot be written.
            ExtensionError: If another package's store is broken.
        """
        named = os.fspath(path)
        if is_address(named):
            from skillret.index.milvus.store import open_milvus  # and what it needs

            store: Store = open_milvus(named, create=create)
            return cls(store, model, trust_remote_code=trust_remote_code)
        if _SCHEME.match(named) and not os.path.exists(named):  # noqa: PTH110
            extension = find_extension(STORES, named)
            if extension is not None:
                offered = extension.make(named, create=create, kind=Store)
                return cls(offered, model, trust_remote_code=trust_remote_code)
        # One index, one lock, one cache, by whatever name and from whatever folder.
        file = expand(path).absolute()
        if file.is_symlink():
            file = Path(os.path.realpath(file))
        store = SqliteStore(file, create=create)
        return cls(store, model, trust_remote_code=trust_remote_code)

    @classmethod
    def in_memory(cls, *, model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL) -> Index:
        """An index that lives as long as its process."""
        return cls(MemoryStore(), model)

    @property
    def encoder(self) -> Encoder:
        """The encoder that makes its vectors.

        Raises:
            EncoderError: If it cannot be loaded.
        """
        if self._encoder is None:
            self._encoder = load_encoder(self._model, trust_remote_code=self._trusted)
        return self._encoder

    def info(self) -> IndexInfo:
        """What the index says of itself."""
        return self.store.info()

    def corpus(self) -> Corpus:
        """The current generation; the same object as long as nothing changed.

        Raises:
            StoreError: If the index cannot be read.
        """
        return self.store.corpus()

    def writing(self, timeout: float | None = None) -> AbstractContextManager[None]:
        """Be the only writer over several calls; a writer that comes meanwhile waits.

        Args:
            timeout: Seconds to wait for another writer; the store's default if None.

        Raises:
            IndexBusyError: If another one is not done in time.
            StoreError: If it cannot be written.
        """
        return self.store.writing(timeout)

    def close(self) -> None:
        """Close it. Searches under way come to their end."""
        self.store.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what it holds ---------------------------------------------------------------------

    def __len__(self) -> int:
        return self.store.info().skills

    def __bool__(self) -> bool:
        return True  # an empty index is one too

    def skills(self) -> Iterator[Skill]:
        """All skills, bodies included, in the order in which they were added."""
        return (skill for _, skill in self.store.skills())

    def get(self, id_: str) -> Skill | None:
        """The skill of an id, body included; None if there is none."""
        state = self.store.states([id_]).get(id_)
        if state is None:
            return None
        return next((skill for _, skill in self.store.skills([state.key])), None)

    # --- writing ---------------------------------------------------------------------------

    def add(
        self,
        skills: Iterable[Skill],
        *,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> UpdateReport:
        """Add skills, each in the place of the one that has its id; the others stay.

        Costs the same however many skills there are. Readers see all of them or none.

        Args:
            skills: With ids that differ.
            progress: Called with the documents encoded so far and in all.
            timeout: Seconds to wait for another writer; the store's default if None.

        Raises:
            EncoderMismatchError: If the index holds another encoder's vectors.
            IndexBusyError: If another writer is not done in time.
            StoreError: If it cannot be written.
            InputError: If one is no skill, a field of it holds no text or half a character, or two
                have one id.
        """
        start = time.perf_counter()
        wanted = unique(skills)
        with self.writing(timeout):
            info = self.store.info()
            self.check_encoder(info)
            known = self.store.states(list(wanted))
            # What was added stands in no folder: the next look at the folders must be a whole one.
            meta = {"profile": _stored(self.encoder.profile), "fingerprint": ""}
            return self._change(wanted, known, [], meta, info, start, progress, set())

    def update(
        self,
        skills: Iterable[Skill],
        *,
        sources: Sources | None = None,
        fingerprint: str = "",
        replace_encoder: bool = False,
        verify: bool = False,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> UpdateReport:
        """Make the index hold exactly `skills`; encode only what it does not know yet.

        Readers see the old content until everything is done, then the new one. Interrupted, it
        keeps the vectors it has made and goes on from there the next time.

        Args:
            skills: All skills the index is to hold; ids must be unique.
            sources: Where they come from, so that it can be brought up to date; nowhere if None.
            fingerprint: State of the sources.
            replace_encoder: Re-encode an index of another encoder instead of refusing.
            verify: Look at every stored text and vector, and mend what is damaged.
            progress: Called with the documents encoded so far and in all.
            timeout: Seconds to wait for another writer; the store's default if None.

        Raises:
            EncoderMismatchError: If the index holds another encoder's vectors.
            IndexBusyError: If another writer is not done in time.
            StoreError: If it cannot be written.
            InputError: If one is no skill, a field of it holds no text or half a character, or two
                have one id.
        """
        start = time.perf_counter()
        wanted = unique(skills)
        with self.writing(timeout):
            info = self.store.info()
            if not replace_encoder:
                self.check_encoder(info)
            known = self.store.states()
            damaged = self.store.damaged() if verify else set()
            removed = [state.key for id_, state in known.items() if id_ not in wanted]
            meta = {
                "profile": _stored(self.encoder.profile),
                "sources": (sources or Sources()).to_json(),
                "fingerprint": fingerprint,
            }
            return self._change(wanted, known, removed, meta, info, start, progress, damaged)

    def borrow(self, skills: Iterable[Skill], files: Iterable[Path]) -> int:
        """Take over the vectors that other indexes hold of skills, for the next `update`.

        Args:
            skills: The skills; those that this index knows are passed over.
            files: Index files; one that cannot be read is passed over too.

        Returns:
            How many vectors were taken over.

        Raises:
            IndexBusyError: If another writer is not done in time.
            StoreError: If they cannot be written.
        """
        profile = self.encoder.profile
        missing = {skill_hash(skill) for skill in skills}
        missing -= self.store.known_vectors(profile, missing).keys()
        wanted = len(missing)
        for file in files:
            if not missing:
                break
            try:
                other = SqliteStore(file)
                try:
                    found = other.known_vectors(profile, missing)
                finally:
                    other.close()
            except StoreError:
                continue
            if found:
                self.store.add_pending(profile, found)
                missing -= found.keys()
        return wanted - len(missing)

    def remove(self, ids: Iterable[str]) -> int:
        """Remove skills by id; how many there were. They return if the sources still hold them.

        Raises:
            IndexBusyError: If another writer is not done in time.
            StoreError: If it cannot be written.
        """
        if isinstance(ids, str):
            ids = [ids]
        with self.writing():
            known = self.store.states(list(dict.fromkeys(ids)))
            if known:
                # An empty fingerprint makes the next refresh look at the sources again.
                keys = [state.key for state in known.values()]
                self.store.apply(added=(), removed=keys, details=(), meta={"fingerprint": ""})
        return len(known)

    def _change(
        self,
        wanted: Mapping[str, Skill],
        known: Mapping[str, State],
        removed: Sequence[int],
        meta: Mapping[str, str],
        info: IndexInfo,
        start: float,
        progress: Progress | None,
        damaged: set[str],
    ) -> UpdateReport:
        """Write what differs, in one generation."""
        profile = self.encoder.profile
        anew = info.profile is None or info.profile.identity != profile.identity
        hashes = {id_: skill_hash(s) for id_, s in wanted.items()}
        details = {id_: details_hash(s) for id_, s in wanted.items()}
        # What is searched: of these, a new text or new metadata make a new row.
        searched = {id_: (hashes[id_], metadata_json(s)) for id_, s in wanted.items()}
        stored = {id_: (state.content_hash, state.metadata) for id_, state in known.items()}
        texts = [i for i in wanted if anew or i in damaged or stored.get(i) != searched[i]]
        changed = set(texts)
        moved = [
            id_ for id_ in wanted if id_ not in changed and known[id_].details_hash != details[id_]
        ]
        vectors, encoded = self._vectors([wanted[i] for i in texts], hashes, progress)
        gone = [*removed, *(known[id_].key for id_ in texts if id_ in known)]
        first_build = "sources" in meta and not info.generation  # even of no skill at all
        if texts or moved or gone or first_build:
            keys = count(self.store.next_key())
            read, again = tee(read_texts(wanted[id_]) for id_ in texts)
            grams = gram_reader().read_skills(again)
            added = (
                Change(
                    next(keys),
                    wanted[id_],
                    hashes[id_],
                    details[id_],
                    vectors[hashes[id_]],
                    own,
                    numbers,
                )
                for id_, own, numbers in zip(texts, read, grams, strict=True)
            )
            other = [(known[id_].key, wanted[id_], details[id_]) for id_ in moved]
            self.store.apply(added=added, removed=gone, details=other, meta=meta)
        elif self._differs(info, meta):
            self.store.set_meta(meta)
        fresh = sum(id_ not in known for id_ in texts)
        return UpdateReport(
            total=info.skills + fresh - len(removed),
            added=fresh,
            changed=len(texts) - fresh + len(moved),
            removed=len(removed),
            unchanged=info.skills - len(removed) - (len(texts) - fresh) - len(moved),
            encoded=encoded,
            seconds=time.perf_counter() - start,
        )

    def _differs(self, info: IndexInfo, meta: Mapping[str, str]) -> bool:
        """Whether what is told of the sources is news; never so for skills added one by one."""
        if "sources" not in meta:
            return False
        known = (info.fingerprint, Sources.from_info(info).to_json())
        return known != (meta["fingerprint"], meta["sources"])

    def check_built(self) -> None:
        """Make sure that there is something to search or to update.

        Raises:
            IndexMissingError: If no build of this index was ever finished.
        """
        info = self.store.info()
        if info.generation == 0:
            raise IndexMissingError(
                "the build of this index has not finished: wait for it, or run"
                f" `{self._build(info)}` again to go on"
            )

    def check_encoder(self, there: IndexInfo | Corpus | None = None) -> None:
        """Make sure that the encoder's vectors may meet those in the index.

        Args:
            there: What is known of the index; it is looked at if None.

        Raises:
            EncoderMismatchError: If they are of another encoder, template or version.
        """
        profile = self.encoder.profile
        stored = (there or self.store.info()).profile
        if stored is None or stored.identity == profile.identity:
            return
        parts = {
            "weights": (stored.weights[:12], profile.weights[:12]),
            "dimension": (stored.dim, profile.dim),
            "document template": (stored.template, profile.template),
            "document prompt": (stored.document_prompt, profile.document_prompt),
            "document tokens": (stored.max_document_tokens, profile.max_document_tokens),
            "profile version": (stored.version, profile.version),
            "token projection": (stored.token_projection[:12], profile.token_projection[:12]),
        }
        differs = "; ".join(f"{k} {a!r} there, {b!r} here" for k, (a, b) in parts.items() if a != b)
        raise EncoderMismatchError(
            f"this index was built with the encoder {stored.name}, not with {profile.name}"
            f" ({differs}): search it with that encoder (--model), or re-encode it with"
            f" `{self._build(self.store.info())}`"
        )

    def _build(self, info: IndexInfo) -> str:
        """The command that builds this index anew."""
        place = getattr(self.store, "path", None)
        model: list[str] = []
        if isinstance(self._model, (str, os.PathLike)) and self._model != DEFAULT_MODEL:
            model = ["--model", os.fspath(self._model)]
            model += ["--trust-remote-code"] * self._trusted
        return Sources.from_info(info).command("build", place, model)

    def _vectors(
        self, skills: Sequence[Skill], hashes: Mapping[str, str], progress: Progress | None
    ) -> tuple[dict[str, Encoded], int]:
        """Vectors and tokens by content hash for all `skills`, and how many were to be encoded."""
        profile = self.encoder.profile
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

        fresh: dict[str, Encoded] = {}  # and not kept yet
        kept = time.monotonic()
        try:
            chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
            texts = ([documents[h] for h in chunk] for chunk in chunks)
            for chunk, read in zip(chunks, read_chunks(self.encoder, texts, advance), strict=True):
                tokens = repeat(None) if read.tokens is None else (t.tobytes() for t in read.tokens)
                rows = map(Encoded, (row.tobytes() for row in _halve(read.vectors)), tokens)
                fresh |= dict(zip(chunk, rows, strict=True))
                if time.monotonic() - kept > _UNKEPT:
                    self.store.add_pending(profile, fresh)
                    vectors |= fresh
                    fresh, kept = {}, time.monotonic()
        except BaseException:
            self.store.add_pending(profile, fresh)
            raise
        return vectors | fresh, len(order)


def _stored(profile: Profile) -> str:
    return json.dumps(profile.to_json(), allow_nan=False)


def _halve(rows: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float16]]:
    """float16 as stored: its rounding moves a cosine by less than 0.001."""
    return rows.astype(np.float16)
