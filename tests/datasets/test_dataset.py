import pytest
from tests.tables import QUERIES, qrel_rows, skill_rows, write_table

from skillret.datasets.dataset import load_dataset
from skillret.errors import DatasetError


def test_a_split_is_read_completely(dataset):
    loaded = load_dataset(dataset, "dev")
    assert [s.id for s in loaded.skills] == [r["id"] for r in skill_rows()]
    assert loaded.skills[0].extra == {"major": "office"}
    assert loaded.qrels["q2"] == {"pdf-tables": 1, "meal-planner": 1}
    assert loaded.queries[0].extra["kind"] == "short"
    assert len(loaded.negatives) == 2
    assert len(loaded.revision) == 12
    assert load_dataset(dataset, "dev").revision == loaded.revision
    write_table(dataset, "queries", "dev", QUERIES[:2])
    write_table(dataset, "qrels", "dev", qrel_rows()[:3])
    assert load_dataset(dataset, "dev").revision != loaded.revision


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_other_formats_hold_the_same(dataset, tmp_path, suffix):
    for table, rows in (("skills", skill_rows()), ("queries", QUERIES), ("qrels", qrel_rows())):
        write_table(tmp_path / "other", table, "dev", rows, suffix)
    a, b = load_dataset(dataset, "dev"), load_dataset(str(tmp_path / "other"), "dev")
    assert (a.skills, a.queries, a.qrels) == (b.skills, b.queries, b.qrels)


def test_without_qrels_the_queries_name_their_skills(dataset):
    expected = load_dataset(dataset, "dev").qrels
    (dataset / "data" / "qrels" / "dev.jsonl.gz").unlink()
    assert load_dataset(dataset, "dev").qrels == expected


def test_gold_labels_without_a_skill_are_refused_or_dropped(dataset):
    write_table(dataset, "qrels", "dev", [*qrel_rows(), {"query_id": "q1", "skill_id": "gone"}])
    with pytest.raises(
        DatasetError, match=r"1 gold label .* 'gone' of query 'q1'.*--allow-missing"
    ):
        load_dataset(dataset, "dev")
    loaded = load_dataset(dataset, "dev", allow_missing=True)
    assert "gone" not in loaded.qrels["q1"]
    assert any("dropped" in n for n in loaded.notes)


def test_bad_data_is_one_clear_error(dataset, tmp_path):
    def fails(match, split="dev"):
        with pytest.raises(DatasetError, match=match):
            load_dataset(dataset, split)

    fails("no split 'test'; it has: dev", "test")
    write_table(dataset, "queries", "dev", [*QUERIES, QUERIES[0]])
    fails(r"queries.*row 4: the id 'q1' is there twice")
    write_table(dataset, "queries", "dev", [{"id": "q1", "query": " "}])
    fails("row 1: the column 'query' is missing or empty")
    write_table(dataset, "queries", "dev", [])
    fails("holds no query")
    write_table(dataset, "queries", "dev", QUERIES)
    write_table(dataset, "qrels", "dev", [{"query": "q1"}])
    fails("row 1: needs query_id, skill_id")
    write_table(dataset, "qrels", "dev", [{"query_id": "q1", "skill_id": "x", "relevance": 0}])
    fails("no query has a gold skill")
    file = dataset / "data" / "queries" / "dev.jsonl.gz"
    file.write_bytes(file.read_bytes()[:40])
    fails("is it complete")
    file.unlink()
    fails("holds no query of the split 'dev'")
    write_table(dataset, "queries", "dev", QUERIES)
    write_table(dataset, "skills", "dev", [*skill_rows(), skill_rows()[1]])
    fails(r"skills.*row 5: the id 'kubernetes-debugging' is there twice")
    with pytest.raises(DatasetError, match="neither a folder nor a hub id"):
        load_dataset(str(tmp_path / "nowhere"), "dev")


def test_labels_of_unknown_queries_are_dropped_and_said(dataset):
    expected = load_dataset(dataset, "dev").qrels
    rows = [*qrel_rows(), {"query_id": "q9", "skill_id": "pdf-tables"}]
    write_table(dataset, "qrels", "dev", rows)
    loaded = load_dataset(dataset, "dev")
    assert loaded.qrels == expected
    assert loaded.notes == ("dropped the labels of 1 missing query, the first is 'q9'",)


def test_a_parquet_file_of_other_columns_and_a_broken_one(tmp_path):
    folder = tmp_path / "set"
    file = write_table(folder, "skills", "dev", [{"a": 1}], ".parquet")
    with pytest.raises(DatasetError, match="row 1: the column 'id' is missing"):
        load_dataset(str(folder), "dev")
    file.write_bytes(b"PAR1 nothing")
    with pytest.raises(DatasetError, match="cannot be read as parquet"):
        load_dataset(str(folder), "dev")


@pytest.mark.parametrize(
    ("sizes", "text"), [((6660, 4997), "of the SkillRet paper"), ((6006, 4392), "3 points easier")]
)
def test_the_two_published_test_splits_are_told_apart(tmp_path, sizes, text):
    skills = [{"id": f"s{i}", "name": "n"} for i in range(sizes[0])]
    queries = [{"id": f"q{i}", "query": "x", "skill_ids": ["s0"]} for i in range(sizes[1])]
    write_table(tmp_path, "skills", "test", skills)
    write_table(tmp_path, "queries", "test", queries)
    assert any(text in n for n in load_dataset(str(tmp_path), "test").notes)
