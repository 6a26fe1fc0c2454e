"""Vectors of data sets, kept in the user's cache: encoding them is nearly all of an evaluation."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from skillret.arrays import Float32
from skillret.encoders import Encoder, check_vectors
from skillret.errors import SkillretError
from skillret.files import replacing
from skillret.skills import content_hash, document_text
from skillret.types import Skill

__all__ = ["encode_corpus"]

Progress = Callable[[int, int], None]

_CHUNK = 4096  # documents whose texts are held at a time
_KEPT = 1 << 30  # bytes of all corpora; those not used for longest are deleted
_DIGEST = 4  # bytes of CRC-32 behind the vectors


def encode_corpus(
    skills: Sequence[Skill],
    encoder: Encoder,
    progress: Progress | None = None,
    *,
    cache: bool = True,
) -> Float32:
    """Vectors of all skills, float32 `(n, dim)`; from the user's cache if they are there.

    The key is the encoder's identity (weights, template, limits) and the hash of every text. What
    is read is checked by its digest.
    """
    file = _file(skills, encoder) if cache else None
    shape = (len(skills), encoder.profile.dim)
    stored = _read(file, shape) if file is not None else None
    if stored is not None:
        return stored
    template = encoder.profile.template
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, len(skills))

    vectors = np.empty(shape, dtype=np.float32)
    for start in range(0, len(skills), _CHUNK):
        texts = [document_text(s, template) for s in skills[start : start + _CHUNK]]
        vectors[start : start + _CHUNK] = check_vectors(
            encoder.encode_documents(texts, advance), encoder.profile.name
        )
    if file is not None:
        # A full or read-only disk only costs the next evaluation its time.
        with suppress(OSError, SkillretError):
            _write(file, vectors)
    return vectors


def _file(skills: Sequence[Skill], encoder: Encoder) -> Path:
    import platformdirs

    digest = hashlib.sha256(encoder.profile.identity.encode())
    for skill in skills:
        digest.update(content_hash(skill).encode())
    folder = platformdirs.user_cache_path("skillret", appauthor=False)
    return folder / "corpora" / f"{digest.hexdigest()[:32]}.f32"


def _read(file: Path, shape: tuple[int, int]) -> Float32 | None:
    try:
        if file.stat().st_size != 4 * shape[0] * shape[1] + _DIGEST:
            return None
        data = file.read_bytes()
        os.utime(file)  # used just now
    except OSError:
        return None
    vectors = memoryview(data)[:-_DIGEST]  # of gigabytes, perhaps: not copied
    if zlib.crc32(vectors) != int.from_bytes(data[-_DIGEST:], "little"):
        return None
    return np.frombuffer(vectors, dtype=np.float32).reshape(shape)


def _write(file: Path, vectors: Float32) -> None:
    data = np.ascontiguousarray(vectors).data.cast("B")
    with replacing(file) as out:
        out.write(data)
        out.write(zlib.crc32(data).to_bytes(_DIGEST, "little"))
    entries = [f for f in file.parent.iterdir() if f.suffix in (".f32", ".npy") and f.is_file()]
    ages = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in entries), reverse=True)
    total = 0
    for _, size, old in ages:
        total += size
        if total > _KEPT and old != file:
            old.unlink(missing_ok=True)
