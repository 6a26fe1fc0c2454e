"""Groups of near-duplicate documents: word 5-grams, MinHash to find pairs, Jaccard to confirm.

MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
section 3.4) proposes pairs; the exact Jaccard similarity of their shingles decides. Groups are
transitive: if A is a near-duplicate of B and B of C, all three are one group.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["jaccard", "near_duplicate_groups", "shingles"]

Hashes: TypeAlias = NDArray[np.uint64]

_WORD = re.compile(r"\w+")
_HASHES = 128  # of one signature
_LOW = 0.65  # thresholds below it are found by shorter bands


def shingles(text: str, size: int = 5) -> Hashes:
    """Sorted hashes of the word `size`-grams of a text, lower-cased; shorter texts are one gram."""
    words = _WORD.findall(text.lower())
    if not words:
        return np.empty(0, dtype=np.uint64)
    codes = np.fromiter((zlib.crc32(w.encode()) for w in words), np.uint64, len(words))
    grams = _mix(codes[: max(len(codes) - size + 1, 1)])
    for offset in range(1, min(size, len(codes))):
        grams = _mix(grams + codes[offset : offset + len(grams)])
    return np.unique(grams)


def jaccard(a: Hashes, b: Hashes) -> float:
    """Shared share of two sets of sorted hashes; 0 if both are empty."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    union = len(a) + len(b) - common
    return common / union if union else 0.0


def near_duplicate_groups(
    count: int, text: Callable[[int], str], threshold: float
) -> NDArray[np.int64]:
    """For each document the smallest number of a document in its group.

    Signatures are kept in memory (1 kB a document), texts are not: they are asked for once, and
    once more where a pair has to be confirmed.

    Args:
        count: Number of documents.
        text: Gives the document of a number.
        threshold: Jaccard similarity from which two documents are near-duplicates.

    Returns:
        int64 of shape `(count,)`; documents of one group share a value.
    """
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    signatures = np.zeros((count, _HASHES), dtype=np.uint64)
    empty = []
    for i in range(count):
        hashes = shingles(text(i))
        if len(hashes):
            signatures[i] = _signature(hashes)
        else:
            empty.append(i)
    skipped = frozenset(empty)
    # A pair of Jaccard .7 shares one of 32 bands of 4 with probability 1 - (1 - .7^4)^32 > .999, a
    # pair of .5 one of 42 bands of 3 with probability > .996.
    rows = 3 if threshold < _LOW else 4
    for pair in _candidates(signatures, rows, skipped):
        a, b = root(pair[0]), root(pair[1])
        if a != b and jaccard(shingles(text(pair[0])), shingles(text(pair[1]))) >= threshold:
            parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(count)], dtype=np.int64)


def _mix(values: Hashes) -> Hashes:
    """A bijection that spreads 64-bit values (the finalizer of SplitMix64)."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = z ^ (z >> np.uint64(31))
    return mixed


_SEEDS = _mix(np.arange(1, _HASHES + 1, dtype=np.uint64))


def _signature(hashes: Hashes) -> Hashes:
    """The least hash under each of the seeded permutations, uint64 `(128,)`."""
    # One permutation by multiplication with an odd number each; a block keeps memory small.
    odd = _SEEDS | np.uint64(1)
    least: Hashes = np.full(len(odd), np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(hashes), 4096):
        block = hashes[start : start + 4096]
        with np.errstate(over="ignore"):
            permuted = block[None, :] * odd[:, None]
        permuted ^= permuted >> np.uint64(29)
        least = np.minimum(least, permuted.min(axis=1))
    return least


def _candidates(
    signatures: Hashes, rows: int, skipped: frozenset[int]
) -> Iterable[tuple[int, int]]:
    """Pairs that share a band, each document with the first of its bucket and its neighbour."""
    seen: set[tuple[int, int]] = set()
    for band in range(_HASHES // rows):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        columns = signatures[:, band * rows : (band + 1) * rows]
        for i, row in enumerate(columns):
            if i not in skipped:
                buckets[row.tobytes()].append(i)
        for bucket in buckets.values():
            yield from _fresh(bucket, seen)


def _fresh(bucket: Sequence[int], seen: set[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    # Chains and not all pairs: a bucket of a thousand copies would have half a million.
    for previous, i in pairwise(bucket):
        for pair in ((bucket[0], i), (previous, i)):
            if pair[0] != pair[1] and pair not in seen:
                seen.add(pair)
                yield pair
