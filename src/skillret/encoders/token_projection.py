"""What makes small token vectors of an encoder's last layer, for late interaction.

In late interaction (ColBERT, Khattab and Zaharia 2020, arXiv:2004.12832) each token of a query
looks for the token of a document that is most like it. A few dozen directions of the last layer
tell tokens apart as well as all do, and one byte a value is enough (as in ColBERTv2,
arXiv:2112.01488), so a document's tokens take some kilobytes. Which ones are kept, and how they are
projected, stands in one file beside the model, whose hash is a part of the profile's identity.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.arrays import Float32, holds, product
from skillret.errors import EncoderError
from skillret.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PROJECTION_FILE", "TokenProjection", "widen"]

PROJECTION_FILE = "token_projection.npz"

_MOST_BYTES = 1 << 24  # of the file, and of what it unpacks to
_MOST_TOKENS = 1 << 12  # of a document
_TINY = np.float32(1e-6)
_LARGEST = np.float32(127)  # of int8, the same in both directions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TokenProjection:
    """Turns states of an encoder's last layer into token vectors of `k` values.

    Attributes:
        mean: Of states of unit length, taken from each, float32 `(dim,)`.
        matrix: What is left is multiplied by it, float32 `(dim, k)`.
        silent: Ids of tokens that say nothing, ascending, int64: special ones and punctuation.
        stop_words: Ids of tokens that are not kept of documents, ascending, int64.
        read: Tokens of a document that are looked at, from its start.
        kept: Tokens of a document that are kept of those, at most.
    """

    mean: Float32
    matrix: Float32
    silent: NDArray[np.int64]
    stop_words: NDArray[np.int64]
    read: int
    kept: int

    def query(self, ids: Sequence[int], states: Float32) -> Float32:
        """Vectors of a query's tokens, in their order, float32 `(q, k)`, rows of unit length.

        Args:
            ids: Of its `t` tokens.
            states: float32 `(t, dim)`.
        """
        return self._project(states[~holds(np.array(ids, dtype=np.int64), self.silent)])

    def document(self, ids: Sequence[int], states: Float32) -> NDArray[np.int8]:
        """Vectors of the tokens that are kept of a document, in their order, int8 `(d, k)`.

        Of equal tokens the first is kept. A row's largest value is 127 or -127; see `widen`.

        Args:
            ids: Of its `t` tokens.
            states: float32 `(t, dim)`.
        """
        vectors = self._project(states[self.places(ids)])
        largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True, initial=0), _TINY)
        return np.asarray(np.rint(vectors * (_LARGEST / largest)), dtype=np.int8)

    def places(self, ids: Sequence[int]) -> NDArray[np.int64]:
        """Which tokens of a document are kept: their places, ascending, int64 `(d,)`.

        Args:
            ids: Of its tokens.
        """
        first: dict[int, int] = {}
        for place, id_ in enumerate(ids[: self.read]):
            first.setdefault(id_, place)
        read, places = (np.array(list(a), dtype=np.int64) for a in (first, first.values()))
        dropped = holds(read, self.silent) | holds(read, self.stop_words)
        return places[~dropped][: self.kept]

    def _project(self, states: Float32) -> Float32:
        return _unit(product(_unit(states) - self.mean, self.matrix))

    def save(self, folder: Path) -> str:
        """Write the file into a model folder; its SHA-256. The same arrays make the same bytes.

        Raises:
            SkillretError: If it cannot be written.
        """
        memory = io.BytesIO()
        arrays: dict[str, Any] = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        np.savez(memory, **arrays)
        data = memory.getvalue()
        with replacing(folder / PROJECTION_FILE) as out:
            out.write(data)
        return hashlib.sha256(data).hexdigest()

    @classmethod
    def load(cls, folder: Path, sha256: str, shape: tuple[int, int]) -> TokenProjection:
        """Read the file of a model folder, which may come from anyone.

        Args:
            folder: The model folder.
            sha256: That it must have.
            shape: Of its matrix, `(dim, k)`.

        Raises:
            EncoderError: If it is missing, another one or malformed.
        """
        import zipfile  # 5 ms of every start, and most have no projection

        file = folder / PROJECTION_FILE
        try:
            with file.open("rb") as opened:
                data = opened.read(_MOST_BYTES + 1)
        except OSError as e:
            raise EncoderError(f"cannot read {file}: {e.strerror or e}") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EncoderError(
                f"{file} is not the one that profile.json names ({sha256[:12]}...): bring back the"
                " files of the model as they were"
            )
        try:
            if len(data) > _MOST_BYTES:
                raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MB")
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                if sum(entry.file_size for entry in packed.infolist()) > _MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {_MOST_BYTES >> 20} MB")
            return cls._read(data, shape)
        except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as e:
            raise EncoderError(f"{file} is malformed: {e!s:.200}") from None

    @classmethod
    def _read(cls, data: bytes, shape: tuple[int, int]) -> TokenProjection:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            mean, matrix = (_floats(arrays[name]) for name in ("mean", "matrix"))
            silent, stop_words = (_ids(arrays[name]) for name in ("silent", "stop_words"))
            read, kept = (int(arrays[name]) for name in ("read", "kept"))
        if mean.shape != shape[:1] or matrix.shape != shape:
            raise ValueError(f"arrays of the shapes {mean.shape} and {matrix.shape}")
        if not 1 <= kept <= read <= _MOST_TOKENS:
            raise ValueError(f"{kept} of {read} tokens are kept")
        return cls(mean, matrix, silent, stop_words, read, kept)


def widen(tokens: NDArray[np.int8]) -> Float32:
    """Token vectors as they were before they were rounded, float32 `(d, k)`, of unit length."""
    return _unit(tokens.astype(np.float32))


def _unit(rows: Float32) -> Float32:
    lengths = np.sqrt(np.vecdot(rows, rows))[:, None]
    return np.asarray(rows / np.maximum(lengths, _TINY), dtype=np.float32)


def _floats(array: NDArray[Any]) -> Float32:
    if array.dtype != np.float32 or not np.isfinite(array).all():
        raise ValueError("an array that is not of finite float32")
    return array


def _ids(array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype != np.int64 or array.ndim != 1 or not (np.diff(array) > 0).all():
        raise ValueError("ids of tokens that do not ascend")
    return array
