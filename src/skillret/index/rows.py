"""Rows of the tables of an index file, as values of ours and back."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from skillret.encoders import Profile
from skillret.files import parse_json
from skillret.index.array_file import Base
from skillret.index.cache import TOKEN
from skillret.index.corpus import Record
from skillret.index.store import Change, metadata_json
from skillret.lexical.grams import MAX_CODE
from skillret.lexical.texts import SkillTexts
from skillret.types import Skill

__all__ = [
    "EVERYTHING",
    "RECORDS",
    "SKILLS",
    "are_sound",
    "base_tokens",
    "digest",
    "ends",
    "insert",
    "is_sound",
    "read_meta",
    "read_profile",
    "read_record",
    "read_skill",
    "remove",
    "select",
    "set_details",
    "set_meta",
    "token_of",
]

SKILLS = (
    "SELECT s.key, id, name, description, body, path, aliases, shadowed_by, metadata, user_only"
    " FROM skills s JOIN bodies b ON b.key = s.key"
)
RECORDS = (
    "SELECT key, id, name, description, path, aliases, shadowed_by, metadata, user_only"
    " FROM skills WHERE key IN ({})"
)
# Whatever is stored of every skill, also where a part of it is missing.
EVERYTHING = (
    "SELECT s.key, id, name, description, body, path, aliases, shadowed_by, metadata, user_only,"
    " content_hash, vector, grams, v.digest, tokens, t.digest FROM skills s"
    " LEFT JOIN bodies b ON b.key = s.key LEFT JOIN vectors v ON v.key = s.key"
    " LEFT JOIN tokens t ON t.key = s.key"
)
_CHUNK = 500  # SQLite's oldest limit on the parameters of a statement is 999


def read_meta(db: sqlite3.Connection) -> dict[str, str]:
    """What the store says of itself."""
    return dict(db.execute("SELECT key, value FROM meta"))


def set_meta(db: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Set some of that."""
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))


def token_of(meta: Mapping[str, str]) -> str:
    """The token of a generation, which becomes the name of a folder."""
    token = meta.get("cache", "")
    if token and not TOKEN.fullmatch(token):
        raise ValueError(f"the cache {token[:40]!r}")
    return token


def base_tokens(meta: Mapping[str, str]) -> set[str]:
    """The token of the file of arrays, if there is one."""
    base = Base.from_json(meta.get("base", ""))
    return {base.token} if base is not None else set()


def read_profile(meta: Mapping[str, str]) -> Profile | None:
    """The profile of the encoder that made the vectors."""
    stored = meta.get("profile")
    return Profile.from_json(parse_json(stored), "it") if stored else None


def read_skill(row: Sequence[Any]) -> tuple[int, Skill]:
    """Key and skill of a row of `SKILLS`."""
    key, id_, name, description, body, path, aliases, shadowed_by, metadata, user_only = row
    paths, known = _paths(aliases), _mapping(metadata)
    own = bool(user_only)
    return key, Skill(id_, name, description, body, path, paths, shadowed_by, known, user_only=own)


def read_record(row: Sequence[Any]) -> Record:
    """A row of `RECORDS`."""
    key, id_, name, description, path, aliases, shadowed_by, metadata, user_only = row
    paths, known = _paths(aliases), _mapping(metadata)
    return Record(key, id_, name, description, path, paths, shadowed_by, known, bool(user_only))


def _paths(aliases: str) -> tuple[str, ...]:
    return tuple(map(str, parse_json(aliases))) if aliases != "[]" else ()


def _mapping(metadata: str) -> dict[str, Any]:
    return dict(parse_json(metadata)) if metadata != "{}" else {}


def digest(vector: bytes, grams: bytes) -> int:
    """CRC-32 of what is derived from a skill's text."""
    return zlib.crc32(grams, zlib.crc32(vector))


def is_sound(vector: bytes, grams: bytes, dim: int) -> bool:
    """Whether these could be a vector and the grams of a skill."""
    if len(vector) != 2 * dim or len(grams) % 4:
        return False
    largest = np.frombuffer(grams, dtype=np.uint32).max(initial=0)
    return bool(np.isfinite(np.frombuffer(vector, np.float16)).all()) and largest <= MAX_CODE


def are_sound(tokens: bytes | None, known: int | None, dim: int) -> bool:
    """Whether a skill's tokens are those that were stored.

    Args:
        tokens: int8 bytes, if there are any.
        known: Their CRC-32, if it was stored.
        dim: Bytes of each token; 0 where there should be none.
    """
    if not dim or tokens is None:
        return not dim
    return len(tokens) % dim == 0 and zlib.crc32(tokens) == known


def ends(db: sqlite3.Connection) -> tuple[int, int]:
    """The largest key that a skill ever had, and the number of the last removal."""
    names = dict(db.execute("SELECT name, seq FROM sqlite_sequence"))
    (last,) = db.execute("SELECT max(key) FROM skills").fetchone()
    return max(int(names.get("skills", 0)), last or 0), int(names.get("removed", 0))


def select(db: sqlite3.Connection, query: str, values: Sequence[Any], *first: Any) -> Iterator[Any]:
    """Rows of a query whose `{}` stands for a list of values, in chunks."""
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        # At once: a reader who stops halfway leaves no statement open.
        yield from db.execute(query.format(",".join("?" * len(chunk))), [*first, *chunk]).fetchall()


def remove(db: sqlite3.Connection, keys: Sequence[int]) -> int:
    """Delete skills; how many there were."""
    rows = [(int(key),) for key in keys]
    count = db.executemany("DELETE FROM skills WHERE key = ?", rows).rowcount if rows else 0
    db.executemany("INSERT INTO removed (key) VALUES (?)", rows)
    return max(count, 0)


def set_details(db: sqlite3.Connection, details: Sequence[tuple[int, Skill, str]]) -> None:
    """Change what is stored of skills beside their texts."""
    db.executemany(
        "UPDATE skills SET path = ?, aliases = ?, shadowed_by = ?, user_only = ?, details_hash = ?"
        " WHERE key = ?",
        [
            (s.path, json.dumps(s.aliases), s.shadowed_by, s.user_only, hashed, key)
            for key, s, hashed in details
        ],
    )


def insert(
    db: sqlite3.Connection, changes: Iterable[Change], keys: list[int]
) -> Iterator[tuple[int, SkillTexts]]:
    """Insert skills, and yield key and texts of each for whoever indexes them.

    Args:
        db: In a transaction.
        changes: Read once.
        keys: Gets the keys.
    """
    source = iter(changes)
    while chunk := list(islice(source, _CHUNK)):
        db.executemany(
            "INSERT INTO skills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    c.key,
                    c.skill.id,
                    c.skill.name,
                    c.skill.description,
                    c.skill.path,
                    json.dumps(c.skill.aliases),
                    c.skill.shadowed_by,
                    metadata_json(c.skill),
                    c.content_hash,
                    c.details_hash,
                    c.skill.user_only,
                )
                for c in chunk
            ],
        )
        db.executemany("INSERT INTO bodies VALUES (?, ?)", ((c.key, c.skill.body) for c in chunk))
        rows = ((c.key, c.encoded.vector, c.grams.tobytes()) for c in chunk)
        db.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?, ?)",
            ((key, vector, grams, digest(vector, grams)) for key, vector, grams in rows),
        )
        tokens = [(c.key, t, zlib.crc32(t)) for c in chunk if (t := c.encoded.tokens) is not None]
        db.executemany("INSERT INTO tokens VALUES (?, ?, ?)", tokens)
        keys += [c.key for c in chunk]
        yield from ((c.key, c.texts) for c in chunk)
