"""An index file may come from anyone: whatever it holds, one clear error or a right answer."""

import json
import random
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from tests.cli.test_search import fails
from tests.conftest import SKILLS, HashEncoder, LateHashEncoder, fill, make_skill
from tests.index.tools import change, names

from skillret import Index, Retriever
from skillret.errors import IndexCorruptError, SkillretError
from skillret.index import Sources
from skillret.index.rows import digest
from skillret.index.store import Encoded

NAN = np.full(32, np.nan, dtype=np.float16).tobytes()
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"


def tampered(path, *statements):
    fill(path).close()
    change(path, *statements)
    return path


def use(path):
    """Everything that reads an index."""
    with Index.open(path, model=HashEncoder()) as index:
        Sources.from_info(index.info())
        with Retriever(index) as retriever:
            retriever.search("pods", k=9, explain=True)
            list(index.skills())


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
    with pytest.raises(IndexCorruptError, match=r"its tables are not those.*move it away"):
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
        "UPDATE vectors SET vector = x'0000' WHERE key = 2",
        "UPDATE vectors SET vector = x'000000'",
        "UPDATE vectors SET vector = x'0000'",
        "UPDATE vectors SET vector = x''",
        ("UPDATE vectors SET vector = ?", (NAN,)),
        "UPDATE vectors SET grams = x'00'",
        "UPDATE vectors SET digest = digest + 1 WHERE key = 3",
        "UPDATE skills SET metadata = '5'",
        "UPDATE skills SET metadata = '{\"x\": NaN}'",
        ("UPDATE skills SET metadata = ?", ("[" * 100_000,)),
        "UPDATE meta SET value = 'x' WHERE key = 'skills'",
        "UPDATE meta SET value = '5' WHERE key = 'skills'",
        "INSERT INTO meta VALUES ('base', '{')",
        "INSERT INTO meta VALUES ('base', '5')",
        'INSERT INTO meta VALUES (\'base\', \'{"token": "../x", "arrays": {}}\')',
        "UPDATE skills SET aliases = '{'",
        "UPDATE skills SET aliases = '5'",
        "UPDATE skills SET name = CAST(x'ff' AS TEXT)",
        "UPDATE bodies SET body = CAST(x'ff' AS TEXT)",
    ],
)
def test_values_that_skillret_never_writes_are_refused(tmp_path, statement):
    with pytest.raises(IndexCorruptError, match="build"):
        use(tampered(tmp_path / "i.db", statement))


def forge(path, vector=None, grams=None):
    """Give all skills another vector or other grams, with the digest that fits."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT key, vector, grams FROM vectors").fetchall()
    changed = [(vector or v, grams or g, key) for key, v, g in rows]
    query = "UPDATE vectors SET vector = ?, grams = ?, digest = ? WHERE key = ?"
    change(path, *((query, (v, g, digest(v, g), key)) for v, g, key in changed))


@pytest.mark.parametrize(
    "forged",
    [
        {"vector": NAN},
        {"vector": b"\0\0"},
        {"vector": b"\0" * 65},
        {"grams": b"\xff" * 8},
        {"grams": b"\0" * 5},
    ],
)
def test_vectors_that_no_encoder_made_are_refused_and_mended(tmp_path, forged):
    path = tmp_path / "i.db"
    fill(path).close()
    forge(path, **forged)
    with pytest.raises(IndexCorruptError, match="build"):
        use(path)
    with Index.open(path, model=HashEncoder()) as index:
        assert index.update(SKILLS, verify=True).changed == 4
    use(path)


def test_keys_that_the_cache_does_not_know_do_no_harm(tmp_path):
    moved = [f"UPDATE {t} SET key = key + 100" for t in ("vectors", "bodies", "skills")]
    for i, statements in enumerate((moved, ["UPDATE sqlite_sequence SET seq = -5"])):
        path = tampered(tmp_path / f"{i}.db", "PRAGMA foreign_keys = OFF", *statements)
        with Retriever(Index.open(path, model=HashEncoder())) as retriever:
            for mode in ("hybrid", "dense", "lexical"):
                (hit,) = retriever.search("Find out why pods crash", k=1, mode=mode)
                assert hit.name == "kubernetes-debugging"


def test_a_sequence_behind_its_keys_overwrites_no_skill(tmp_path):
    path = tampered(tmp_path / "i.db", "UPDATE sqlite_sequence SET seq = 1")
    with Index.open(path, model=HashEncoder()) as index:
        index.add([make_skill("new")])
        assert names(index) == sorted([*(s.name for s in SKILLS), "new"])


def test_skills_without_their_texts_are_refused(tmp_path):
    for i, statement in enumerate(("DELETE FROM bodies", "UPDATE skills SET key = -key")):
        path = tampered(tmp_path / f"{i}.db", "PRAGMA foreign_keys = OFF", statement)
        shutil.rmtree(f"{path}.cache")
        with pytest.raises(IndexCorruptError, match=r"4 skills, .* the texts of 0.*move it away"):
            use(path)


def test_a_sequence_that_is_no_number_is_one_line(tmp_path, capsys):
    path = tampered(tmp_path / "i.db", "UPDATE sqlite_sequence SET seq = 'abc'")
    with pytest.raises(IndexCorruptError, match="move it away and make it again"):
        fill(path, SKILLS[:2])


def test_a_tampered_index_is_one_line_for_the_user(tmp_path, capsys):
    path = tampered(tmp_path / "i.db", "UPDATE skills SET aliases = '{'")
    assert "move it away and make it again" in fails(capsys, "index", "list", "--index", str(path))


def test_vectors_of_an_unfinished_build_are_taken_only_if_they_fit(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, SKILLS[:1], encoder) as index:
        vectors = {"0" * 64: Encoded(b"\0\0"), "1" * 64: Encoded(b"\0" * 64)}
        index.store.add_pending(encoder.profile, vectors)
        known = index.store.known_vectors(encoder.profile, ["0" * 64, "1" * 64])
        assert list(known) == ["1" * 64]
        late = LateHashEncoder().profile
        for number, tokens in enumerate((None, b"\0" * 9, b"\0" * 16)):
            index.store.add_pending(late, {f"{number}" * 64: Encoded(b"\0" * 64, tokens)})
        known = index.store.known_vectors(late, [f"{number}" * 64 for number in range(3)])
        assert list(known) == ["2" * 64]


def test_damage_at_random_is_refused_or_harmless(tmp_path):
    encoder = HashEncoder()
    skills = [make_skill(f"s{i}", body=f"pods {i} " * 20) for i in range(40)]
    whole = tmp_path / "whole"
    fill(whole / "i.db", skills, encoder).close()
    rng = random.Random(5)
    outcomes = {"refused": 0, "answered": 0}
    for _ in range(60):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        file = copy / "i.db"
        data = bytearray(file.read_bytes())
        start = rng.randrange(len(data))
        data[start : start + 200] = rng.randbytes(rng.choice([1, 200, 300]))
        file.write_bytes(data)
        try:
            with Retriever(Index.open(file, model=encoder)) as retriever:
                assert retriever.search("pods", k=3, explain=True)
                retriever.index.update(skills[:39], verify=True)
                assert len(names(retriever.index)) == 39
            outcomes["answered"] += 1
        except SkillretError as e:
            assert json.dumps(str(e)).count("\\n") == 0
            outcomes["refused"] += 1
    assert outcomes["answered"]
    assert outcomes["refused"]
