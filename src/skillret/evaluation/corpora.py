"""Vectors of data sets, kept in the user's cache: encoding them is nearly all of an evaluation.

The tokens of an encoder that shows any lie in a file beside them.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.encoders import Documents, Encoder, read_documents
from skillret.errors import SkillretError
from skillret.files import replacing
from skillret.skills import content_hash, document_text
from skillret.types import Progress, Skill

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_corpus"]

_CHUNK = 4096  # documents whose texts are held at a time
_KEPT = 1 << 30  # bytes of all corpora; those not used for longest are deleted
_DIGEST = 4  # bytes of CRC-32 behind the arrays
_SUFFIXES = (".f32", ".i8", ".npy")


def read_corpus(
    skills: Sequence[Skill],
    encoder: Encoder,
    progress: Progress | None = None,
    *,
    cache: bool = True,
) -> Documents:
    """Vectors of all skills, and their tokens; from the user's cache if they are there.

    The key is the encoder's identity (weights, template, limits) and the hash of every text. What
    is read is checked by its digest.
    """
    file = _file(skills, encoder) if cache else None
    shape, dim = (len(skills), encoder.profile.dim), encoder.profile.token_dim
    stored = _read(file, shape, dim) if file is not None else None
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
    tokens: list[NDArray[np.int8]] = []
    for start in range(0, len(skills), _CHUNK):
        texts = [document_text(s, template) for s in skills[start : start + _CHUNK]]
        read = read_documents(encoder, texts, advance)
        vectors[start : start + _CHUNK] = read.vectors
        tokens += read.tokens or ()
    documents = Documents(vectors, tokens if dim else None)
    if file is not None:
        # A full or read-only disk only costs the next evaluation its time.
        with suppress(OSError, SkillretError):
            _write(file, documents)
    return documents


def _file(skills: Sequence[Skill], encoder: Encoder) -> Path:
    import platformdirs

    digest = hashlib.sha256(encoder.profile.identity.encode())
    for skill in skills:
        digest.update(content_hash(skill).encode())
    folder = platformdirs.user_cache_path("skillret", appauthor=False)
    return folder / "corpora" / f"{digest.hexdigest()[:32]}.f32"


def _read(file: Path, shape: tuple[int, int], dim: int) -> Documents | None:
    data = _read_checked(file)
    if data is None or len(data) != 4 * shape[0] * shape[1]:
        return None
    tokens = None
    if dim:
        tokens = _read_tokens(file.with_suffix(".i8"), shape[0], dim)
        if tokens is None:
            return None
    return Documents(np.frombuffer(data, dtype=np.float32).reshape(shape), tokens)


def _read_tokens(file: Path, n: int, dim: int) -> list[NDArray[np.int8]] | None:
    """How many tokens each skill has, int64 `(n,)`, and behind them the tokens of all."""
    data = _read_checked(file)
    if data is None or len(data) < 8 * n:
        return None
    ends = np.cumsum(np.frombuffer(data[: 8 * n], dtype=np.int64))
    flat = np.frombuffer(data[8 * n :], dtype=np.int8)
    if len(flat) != dim * int(ends[-1] if n else 0):
        return None
    return np.split(flat.reshape(-1, dim), ends[:-1])[:n]


def _read_checked(file: Path) -> memoryview | None:
    """What `_write_checked` wrote; None if it is gone or damaged."""
    try:
        data = memoryview(file.read_bytes())  # of gigabytes, perhaps: not copied
        os.utime(file)  # used just now
    except OSError:
        return None
    content = data[:-_DIGEST]
    known = int.from_bytes(data[-_DIGEST:], "little")
    return content if len(data) >= _DIGEST and zlib.crc32(content) == known else None


def _write(file: Path, read: Documents) -> None:
    if read.tokens is not None:
        lengths = np.array([len(t) for t in read.tokens], dtype=np.int64)
        _write_checked(file.with_suffix(".i8"), [lengths, *read.tokens])
    _write_checked(file, [read.vectors])
    entries = [f for f in file.parent.iterdir() if f.suffix in _SUFFIXES and f.is_file()]
    ages = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in entries), reverse=True)
    total = 0
    for _, size, old in ages:
        total += size
        if total > _KEPT and old.stem != file.stem:
            old.unlink(missing_ok=True)


def _write_checked(file: Path, arrays: Sequence[NDArray[Any]]) -> None:
    digest = 0
    with replacing(file) as out:
        for array in arrays:
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            out.write(data)
            digest = zlib.crc32(data, digest)
        out.write(digest.to_bytes(_DIGEST, "little"))
