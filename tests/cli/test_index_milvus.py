"""The commands on an index in Milvus, in a file of Milvus Lite."""

import json

import pytest
from tests.cli.test_search import fails, run


@pytest.fixture
def where(tmp_path):
    return f"milvus-lite:{tmp_path}/i.db"


def test_every_command_takes_an_address(library, tmp_path, where, capsys):
    index = ("--index", where)
    _, _, err = run(capsys, "index", "build", "--library", str(library), *index)
    assert f"built {where} in " in err
    assert "4 skills, 4 added" in err
    _, out, _ = run(capsys, "search", "why do pods crash", *index, "-k", "1", "--json")
    (hit,) = json.loads(out)["hits"]
    assert hit["name"] == "kubernetes-debugging"
    _, out, _ = run(capsys, "index", "status", *index, "--json")
    told = json.loads(out)
    assert (told["index"], told["skills"], told["bytes"]) == (where, 4, None)
    (library / "new").mkdir()
    (library / "new" / "SKILL.md").write_text("---\nname: new\ndescription: Sings.\n---\nSing.\n")
    _, _, err = run(capsys, "index", "update", *index)
    assert "5 skills, 1 added" in err
    run(capsys, "index", "remove", "new", *index)
    _, out, _ = run(capsys, "index", "list", *index)
    assert len(out.splitlines()) == 4
    _, _, err = run(capsys, "index", "verify", *index)
    assert f"{where} is whole: 4 skills" in err
    # A search that names folders too brings it up to date first.
    _, out, err = run(
        capsys, "search", "who sings", *index, "--library", str(library), "-k", "1", "--json"
    )
    assert "refreshed the index" in err
    assert json.loads(out)["hits"][0]["name"] == "new"


def test_copy_goes_from_a_file_to_milvus_and_back(library, tmp_path, where, capsys):
    file, back = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    run(capsys, "index", "build", "--library", str(library), "--index", file)
    for source, target in ((file, where), (where, back)):
        _, out, err = run(capsys, "index", "copy", source, target)
        assert (out, err) == ("", f"skillret: copied 4 skills from {source} to {target}\n")
    lists = [run(capsys, "index", "list", "--json", "--index", i)[1] for i in (file, where, back)]
    assert lists[0] == lists[1] == lists[2]
    _, _, err = run(capsys, "index", "update", "--index", back)
    assert "4 unchanged, 0 encoded" in err
    assert "not empty; delete it" in fails(capsys, "index", "copy", file, where)
    nowhere = fails(capsys, "index", "copy", str(tmp_path / "no.db"), str(tmp_path / "c.db"))
    assert "no index at" in nowhere
    assert not (tmp_path / "c.db").exists()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("milvus://127.0.0.1:19530", "is no address of Milvus"),
        ("milvus://me:secret@host/skills", "SKILLRET_MILVUS_TOKEN"),
        ("milvus://host:port/skills", "is no address of Milvus"),
        ("milvus://host/skills?tenant=a/b", "what may follow is ?tenant=NAME"),
        ("milvus://host/skills?owner=a", "what may follow is ?tenant=NAME"),
        ("milvus-lite:skills", "should name a file that ends in .db"),
        ("milvus-lite:/nowhere/skills.db", "no index at milvus-lite:/nowhere/skills.db"),
    ],
)
def test_an_address_that_is_none_is_told_in_one_line(address, told, capsys):
    error = fails(capsys, "search", "pods", "--index", address)
    assert told in error
    assert "secret" not in error


def test_a_damaged_skill_is_named(library, where, capsys):
    from skillret.index.milvus import open_milvus

    run(capsys, "index", "build", "--library", str(library), "--index", where)
    store = open_milvus(where)
    segment = store._current().segments[0].id
    store._values.delete([f"{segment}/b0"])
    store.close()
    status, _, err = run(capsys, "index", "verify", "--index", where)
    named, error = err.splitlines()
    assert status == 1
    assert named.startswith("skillret: damaged: ")
    assert "1 skill of 4 in" in error
    _, _, err = run(capsys, "index", "build", "--library", str(library), "--index", where)
    assert "1 changed" in err
    run(capsys, "index", "verify", "--index", where)
