"""An index file may come from anyone: whatever it holds, one clear error or a right answer."""

import json
import random
import shutil
import sqlite3

import numpy as np
import pytest
from tests.cli.test_search import fails
from tests.conftest import SKILLS, HashEncoder, fill, make_skill

from skillret import Index, Retriever
from skillret.errors import IndexCorruptError, SkillretError
from skillret.index import Sources

NAN = np.full(32, np.nan, dtype=np.float16).tobytes()
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"


def tampered(path, *statements):
    fill(path).close()
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
    db.close()
    return path


def use(path):
    """Everything that reads an index."""
    with Index.open(path) as index:
        Sources.from_info(index.info())
        with Retriever(index, HashEncoder()) as retriever:
            retriever.search("pods", k=9, explain=True)
            list(index.store.skills())


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE meta"],
        ["ALTER TABLE meta RENAME TO m", "CREATE VIEW meta AS SELECT * FROM m"],
        [
            "ALTER TABLE skills RENAME TO s",
            f"CREATE VIEW skills AS {ENDLESS} SELECT x AS key, x AS id, x AS vector FROM c",
        ],
        ["CREATE TRIGGER t BEFORE DELETE ON pending BEGIN SELECT RAISE(ABORT, 'evil'); END"],
        [
            "CREATE TRIGGER t BEFORE UPDATE ON meta BEGIN"
            f" INSERT INTO meta {ENDLESS} SELECT x, x FROM c; END"
        ],
        ["ALTER TABLE skills ADD COLUMN extra TEXT"],
        ["DROP TABLE meta", "CREATE TABLE meta (key, value)"],
        ["CREATE VIRTUAL TABLE f USING fts5(x)"],
    ],
)
def test_tables_that_skillret_does_not_make_are_refused(tmp_path, statements):
    path = tampered(tmp_path / "i.db", *statements)
    with pytest.raises(IndexCorruptError, match=r"its tables are not those.*delete it"):
        Index.open(path)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta WHERE key = 'generation'",
        "DELETE FROM meta WHERE key = 'profile'",
        "UPDATE meta SET value = 'x' WHERE key = 'generation'",
        "UPDATE meta SET value = '{' WHERE key = 'profile'",
        "UPDATE meta SET value = '[]' WHERE key = 'profile'",
        """UPDATE meta SET value = '{"name": "x", "dim": "a"}' WHERE key = 'profile'""",
        "UPDATE meta SET value = '../../elsewhere' WHERE key = 'cache'",
        f"UPDATE meta SET value = '{'a' * 500}' WHERE key = 'cache'",
        ("UPDATE meta SET value = ? WHERE key = 'profile'", ("[" * 100_000,)),
        ("UPDATE meta SET value = ? WHERE key = 'sources'", ("[" * 100_000,)),
        ("UPDATE meta SET value = ? WHERE key = 'generation'", ("9" * 5000,)),
        ("UPDATE skills SET aliases = ?", ("[" * 100_000,)),
        "UPDATE meta SET value = '[1]' WHERE key = 'sources'",
        """UPDATE meta SET value = '{"roots": [1]}' WHERE key = 'sources'""",
        """UPDATE meta SET value = '{"dataset": 5}' WHERE key = 'sources'""",
        "UPDATE skills SET vector = x'0000' WHERE key = 2",
        "UPDATE skills SET vector = x'000000'",
        "UPDATE skills SET vector = x'0000'",
        "UPDATE skills SET vector = x''",
        ("UPDATE skills SET vector = ?", (NAN,)),
        "UPDATE skills SET aliases = '{'",
        "UPDATE skills SET aliases = '5'",
        "UPDATE skills SET name = CAST(x'ff' AS TEXT)",
        "UPDATE bodies SET body = CAST(x'ff' AS TEXT)",
    ],
)
def test_values_that_skillret_never_writes_are_refused(tmp_path, statement):
    with pytest.raises(IndexCorruptError, match="build"):
        use(tampered(tmp_path / "i.db", statement))


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE bodies SET key = key + 100", "UPDATE skills SET key = key + 100"],
        ["UPDATE sqlite_sequence SET seq = -5"],
    ],
)
def test_keys_that_the_cache_does_not_know_do_no_harm(tmp_path, statements):
    path = tampered(tmp_path / "i.db", "PRAGMA foreign_keys = OFF", *statements)
    encoder = HashEncoder()
    with Retriever(Index.open(path), encoder) as retriever:
        for mode in ("hybrid", "dense", "lexical"):
            (hit,) = retriever.search("find out why pods crash", k=1, mode=mode)
            assert hit.name == "kubernetes-debugging"


def test_skills_without_their_texts_are_refused(tmp_path):
    off = "PRAGMA foreign_keys = OFF"
    for i, statement in enumerate(("DELETE FROM bodies", "UPDATE skills SET key = -key")):
        path = tampered(tmp_path / f"{i}.db", off, statement)
        shutil.rmtree(f"{path}.cache")
        with pytest.raises(IndexCorruptError, match=r"4 skills and the texts of 0: delete it"):
            use(path)


def test_a_sequence_that_is_no_number_is_one_line(tmp_path, capsys):
    path = tampered(tmp_path / "i.db", "UPDATE sqlite_sequence SET seq = 'abc'")
    with pytest.raises(IndexCorruptError, match="delete it and build it again"):
        fill(path, SKILLS[:2])


def test_folders_that_are_not_ours_are_never_deleted(tmp_path):
    """The cache's folder is named after the index; someone may keep their own things there."""
    path, cache = tmp_path / "i.db", tmp_path / "i.db.cache"
    theirs = [cache / "notes" / "x", cache / ("a" * 16) / "diary.txt", cache / "tmp-mine" / "x"]
    for file in theirs:
        file.parent.mkdir(parents=True)
        file.write_text("keep")
    for count in (1, 2, 3):
        fill(path, SKILLS[:count]).close()
    assert all(file.read_text() == "keep" for file in theirs)
    assert len(list(cache.iterdir())) == 3 + 2
    # A cache that its owner keeps elsewhere is looked after there.
    shutil.move(cache, tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    for count in (4, 3, 2, 1):
        fill(path, SKILLS[:count]).close()
    assert len(list(cache.iterdir())) == 3 + 2


@pytest.mark.parametrize("damage", ["none", "another bm25"])
def test_a_cache_whose_folders_are_links_leads_nowhere(tmp_path, monkeypatch, damage):
    """An index that someone else sent: its cache may link to any folder of the reader's."""
    monkeypatch.setattr("skillret.index.cache._MAP_FROM", 1)
    path, encoder = tmp_path / "i.db", HashEncoder()
    fill(path, encoder=encoder).close()
    (generation,) = (tmp_path / "i.db.cache").iterdir()
    victim = tmp_path / "victim"
    shutil.move(generation, victim)
    (bm25,) = victim.glob("bm25*")
    shutil.rmtree(bm25)
    if damage != "none":
        bm25.mkdir()
    (victim / "precious").write_text("mine")
    generation.symlink_to(victim)
    before = sorted(victim.rglob("*"))
    with Retriever(Index.open(path), encoder) as retriever:
        assert retriever.search("find out why pods crash", k=1)[0].name == "kubernetes-debugging"
        retriever.index.update(SKILLS[:2], encoder, sources=Sources(dataset="test"))
        retriever.index.update(SKILLS[:3], encoder, sources=Sources(dataset="test"))
        assert len(retriever.search("pods", k=9)) == 3
    assert sorted(victim.rglob("*")) == before


def test_a_tampered_index_is_one_line_for_the_user(tmp_path, capsys):
    path = tampered(tmp_path / "i.db", "UPDATE skills SET aliases = '{'")
    assert "delete it and build it again" in fails(capsys, "index", "list", "--index", str(path))


def test_vectors_of_an_unfinished_build_are_taken_only_if_they_fit(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, SKILLS[:1], encoder) as index:
        index.store.add_pending(encoder.profile, {"0" * 64: b"\0\0", "1" * 64: b"\0" * 64})
        known = index.store.known_vectors(encoder.profile, ["0" * 64, "1" * 64])
        assert list(known) == ["1" * 64]


@pytest.mark.parametrize("what", ["index", "vectors"])
def test_damage_at_random_is_refused_or_harmless(tmp_path, monkeypatch, what):
    monkeypatch.setattr("skillret.index.cache._MAP_FROM", 1)
    encoder = HashEncoder()
    skills = [make_skill(f"s{i}", body=f"pods {i} " * 20) for i in range(40)]
    whole = tmp_path / "whole"
    whole.mkdir()
    fill(whole / "i.db", skills, encoder).close()
    with Index.open(whole / "i.db") as index:
        index.snapshot()
    rng = random.Random(5)
    outcomes = {"refused": 0, "answered": 0}
    for _ in range(60):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        files = [copy / "i.db"] if what == "index" else sorted(copy.rglob("*.npy"))
        file = rng.choice(files)
        data = bytearray(file.read_bytes())
        start = rng.randrange(len(data)) if what == "index" else rng.randrange(140)
        data[start : start + 200] = rng.randbytes(rng.choice([1, 200, 300]))
        file.write_bytes(data)
        try:
            with (
                Retriever(Index.open(copy / "i.db"), encoder) as retriever,
                np.errstate(invalid="ignore"),
            ):
                assert retriever.search("pods", k=3, explain=True)
            outcomes["answered"] += 1
        except SkillretError as e:
            assert json.dumps(str(e)).count("\\n") == 0
            outcomes["refused"] += 1
    assert outcomes["answered"]
    assert outcomes["refused"] or what == "vectors"
