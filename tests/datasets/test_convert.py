import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tables import QUERIES, qrel_rows, skill_rows, write_table

from skillret.datasets.convert import convert
from skillret.datasets.dataset import load_dataset
from skillret.datasets.layouts import open_source
from skillret.datasets.row_files import write_rows
from skillret.datasets.source import TABLES
from skillret.errors import DatasetError, InputError

STEPS = st.lists(
    st.sampled_from(
        [
            ("skillret", "jsonl"),
            ("skillret", "jsonl.gz"),
            ("skillret", "parquet"),
            ("beir", "jsonl"),
            ("beir", "jsonl.gz"),
        ]
    ),
    min_size=1,
    max_size=4,
)


def content(folder, split):
    source = open_source(folder)
    return {table: [row for row, _ in source.rows(table, split)] for table in TABLES}


@given(steps=STEPS)
def test_any_way_through_layouts_and_formats_loses_nothing(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("convert")
    skills = [{**row, "stars": 3 * i, "tags": ["a"] * i} for i, row in enumerate(skill_rows())]
    skills[1]["owner"] = {"name": "é\n", "id": "1"}  # a column of one row only
    tables = {
        "skills": skills,
        "queries": QUERIES,
        "qrels": qrel_rows(),
        "negatives": [{"id": "n1", "query": "hello", "negative_for": ["pdf-tables"]}],
    }
    for table, rows in tables.items():
        write_rows(folder / "0" / "data" / table / "dev.jsonl", rows)
    for number, (to, file_format) in enumerate(steps):
        source, target = folder / str(number), folder / str(number + 1)
        assert convert(str(source), target, to, file_format=file_format) == ["dev"]
        assert content(target, "dev") == tables


def test_all_splits_or_one(dataset, tmp_path):
    write_table(dataset, "skills", "train", skill_rows())
    write_table(dataset, "queries", "train", QUERIES)
    assert convert(str(dataset), tmp_path / "all", "skillret") == ["dev", "train"]
    assert convert(str(dataset), tmp_path / "one", "skillret", split="train") == ["train"]
    assert not (tmp_path / "one" / "data" / "negatives").exists()
    # Labels that stood in the queries are in a table of their own now.
    assert load_dataset(str(tmp_path / "one"), "train").qrels["q2"] == {
        "pdf-tables": 1,
        "meal-planner": 1,
    }
    with pytest.raises(InputError, match=r"choose with --split one of dev, train"):
        convert(str(dataset), tmp_path / "beir", "beir")
    with pytest.raises(DatasetError, match="no split 'test'; it has: dev, train"):
        convert(str(dataset), tmp_path / "beir", "beir", split="test")


def test_a_library_and_a_file_of_requests(library, tmp_path):
    (library / "pdf-tables" / "eval_queries.json").write_text(
        '[{"query": "tables!", "should_trigger": true}]'
    )
    assert convert(str(library), tmp_path / "a", "skillret", file_format="parquet") == ["tests"]
    assert load_dataset(str(tmp_path / "a"), "tests").queries[0].text == "tables!"
    file = tmp_path / "requests.csv"
    file.write_text("query,skill\nmy pods crash,kubernetes-debugging\n")
    given = {"libraries": [str(library)], "split": "dev"}
    assert convert(str(file), tmp_path / "b", "beir", **given) == ["dev"]
    (gold,) = load_dataset(str(tmp_path / "b"), "dev").qrels.values()
    assert gold == {"kubernetes-debugging": 1}
    assert convert(file, tmp_path / "d", "skillret", libraries=[library]) == ["tests"]
    with pytest.raises(InputError, match="give the folder that holds them with --library"):
        convert(str(file), tmp_path / "c", "skillret")
    with pytest.raises(InputError, match=r"--library goes with a .* file of queries"):
        convert(str(library), tmp_path / "c", "skillret", libraries=["x"])


@pytest.mark.parametrize("split", ["../../escaped", "a/b", "..\\x", ""])
def test_a_split_stays_in_the_output(dataset, tmp_path, split):
    with pytest.raises((InputError, DatasetError), match="split"):
        convert(str(dataset), tmp_path / "out" / "deep", "skillret", split=split)
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_nonsense_is_refused(dataset, tmp_path):
    for output in (dataset, dataset / "data" / "skills" / "dev.jsonl.gz"):
        with pytest.raises(InputError, match=r"there already and not empty|is a file"):
            convert(str(dataset), output, "skillret")
    with pytest.raises(InputError, match="not parquet"):
        convert(str(dataset), tmp_path / "x", "beir", file_format="parquet")
    (tmp_path / "empty").mkdir()
    assert convert(str(dataset), tmp_path / "empty", "skillret") == ["dev"]
    write_table(dataset, "skills", "dev", [{"id": "a"}])
    with pytest.raises(DatasetError, match="row 1: the column 'name' is missing"):
        convert(str(dataset), tmp_path / "y", "beir")
