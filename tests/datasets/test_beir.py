import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.datasets.beir import BeirFolder, write_beir
from skillret.datasets.dataset import load_dataset
from skillret.datasets.skillret_folder import SkillRetFolder
from skillret.datasets.source import RowsInMemory
from skillret.errors import DatasetError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ID = st.from_regex(r"[a-z0-9@:/ -]{1,8}", fullmatch=True).map(str.strip).filter(bool)
EXTRA = st.dictionaries(st.sampled_from(["kind", "major", "metadata"]), TEXT)


@pytest.fixture
def beir(tmp_path):
    """Corpus and queries, and no labels."""
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "title": "t", "text": "x"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "x"}\n')
    return tmp_path


@st.composite
def tables(draw):
    """Tables with repeated beginnings, empty parts, and any other columns."""
    description = st.sampled_from(["", "Do it.", "Do it.\n\n", "\n\n"]) | TEXT
    skills = {}
    for id_ in draw(st.lists(ID, min_size=1, max_size=4, unique=True)):
        body = draw(description) + draw(description)
        row = {"id": id_, "name": draw(TEXT), "description": draw(description), "skill_md": body}
        skills[id_] = {**draw(EXTRA), **row}
    queries = {}
    for id_ in draw(st.lists(ID, min_size=2, max_size=6, unique=True)):
        queries[id_] = {**draw(EXTRA), "id": id_, "query": "x" + draw(TEXT)}
    *queries, negative = queries.values()
    labels = [
        {"query_id": q["id"], "skill_id": s, "relevance": draw(st.integers(1, 3))}
        for q in queries
        for s in draw(st.sets(st.sampled_from(sorted(skills)), min_size=1))
    ]
    return {
        "skills": list(skills.values()),
        "queries": queries,
        "qrels": labels,
        "negatives": [negative] if draw(st.booleans()) else [],
    }


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@given(tables=tables())
def test_nothing_is_lost_on_the_way_there_and_back(tmp_path_factory, suffix, tables):
    folder = tmp_path_factory.mktemp("beir")
    write_beir(RowsInMemory("library", "m", "memory", tables, "dev"), "dev", folder, suffix)
    back = BeirFolder.find(folder)
    assert back.splits() == ["dev"]
    for table, rows in tables.items():
        assert [row for row, _ in back.rows(table, "dev")] == rows


def test_the_files_are_those_of_beir(dataset, tmp_path):
    write_beir(SkillRetFolder(dataset), "dev", tmp_path / "beir")
    corpus = [json.loads(x) for x in (tmp_path / "beir" / "corpus.jsonl").read_text().splitlines()]
    assert corpus[0]["_id"] == corpus[0]["title"] == "pdf-tables"
    assert corpus[0]["text"].endswith("a spreadsheet.\n\nUse OCR for scans.")
    qrels = (tmp_path / "beir" / "qrels" / "dev.tsv").read_text().splitlines()
    assert qrels[:2] == ["query-id\tcorpus-id\tscore", "q1\tkubernetes-debugging\t1"]
    a, b = load_dataset(str(dataset), "dev"), load_dataset(str(tmp_path / "beir"), "dev")
    assert (a.skills, a.queries, a.qrels, a.negatives) == (
        b.skills,
        b.queries,
        b.qrels,
        b.negatives,
    )
    assert a.revision != b.revision


def foreign(folder, qrels="query-id\tcorpus-id\tscore\nq1\t1\t1\r\nq1\t2\t0\n"):
    """As others write it: number ids, no metadata, queries of two splits in one file."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": "1", "title": "", "text": "a text"}, {"_id": 2, "title": "B", "text": ""}]
    queries = [{"_id": "q1", "text": "one"}, {"_id": "q2", "text": ""}]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


def test_a_data_set_of_others_is_read(tmp_path):
    data = load_dataset(str(foreign(tmp_path / "b")), "test")
    assert [(s.id, s.name, s.body) for s in data.skills] == [("1", "", "a text"), ("2", "B", "")]
    assert [q.id for q in data.queries] == ["q1"]
    assert data.qrels == {"q1": {"1": 1}}
    with pytest.raises(DatasetError, match="no split 'dev'; it has: test"):
        load_dataset(str(tmp_path / "b"), "dev")


@pytest.mark.parametrize(
    ("qrels", "match"),
    [
        ("q1 1\n", r"test\.tsv, line 1: not `query-id<TAB>corpus-id<TAB>score`"),
        ("q1\t1\tyes\n", "line 1: not"),
        ("q1\t1\t1,5,0\n", "line 1: not"),
        ("qid\tpid\tweight\nq1\t1\t1\nq1\t2\t0\n", "line 3: there is no relevance, and 0 in"),
        ("q1;" + "x" * 200_000 + ";1\n", "line 1: not"),
        ("q1\t9\t1\n", "1 gold label names a skill that is not there, the first is '9'"),
        ("q9\t1\t1\n", "holds no query"),
        ("q2\t1\t1\n", "row 2: the column 'query' is missing or empty"),
    ],
)
def test_malformed_qrels_are_named(tmp_path, qrels, match):
    with pytest.raises(DatasetError, match=match):
        load_dataset(str(foreign(tmp_path / "b", qrels)), "test")


def test_rows_without_an_id_or_with_strange_metadata(tmp_path):
    folder = foreign(tmp_path / "b")
    (folder / "corpus.jsonl").write_text('{"title": "x"}\n')
    with pytest.raises(DatasetError, match=r"corpus\.jsonl, row 1: the column '_id'"):
        load_dataset(str(folder), "test")
    (folder / "corpus.jsonl").write_text('{"_id": "1", "metadata": "x"}\n')
    with pytest.raises(DatasetError, match="row 1: the column 'metadata' is no object"):
        load_dataset(str(folder), "test")


@pytest.mark.parametrize("id_", ["a\tb", "a\nb"])
def test_an_id_that_no_table_of_tabs_can_hold(tmp_path, id_):
    source = RowsInMemory(
        "library",
        "m",
        "memory",
        {
            "skills": [{"id": id_, "name": "n"}],
            "queries": [{"id": "q", "query": "x"}],
            "qrels": [{"query_id": "q", "skill_id": id_}],
        },
    )
    with pytest.raises(DatasetError, match="tab or line break"):
        write_beir(source, "dev", tmp_path / "beir")


@pytest.mark.parametrize(
    ("name", "qrels"),
    [
        ("test.tsv", "q1\t1\t1.0\n"),
        ("test.txt", "q1 0 1 1\n"),
        ("test.tsv", "qid\tpid\tjudgement\nq1\t1\t1\nq1\t2\t0\n"),
        ("test.csv", 'qid,docid,relevance\n\n,,\n"q1","1",1\n'),
        ("test.tsv", "corpus-id\tquery-id\tscore\tnote\n1\tq1\t2.0\tx\n"),
        ("test.jsonl", '{"query-id": "q1", "corpus-id": 1, "label": 1.0}\n'),
        ("test.tsv", "query-id\tcorpus-id\tscore\rq1\t1\t1\r"),
        ("test.tsv", "query-id\tcorpus-id\tscore\r\nq1\t1\t1\r\n"),
        ("test.txt", "q1 0 1 1\r"),
    ],
)
def test_qrels_of_other_tools_are_read(tmp_path, name, qrels):
    folder = foreign(tmp_path / "b")
    (folder / "qrels" / "test.tsv").unlink()
    (folder / "qrels" / name).write_bytes(qrels.encode())
    assert list(load_dataset(str(folder), "test").qrels["q1"]) == ["1"]


@pytest.mark.parametrize(
    ("name", "qrels"),
    [
        ("test.tsv", "query-id\tcorpus-id\tscore\nq1\t1\t0,5\nq1\t2\t1\n"),
        ("test.tsv", ' query-id \t corpus-id\t score\n q1\t 1 \t0,5 \n"q1 "\t2 \t 1,0\n'),
        ("test.csv", "query-id;corpus-id;score\nq1; 1;0,5\nq1 ;2;1\n"),
        ("test.csv", "q1;1;0,5\nq1;2;1\n"),
        ("test.csv", 'query-id, corpus-id, score\nq1 , "1","0,5"\nq1,2, 1\n'),
        ("test.txt", " q1 0 1 0,5\nq1 0 2 1 \n"),
        (
            "test.jsonl",
            '{"qid": " q1", "docid": "1 ", "score": "0,5"}\n{"qid": "q1", "docid": 2}\n',
        ),
    ],
)
def test_decimal_commas_and_spaces_around_ids_are_read(tmp_path, name, qrels):
    folder = foreign(tmp_path / "b")
    (folder / "qrels" / "test.tsv").unlink()
    (folder / "qrels" / name).write_text(qrels)
    (folder / "queries.jsonl").write_text('{"_id": " q1 ", "text": "one"}\n')
    data = load_dataset(str(folder), "test")
    assert [q.id for q in data.queries] == ["q1"]
    assert data.qrels == {"q1": {"1": 1, "2": 2}}


def test_half_scores_are_grades(tmp_path):
    data = load_dataset(str(foreign(tmp_path / "b", "q1\t1\t0.5\nq1\t2\t1\n")), "test")
    assert data.qrels == {"q1": {"1": 1, "2": 2}}
    assert any("grades, all times 2" in note for note in data.notes)
    with pytest.raises(DatasetError, match=r"the relevance 0\.12345 is too fine"):
        load_dataset(str(foreign(tmp_path / "c", "q1\t1\t0.12345\n")), "test")


@pytest.mark.parametrize("name", ["qrels/test.qrels", "qrels/test.trec", "qrels/test.qrel"])
def test_labels_have_other_endings(beir, name):
    (beir / "qrels").mkdir()
    (beir / name).write_text("q1 0 d1 1\n")
    assert BeirFolder.find(beir).splits() == ["test"]


@pytest.mark.parametrize("name", ["qrels.tsv", "labels.csv", "qrels/test.xlsx"])
def test_labels_that_are_not_read_are_named(beir, name):
    (beir / "qrels").mkdir()
    (beir / name).write_text("q1\td1\t1\n")
    with pytest.raises(DatasetError, match=f"belong in qrels/SPLIT.tsv; {name} is not read"):
        load_dataset(str(beir))


def test_a_folder_without_labels_has_no_split(beir):
    with pytest.raises(DatasetError, match=r"has no split: its labels belong in qrels/SPLIT\.tsv$"):
        load_dataset(str(beir))
