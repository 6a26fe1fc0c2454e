import pytest

from skillret.datasets.row_files import write_rows
from skillret.datasets.skillret_folder import SkillRetFolder, find_table, split_names
from skillret.errors import DatasetError


def test_splits_are_found_by_their_skills_in_every_format(tmp_path):
    for name in ("b.jsonl", "a.jsonl.gz", "c.parquet", "README.md"):
        write_rows(tmp_path / "data" / "skills" / name, [])
    assert split_names(tmp_path) == ["a", "b", "c"]
    assert split_names(tmp_path / "nowhere") == []


def test_labels_in_queries_that_are_no_list(tmp_path):
    write_rows(tmp_path / "queries" / "dev.jsonl", [{"id": "q", "query": "x", "skill_ids": "s"}])
    with pytest.raises(DatasetError, match="'skill_ids' is no list"):
        list(SkillRetFolder(tmp_path).rows("qrels", "dev"))


def test_two_files_of_one_table_are_not_chosen_between(tmp_path):
    base = tmp_path / "data" / "negatives"
    base.mkdir(parents=True)
    (base / "dev.jsonl").touch()
    assert find_table(tmp_path, "negatives", "dev") == base / "dev.jsonl"
    (base / "dev.jsonl.gz").touch()
    with pytest.raises(DatasetError, match=r"holds dev\.\S+ and dev\.\S+: which is meant"):
        find_table(tmp_path, "negatives", "dev")
