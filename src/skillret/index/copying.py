"""An index copied from one store to another: skills, vectors and sources, nothing encoded anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice

from skillret.errors import StoreError
from skillret.index.sources import Sources
from skillret.index.store import Change, Store
from skillret.lexical.grams import gram_reader
from skillret.lexical.texts import read_texts

__all__ = ["copy_store"]

_CHUNK = 256  # skills whose vectors are read at once


def copy_store(
    source: Store, target: Store, progress: Callable[[int, int], None] | None = None
) -> int:
    """Fill an empty store with what another one holds; how many skills that is.

    Args:
        source: Where from; nothing is changed there.
        target: Where to; readers see it empty until all is there.
        progress: Called with the skills copied so far and in all.

    Raises:
        StoreError: If the source was never built or is damaged, or the target is not empty.
        IndexBusyError: If another writer is at work on the target.
    """
    info = source.info()
    if not info.generation or info.profile is None:
        raise StoreError("there is nothing to copy: the build of that index has not finished")
    with target.writing():
        if target.info().generation:
            raise StoreError("the index to copy to is not empty", "delete it, or give another name")
        meta = {
            "profile": json.dumps(info.profile.to_json(), allow_nan=False),
            "sources": Sources.from_info(info).to_json(),
            "fingerprint": info.fingerprint,
        }
        added = _changes(source, target.next_key(), progress)
        target.apply(added=added, removed=(), details=(), meta=meta)
    return target.info().skills


def _changes(
    source: Store, first: int, progress: Callable[[int, int], None] | None
) -> Iterator[Change]:
    info, reader = source.info(), gram_reader()
    assert info.profile is not None
    skills = (skill for _, skill in source.skills())
    done = 0
    while chunk := list(islice(skills, _CHUNK)):
        states = source.states([skill.id for skill in chunk])
        hashes = [state.content_hash for state in states.values()]
        vectors = source.known_vectors(info.profile, hashes)
        texts = [read_texts(skill) for skill in chunk]
        for skill, own, grams in zip(chunk, texts, reader.read_skills(texts), strict=True):
            state = states.get(skill.id)
            encoded = vectors.get(state.content_hash) if state else None
            if state is None or encoded is None:
                raise StoreError(
                    f"the skill {skill.id!r} is damaged, or was changed meanwhile",
                    "try again, or run `skillret index build` on the index that is copied",
                )
            hashed = (state.content_hash, state.details_hash)
            yield Change(first + done, skill, *hashed, encoded, own, grams)
            done += 1
        if progress is not None:
            progress(done, info.skills)
