import pytest

from skillret import evaluate
from skillret.datasets.convert import convert
from skillret.datasets.layouts import choose_split, open_source
from skillret.errors import DatasetError, InputError


@pytest.fixture
def own(library):
    """A library with one test of its own."""
    (library / "pdf-tables" / "eval_queries.json").write_text(
        '[{"query": "tables!", "should_trigger": true}]'
    )
    return library


@pytest.fixture
def file(tmp_path):
    """A file of one query."""
    file = tmp_path / "queries.csv"
    file.write_text("query,skill\nmy pods crash,kubernetes-debugging\n")
    return file


def test_every_layout_is_found_by_path_or_text(dataset, own, file, tmp_path):
    convert(dataset, tmp_path / "beir", "beir")
    for spec, libraries, expected in (
        (dataset, (), ("skillret", ["dev"])),
        (tmp_path / "beir", (), ("beir", ["dev"])),
        (own, (), ("library", ["tests"])),
        (file, [own], ("queries", ["tests"])),
    ):
        for given in (spec, str(spec)):
            source = open_source(given, libraries=libraries)
            assert (source.layout, source.splits()) == expected
            assert source.name == spec.name
    assert open_source("", libraries=[own]).layout == "library"


def test_own_tests_and_files_have_one_split_whatever_is_usual(dataset, own, file):
    for source in (open_source(own), open_source(file, libraries=[own])):
        for split, usual in ((None, "dev"), (None, "train"), ("test", "dev"), ("tests", "test")):
            assert choose_split("x", source, split, usual) == "tests"
        with pytest.raises(DatasetError, match="x has no split 'dev'; it has: tests"):
            choose_split("x", source, "dev")
    assert choose_split("x", open_source(dataset), None, "dev") == "dev"
    with pytest.raises(DatasetError, match="x has no split 'test'; it has: dev"):
        choose_split("x", open_source(dataset), None)


def test_evaluate_takes_a_path_and_a_file_of_queries(dataset, own, file):
    assert evaluate(dataset, split="dev", mode="lexical").n_queries == 3
    result = evaluate(file, libraries=[own], mode="lexical")
    assert (result.dataset, result.split, result.n_queries) == (str(file), "tests", 1)


@pytest.mark.parametrize(
    ("spec", "libraries", "error", "message"),
    [
        ("", [], InputError, "the name of the data set is empty"),
        ("nowhere.csv", ["."], DatasetError, r"no such file: nowhere\.csv"),
        ("nowhere.jsonl.gz", [], DatasetError, "no such file"),
        ("./nowhere", [], DatasetError, r"\./nowhere is neither a folder nor a hub id"),
        (".", ["."], InputError, r"--library goes with a \.csv, .* file of queries, not with \."),
        ("x.csv", [], InputError, "names skills: give the folder that holds them with --library"),
        ("x.md", [], DatasetError, "is a file; a data set is the folder"),
        ("x.csv", ["gone"], InputError, "no such folder: gone"),
    ],
)
def test_what_is_no_data_set_is_named(tmp_path, monkeypatch, spec, libraries, error, message):
    monkeypatch.chdir(tmp_path)
    for name in ("x.csv", "x.md"):
        (tmp_path / name).touch()
    with pytest.raises(error, match=message):
        open_source(spec, libraries=libraries)


def test_a_stamp_says_whether_skills_changed_without_reading_them(dataset, own, file, tmp_path):
    convert(dataset, tmp_path / "beir", "beir")
    for source, skills in (
        (open_source(dataset), dataset / "data" / "skills" / "dev.jsonl.gz"),
        (open_source(tmp_path / "beir"), tmp_path / "beir" / "corpus.jsonl"),
    ):
        before = source.stamp("dev")
        assert source.stamp("dev") == before
        skills.write_bytes(skills.read_bytes() + b"\n" * 100)
        assert source.stamp("dev") != before
    before = open_source(file, libraries=[own]).stamp("tests")
    assert before == open_source(own).stamp("tests")
    with (own / "pdf-tables" / "SKILL.md").open("a") as out:
        out.write("more")
    assert before != open_source(own).stamp("tests")
