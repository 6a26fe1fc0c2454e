"""What is kept beside an index: made anew where it is lost, and never believed unchecked."""

import json
import os
import random
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import SKILLS, HashEncoder, fill, make_skill
from tests.index.tools import SOURCES, change, check_answers, keys_of, names, rows_of, said

from skillret import Index, Retriever
from skillret.errors import StoreError
from skillret.index import sqlite
from skillret.index.array_file import Base, Extent
from skillret.index.blocks import Block
from skillret.index.cache import Cache
from skillret.lexical.bm25 import LexicalIndex

NAMES = sorted(s.name for s in SKILLS)


@pytest.fixture
def mapped(monkeypatch):
    """Also small indexes have a file of arrays."""
    monkeypatch.setattr("skillret.index.sqlite_arrays.MAP_FROM", 1)


def write_base(cache, token, block, last_key, seq):
    extent = Extent(len(block), len(block.grams), block.vectors.shape[1])
    return cache.write_base([block], extent, token, last_key, seq)


@pytest.mark.parametrize("damage", ["delete", "empty", "garbage", "foreign", "pipes"])
def test_a_lost_or_damaged_cache_is_made_anew(tmp_path, encoder, mapped, damage):
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    cache = tmp_path / "i.db.cache"
    if damage == "delete":
        shutil.rmtree(cache)
    elif damage == "foreign":
        fill(tmp_path / "other.db", SKILLS[:2]).close()
        (ours,) = cache.glob("*/bm25*")
        (theirs,) = (tmp_path / "other.db.cache").glob("*/bm25*")
        shutil.rmtree(ours)
        shutil.copytree(theirs, ours)
    else:
        for file in cache.rglob("*"):
            if file.is_file() and damage == "pipes":
                file.unlink()
                os.mkfifo(file)
            elif file.is_file():
                file.write_bytes(b"" if damage == "empty" else b"garbage")
    for _ in range(2):
        with Index.open(path) as index:
            assert said(index.corpus(), "ocr") == ["pdf-tables"]
            assert names(index) == NAMES
    with Index.open(path, model=encoder) as index:
        index.update(SKILLS[1:], sources=SOURCES)
        assert len(names(index)) == len(SKILLS) - 1
        assert said(index.corpus(), "ocr") == []


def test_arrays_are_mapped_by_the_next_process_and_followed_by_what_came_since(
    tmp_path, encoder, mapped, monkeypatch
):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        file = rows_of(path)
        index.add([make_skill("new")])
        index.remove(["meal-planner"])
        assert rows_of(path) == file  # written anew only if much has come
        expected = index.corpus()
        keys = keys_of(expected)
    reads = []
    block = sqlite.read_block
    monkeypatch.setattr(sqlite, "read_block", lambda *a: reads.append(a[3]) or block(*a))
    with Index.open(path, model=encoder) as index:
        corpus = index.corpus()
        assert reads == [4]  # the rows behind the fourth key, and no others
        assert keys_of(corpus) == keys
        rows = (c.vectors(np.array(keys)) for c in (corpus, expected))
        np.testing.assert_array_equal(*rows)
        assert names(index) == sorted([*(set(NAMES) - {"meal-planner"}), "new"])


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("what", ["vectors", "keys", "starts", "grams", "names", "counts", "total"])
def test_arrays_that_were_altered_are_not_believed(tmp_path, mapped, what, last):
    """NaN in a file of the right size: no hits, exit 0, and a need that is NaN."""
    path = tmp_path / "i.db"
    fill(path).close()
    check_answers(path)  # the state of the file is known now
    file = rows_of(path)
    with closing(sqlite3.connect(path)) as db:
        (stored,) = db.execute("SELECT value FROM meta WHERE key = 'base'").fetchone()
    offset, kind, shape = Base.from_json(stored).arrays[what]
    array = np.memmap(file, kind, "r+", offset, shape)
    position = -1 if last else 0
    array.reshape(-1)[position] = np.nan if array.dtype.kind == "f" else 2**30
    array.flush()
    del array
    after = file.stat()
    os.utime(file, ns=(after.st_atime_ns, after.st_mtime_ns + 1))
    check_answers(path)
    # Whoever writes next leaves a file that is right.
    with Index.open(path, model=HashEncoder()) as index:
        index.add([make_skill("new")])
        index.remove(["new"])
    check_answers(path)


def test_arrays_of_another_index_or_of_nobody_are_not_believed(tmp_path, mapped):
    path = tmp_path / "i.db"
    fill(path).close()
    fill(tmp_path / "other.db", [make_skill(f"s{i}") for i in range(4)]).close()
    file = rows_of(path)
    for data in (rows_of(tmp_path / "other.db").read_bytes(), b"", file.read_bytes()[:-1]):
        file.write_bytes(data)
        check_answers(path)
    file.unlink()
    check_answers(path)
    file.mkdir()
    check_answers(path)


def test_what_is_said_of_the_state_of_a_file_is_no_more_than_a_note(tmp_path, mapped):
    path = tmp_path / "i.db"
    fill(path).close()
    note = rows_of(path).with_suffix(".json")
    for text in ("", "[", "[1, 2]", "{}", "[NaN]", "[" * 1000, "null"):
        note.write_text(text)
        check_answers(path)
    note.unlink()
    note.mkdir()
    check_answers(path)


@pytest.mark.parametrize(
    "change_base",
    [
        lambda d: d | {"arrays": {**d["arrays"], "vectors": [0, "<f4", [3, 32]]}},
        lambda d: d | {"arrays": {**d["arrays"], "vectors": [-64, "<f4", [4, 32]]}},
        lambda d: d | {"arrays": {**d["arrays"], "vectors": [0, "<f4", [10**12, 32]]}},
        lambda d: d | {"arrays": {**d["arrays"], "keys": [0, "|O", [4]]}},
        lambda d: d | {"arrays": {**d["arrays"], "keys": [0, "<i8", [3]]}},
        lambda d: d | {"arrays": {**d["arrays"], "keys": [2**70, "<i8", [4]]}},
        lambda d: d | {"arrays": {**d["arrays"], "keys": [0, "<i8", [2**63, 5]]}},
        lambda d: d | {"arrays": {**d["arrays"], "keys": [0, "f4,(2,", [1]]}},
        lambda d: d | {"arrays": {}},
        lambda d: d | {"arrays": []},
        lambda d: d | {"last_key": 10**300},
        lambda d: d | {"last_key": 0},
        lambda d: d | {"last_key": 9},
        lambda d: d | {"seq": -5},
        lambda d: d | {"digest": 1},
        lambda d: d | {"size": 1},
        lambda d: d | {"token": "0" * 16},
    ],
)
def test_a_description_of_arrays_that_is_wrong_is_refused_or_harmless(
    tmp_path, mapped, change_base
):
    path = tmp_path / "i.db"
    fill(path).close()
    with closing(sqlite3.connect(path)) as db:
        (stored,) = db.execute("SELECT value FROM meta WHERE key = 'base'").fetchone()
    base = json.dumps(change_base(json.loads(stored)))
    change(path, ("UPDATE meta SET value = ? WHERE key = 'base'", (base,)))
    try:
        check_answers(path)
    except StoreError as e:
        assert "i.db" in str(e)


@pytest.mark.parametrize("token", ["../../x", "", 5, "A" * 16, "0" * 17])
def test_a_token_that_leads_elsewhere_is_refused(tmp_path, mapped, token):
    block = Block.of([1], np.ones((1, 1), dtype=np.float32), [np.array([1], dtype=np.uint32)])
    base = write_base(Cache(tmp_path), "0" * 16, block, 1, 0)
    text = base.to_json().replace('"' + "0" * 16 + '"', repr(token).replace("'", '"'))
    with pytest.raises(ValueError, match="cached rows"):
        Base.from_json(text)


def test_arrays_with_nan_are_not_believed_though_their_digest_is_right(tmp_path):
    vectors = np.full((1, 2), np.nan, dtype=np.float32)
    block = Block.of([1], vectors, [np.array([1], dtype=np.uint32)])
    cache = Cache(tmp_path)
    base = write_base(cache, "0" * 16, block, 1, 0)
    assert cache.open_base(base) is not None  # written by this very process
    (tmp_path / f"rows-{'0' * 16}.json").unlink()
    assert cache.open_base(base) is None


def test_arrays_come_back_as_they_were_written(tmp_path):
    rng = np.random.default_rng(3)
    grams = [np.unique(rng.integers(0, 1 << 22, n)).astype(np.uint32) for n in (0, 5, 300)]
    vectors = rng.standard_normal((3, 7), dtype=np.float32)
    block = Block.of([2, 5, 9], vectors, grams)
    cache = Cache(tmp_path / "new")
    base = write_base(cache, "f" * 16, block, 9, 4)
    assert Base.from_json(base.to_json()) == base
    assert (base.last_key, base.seq) == (9, 4)
    again = cache.open_base(base)
    for name in ("keys", "vectors", "starts", "grams", "names"):
        np.testing.assert_array_equal(getattr(again, name), getattr(block, name))
        assert not getattr(again, name).flags.writeable
    assert again.moments.count == 3
    np.testing.assert_array_equal(again.moments.products, block.moments.products)


def test_arrays_written_in_pages_are_those_written_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.index.blocks._SMALL", 3)  # pages with counts, and without
    rng = np.random.default_rng(4)
    sizes = (0, 5, 300, 7, 0, 40, 1, 9)
    grams = [np.unique(rng.integers(0, 7 << 20, n)).astype(np.uint32) for n in sizes]
    vectors = rng.standard_normal((8, 5), dtype=np.float32)
    keys = [2, 5, 9, 10, 11, 50, 51, 60]
    whole, cache = Block.of(keys, vectors, grams), Cache(tmp_path)
    slices = (slice(0, 5), slice(5, 6), slice(6, 8))
    pages = [Block.of(keys[own], vectors[own], grams[own]) for own in slices]
    extent = Extent(8, sum(map(len, grams)), 5)
    paged = cache.open_base(cache.write_base(pages, extent, "a" * 16, 60, 0))
    once = cache.open_base(write_base(cache, "b" * 16, whole, 60, 0))
    for name in ("keys", "vectors", "starts", "grams", "names"):
        np.testing.assert_array_equal(getattr(paged, name), getattr(once, name))
    np.testing.assert_array_equal(paged.counts.codes, once.counts.codes)
    np.testing.assert_array_equal(paged.counts.counts, once.counts.counts)
    np.testing.assert_allclose(paged.moments.products, once.moments.products, atol=1e-5)
    with pytest.raises(ValueError, match="8 rows"):
        cache.write_base(pages, extent._replace(rows=9), "c" * 16, 60, 0)
    assert not list(tmp_path.glob(f"*{'c' * 16}*"))


def test_a_note_that_is_a_link_leads_to_no_other_file(tmp_path, mapped):
    path, precious = tmp_path / "i.db", tmp_path / "precious"
    fill(path).close()
    check_answers(path)
    precious.write_text("precious")
    notes = [*path.with_name("i.db.cache").rglob("*.json")]
    notes = [n for n in notes if n.name == "checked.json" or n.name.startswith("rows-")]
    assert len(notes) == 2
    for note in notes:
        note.unlink()
        note.symlink_to(precious)
    for _ in range(2):
        check_answers(path)
    assert precious.read_text() == "precious"


def test_a_huge_file_is_read_here_and_there_and_answers_the_same(tmp_path, mapped, monkeypatch):
    monkeypatch.setattr("skillret.index.cache._HUGE", 0)
    path = tmp_path / "i.db"
    fill(path).close()
    check_answers(path)


def test_what_killed_processes_left_half_written_goes_with_the_next_change(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        cache = path.with_name("i.db.cache")
        (generation,) = cache.glob("*/bm25*")
        left = [folder / f".{n * 16}.tmp" for n in "ab" for folder in (cache, generation.parent)]
        for file in left:
            file.write_text("half")
        index.add([make_skill("next")])
        index.add([make_skill("one more")])
    assert not [file for file in left if file.exists()]


def test_bm25_is_compared_with_the_skills_once_for_each_of_its_states(
    tmp_path, mapped, monkeypatch
):
    path = tmp_path / "i.db"
    fill(path).close()
    asked = []
    keys = LexicalIndex.keys
    monkeypatch.setattr(LexicalIndex, "keys", lambda *a: asked.append(1) or keys(*a))
    with Index.open(path) as index:
        index.corpus()
    assert asked
    asked.clear()
    with Index.open(path) as index:
        index.corpus()
    assert not asked
    (note,) = path.with_name("i.db.cache").glob("*/checked.json")
    note.write_text("[1, 2, 3, 4, 5]")
    with Index.open(path) as index:
        index.corpus()
    assert asked


def test_old_generations_are_cleaned_up(tmp_path, encoder, mapped, monkeypatch):
    monkeypatch.setattr("skillret.index.sqlite_arrays.LEAST_TAIL", 1)
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        for number in range(9):
            index.update([*SKILLS, make_skill(f"s{number}")], sources=SOURCES)
    left = sorted(p.name for p in (tmp_path / "i.db.cache").iterdir())
    assert sum(not n.startswith("rows-") for n in left) == 2
    assert sum(n.endswith(".bin") for n in left) <= 2
    assert sum(n.endswith(".json") for n in left) <= 2


def test_a_cache_that_cannot_be_looked_into_is_passed_by(tmp_path, monkeypatch):
    fill(tmp_path / "i.db").close()

    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", closed)
    assert Cache(tmp_path / "i.db.cache").open_lexical("0" * 16, 4) is None


# --- links -----------------------------------------------------------------------------------


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


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_a_cache_folder_that_is_a_link_is_never_written(tmp_path, mapped):
    path, cache, victim = tmp_path / "i.db", tmp_path / "i.db.cache", tmp_path / "victim"
    fill(path).close()
    shutil.move(cache, victim)
    cache.symlink_to(victim)
    (victim / "precious").write_text("mine")
    before = {p: p.stat().st_mtime_ns for p in victim.rglob("*")}
    check_answers(path)  # from the store alone
    with Index.open(path, model=HashEncoder()) as index:
        for write in (lambda: index.add([make_skill("new")]), lambda: index.remove(NAMES)):
            with pytest.raises(StoreError, match=r"i\.db\.cache is a link"):
                write()
        assert names(index) == NAMES
    assert {p: p.stat().st_mtime_ns for p in victim.rglob("*")} == before
    cache.unlink()
    with Index.open(path, model=HashEncoder()) as index:
        index.add([make_skill("new")])
        assert len(names(index)) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
@pytest.mark.parametrize("damage", ["none", "another bm25"])
def test_a_cache_whose_folders_are_links_leads_nowhere(tmp_path, encoder, mapped, damage):
    """An index that someone else sent: its cache may link to any folder of the reader's."""
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    (generation,) = (p for p in (tmp_path / "i.db.cache").iterdir() if p.is_dir())
    victim = tmp_path / "victim"
    shutil.move(generation, victim)
    (bm25,) = victim.glob("bm25*")
    shutil.rmtree(bm25)
    if damage != "none":
        bm25.mkdir()
    (victim / "precious").write_text("mine")
    generation.symlink_to(victim)
    before = sorted(victim.rglob("*"))
    with Retriever(Index.open(path, model=encoder)) as retriever:
        assert retriever.search("find out why pods crash", k=1)[0].name == "kubernetes-debugging"
        retriever.index.update(SKILLS[:2], sources=SOURCES)
        retriever.index.update(SKILLS[:3], sources=SOURCES)
        assert len(retriever.search("pods", k=9)) == 3
    assert sorted(victim.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
@pytest.mark.parametrize("suffix", [".bin", ".json"])
def test_files_of_arrays_that_are_links_are_passed_by(tmp_path, mapped, suffix):
    path = tmp_path / "i.db"
    fill(path).close()
    file, precious = rows_of(path).with_suffix(suffix), tmp_path / "precious"
    shutil.move(file, precious)
    before = precious.read_bytes()
    file.symlink_to(precious)
    for _ in range(2):
        check_answers(path)
        assert precious.read_bytes() == before


def test_damage_at_random_changes_no_answer(tmp_path, mapped):
    encoder = HashEncoder()
    skills = [make_skill(f"s{i}", body=f"pods {i} " * 20) for i in range(40)]
    path = tmp_path / "whole" / "i.db"
    fill(path, skills, encoder).close()

    def answers(path):
        with Retriever(Index.open(path, model=encoder)) as retriever:
            return [h.name for h in retriever.search("pods 7", 5)], names(retriever.index)

    expected = answers(path)
    rng = random.Random(5)
    for _ in range(30):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path.parent, copy)
        file = rng.choice(sorted((copy / "i.db.cache").glob("rows-*")))
        data = bytearray(file.read_bytes())
        start = rng.randrange(len(data))
        data[start : start + 200] = rng.randbytes(rng.choice([1, 200, 300]))
        file.write_bytes(data)
        assert answers(copy / "i.db") == expected
