"""An index file: readers and writers, other files in its place, files that are none."""

import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import SKILLS, HashEncoder, LateHashEncoder, fill, make_skill
from tests.index.tools import SOURCES, change, keys_of, names, run, said

from skillret import Index, Retriever
from skillret.errors import IndexBusyError, IndexCorruptError, SkillretError, StoreError

NAMES = sorted(s.name for s in SKILLS)


# --- readers and writers ---------------------------------------------------------------------


def test_a_reader_sees_the_next_generation_and_keeps_its_own(tmp_path, encoder, changed):
    with (
        fill(tmp_path / "i.db", encoder=encoder) as writer,
        Index.open(tmp_path / "i.db", model=encoder) as reader,
    ):
        old = reader.corpus()
        assert reader.corpus() is old
        writer.update([changed(SKILLS[0], "zebra"), *SKILLS[1:]], sources=SOURCES)
        # Its record is gone, its terms are not.
        assert len(old.best(old.terms("ocr"), 9)[0]) == 1
        assert said(reader.corpus(), "zebra") == ["pdf-tables"]
        assert reader.corpus().generation != old.generation


def test_a_reader_works_while_a_writer_is_busy(tmp_path, encoder):
    path = tmp_path / "i.db"

    class Looking(HashEncoder):
        def encode_documents(self, texts, progress=None):
            with Index.open(path) as reader:
                self.seen = names(reader)
            return super().encode_documents(texts, progress)

    looking = Looking()
    fill(path, encoder=encoder).close()
    with Index.open(path, model=looking) as index:
        index.update([*SKILLS, make_skill("new")], sources=SOURCES)
    assert looking.seen == NAMES


def test_a_second_writer_gets_a_clear_message(tmp_path, encoder):
    path = tmp_path / "i.db"
    with (
        fill(path, encoder=encoder) as first,
        Index.open(path, model=encoder) as second,
        first.writing(),
        pytest.raises(IndexBusyError, match=r"another writer is at work on .*i\.db"),
    ):
        second.update(SKILLS[1:], sources=SOURCES, timeout=0)
    with Index.open(path, model=encoder) as second:
        assert second.update(SKILLS[1:], sources=SOURCES, timeout=0).removed == 1


def test_a_second_writer_of_the_same_index_waits_too(tmp_path, encoder):
    refused = []
    with fill(tmp_path / "i.db", encoder=encoder) as index, index.writing():

        def write():
            with pytest.raises(IndexBusyError, match="another writer is at work"):
                index.add([make_skill("new")], timeout=0)
            refused.append(True)

        other = threading.Thread(target=write)
        other.start()
        other.join()
        assert refused
        index.add([make_skill("new")])  # the thread that holds it may go on
        assert len(index) == 5


@pytest.mark.parametrize("shared", [True, False])
def test_several_threads_write_one_index_and_all_is_there(tmp_path, shared):
    """Sharing one index, or each with one of its own."""
    path, failed = tmp_path / "i.db", []
    fill(path).close()
    opened = [Index.open(path, model=HashEncoder()) for _ in range(4)]

    def write(number):
        index = opened[0 if shared else number]
        try:
            for i in range(10):
                index.add([make_skill(f"t{number}-{i}", f"thing {number} {i}")])
                assert index.get(f"t{number}-{i}") is not None
                index.corpus()
        except Exception as e:
            failed.append(e)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    expected = sorted([*NAMES, *(f"t{n}-{i}" for n in range(4) for i in range(10))])
    for index in opened:
        assert names(index) == expected
        index.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


_ADDS = """
    import sys
    from tests.conftest import HashEncoder, make_skill
    import skillret
    index = skillret.Index.open(sys.argv[1], create=True, model=HashEncoder())
    sys.stdin.readline()
    for i in range(10):
        index.add([make_skill(f"{sys.argv[2]}-{i}", f"thing {i}")])
        assert skillret.Index.corpus(index).generation
"""


def test_several_processes_write_one_index_and_all_is_there(tmp_path):
    writers = [run(_ADDS, tmp_path / "i.db", n) for n in range(3)]
    for writer in writers:
        _, err = writer.communicate("\n")
        assert writer.returncode == 0, err
    with Index.open(tmp_path / "i.db") as index:
        assert names(index) == sorted(f"{n}-{i}" for n in range(3) for i in range(10))
        assert not index.store.damaged()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_an_index_by_two_names_is_one_index(tmp_path, encoder):
    path, link = tmp_path / "i.db", tmp_path / "link.db"
    fill(path, SKILLS[:2], encoder).close()
    link.symlink_to(path)
    with (
        Index.open(link, model=encoder) as index,
        index.writing(),
        Index.open(path, model=encoder) as other,
    ):
        with pytest.raises(IndexBusyError):
            other.update(SKILLS, sources=SOURCES, timeout=0.1)
        index.update(SKILLS, sources=SOURCES)
        assert names(other) == NAMES
    assert not (tmp_path / "link.db.cache").exists()
    assert not (tmp_path / "link.db.lock").exists()


def test_a_relative_path_means_the_folder_where_it_was_opened(tmp_path, encoder, monkeypatch):
    """After a change of folder two writers ran at once, and another index was searched."""
    (tmp_path / "elsewhere").mkdir()
    fill(tmp_path / "elsewhere" / "i.db", [make_skill("wrong")], encoder).close()
    monkeypatch.chdir(tmp_path)
    with (
        fill(Path("i.db"), encoder=encoder) as index,
        Index.open(tmp_path / "i.db", model=encoder) as other,
    ):
        monkeypatch.chdir(tmp_path / "elsewhere")
        before = sorted(Path.cwd().iterdir())
        with other.writing(), pytest.raises(IndexBusyError):
            index.add([make_skill("new")], timeout=0)
        with index.writing(), pytest.raises(IndexBusyError):
            other.add([make_skill("new")], timeout=0)
        index.add([make_skill("new")])
        assert names(index) == names(other) == sorted([*NAMES, "new"])
        assert sorted(Path.cwd().iterdir()) == before


# --- another file in its place ---------------------------------------------------------------


def test_a_deleted_index_serves_its_readers_to_the_end(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        index.corpus()
        path.unlink()
        shutil.rmtree(tmp_path / "i.db.cache")
        assert names(index) == NAMES


@pytest.mark.parametrize("how", ["move", "copy", "copy of the same size"])
@pytest.mark.parametrize("mapped", [True, False])
def test_an_index_that_another_one_replaced_is_opened_again(
    tmp_path, encoder, monkeypatch, how, mapped
):
    if mapped:
        monkeypatch.setattr("skillret.index.sqlite_arrays.MAP_FROM", 1)
    path, new = tmp_path / "i.db", tmp_path / "new.db"
    with fill(path, encoder=encoder) as index, Retriever(index) as retriever:
        assert len(retriever.search("pods", 9)) == 4
        fresh = [
            make_skill(f"fresh-{s.name}"[: len(s.name)], s.description, s.body) for s in SKILLS
        ]
        fill(new, fresh if how.endswith("size") else fresh[:1], encoder).close()
        if how.endswith("size"):
            assert path.stat().st_size == new.stat().st_size
        if how == "move":
            new.replace(path)
        else:
            path.write_bytes(new.read_bytes())
        expected = sorted(s.name for s in (fresh if how.endswith("size") else fresh[:1]))
        assert names(index) == expected
        assert sorted(hit.name for hit in retriever.search("pods", 9)) == expected
        # It is a whole index again, for whoever writes it.
        index.add([make_skill("more")])
        assert names(index) == sorted([*expected, "more"])


def test_a_backup_that_is_put_back_is_no_mixture(tmp_path, encoder):
    """Its keys are those of other skills, and its generations have the same numbers."""
    path, backup = tmp_path / "i.db", tmp_path / "backup.db"
    with fill(path, SKILLS[:2], encoder) as index:
        index.corpus()
        shutil.copyfile(path, backup)
        index.add([make_skill("first", "one way")])
        assert "first" in names(index)
        with Index.open(backup, model=encoder) as other:
            other.add([make_skill("second", "another way")])
        shutil.copyfile(backup, path)
        assert names(index) == sorted(["second", *(s.name for s in SKILLS[:2])])
        assert said(index.corpus(), "way") == ["second"]


def test_a_file_that_is_no_index_in_its_place_is_refused(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        index.corpus()
        whole = path.read_bytes()
        for bad in (b"no database " * 1000, whole[: len(whole) // 2], b""):
            path.write_bytes(bad)
            with pytest.raises(StoreError, match=r"i\.db"):
                index.corpus()
        path.write_bytes(whole)
        assert names(index) == NAMES


# --- files that are no index -----------------------------------------------------------------


def test_no_index_a_folder_and_a_text_file_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(StoreError, match="skillret index build"):
        Index.open(tmp_path / "missing.db")
    with pytest.raises(StoreError, match="is a folder"):
        Index.open(tmp_path)
    file = tmp_path / "text.db"
    file.write_text("I am no database. " * 1000)
    for create in (False, True):
        with pytest.raises(IndexCorruptError, match=r"text\.db is no skillret index; give another"):
            Index.open(file, create=create)
    assert file.read_text().startswith("I am no database.")


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_and_a_loop_of_links_are_no_place_for_an_index(tmp_path):
    os.mkfifo(tmp_path / "pipe.db")
    (tmp_path / "loop.db").symlink_to("loop.db")
    for create in (False, True):
        with pytest.raises(StoreError, match="no regular file; give another --index"):
            Index.open(tmp_path / "pipe.db", create=create)
        with pytest.raises(StoreError, match=r"loop\.db"):
            Index.open(tmp_path / "loop.db", create=create)


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "%3f.db", "ü.db"])
def test_a_path_may_hold_any_character(tmp_path, name):
    with fill(tmp_path / name) as index:
        assert len(names(index)) == 4
    assert (tmp_path / name).is_file()


def test_a_truncated_index_is_refused_or_complete_never_half(tmp_path, encoder):
    skills = [make_skill(f"skill-{i}", body="word " * 300) for i in range(60)]
    path = tmp_path / "i.db"
    fill(path, skills, encoder).close()
    whole = path.read_bytes()
    refused = 0
    for size in [0, 1, 100, 4096, *range(5000, len(whole), len(whole) // 25)]:
        path.write_bytes(whole[:size])
        try:
            with Index.open(path) as index:
                assert len(names(index)) == 60
        except StoreError as e:
            refused += 1
            assert "i.db" in str(e)
    assert refused > 20


# --- files of someone else's -----------------------------------------------------------------


@pytest.fixture
def public():
    """A folder that another user can reach; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="skillret-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# Permissions mean nothing to root, so the check runs as nobody; all modules are loaded before,
# since nobody may not be allowed to read them.
_AS_NOBODY = """
    import os, sys
    import skillret, skillret.index.index, filelock, tempfile, random
    from skillret.errors import StoreError
    from tests.conftest import HashEncoder, SKILLS, make_skill
    from tests.index.tools import names, said
    warm = skillret.Index.open(sys.argv[2], model=HashEncoder())
    said(warm.corpus(), "x")
    if os.getuid() == 0:
        os.setgid(65534); os.setuid(65534)
    with skillret.Index.open(sys.argv[1], model=HashEncoder()) as index:
        print(len(names(index)), len(said(index.corpus(), "ocr")))
        for change in (
            lambda: index.update([make_skill("new")]),
            lambda: index.add([make_skill("new")]),
            lambda: index.remove(["pdf-tables"]),
        ):
            try:
                change()
            except StoreError as e:
                print(e, flush=True)
        sys.stdin.readline()
        print(len(names(index)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("cache", [True, False])
def test_a_read_only_index_is_searched_and_not_written(public, tmp_path, encoder, cache):
    path = public / "i.db"
    fill(path).close()
    fill(tmp_path / "warm-up.db").close()
    if not cache:
        shutil.rmtree(public / "i.db.cache")
    for file in [public, *public.rglob("*")]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    process = run(_AS_NOBODY, path, tmp_path / "warm-up.db")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    # Meanwhile its owner writes it, which the reader has to notice by itself.
    for file in [public, *public.rglob("*")]:
        file.chmod(0o755 if file.is_dir() else 0o644)
    fill(path, [*SKILLS, make_skill("new")], encoder).close()
    out, err = process.communicate("\n")
    assert process.returncode == 0, err
    assert lines[0] == "4 1\n"
    assert all("read-only" in line for line in lines[1:])
    assert out == "5\n"


# --- rows that are not what was stored -------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bodies SET body = body || '!' WHERE key = 2",
        "UPDATE skills SET description = 'Something else.' WHERE key = 2",
        "DELETE FROM bodies WHERE key = 2",
        "DELETE FROM vectors WHERE key = 2",
        "UPDATE vectors SET vector = zeroblob(64) WHERE key = 2",
        "UPDATE vectors SET vector = x'00' WHERE key = 2",
        "UPDATE vectors SET grams = x'01000000' WHERE key = 2",
        "UPDATE vectors SET digest = 5 WHERE key = 2",
    ],
)
def test_rows_that_do_not_match_their_hashes_are_mended(tmp_path, encoder, statement):
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    change(path, statement)
    with Index.open(path, model=encoder) as index:
        assert index.store.damaged() == {"kubernetes-debugging"}
        report = index.update(SKILLS, sources=SOURCES, verify=True)
        assert (report.changed, report.unchanged) == (1, 3)
        assert not index.store.damaged()
    with Index.open(path, model=encoder) as index:
        assert names(index) == NAMES
        assert index.get("kubernetes-debugging") == SKILLS[1]
        assert said(index.corpus(), "pods")[0] == "kubernetes-debugging"
        keys = np.array(keys_of(index.corpus()))
        expected = fill(tmp_path / "anew.db", encoder=encoder).corpus()
        by_id = {r.id: k for k, r in index.corpus().records(keys.tolist()).items()}
        for key, record in expected.records(keys_of(expected)).items():
            ours = index.corpus().vectors(np.array([by_id[record.id]]))
            np.testing.assert_array_equal(ours, expected.vectors(np.array([key])))
        assert not index.update(SKILLS, sources=SOURCES, verify=True).dirty


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tokens WHERE key = 2",
        "UPDATE tokens SET tokens = zeroblob(length(tokens)) WHERE key = 2",
        "UPDATE tokens SET tokens = x'00' WHERE key = 2",
        "UPDATE tokens SET digest = 5 WHERE key = 2",
        ("UPDATE tokens SET tokens = x'01', digest = ? WHERE key = 2", (zlib.crc32(b"\1"),)),
    ],
)
def test_damaged_tokens_are_handed_to_nobody_and_mended(tmp_path, statement):
    path, encoder = tmp_path / "i.db", LateHashEncoder()
    fill(path, encoder=encoder).close()
    change(path, statement)
    with Index.open(path, model=encoder) as index:
        corpus = index.corpus()
        if "DELETE" in statement:
            assert corpus.tokens(keys_of(corpus)).keys() == {1, 3, 4}
        else:
            with pytest.raises(IndexCorruptError, match="tokens that are not those"):
                corpus.tokens(keys_of(corpus))
        assert corpus.tokens([1, 3]).keys() == {1, 3}
        assert index.store.damaged() == {"kubernetes-debugging"}
        encoder.encoded.clear()
        index.add([make_skill(SKILLS[1].name, SKILLS[1].description, SKILLS[1].body, id="copy")])
        assert len(encoder.encoded) == 1
        report = index.update(SKILLS, sources=SOURCES, verify=True)
        assert (report.changed, report.unchanged) == (1, 3)
        assert not index.store.damaged()
        keys = keys_of(index.corpus())
        assert index.corpus().tokens(keys).keys() == set(keys)


def test_a_build_leaves_no_holes_in_the_file(tmp_path):
    """What it kept of its work lies in pages that the rows take over."""
    path = tmp_path / "i.db"
    skills = [make_skill(f"s{i}", body=" ".join(f"w{i}-{n}" for n in range(60))) for i in range(99)]
    fill(path, skills, LateHashEncoder()).close()
    with closing(sqlite3.connect(path)) as db:
        (free,), (pages,) = (
            db.execute(f"PRAGMA {p}").fetchone() for p in ("freelist_count", "page_count")
        )
    assert free < 0.05 * pages


def test_tokens_go_with_their_skill(tmp_path):
    path = tmp_path / "i.db"
    with fill(path, encoder=LateHashEncoder()) as index:
        corpus = index.corpus()
        index.remove([SKILLS[1].id])
        assert corpus.tokens([1, 2, 3]).keys() == {1, 3}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT key FROM tokens").fetchall() == [(1,), (3,), (4,)]


def test_a_damaged_vector_is_never_handed_on(tmp_path, encoder):
    """Neither to a search, nor to another skill of the same text."""
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    change(path, "UPDATE vectors SET vector = zeroblob(64)")
    with Index.open(path, model=encoder) as index:
        with pytest.raises(IndexCorruptError, match="not those that were stored"):
            index.corpus()
        encoder.encoded.clear()
        moved = [make_skill(s.name, s.description, s.body, id=f"{s.id}-2") for s in SKILLS]
        index.update(moved, sources=SOURCES)
        assert len(encoder.encoded) == 4
        assert names(index) == NAMES


def test_errors_name_the_file_and_are_one_line(tmp_path):
    fill(tmp_path / "i.db").close()
    change(tmp_path / "i.db", "UPDATE skills SET aliases = '{' WHERE key = 3")
    with Index.open(tmp_path / "i.db") as index, pytest.raises(SkillretError) as e:
        list(index.skills())
    assert "i.db" in str(e.value)
    assert "\n" not in str(e.value)
