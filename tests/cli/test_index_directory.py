"""`skillret index list --all` and `skillret index clean`."""

import json
import shutil

import pytest
from tests.cli.test_search import run
from tests.conftest import SKILLS, HashEncoder, write_skill

from skillret import Index, Library
from skillret.index import Sources, default_index_path
from skillret.index.damage import kept_as
from skillret.index.sources import default_indexes


@pytest.fixture
def indexes(library, tmp_path):
    """Of a library, of one that is gone, of a data set on the hub, without sources, damaged."""
    write_skill(tmp_path / "other", "knitting", "Knit a scarf.")
    paths = []
    for number, source in enumerate(
        (
            Sources.of(Library.open(library)),
            Sources.of(Library.open(tmp_path / "other")),
            Sources(dataset="owner/name", split="train"),
            Sources(),
        )
    ):
        path = default_index_path(source, f"model {number}")
        with Index.open(path, create=True, model=HashEncoder()) as index:
            index.update(SKILLS[number:], sources=source)
        paths.append(path)
    damaged = paths[0].with_name("damaged.db")
    damaged.write_text("no database " * 500)
    shutil.rmtree(tmp_path / "other")
    return [*paths, damaged]


def test_all_indexes_are_listed_with_what_they_hold(indexes, library, tmp_path, capsys):
    status, out, err = run(capsys, "index", "list", "--all")
    assert (status, err) == (0, "")
    lines = {line.split("\t")[0]: line.split("\t")[1:] for line in out.splitlines()}
    assert set(lines) == {str(path) for path in indexes}
    kept, gone, hub, free, damaged = (lines[str(path)] for path in indexes)
    assert (kept[0], kept[2]) == ("4 skills", str(library))
    assert (gone[0], gone[2]) == ("3 skills", f"{tmp_path / 'other'} (gone)")
    assert hub[2] == "owner/name"
    assert free[2] == "no folder"
    assert damaged[2].endswith("is no skillret index; it is made anew when it is next used")
    _, out, _ = run(capsys, "index", "list", "--all", "--json")
    rows = {row["index"]: row for row in json.loads(out)}
    assert [rows[str(path)]["gone"] for path in indexes] == [False, True, False, False, False]
    assert all(row["bytes"] > 1000 for row in rows.values())
    assert rows[str(indexes[0])]["roots"] == [str(library)]


def test_indexes_of_folders_that_are_gone_are_deleted_and_no_others(indexes, capsys, monkeypatch):
    gone = indexes[1]
    kept_as(gone).write_text("damaged before")
    monkeypatch.setattr("skillret.index.sqlite_arrays.MAP_FROM", 1)  # also small ones have arrays
    for arguments in (["--dry-run"], []):
        assert gone.is_file()
        status, out, err = run(capsys, "index", "clean", *arguments)
        assert status == 0
        (line,) = out.splitlines()
        assert line.startswith(f"{gone}\t3 skills\t")
        assert "1 index of folders that are gone" in err
        assert ("would be deleted" in err) == bool(arguments)
    assert set(default_indexes()) == {*indexes} - {gone}
    assert [f.name for f in gone.parent.iterdir() if f.name.startswith(gone.name)] == []
    _, out, err = run(capsys, "index", "clean")
    assert out == ""
    assert "0 indexes of folders that are gone deleted" in err


def test_an_index_that_is_being_written_is_left_there(indexes, capsys):
    with Index.open(indexes[1]) as other, other.writing():
        status, out, err = run(capsys, "index", "clean")
    assert (status, out) == (0, "")
    assert "left there: another writer is at work" in err
    assert indexes[1].is_file()


def test_without_any_index_there_is_nothing_to_list_or_to_clean(capsys):
    assert run(capsys, "index", "list", "--all") == (0, "", "")
    assert run(capsys, "index", "list", "--all", "--json")[1] == "[]\n"
    assert run(capsys, "index", "clean")[:2] == (0, "")
