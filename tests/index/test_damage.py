"""Setting a damaged index aside."""

import pytest

from skillret.errors import IndexBusyError
from skillret.index.damage import identity, set_aside
from skillret.index.write_lock import WriteLock


def test_the_log_goes_where_its_file_goes(tmp_path):
    folder = tmp_path / "indexes"
    folder.mkdir()
    path = folder / "i.db"
    for name, text in (("i.db", "a"), ("i.db-wal", "b"), ("i.db.damaged-shm", "old")):
        (folder / name).write_text(text)
    assert set_aside(path, identity(path))
    assert {f.name for f in folder.iterdir()} == {"i.db.damaged", "i.db.damaged-wal", "i.db.lock"}


def test_an_index_that_someone_writes_is_not_moved(tmp_path):
    path = tmp_path / "i.db"
    path.write_text("a")
    lock = WriteLock(tmp_path / "i.db.lock", str(path), 1.0)
    with lock.taken(), pytest.raises(IndexBusyError, match="another writer is at work"):
        set_aside(path, identity(path), timeout=0)
    assert path.read_text() == "a"
