import pytest
from tests.tables import QUERIES, qrel_rows, skill_rows, write_table

from skillret.datasets.labelled import LabelledQuery, open_split
from skillret.errors import DatasetError


def test_queries_come_with_their_gold_skills_and_place(dataset):
    split = open_split(dataset, "dev")
    assert (split.name, split.split) == (str(dataset), "dev")
    where = f"{dataset / 'data' / 'queries' / 'dev.jsonl.gz'}, row 2"
    gold = ("pdf-tables", "meal-planner")
    assert list(split.queries())[1] == LabelledQuery("q2", QUERIES[1]["query"], gold, where, "long")
    assert [q.id for q in split.bare_queries("negatives")] == ["n1", "n2"]
    assert [s.id for s in split.skills()] == [row["id"] for row in skill_rows()]


def test_a_query_without_a_label_has_no_gold(dataset):
    rows = [r for r in qrel_rows() if r["query_id"] != "q1"]
    rows.append({"query_id": "q1", "skill_id": "pdf-tables", "relevance": 0})
    write_table(dataset, "qrels", "dev", rows)
    assert next(open_split(dataset, "dev").queries()).gold == ()
    write_table(dataset, "qrels", "dev", rows[-1:])
    with pytest.raises(DatasetError, match="no query has a gold skill"):
        list(open_split(dataset, "dev").queries())


def test_an_id_that_is_there_twice_and_a_table_without_rows(dataset):
    split = open_split(dataset, usual="dev")
    write_table(dataset, "skills", "dev", [*skill_rows(), skill_rows()[0]])
    with pytest.raises(DatasetError, match=r"row 5: the id 'pdf-tables' is there twice"):
        list(split.skills())
    write_table(dataset, "skills", "dev", [])
    with pytest.raises(DatasetError, match="holds no skill of the split 'dev'"):
        list(split.skills())
    write_table(dataset, "queries", "dev", [QUERIES[0]] * 2)
    with pytest.raises(DatasetError, match=r"row 2: the id 'q1' is there twice"):
        list(split.queries())
    write_table(dataset, "negatives", "dev", [{"id": "n", "query": "x"}] * 2)
    with pytest.raises(DatasetError, match=r"negatives.*row 2: the id 'n' is there twice"):
        list(split.bare_queries("negatives"))
