"""The tables of an index file, their versions, and the refusal of everything else."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from shlex import quote

from skillret.errors import IndexCorruptError, IndexMissingError, StoreError

__all__ = ["SCHEMA_VERSION", "check_tables", "corrupt", "create_tables", "no_index"]

# Raised with every change of the tables; a migration for each step goes into _MIGRATIONS.
SCHEMA_VERSION = 4
_PATIENCE = 10.0  # seconds for others that make the same file
_APPLICATION_ID = 0x534B5254  # "SKRT": tells an index from any other SQLite file

# A key names one text and one vector for ever: whoever changes either gets a new one. Bodies and
# vectors have tables of their own, so that reading one of them does not page through the others.
_SKILLS = """
CREATE TABLE skills (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    path TEXT,
    aliases TEXT NOT NULL,
    shadowed_by TEXT,
    metadata TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    details_hash TEXT NOT NULL,
    user_only INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX skills_by_content ON skills (content_hash);
CREATE TABLE bodies (
    key INTEGER PRIMARY KEY REFERENCES skills(key) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE vectors (
    key INTEGER PRIMARY KEY REFERENCES skills(key) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    grams BLOB NOT NULL,
    digest INTEGER NOT NULL
) STRICT;
CREATE TABLE removed (seq INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER NOT NULL) STRICT;
"""
# Of the skills whose encoder shows tokens. Only candidates are asked for theirs.
_TOKENS = """
CREATE TABLE tokens (
    key INTEGER PRIMARY KEY REFERENCES skills(key) ON DELETE CASCADE,
    tokens BLOB NOT NULL,
    digest INTEGER NOT NULL
) STRICT;
"""
_SCHEMA = f"""{_SKILLS}{_TOKENS}
CREATE TABLE pending (
    encoder TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    tokens BLOB,
    PRIMARY KEY (encoder, content_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_USER_ONLY = "user_only INTEGER NOT NULL DEFAULT 0"
_RENAMED = """
ALTER TABLE skills RENAME TO skills_1;
ALTER TABLE bodies RENAME TO bodies_1;
"""
_COPIED = """
INSERT INTO skills SELECT key, id, name, description, path, aliases, shadowed_by, '{}',
    content_hash, '' FROM skills_1;
INSERT INTO bodies SELECT key, body FROM bodies_1;
INSERT INTO vectors SELECT key, vector, x'', 0 FROM skills_1;
DELETE FROM sqlite_sequence WHERE name = 'skills';
UPDATE sqlite_sequence SET name = 'skills' WHERE name = 'skills_1';
DROP TABLE bodies_1;
DROP TABLE skills_1;
INSERT OR REPLACE INTO meta VALUES ('cache', ''), ('fingerprint', '');
INSERT INTO meta SELECT 'skills', count(*) FROM skills;
"""
# Which is known when the sources have been read again.
_READ_AGAIN = f"""
ALTER TABLE skills ADD COLUMN {_USER_ONLY};
INSERT OR REPLACE INTO meta VALUES ('fingerprint', '');
"""  # noqa: S608 (a constant)
# None of the encoders so far shows tokens: one that does has another identity, and encodes anew.
_NO_TOKENS = f"{_TOKENS}ALTER TABLE pending ADD COLUMN tokens BLOB;\n"
_MIGRATIONS = {
    1: _RENAMED + _SKILLS.replace(f",\n    {_USER_ONLY}", "") + _COPIED,
    2: _READ_AGAIN,
    3: _NO_TOKENS,
}


def _statements(script: str) -> list[str]:
    return [s for s in script.split(";\n") if s.strip()]


def _squeezed(sql: str) -> str:
    """A statement without what SQLite or ALTER TABLE may write differently."""
    return "".join(sql.split()).replace('"', "")


# And what SQLite makes of them by itself; an index of its own has no statement.
_AUTOMATIC = ["CREATE TABLE sqlite_sequence(name,seq)", "index sqlite_autoindex_skills_1"]
_OBJECTS = frozenset(map(_squeezed, [*_statements(_SCHEMA), *_AUTOMATIC]))


def corrupt(path: Path, reason: str) -> IndexCorruptError:
    """The error of a file that is none of ours, or damaged."""
    return IndexCorruptError(
        f"{path} is no index or is damaged ({reason})",
        f"move it away and make it again with `skillret index build --index {quote(str(path))}`"
        " and the --library or --dataset that it had",
    )


def no_index(path: Path) -> IndexMissingError:
    """The error of a file that is not there, or empty."""
    make = f"skillret index build --index {quote(str(path))}"
    return IndexMissingError(f"no index at {path}", f"make one with `{make}`")


def create_tables(db: sqlite3.Connection) -> None:
    """Make the tables in one transaction; harmless if another process was first."""
    _keep_log(db)
    db.execute("BEGIN IMMEDIATE")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in _statements(_SCHEMA):
            db.execute(statement)
        db.execute("INSERT INTO meta VALUES ('generation', '0'), ('skills', '0')")
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")


def _keep_log(db: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. Of several that do so at once SQLite lets none wait."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as e:
            if "locked" not in str(e) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def check_tables(db: sqlite3.Connection, path: Path) -> None:
    """Make sure that a file holds our tables and nothing else; bring older ones up to date.

    Raises:
        IndexCorruptError: If it is another program's, or holds a view or trigger of someone else.
        StoreError: If it is empty, of a newer version, or of one that cannot be brought up to date.
    """
    # In this order: another process may write both at this moment, in one transaction.
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    if not (application or tables):
        raise no_index(path)
    if application != _APPLICATION_ID:
        raise IndexCorruptError(
            f"{path} is an SQLite file but no skillret index", "give another --index"
        )
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was made by a newer skillret (format {version}, this one reads"
            f" {SCHEMA_VERSION})",
            "upgrade skillret, or give another --index",
        )
    if version < SCHEMA_VERSION:
        _migrate(db, path)
    # Nothing but our own tables: a view or a trigger of someone else's would run in here.
    rows = db.execute("SELECT type, name, sql FROM sqlite_master")
    if {_squeezed(sql or f"{kind} {name}") for kind, name, sql in rows} != _OBJECTS:
        raise corrupt(path, "its tables are not those that skillret makes")


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring older tables up to date, all steps or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been first.
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        for step in range(version, SCHEMA_VERSION):
            if step not in _MIGRATIONS:
                raise StoreError(
                    f"{path} has the format {version}, which no release ever had",
                    "give another --index",
                )
            for statement in _statements(_MIGRATIONS[step]):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
