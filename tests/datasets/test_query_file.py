import csv
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import write_skill

from skillret import Library
from skillret.datasets.check import check_dataset
from skillret.datasets.convert import convert
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
        ('{"query": "x", "skill": "Pdf Tabels"}', r"not in the library; did you mean pdf-tables\?"),
        ('{"query": "x", "skill": "our/pdf-tables"}', r"; did you mean pdf-tables\?"),
        (
            '{"query": "x", "skill": "weather"}',
            "'weather' is not in the library; `.*--allow-missing`",
        ),
        ('{"query": "x", "skills": "pdf-tables, gone"}', "the skill 'gone' is not in the library"),
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
        (b"request,skill\n\xff\xfe,x\n", r"r\.csv is damaged or in no known encoding"),
        ("request,skill\n“é”".encode() + b"\xff,x\n", r"r\.csv is damaged or in no known encoding"),
        (b"", r"r\.csv has no column request or query"),
        (
            b"foo,bar\na,b\n",
            r"no column request or query; its first line, read as utf-8 with commas between cells, "
            "names 'foo', 'bar'",
        ),
        (b"request,request,skill\na,b,c\n", "names a column twice"),
        (b"request,skill\na,b,c\n", "line 2: more cells than columns"),
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


def test_a_query_may_say_that_it_needs_no_skill(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill\nx,pdf-tables\nthanks,none\nhello,-\ny,none\ny,pdf-tables\n")
    data = load_dataset(file, libraries=[library])
    assert [query.text for query in data.queries] == ["x", "y"]
    assert [query.text for query in data.negatives] == ["thanks", "hello"]
    file = tmp_path / "r.jsonl"
    file.write_text('{"query": "x", "skill": "pdf-tables"}\n{"query": "thanks", "skill": []}\n')
    assert [q.text for q in load_dataset(file, libraries=[library]).negatives] == ["thanks"]


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


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "Request;Skill \r\n{0};pdf-tables\r\n;\r\n{1};meal-planner\r\n"),
        ("utf-16", "query\tskill-name\r\n{0}\tpdf-tables\r\n{1}\tmeal-planner\r\n"),
        ("cp1252", "sep=|\r\nPrompt|Skill ID||\r\n{0}|pdf-tables|\r\n||\r\n{1}|meal-planner||\r\n"),
        ("utf-16-le", "\n'skill', 'query'\n'pdf-tables', '{0}'\n'meal-planner', '{1}'\n"),
        ("utf-8", ",,\rskills,text\rpdf-tables,{0}\r,\rmeal-planner,{1}\r"),
    ],
)
def test_tables_are_read_as_spreadsheets_save_them(library, tmp_path, encoding, text):
    queries = ("caf\u00e9 menus, please", "what's in this?")
    quote = "'" if "'" in text else '"'
    cells = [quote + q.replace("'", "''" if quote == "'" else "'") + quote for q in queries]
    if quote == "'":
        text = text.replace("'{0}'", "{0}").replace("'{1}'", "{1}")
    (tmp_path / "r.csv").write_bytes(text.format(*cells).encode(encoding))
    data = load_dataset(tmp_path / "r.csv", libraries=[library])
    found = {q.text: list(data.qrels[q.id]) for q in data.queries}
    assert found == {queries[0]: ["pdf-tables"], queries[1]: ["meal-planner"]}
    assert any("Windows-1252" in note for note in data.notes) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("encoding", "name", "query"),
    [
        ("gb18030", "GB18030", "把表格转换成文件"),
        ("cp949", "EUC-KR", "표를 엑셀로 옮겨 주세요"),
        ("cp932", "Shift_JIS", "表をエクセルに変換して"),
        ("cp1251", "Windows-1251", "перенеси таблицу в файл"),
    ],
)
def test_tables_are_read_in_older_encodings_with_a_note(library, tmp_path, encoding, name, query):
    (tmp_path / "r.csv").write_bytes(f"query;skill\r\n{query};pdf-tables\r\n".encode(encoding))
    data = load_dataset(tmp_path / "r.csv", libraries=[library])
    assert [q.text for q in data.queries] == [query]
    assert f"r.csv was read as {name}; save it as UTF-8 to be sure" in data.notes


@pytest.mark.parametrize(("encoding", "name"), [("cp850", "CP850"), ("mac_roman", "Mac Roman")])
def test_a_table_of_dos_or_mac_os_is_told_to_be_in_doubt(library, tmp_path, encoding, name):
    table = "query;skill\r\nwann ist Flut am Südkai;pdf-tables\r\ndanke schön, größer;none\r\n"
    (tmp_path / "r.csv").write_bytes(table.encode(encoding))
    (note,) = [
        n for n in load_dataset(tmp_path / "r.csv", libraries=[library]).notes if "read as" in n
    ]
    assert f"{name}: letters may be wrong; save it as UTF-8" in note


@pytest.mark.parametrize(
    "text",
    [
        "Our requests,\n,\nquery,skill\nx,pdf-tables\n",
        "# exported by hand\nUser request;Expected skill\nx;PDF-Tables\n\x1a",
        "query,skill\nx,/pdf-tables\n\0\0",
        "query,skill\nx,pdf-tables/SKILL.md\n",
        "query,skills\nx,\"['pdf-tables']\"\n",
    ],
)
def test_what_people_write_around_names_and_tables_is_passed_over(library, tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    data = load_dataset(tmp_path / "r.csv", libraries=[library])
    assert [(q.text, list(data.qrels[q.id])) for q in data.queries] == [("x", ["pdf-tables"])]


def test_a_table_in_utf_32_is_read(library, tmp_path):
    (tmp_path / "r.csv").write_bytes("query,skill\nx,pdf-tables\n".encode("utf-32"))
    assert [q.text for q in load_dataset(tmp_path / "r.csv", libraries=[library]).queries] == ["x"]


def test_null_in_json_lines_is_no_skill(library, tmp_path):
    file = tmp_path / "queries.jsonl"
    rows = [
        {"query": "x", "skill": "pdf-tables", "note": None},
        {"query": "thanks", "skill": None},
        {"query": "hello", "skill": None, "skills": None, "relevance": None},
        {"query": "y", "skill": None, "skills": ["pdf-tables"]},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = QueryFile(file, Library.open(library))
    assert [row["query"] for row in rows_of(source, "negatives")] == ["thanks", "hello"]
    assert [row["query"] for row in rows_of(source, "queries")] == ["x", "y"]
    assert len(rows_of(source, "qrels")) == 2
    assert "note" not in rows_of(source, "queries")[0]


def test_one_cell_may_name_several_skills_and_a_row_none(library, tmp_path):
    (tmp_path / "r.csv").write_text(
        'query,skills,should_trigger\nx,"pdf-tables; meal-planner",yes\nx,release-notes,No\n'
    )
    (gold,) = load_dataset(tmp_path / "r.csv", libraries=[library]).qrels.values()
    assert set(gold) == {"pdf-tables", "meal-planner"}


def test_labels_of_missing_skills_are_dropped_if_that_is_allowed(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text(
        'query,skills,should_trigger\nx,"gone; pdf-tables",yes\ny,gone,yes\nz,gone,no\n'
        "thanks,none,\n"
    )
    with pytest.raises(DatasetError, match="line 2: the skill 'gone' is not in the library"):
        load_dataset(file, libraries=[library])
    data = load_dataset(file, libraries=[library], allow_missing=True)
    assert [*data.qrels.values()] == [{"pdf-tables": 1}]
    assert [query.text for query in data.negatives] == ["thanks"]
    assert any("2 gold labels name a skill" in n and n.endswith("; dropped") for n in data.notes)
    assert "2 queries without a gold skill: not scored" in data.notes
    file.write_text("query,skill\nx,gone\n")
    with pytest.raises(DatasetError, match="no query has a gold skill"):
        load_dataset(file, libraries=[library], allow_missing=True)


@pytest.mark.parametrize("none", ["null", "[]", "N/A", "None", "n/a"])
def test_a_cell_of_a_table_says_that_no_skill_is_needed(library, tmp_path, none):
    file = tmp_path / "r.csv"
    file.write_text(f"query,skill,expected\nx,pdf-tables,\nthanks,{none},\nhi,,{none}\n")
    data = load_dataset(file, libraries=[library])
    assert [query.text for query in data.negatives] == ["thanks", "hi"]
    assert not any("names no skill" in note for note in data.notes)


def test_a_file_of_needless_queries_alone_is_told_to_be_one(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill\nthanks,none\nhello,none\n")
    with pytest.raises(DatasetError, match=r"holds no query .* that needs a skill; at least"):
        load_dataset(file, libraries=[library])
    (fault,) = (f for f in check_dataset(file, [library]).findings if f.refused)
    assert fault.what == "there are no queries that need a skill; at least one must"


def test_rows_with_an_empty_cell_are_counted(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill\nx,pdf-tables\ny,\nz, \n")
    data = load_dataset(file, libraries=[library])
    assert ([q.text for q in data.queries], data.negatives) == (["x", "y", "z"], [])
    assert any(note.startswith("2 rows of r.csv name no skill") for note in data.notes)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Question,Answer\nx,y\n", r"no column that names skills \(.*\); it has 'Question', 'Ans"),
        ("query,skill\n", "r.csv holds no query"),
    ],
)
def test_a_table_without_labels_is_refused_where_they_are_asked_for(library, tmp_path, text, match):
    file = tmp_path / "r.csv"
    file.write_text(text)
    with pytest.raises(DatasetError, match=match):
        convert(file, tmp_path / "out", "skillret", libraries=[library])
    assert not (tmp_path / "out").exists()
    assert any(f.refused for f in check_dataset(file, [library]).findings)
    rows = rows_of(QueryFile(file, Library.open(library)), "queries")
    assert [row["query"] for row in rows] == ["x"] * ("Question" in text)


def test_converting_tells_what_is_worth_knowing(library, tmp_path):
    file, told = tmp_path / "r.csv", []
    file.write_text("query,skill\nx,pdf-tables\ny,\n")
    convert(file, tmp_path / "out", "skillret", libraries=[library], on_note=told.append)
    assert [note.startswith("1 row of r.csv names no skill") for note in told] == [True]


def test_a_quotation_mark_that_is_not_closed_swallows_nothing(library, tmp_path):
    (tmp_path / "r.csv").write_text('query,skill\n"x,pdf-tables\ny,pdf-tables\n')
    with pytest.raises(DatasetError, match=r"line \d: cannot be read as CSV: "):
        load_dataset(tmp_path / "r.csv", libraries=[library])


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [
        ("should_trigger", "1.0", "0.0"),
        ("should_trigger", "Y", "N"),
        ("should_trigger", "WAHR", "FALSCH"),
        ("should_trigger", "Ja", "NEIN"),
        ("should_trigger", "VRAI", "FAUX"),
        ("should_trigger", "oui", "NON"),
        ("should_trigger", "VERO", "FALSO"),
        ("Should Activate", "yes", "no"),
        ("trigger", "TRUE", "FALSE"),
        ("relevance", "1", "0"),
    ],
)
def test_whether_a_skill_is_wanted_is_said_in_many_ways(library, tmp_path, column, yes, no):
    file = tmp_path / "r.csv"
    file.write_text(f"query,skill,{column}\nx,pdf-tables,{yes}\nx,release-notes,{no}\n")
    (gold,) = load_dataset(file, libraries=[library]).qrels.values()
    assert set(gold) == {"pdf-tables"}


def test_a_relevance_of_nothing_is_no_label_in_json_lines(library, tmp_path):
    file = tmp_path / "r.jsonl"
    rows = [("pdf-tables", 1), ("release-notes", 0), ("meal-planner", False)]
    lines = [json.dumps({"query": "x", "skill": name, "relevance": r}) for name, r in rows]
    file.write_text("\n".join(lines))
    (gold,) = load_dataset(file, libraries=[library]).qrels.values()
    assert set(gold) == {"pdf-tables"}


@pytest.mark.parametrize("said", ["maybe", "", "2", "nan", "FALSE?"])
def test_what_is_neither_yes_nor_no_is_refused(library, tmp_path, said):
    file = tmp_path / "r.csv"
    file.write_text(f"query,skill,should_trigger\nx,pdf-tables,yes\ny,release-notes,{said}\n")
    with pytest.raises(DatasetError, match=f"line 3: .* or false, not {re.escape(repr(said))}"):
        load_dataset(file, libraries=[library])


def test_a_relevance_that_is_no_number_is_refused(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill,relevance\nx,pdf-tables,1\ny,release-notes,none\n")
    with pytest.raises(DatasetError, match=r"line 3: .* number, not 'none'"):
        load_dataset(file, libraries=[library])


def test_a_column_of_phrases_is_no_verdict(library, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("query,skill,trigger\nx,pdf-tables,read a pdf\n")
    (gold,) = load_dataset(file, libraries=[library]).qrels.values()
    assert set(gold) == {"pdf-tables"}


@pytest.mark.parametrize(
    ("column", "right", "wrong"),
    [
        *(("label", "1", "0"), ("Score", "0,5", "0"), ("rel", "2", "-1"), ("grade", "1.0", "0.0")),
        *(("judgment", "1", "0"), ("is_relevant", "yes", "no"), ("Relevance score", "1", "0")),
    ],
)
def test_a_relevance_goes_by_the_names_that_labels_have(library, tmp_path, column, right, wrong):
    file = tmp_path / "r.csv"
    file.write_text(f'query;skill;"{column}"\nx;pdf-tables;{right}\nx;release-notes;{wrong}\n')
    data = load_dataset(file, libraries=[library])
    assert [set(gold) for gold in data.qrels.values()] == [{"pdf-tables"}]
    note = f"the column {column!r} of r.csv is read as the relevance: 1 row of 0 or less is no"
    assert any(n.startswith(note) for n in data.notes)


@pytest.mark.parametrize(
    "table",
    [
        "query,skill,label,relevance\nx,pdf-tables,0,1\ny,pdf-tables,easy,\n",
        "query,skill,label\nx,pdf-tables,easy\ny,pdf-tables,hard\n",
        "query,skill,score,should_trigger\nx,pdf-tables,0,yes\ny,pdf-tables,0.1,yes\n",
    ],
)
def test_a_column_of_another_meaning_is_no_relevance(library, tmp_path, table):
    (tmp_path / "r.csv").write_text(table)
    assert len(load_dataset(tmp_path / "r.csv", libraries=[library]).qrels) == 2


@pytest.mark.parametrize(
    ("column", "cells", "named"),
    [
        ("correct", "1100", True),
        ("label", "easy hard easy easy", True),
        *(("number", "0123", False), ("id", "0011", False), ("turns", "1221", False)),
        ("kind", "easy hard 0 0", False),
    ],
)
def test_a_column_that_may_be_the_relevance_is_named(library, tmp_path, column, cells, named):
    names = ("pdf-tables", "release-notes", "meal-planner", "kubernetes-debugging")
    cells = cells.split() if " " in cells else [*cells]
    rows = [f"x,{name},{cell}\n" for name, cell in zip(names, cells, strict=True)]
    (tmp_path / "r.csv").write_text(f"query,skill,{column}\n{''.join(rows)}thanks,none,0\n")
    data = load_dataset(tmp_path / "r.csv", libraries=[library])
    assert [len(gold) for gold in data.qrels.values()] == [4]
    assert any(f"is a label, and {column!r} is not read" in n for n in data.notes) == named


def test_a_number_beyond_all_is_no_relevance(library, tmp_path):
    (tmp_path / "r.jsonl").write_text(
        f'{{"query": "x", "skill": "pdf-tables", "relevance": 1{"0" * 400}}}\n'
    )
    with pytest.raises(DatasetError, match="row 1: a relevance is a number"):
        load_dataset(tmp_path / "r.jsonl", libraries=[library])
