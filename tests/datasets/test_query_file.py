import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import write_skill

from skillret import Library
from skillret.datasets.check import check_dataset
from skillret.datasets.dataset import load_dataset
from skillret.datasets.query_file import QueryFile
from skillret.errors import DatasetError


def rows_of(source, table):
    return [row for row, _ in source.rows(table, source.split)]


def test_a_csv_file_of_queries_names_skills_by_name(library, tmp_path):
    file = tmp_path / "queries.csv"
    file.write_text(
        "request,skill,kind\nmy pods crash,kubernetes-debugging,short\n"
        '"tables, please",pdf-tables\nmy pods crash ,release-notes,long\n',
        encoding="utf-8-sig",
    )
    source = QueryFile(file, Library.open(library))
    assert (source.layout, source.name, source.splits()) == ("queries", "queries.csv", ["tests"])
    queries = {row["id"]: row["query"] for row in rows_of(source, "queries")}
    gold = [(queries[row["query_id"]], row["skill_id"]) for row in rows_of(source, "qrels")]
    assert gold == [
        ("my pods crash", "kubernetes-debugging"),
        ("tables, please", "pdf-tables"),
        ("my pods crash", "release-notes"),
    ]
    assert [row.get("kind") for row in rows_of(source, "queries")] == ["short", None]
    assert len(rows_of(source, "skills")) == 4
    assert rows_of(source, "negatives") == []


def test_json_lines_may_name_several_skills_and_ids(library, tmp_path):
    (other,) = [s for s in Library.open(library).skills if s.name == "meal-planner"]
    file = tmp_path / "r.jsonl"
    file.write_text(json.dumps({"query": "x", "skills": ["pdf-tables", other.id]}) + "\n")
    (gold,) = load_dataset(file, libraries=[library]).qrels.values()
    assert set(gold) == {"pdf-tables", "meal-planner"}


def test_the_revision_is_of_queries_and_skills(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill\nx,pdf-tables\n")

    def revision():
        return QueryFile(file, Library.open(library)).revision("tests")

    before = revision()
    assert revision() == before
    with (library / "pdf-tables" / "SKILL.md").open("a") as out:
        out.write("more")
    assert revision() != before
    before = revision()
    file.write_text("query,skill\ny,pdf-tables\n")
    assert revision() != before


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"skill": "pdf-tables"}', "row 1: no query"),
        ('{"query": 5, "skill": "pdf-tables"}', "row 1: no query"),
        ('{"query": "x", "skill": "gone"}', "the skill 'gone' is not in the library"),
        ('{"query": "x", "skill": 5}', "a skill must be a name"),
        ('{"query": "x", "skills": [["a"]]}', r"the skill \['a'\] is not in the library"),
    ],
)
def test_malformed_rows_are_named(library, tmp_path, text, match):
    file = tmp_path / "r.jsonl"
    file.write_text(text + "\n")
    with pytest.raises(DatasetError, match=match):
        load_dataset(file, libraries=[library])


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"request,skill\n\xff\xfe,x\n", r"r\.csv cannot be read"),
        (b"", r"r\.csv has no column request or query"),
        (b"foo,bar\na,b\n", "has no column request or query; its first line names"),
        (b"request,request,skill\na,b,c\n", "names a column twice"),
        (b"request,skill\na,b,c\n", "row 1: more cells than columns"),
        (b"request,skill\n", "holds no query of the split 'tests'"),
    ],
)
def test_malformed_csv_files_are_named(library, tmp_path, data, match):
    (tmp_path / "r.csv").write_bytes(data)
    with pytest.raises(DatasetError, match=match):
        load_dataset(tmp_path / "r.csv", libraries=[library])


def test_a_file_of_queries_is_checked_as_any_data_set(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill\nx,pdf-tables\ny,pdf-tables\nz,\n")
    check = check_dataset(file, [library])
    counts = check.splits["tests"]
    sizes = [counts[table] for table in ("skills", "queries", "qrels")]
    assert (check.layout, sizes) == ("queries", [4, 3, 2])
    data = load_dataset(file, libraries=[library])
    assert data.revision == counts["revision"]
    assert "1 query without a gold skill: not scored" in data.notes


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5))
def test_whatever_csv_holds_is_read_or_refused_in_one_line(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("csv")
    write_skill(folder / "skills", "pdf")
    with (folder / "r.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("query", "skill"), *((text, "pdf") for text in texts)])
    source = QueryFile(folder / "r.csv", Library.open(folder / "skills"))
    wanted = dict.fromkeys(text.strip() for text in texts)
    if all(wanted):
        assert [row["query"] for row in rows_of(source, "queries")] == list(wanted)
    else:
        with pytest.raises(DatasetError, match="no query"):
            rows_of(source, "queries")
