import json

import pytest

from skillret import Library
from skillret.datasets.pairs import read_requests, request_tables
from skillret.errors import DatasetError


def rows_of(source, table):
    return [row for row, _ in source.rows(table, source.split)]


def test_a_csv_file_of_requests_names_skills_by_name(library, tmp_path):
    file = tmp_path / "requests.csv"
    file.write_text(
        "request,skill\nmy pods crash,kubernetes-debugging\n"
        '"tables, please",pdf-tables\nmy pods crash ,release-notes\n',
        encoding="utf-8-sig",
    )
    source = request_tables(file, [str(library)], "mine")
    assert (source.layout, source.splits()) == ("requests", ["mine"])
    queries = {row["id"]: row["query"] for row in rows_of(source, "queries")}
    gold = [(queries[row["query_id"]], row["skill_id"]) for row in rows_of(source, "qrels")]
    assert gold == [
        ("my pods crash", "kubernetes-debugging"),
        ("my pods crash", "release-notes"),
        ("tables, please", "pdf-tables"),
    ]
    assert len(rows_of(source, "skills")) == 4


def test_json_lines_may_name_several_skills_and_ids(library, tmp_path):
    skills = Library.open(library).skills
    file = tmp_path / "r.jsonl"
    file.write_text(json.dumps({"query": "x", "skills": ["pdf-tables", skills[0].id]}) + "\n")
    ((text, found, where),) = read_requests(file, skills)
    (by_name,) = [s.id for s in skills if s.name == "pdf-tables"]
    assert (text, found, where) == ("x", [by_name, skills[0].id], f"{file}, row 1")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"skill": "pdf-tables"}', "row 1: no request"),
        ('{"query": 5, "skill": "pdf-tables"}', "row 1: no request"),
        ('{"query": "x", "skill": "gone"}', "the skill 'gone' is not in the library"),
        ('{"query": "x", "skill": 5}', "a skill must be a name"),
        ('{"query": "x", "skills": [["a"]]}', r"the skill \['a'\] is not in the library"),
    ],
)
def test_malformed_rows_are_named(library, tmp_path, text, match):
    file = tmp_path / "r.jsonl"
    file.write_text(text + "\n")
    with pytest.raises(DatasetError, match=match):
        list(read_requests(file, Library.open(library).skills))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"request,skill\n\xff\xfe,x\n", "cannot be read as CSV"),
        (b"", r"r\.csv has no column request or query"),
        (b"foo,bar\na,b\n", "has no column request or query; its first line names"),
        (b"request,request,skill\na,b,c\n", "names a column twice"),
        (b"request,skill\na,b,c\n", "row 1: more cells than columns"),
        (b"request,skill\n", "holds no requests"),
    ],
)
def test_malformed_csv_files_are_named(library, tmp_path, data, match):
    (tmp_path / "r.csv").write_bytes(data)
    with pytest.raises(DatasetError, match=match):
        request_tables(tmp_path / "r.csv", [str(library)], "mine")
