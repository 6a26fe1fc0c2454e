"""Formats of index files: what is brought up to date, and what is refused."""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import SKILLS, LateHashEncoder, fill, make_skill
from tests.index.tools import SOURCES, change, keys_of, names, said

from skillret import Index
from skillret.errors import EncoderMismatchError, IndexCorruptError, StoreError
from skillret.index import Sources
from skillret.index.schema import SCHEMA_VERSION, check_tables, create_tables
from skillret.index.store import Encoded
from skillret.lexical.grams import gram_reader
from skillret.skills import content_hash, document_text

# As `sqlite3 FILE .dump` showed a file of release 0.1, but for the rows.
FORMAT_1 = """
CREATE TABLE skills (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    path TEXT,
    aliases TEXT NOT NULL,
    shadowed_by TEXT,
    content_hash TEXT NOT NULL,
    details_hash TEXT NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE TABLE bodies (
    key INTEGER PRIMARY KEY REFERENCES skills(key) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE pending (
    encoder TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (encoder, content_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1397445204;
PRAGMA user_version = 1;
"""
# What format 4 added, taken away.
WITHOUT_TOKENS = (
    "DROP TABLE tokens",
    "ALTER TABLE pending DROP COLUMN tokens",
    "PRAGMA user_version = 3",
)
ENCODED = Encoded(np.ones(32, dtype=np.float16).tobytes())
ALIASED = replace(SKILLS[0], path="/a/SKILL.md", aliases=("/b", "/c"), shadowed_by="/d")
STORED = [ALIASED, *SKILLS[1:]]


def format_1(path, encoder, last_key=9):
    """A file as release 0.1 left it: keys with gaps, and one vector of an interrupted build."""
    texts = [document_text(s, encoder.profile.template) for s in STORED]
    vectors = encoder.encode_queries(texts).astype(np.float16)
    details = hashlib.sha256(b"of another making").hexdigest()
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(f"PRAGMA journal_mode = WAL; {FORMAT_1}")
        for number, (s, vector) in enumerate(zip(STORED, vectors, strict=True)):
            key = 2 * number + 1
            row = (key, s.id, s.name, s.description, s.path, json.dumps(s.aliases), s.shadowed_by)
            row += (content_hash(s), details, vector.tobytes())
            db.execute("INSERT INTO skills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT INTO bodies VALUES (?, ?)", (key, s.body))
        meta = {
            "generation": "7",
            "profile": json.dumps(encoder.profile.to_json()),
            "sources": Sources(dataset="test").to_json(),
            "fingerprint": "f",
            "cache": "0123456789abcdef",
        }
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        db.execute(
            "INSERT INTO pending VALUES (?, ?, ?)", (encoder.profile.identity, "0" * 64, b"")
        )
        db.execute("UPDATE sqlite_sequence SET seq = ?", (last_key,))
    return path


def version(path):
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_an_index_of_format_1_is_brought_up_to_date(tmp_path, encoder):
    path = format_1(tmp_path / "i.db", encoder)
    with Index.open(path, model=encoder) as index:
        info = index.info()
        assert (info.generation, info.skills, info.pending) == (7, 4, 1)
        assert (info.profile, Sources.from_info(info)) == (encoder.profile, SOURCES)
        assert info.fingerprint == ""  # so that metadata, which it did not hold, is read
        assert list(index.skills()) == STORED
        assert names(index) == sorted(s.name for s in SKILLS)
        assert keys_of(index.corpus()) == [1, 3, 5, 7]
    assert version(path) == SCHEMA_VERSION
    with fill(tmp_path / "new.db", STORED, encoder) as new, Index.open(path, model=encoder) as old:
        ours, theirs = (np.array(keys_of(i.corpus())) for i in (old, new))
        codes = gram_reader().read_skill(SKILLS[0])
        np.testing.assert_array_equal(
            old.corpus().held(codes, ours), new.corpus().held(codes, theirs)
        )
        np.testing.assert_array_equal(old.corpus().vectors(ours), new.corpus().vectors(theirs))
        for text in ("ocr", "why do pods crash", "commits and meals"):
            assert said(old.corpus(), text) == said(new.corpus(), text)


def test_an_index_of_format_2_learns_who_may_start_a_skill(tmp_path, encoder):
    path = tmp_path / "i.db"
    mine = [replace(s, user_only=s.name == "meal-planner") for s in STORED]
    fill(path, STORED, encoder).close()
    change(path, *WITHOUT_TOKENS)
    change(path, "ALTER TABLE skills DROP COLUMN user_only", "PRAGMA user_version = 2")
    change(path, "UPDATE meta SET value = 'f' WHERE key = 'fingerprint'")
    with Index.open(path, model=encoder) as index:
        assert index.info().fingerprint == ""
        assert list(index.skills()) == STORED
        report = index.update(mine, sources=SOURCES)
        assert (report.changed, report.unchanged, report.encoded) == (1, 3, 0)
        assert list(index.skills()) == mine
        corpus = index.corpus()
        records = corpus.records(keys_of(corpus)).values()
        assert [r.name for r in records if r.user_only] == ["meal-planner"]
    assert version(path) == SCHEMA_VERSION


def test_an_index_of_format_3_goes_on_without_tokens(tmp_path, encoder):
    path = tmp_path / "i.db"
    index = fill(path, STORED, encoder)
    before = index.info()
    index.store.add_pending(encoder.profile, {content_hash(make_skill("new")): ENCODED})
    index.close()
    change(path, *WITHOUT_TOKENS)
    with Index.open(path, model=encoder) as index:
        assert index.info() == before._replace(pending=1)
        assert not index.store.damaged()
        assert index.corpus().tokens(keys_of(index.corpus())) == {}
        encoder.encoded.clear()
        index.add([make_skill("new")])
        assert not encoder.encoded
        assert len(names(index)) == 5
    assert version(path) == SCHEMA_VERSION


def test_an_encoder_that_shows_tokens_encodes_an_older_index_anew(tmp_path, encoder):
    path, late = tmp_path / "i.db", LateHashEncoder()
    fill(path, STORED, encoder).close()
    change(path, *WITHOUT_TOKENS)
    with Index.open(path, model=late) as index:
        with pytest.raises(
            EncoderMismatchError, match=r"token projection '' there, 'of seed' here"
        ):
            index.update(STORED)
        assert index.update(STORED, replace_encoder=True).encoded == len(STORED)
        keys = keys_of(index.corpus())
        assert index.corpus().tokens(keys).keys() == set(keys)
        assert not index.store.damaged()
    with Index.open(path, model=encoder) as index, pytest.raises(EncoderMismatchError):
        index.update(STORED)


@pytest.mark.parametrize("first", ["update", "add", "remove", "verify"])
def test_an_index_of_format_1_can_be_written_at_once(tmp_path, encoder, first):
    path = format_1(tmp_path / "i.db", encoder)
    new = make_skill("new", "zebra")
    with Index.open(path, model=encoder) as index:
        if first == "remove":
            assert index.remove("meal-planner") == 1
        elif first == "add":
            # A text that is known already is not encoded again.
            index.add([new, replace(SKILLS[1], id="copy")])
            assert len(encoder.encoded) == 1
        else:
            report = index.update([*STORED, new], sources=SOURCES, verify=first == "verify")
            assert (report.added, report.removed, report.encoded) == (1, 0, 1)
        expected = {s.name for s in STORED}
        expected ^= {"meal-planner"} if first == "remove" else {"new"}
        assert set(names(index)) == expected
        assert said(index.corpus(), "ocr") == ["pdf-tables"]
        assert min(set(keys_of(index.corpus())) - {1, 3, 5, 7}, default=10) == 10
    with Index.open(path, model=encoder) as index:
        assert set(names(index)) == expected
        assert not index.store.damaged()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path, encoder):
    path = format_1(tmp_path / "i.db", encoder)
    change(path, "CREATE TABLE skills_1 (x)")  # which the migration needs
    before = path.read_bytes()
    with pytest.raises(StoreError):
        Index.open(path)
    assert version(path) == 1
    assert path.read_bytes() == before
    change(path, "DROP TABLE skills_1")
    with Index.open(path, model=encoder) as index:
        assert len(names(index)) == 4


def test_a_file_of_format_1_with_strange_objects_is_refused(tmp_path, encoder):
    path = format_1(tmp_path / "i.db", encoder)
    change(path, "CREATE TRIGGER t BEFORE DELETE ON pending BEGIN SELECT 1; END")
    with pytest.raises(IndexCorruptError, match="its tables are not those"):
        Index.open(path)


@pytest.mark.parametrize("number", [0, -1])
def test_a_format_that_never_was_is_refused(tmp_path, number):
    fill(tmp_path / "i.db").close()
    change(tmp_path / "i.db", f"PRAGMA user_version = {number}")
    with pytest.raises(StoreError, match="which no release ever had; give another"):
        Index.open(tmp_path / "i.db")


def test_an_index_of_a_newer_version_is_refused(tmp_path):
    fill(tmp_path / "i.db").close()
    change(tmp_path / "i.db", "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"newer skillret \(format 99.*upgrade"):
        Index.open(tmp_path / "i.db")


def test_another_sqlite_file_is_not_touched(tmp_path):
    path = tmp_path / "photos.db"
    change(path, "CREATE TABLE photos (x)")
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(IndexCorruptError, match="no skillret index"):
            Index.open(path, create=create)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE extra (x)"],
        ["CREATE TABLE sqlitestat (x)"],
        ["ANALYZE"],
        ["CREATE INDEX extra ON skills (name)"],
        ["CREATE UNIQUE INDEX extra ON meta (key, value)"],
        ["CREATE INDEX extra ON skills (abs(key))"],
        ["DROP INDEX skills_by_content"],
        ["CREATE VIEW extra AS SELECT 1"],
        ["CREATE TRIGGER extra AFTER INSERT ON skills BEGIN SELECT 1; END"],
        ["CREATE VIRTUAL TABLE extra USING fts5(x)"],
        ["ALTER TABLE vectors ADD COLUMN extra TEXT"],
        ["ALTER TABLE bodies RENAME COLUMN body TO text"],
    ],
)
def test_every_unknown_object_is_refused(tmp_path, statements):
    fill(tmp_path / "i.db").close()
    change(tmp_path / "i.db", *statements)
    with pytest.raises(IndexCorruptError, match="its tables are not those"):
        Index.open(tmp_path / "i.db")


@pytest.mark.parametrize("name", ["sqlite_autoindex_skills_1", "sqlite_sequence", "skills"])
def test_a_trigger_by_the_name_of_an_object_of_ours_is_refused(tmp_path, name):
    """A schema can be written by hand: a name proves nothing."""
    fill(tmp_path / "i.db").close()
    evil = f"CREATE TRIGGER {name} BEFORE DELETE ON pending BEGIN SELECT RAISE(ABORT, 'evil'); END"
    change(
        tmp_path / "i.db",
        "PRAGMA writable_schema = ON",
        ("INSERT INTO sqlite_master VALUES ('trigger', ?, 'pending', 0, ?)", (name, evil)),
    )
    with pytest.raises(IndexCorruptError):
        Index.open(tmp_path / "i.db")


def test_the_file_is_checked_again_when_another_takes_its_place(tmp_path):
    path = tmp_path / "i.db"
    with fill(path) as index:
        index.corpus()
        fill(tmp_path / "new.db", [make_skill("fresh")]).close()
        change(tmp_path / "new.db", "CREATE VIEW extra AS SELECT 1")
        (tmp_path / "new.db").replace(path)
        with pytest.raises(IndexCorruptError, match="its tables are not those"):
            index.corpus()


class _Interrupted:
    """A connection that something happens to before or after its first statement."""

    def __init__(self, db, *, before=None, after=None):
        self._db, self._before, self._after = db, before, after

    def execute(self, sql):
        before, self._before = self._before, None
        if before is not None:
            before()
        rows = self._db.execute(sql).fetchall()
        after, self._after = self._after, None
        if after is not None:
            after()
        return _Rows(rows)


class _Rows(list):
    def fetchone(self):
        return self[0]


def test_a_file_that_another_process_makes_at_this_moment_is_none_of_someone_else_s(tmp_path):
    path = tmp_path / "i.db"
    mine, other = (sqlite3.connect(path, isolation_level=None) for _ in range(2))
    check_tables(_Interrupted(mine, after=lambda: create_tables(other)), path)
    mine.close()
    other.close()


def test_who_makes_a_file_waits_for_another_one_that_does(tmp_path, monkeypatch):
    def locked():
        raise sqlite3.OperationalError("database is locked")

    db = sqlite3.connect(tmp_path / "i.db", isolation_level=None)
    create_tables(_Interrupted(db, before=locked))
    check_tables(db, tmp_path / "i.db")
    monkeypatch.setattr("skillret.index.schema._PATIENCE", -1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        create_tables(_Interrupted(db, before=locked))
    db.close()
