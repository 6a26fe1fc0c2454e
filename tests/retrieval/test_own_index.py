"""An index that nobody named and that is damaged."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.conftest import HashEncoder, write_skill

from skillret import Index, Library, Retriever
from skillret.errors import IndexCorruptError, StoreError
from skillret.index import default_index_path
from skillret.index.damage import identity, kept_as, set_aside

ENCODER = HashEncoder()


def opened(library, tell=None, **options):
    return Retriever.open(library=library, model=ENCODER, on_update=tell, **options)


def own_index(library):
    return default_index_path(Library.open(library), ENCODER.profile.name)


def no_database(data):
    return b"garbage garbage"


def shortened(data):
    return data[: len(data) // 3]


def zeros_inside(data):
    return data[:4096] + bytes(len(data) - 4096)


def foreign_bodies(data):
    """Whole to SQLite at a glance; what is read of single skills is not."""
    return data.replace(b"kubernetes-debugging", b"kubernetes-\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff")


DAMAGES = [no_database, shortened, zeros_inside, foreign_bodies]


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_set_aside_and_made_anew_with_one_line(library, damage):
    opened(library).close()
    path = own_index(library)
    path.write_bytes(broken := damage(path.read_bytes()))
    said = []
    with opened(library, said.append) as retriever:
        assert retriever.search("pods", k=1)[0].name == "kubernetes-debugging"
        assert len(retriever.index) == 4
    (line,) = [line for line in said if "set aside" in line]
    assert line.startswith(str(path))
    assert line.endswith(f"set aside as {path.name}.damaged and made anew")
    assert kept_as(path).read_bytes() == broken
    said.clear()
    with opened(library, said.append) as retriever:
        assert retriever.search("pods", k=1)[0].name == "kubernetes-debugging"
    assert said == []


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("ask", ["search", "select", "refresh", "searcher"])
def test_one_that_is_open_is_made_anew_as_well(library, damage, ask):
    said = []
    with opened(library, said.append) as retriever:
        retriever.search("pods")
        path = own_index(library)
        path.write_bytes(damage(path.read_bytes()))
        asked = getattr(retriever, ask)
        asked("pods") if ask in ("search", "select") else asked()
        assert retriever.search("pods", k=1)[0].name == "kubernetes-debugging"
        write_skill(library, "knitting", "Knit a scarf.")
        retriever.refresh()
        assert retriever.search("knit a scarf", k=1)[0].name == "knitting"
    assert sum("set aside" in line for line in said) == 1


@pytest.mark.parametrize("damage", [no_database, shortened])
def test_one_that_was_named_is_never_touched(library, tmp_path, damage):
    named = tmp_path / "named.db"
    opened(library, index=named).close()
    named.write_bytes(broken := damage(named.read_bytes()))
    for options in ({"library": library}, {}):
        with pytest.raises(IndexCorruptError):
            Retriever.open(index=named, model=ENCODER, **options)
    assert named.read_bytes() == broken
    assert not kept_as(named).exists()


def test_one_that_is_named_while_it_is_open_is_never_touched(library, tmp_path):
    named = tmp_path / "named.db"
    with opened(library, index=named) as retriever:
        named.write_bytes(b"garbage garbage")
        with pytest.raises(IndexCorruptError):
            retriever.search("pods")
    assert named.read_bytes() == b"garbage garbage"


def test_one_that_cannot_be_set_aside_may_be_deleted(library):
    opened(library).close()
    path = own_index(library)
    path.write_bytes(b"garbage garbage")
    kept_as(path).mkdir()
    with pytest.raises(IndexCorruptError, match=r"is no skillret index; it is made anew once it"):
        opened(library)
    assert path.read_bytes() == b"garbage garbage"


def test_what_another_process_has_made_meanwhile_is_not_moved(library):
    opened(library).close()
    path = own_index(library)
    path.write_bytes(b"garbage garbage")
    seen = identity(path)
    opened(library).close()
    made = path.read_bytes()
    assert not set_aside(path, seen)
    assert not set_aside(path, None)
    assert path.read_bytes() == made


def test_one_that_is_open_is_found_again_while_another_process_makes_it_anew(library):
    said = []
    with opened(library, said.append) as retriever:
        retriever.search("pods")
        path = own_index(library)
        current = retriever._current

        def meanwhile():
            retriever._current = current
            path.replace(kept_as(path))  # which another one does after it found damage
            raise StoreError("unable to open database file")

        retriever._current = meanwhile
        assert retriever.search("pods", k=1)[0].name == "kubernetes-debugging"

        def failing():
            raise StoreError("the disk is full")

        retriever._current = failing
        with pytest.raises(StoreError, match="the disk is full"):
            retriever.search("pods")
    assert not any("set aside" in line for line in said)


def test_many_threads_that_find_it_damaged_make_it_anew_once(library):
    said = []
    with opened(library, said.append) as retriever:
        own_index(library).write_bytes(b"garbage garbage")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: retriever.search("pods", k=1), range(64)))
    assert {hits[0].name for hits in found} == {"kubernetes-debugging"}
    assert sum("set aside" in line for line in said) == 1


def test_many_processes_that_find_it_damaged_all_find_the_skill(library):
    with Retriever.open(library=library):
        pass
    path = default_index_path(Library.open(library), "default")
    path.write_bytes(shortened(path.read_bytes()))
    command = [sys.executable, "-m", "skillret", "search", "pods", "--library", str(library)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    told = [process.communicate() for process in started]
    assert all(out.startswith(" 1. kubernetes-debugging") for out, _ in told), told
    assert sum("set aside" in err for _, err in told) == 1
    assert path.read_bytes() != kept_as(path).read_bytes()


def test_a_log_that_was_left_without_its_file_does_no_harm(library):
    """SQLite deletes it; what was opened while the other one was moved may leave one."""
    opened(library).close()
    path = own_index(library)
    with Index.open(path, model=ENCODER) as index, index.store._db.transaction() as db:
        db.execute("INSERT INTO meta VALUES ('x', 'y')")
        log = path.with_name(path.name + "-wal").read_bytes() or b"log"
    path.replace(kept_as(path))
    path.with_name(path.name + "-wal").write_bytes(log)
    said = []
    with opened(library, said.append) as retriever:
        assert retriever.search("pods", k=1)[0].name == "kubernetes-debugging"
    assert not any("set aside" in line for line in said)
