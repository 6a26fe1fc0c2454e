"""Vectors of an encoder for all texts of the training tables, in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import Float32
from skillret.encoders import Encoder
from skillret.errors import InputError
from skillret.training.rows import Tables

__all__ = ["encode_tables", "write_teacher"]

_CHUNK = 2000  # texts in memory at a time


def encode_tables(
    encoder: Encoder,
    tables: Tables,
    queries: Path,
    documents: Path,
    skills: NDArray[np.int64] | None = None,
) -> None:
    """Write float32 `.npy` files of shape `(queries, dim)` and `(skills, dim)`, unit rows.

    Args:
        encoder: What encodes.
        tables: Queries that are in no pair are not encoded; their rows are 0.
        queries: File for the queries.
        documents: File for the skills' documents.
        skills: Skill rows to encode, the others being 0; all if None.
    """
    asked = np.unique(tables.pairs[:, 0])
    wanted = np.arange(len(tables.skills)) if skills is None else np.unique(skills)
    for file, table, column, encode, rows in (
        (queries, tables.queries, "text", encoder.encode_queries, asked),
        (documents, tables.skills, "document", encoder.encode_documents, wanted),
    ):
        shape = (len(table), encoder.profile.dim)
        out: Any = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            out[chunk] = encode(list(table[chunk.tolist()][column]))
        out.flush()


def write_teacher(
    encoder: Encoder,
    tables: Tables,
    files: tuple[Path, Path],
    reduced: int,
    skills: NDArray[np.int64] | None = None,
) -> None:
    """Write the teacher's vectors of queries and documents.

    Args:
        encoder: The teacher.
        tables: What to encode.
        files: Where, queries first.
        reduced: Dimension to rotate and cut the vectors to, by the principal components of the
            documents: a fixed projection, unlike a learned one, needs no place in a checkpoint.
            0 leaves them as they are.
        skills: Skill rows that training meets; all if None.

    Raises:
        InputError: If the teacher's vectors are shorter than `reduced`.
    """
    dim = encoder.profile.dim
    if reduced > dim:
        raise InputError(
            f"recipe: distill.target is 'embeddings'; the teacher has {dim} dimensions and the"
            f" student {reduced}; allowed then: 'scores' or 'margins'"
        )
    encode_tables(encoder, tables, *files, skills)
    if not reduced or reduced == dim:
        return
    documents = np.load(files[1])
    rotation = _principal(documents, reduced)
    for file in files:
        vectors = np.load(file) @ rotation
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.save(file, (vectors / np.maximum(norms, 1e-12)).astype(np.float32))


def _principal(vectors: Float32, count: int) -> Float32:
    """The `count` leading directions of the second moment, float32 `(d, count)`.

    Not centred: the student's cosines, like the teacher's, are about the origin.
    """
    moment = (vectors.T @ vectors).astype(np.float64)
    _, directions = np.linalg.eigh(moment)
    return np.ascontiguousarray(directions[:, ::-1][:, :count], dtype=np.float32)
