"""When the file of arrays beside an index is written, and by whom."""

import shutil
import threading

import pytest
from tests.conftest import SKILLS, fill, make_skill
from tests.index.tools import check_answers, names, rows_of

from skillret import Index
from skillret.index.cache import Cache


@pytest.fixture
def mapped(monkeypatch):
    """Also small indexes have a file of arrays."""
    monkeypatch.setattr("skillret.index.sqlite_arrays.MAP_FROM", 1)


@pytest.mark.parametrize("loss", ["none", "folder", "arrays", "damage"])
def test_arrays_that_are_lost_are_written_again_by_whoever_opens(tmp_path, encoder, mapped, loss):
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    before = rows_of(path)
    if loss == "folder":  # as beside a copy of the file alone
        shutil.rmtree(before.parent)
    elif loss == "arrays":
        before.unlink()
    elif loss == "damage":
        before.write_bytes(before.read_bytes()[:-1] + b"x")
    check_answers(path)
    assert (rows_of(path) == before) == (loss == "none")
    with Index.open(path) as index:
        assert not index.corpus().blocks[0].vectors.flags.writeable  # mapped
        assert len(index.corpus().blocks) == 1


def test_arrays_that_cannot_be_written_again_are_done_without(tmp_path, encoder, mapped):
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    rows_of(path).unlink()
    holder = Index.open(path)
    with holder.writing():
        thread = threading.Thread(target=check_answers, args=(path,))
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        assert not list(path.with_name("i.db.cache").glob("rows-*.bin"))
    assert rows_of(path)


def test_arrays_that_cannot_be_mapped_just_now_are_left_as_they_are(
    tmp_path, encoder, mapped, monkeypatch
):
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    file, before = rows_of(path), path.read_bytes()

    def full(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr("skillret.index.cache.mmap.mmap", full)
        check_answers(path)
    assert rows_of(path) == file
    assert path.read_bytes() == before


def test_bm25_that_is_lost_is_made_anew_without_the_arrays(tmp_path, encoder, mapped, monkeypatch):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        index.add([make_skill(f"s{n}") for n in range(9)])
    for folder in path.with_name("i.db.cache").glob("*/bm25*"):
        shutil.rmtree(folder)
    monkeypatch.setattr("skillret.index.sqlite_arrays.LEAST_TAIL", 0)
    monkeypatch.setattr(Cache, "write_base", None)  # which would wait for the reader itself
    with Index.open(path) as index:
        assert len(names(index)) == len(SKILLS) + 9


def test_many_changes_under_one_lock_write_the_arrays_once(tmp_path, encoder, mapped, monkeypatch):
    monkeypatch.setattr("skillret.index.sqlite_arrays.LEAST_TAIL", 0)
    written = []
    write = Cache.write_base
    monkeypatch.setattr(Cache, "write_base", lambda *a: written.append(1) or write(*a))
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        written.clear()
        with index.writing():
            for number in range(5):
                index.add([make_skill(f"s{number}")])
            assert not written
            assert names(index)  # and what was added is there before
        assert len(written) == 1
        assert len(index) == len(SKILLS) + 5
