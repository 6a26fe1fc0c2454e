import os
import threading
import time

import pytest

from skillret import Retriever
from skillret.errors import IndexCorruptError, InputError, StoreError
from skillret.serving.libraries import Libraries, ReadOnlyError, UnknownLibraryError
from tests.conftest import SKILLS, HashEncoder, make_skill


@pytest.fixture
def libraries(tmp_path):
    made = Libraries(tmp_path / "served", model=HashEncoder(), most_open=2)
    yield made
    made.close()


def fill(libraries, name, *skills):
    libraries.create(name)
    with libraries.lent(name) as retriever:
        retriever.index.add(skills or SKILLS)


def names(libraries, name, query="plan meals"):
    with libraries.lent(name) as retriever:
        return [hit.name for hit in retriever.search(query, 1)]


def test_are_made_listed_searched_and_deleted(libraries):
    assert libraries.names() == []
    assert libraries.create("b")
    assert not libraries.create("b")
    fill(libraries, "a")
    assert libraries.names() == ["a", "b"]
    assert names(libraries, "a") == ["meal-planner"]
    assert names(libraries, "b") == []
    libraries.delete("a")
    assert libraries.names() == ["b"]
    assert not any(path.name.startswith(".") for path in libraries.folder.iterdir())
    with pytest.raises(UnknownLibraryError, match="no library 'a'"), libraries.lent("a"):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "A", "a/b", "-a", "a" * 65, "a\n", "ä"])
def test_odd_names_lead_nowhere(libraries, name):
    for work in (libraries.create, libraries.delete):
        with pytest.raises(InputError, match="no name of a library"):
            work(name)
    with pytest.raises(InputError, match="no name of a library"), libraries.lent(name):
        pass


def test_default_one_is_read_only(tmp_path, library):
    encoder = HashEncoder()
    index = tmp_path / "i.db"
    opened = lambda: Retriever.open(library=library, index=index, model=encoder)  # noqa: E731
    libraries = Libraries(tmp_path / "served", opened)
    assert libraries.names() == ["default"]
    assert names(libraries, "default") == ["meal-planner"]
    assert libraries.encoder() is encoder  # one in memory
    assert not libraries.create("default")
    with pytest.raises(ReadOnlyError, match="read-only"):
        libraries.delete("default")
    libraries.close()


def test_there_need_not_be_a_default_one(libraries):
    with pytest.raises(InputError, match="choose another name"):
        libraries.create("default")
    with pytest.raises(UnknownLibraryError), libraries.lent():
        pass


def test_few_are_open_at_once(libraries):
    for name in "abcd":
        fill(libraries, name)
    assert libraries.open_count == 2
    for name in "abcdabcd":
        assert names(libraries, name) == ["meal-planner"]
        assert libraries.open_count <= 2


def test_one_in_use_is_never_closed(libraries):
    for name in "abcd":
        fill(libraries, name)
    with libraries.lent("a") as held:
        for name in "bcd":
            names(libraries, name)
        assert held.search("plan meals", 1)[0].name == "meal-planner"
        libraries.delete("a")
        assert held.search("plan meals", 1)[0].name == "meal-planner"
    with pytest.raises(StoreError, match="closed"):
        held.search("plan meals", 1)


def test_are_opened_once_by_many_threads(libraries, monkeypatch):
    fill(libraries, "a")
    libraries.close()
    opened = []
    really = Libraries._opened
    monkeypatch.setattr(Libraries, "_opened", lambda self, n: opened.append(n) or really(self, n))
    barrier = threading.Barrier(8)
    found = []

    def search():
        barrier.wait()
        found.append(names(libraries, "a"))

    threads = [threading.Thread(target=search) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["meal-planner"]] * 8
    assert opened == ["a"]


def test_what_another_process_makes_and_deletes_is_seen(libraries, tmp_path):
    other = Libraries(tmp_path / "served", model=HashEncoder())
    fill(libraries, "a")
    assert names(other, "a") == ["meal-planner"]
    libraries.delete("a")
    with pytest.raises(UnknownLibraryError), other.lent("a"):
        pass
    fill(libraries, "a", make_skill("soup", "Cook a soup."))
    assert names(other, "a", "soup") == ["soup"]
    with other.lent("a") as retriever:
        retriever.index.add([make_skill("bread", "Bake bread.")])
    assert names(libraries, "a", "bake bread") == ["bread"]
    other.close()


@pytest.mark.parametrize("content", [b"no database" * 1000, b""])
def test_a_damaged_one_is_told_and_the_others_live(libraries, content):
    fill(libraries, "a")
    fill(libraries, "b")
    libraries.close()
    (libraries.folder / "a" / "index.db").write_bytes(content)
    with pytest.raises(IndexCorruptError, match="the library 'a' is damaged"), libraries.lent("a"):
        pass
    assert names(libraries, "b") == ["meal-planner"]
    libraries.delete("a")
    fill(libraries, "a")
    assert names(libraries, "a") == ["meal-planner"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    libraries = Libraries(tmp_path / "file", model=HashEncoder())
    with pytest.raises(StoreError, match="cannot"):
        libraries.create("a")
    assert libraries.names() == []


def test_what_is_deleted_while_it_is_written_comes_back_with_nothing(libraries):
    fill(libraries, "a")
    with pytest.raises(UnknownLibraryError), libraries.lent("a") as retriever:
        libraries.delete("a")
        retriever.index.add([make_skill("late", "Came too late.")])
    assert not list(libraries.folder.iterdir())
    (libraries.folder / "a" / "index.db.cache").mkdir(parents=True)  # as earlier versions left it
    assert libraries.names() == []
    assert libraries.create("a")
    assert names(libraries, "a") == []


def test_what_a_killed_process_left_is_deleted_at_the_next_start(tmp_path):
    folder = tmp_path / "served"
    fill(Libraries(folder, model=HashEncoder()), "a")
    for name, age in ((".old-1", 0), (".new-1", 3600), (".new-2", 0)):
        (folder / name).mkdir()
        (folder / name / "index.db").touch()
        then = time.time() - age
        os.utime(folder / name, (then, then))
    libraries = Libraries(folder, model=HashEncoder())
    assert sorted(path.name for path in folder.iterdir()) == [".new-2", "a"]
    assert libraries.names() == ["a"]
