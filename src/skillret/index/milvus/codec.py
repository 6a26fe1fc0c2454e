"""Arrays as bytes, and bytes as the strings that every version of Milvus stores."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.index.corpus import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_bytes", "as_text", "pack", "pack_moments", "unpack", "unpack_moments"]

_FAST = 1  # level of compression


def pack(**arrays: NDArray[Any]) -> bytes:
    """Named arrays as compressed bytes."""
    head = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    start = json.dumps(head).encode()
    body = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
    return zlib.compress(len(start).to_bytes(4, "little") + start + body, _FAST)


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """What `pack` packed."""
    raw = zlib.decompress(data)
    start = 4 + int.from_bytes(raw[:4], "little")
    arrays = {}
    for name, (kind, shape) in json.loads(raw[4:start]).items():
        dtype = np.dtype(kind)
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(raw, dtype, count, start).reshape(shape)
        start += count * dtype.itemsize
    return arrays


def as_text(data: bytes) -> str:
    """Bytes as ASCII."""
    return base64.b64encode(data).decode("ascii")


def as_bytes(text: str) -> bytes:
    """What `as_text` made of bytes."""
    return base64.b64decode(text)


def pack_moments(vectors: NDArray[np.float16]) -> bytes:
    """The moments of vectors `(n, dim)`: the vectors themselves where they are few."""
    dim = vectors.shape[1]
    if len(vectors) <= dim:
        return pack(vectors=vectors)
    moments = Moments.of(vectors.astype(np.float32))
    half = moments.products[np.triu_indices(dim)]
    return pack(count=np.array([moments.count]), total=moments.total, half=half)


def unpack_moments(data: bytes) -> Moments:
    """What `pack_moments` packed."""
    arrays = unpack(data)
    if "vectors" in arrays:
        return Moments.of(arrays["vectors"].astype(np.float32))
    dim = len(arrays["total"])
    products = np.zeros((dim, dim))
    products[np.triu_indices(dim)] = arrays["half"]
    products += np.triu(products, 1).T
    return Moments(int(arrays["count"][0]), arrays["total"], products)
