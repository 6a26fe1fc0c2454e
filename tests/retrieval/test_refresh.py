"""Bringing an index up to date: what was seen last wins, whoever waited for the lock."""

import threading

import pytest
from tests.conftest import HashEncoder, make_skill, write_skill

from skillret import Index
from skillret.index import Sources
from skillret.retrieval.refresh import Folders, refresh


@pytest.fixture
def folder(tmp_path):
    write_skill(tmp_path / "lib", "a", "old text")
    return tmp_path / "lib"


def description(index):
    return index.get(next(index.skills()).id).description


def test_an_older_scan_never_overwrites_a_newer_one(tmp_path, folder):
    """Whoever waited for the lock stored what he saw before he waited, over what came meanwhile."""
    folders, told = Folders.of([folder]), []
    with Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index:
        refresh(index, folders, folders.library(), told.append)
        write_skill(folder, "a", "older text")
        older = folders.library()
        write_skill(folder, "a", "newer text")
        assert refresh(index, folders, folders.library(), told.append).changed == 1
        refresh(index, folders, older, told.append)
        assert description(index) == "newer text"
        assert refresh(index, folders, folders.library(), told.append) is None


def test_who_waits_for_another_writer_looks_again(tmp_path, folder):
    folders = Folders.of([folder])
    waits, done = threading.Event(), []

    def tell(text):
        if "waiting for it" in text:
            waits.set()

    with (
        Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index,
        Index.open(tmp_path / "i.db", model=HashEncoder()) as other,
    ):
        library = folders.library()
        waiting = threading.Thread(
            target=lambda: done.append(refresh(other, folders, library, tell))
        )
        with index.writing():
            waiting.start()
            waits.wait()
            write_skill(folder, "a", "newer text")
            current = folders.library()
            index.update(
                current.skills, sources=Sources.of(current), fingerprint=current.fingerprint
            )
        waiting.join()
        assert description(index) == description(other) == "newer text"
        assert not done[0].dirty


def test_what_is_added_while_it_encodes_is_seen_the_next_time(tmp_path, folder):
    folders = Folders.of([folder])

    class Slow(HashEncoder):
        def encode_documents(self, texts, progress=None):
            if not (folder / "b").exists():
                write_skill(folder, "b", "meanwhile")
            return super().encode_documents(texts, progress)

    with Index.open(tmp_path / "i.db", create=True, model=Slow()) as index:
        assert refresh(index, folders, folders.library(), print).total == 1
        assert refresh(index, folders, folders.library(), print).total == 2
        assert refresh(index, folders, folders.library(), print) is None


def test_a_skill_added_by_hand_is_gone_after_the_next_look_at_the_folders(tmp_path, folder):
    """An index of folders holds what they hold."""
    folders = Folders.of([folder])
    with Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index:
        refresh(index, folders, folders.library(), print)
        index.add([make_skill("by-hand")])
        assert refresh(index, folders, folders.library(), print).removed == 1
