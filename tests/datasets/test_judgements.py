import json

import pytest
from tests.tables import QUERIES, qrel_rows, write_table

from skillret.datasets.dataset import load_dataset
from skillret.datasets.judgements import Judgements, merge_labels, read_judgements
from skillret.errors import InputError


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def row(query_id, skill_id, grade, **others):
    return {"query_id": query_id, "skill_id": skill_id, "grade": grade, **others}


def test_rows_without_a_grade_are_open_and_texts_beside_it_do_not_matter(tmp_path):
    file = write(
        tmp_path / "judged.jsonl",
        [row("q1", "a", 2, query="x", text="y"), row("q1", "b", None), row("q2", "a", "0")],
    )
    read = read_judgements(file)
    assert read.grades == {"q1": {"a": 2}, "q2": {"a": 0}}
    assert (read.name, read.n_open) == ("judged.jsonl", 1)


def test_qrels_are_judgements_too(tmp_path):
    file = tmp_path / "judged.tsv"
    file.write_text("q1 0 a 2\nq1 0 b 0\n")
    assert read_judgements(file).grades == {"q1": {"a": 2, "b": 0}}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row("q1", "a", 1.5)], "row 1: the grade '1.5' is no whole number"),
        ([row("q1", "a", True)], "the grade 'True'"),
        ([row("q1", "a", -1)], "the grade '-1'"),
        ([row("q1", "a", "yes")], "the grade 'yes'"),
        ([row("q1", "a", 1), row("q1", "a", 2)], "row 2: the skill 'a' has the grades 1 and 2"),
        ([{"query_id": "q1", "grade": 1}], "needs query_id, skill_id and grade"),
        ([row("q1", "a", None)], "holds no judgement"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, rows, told):
    file = write(tmp_path / "judged.jsonl", rows)
    with pytest.raises(InputError, match=told) as e:
        read_judgements(file)
    assert "\n" not in str(e.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"^no such file: .*no\.jsonl$"):
        read_judgements(tmp_path / "no.jsonl")


def test_own_labels_take_the_highest_grade_and_judgements_stand_over_them(dataset):
    data = load_dataset(dataset, "dev")
    own = merge_labels(data)
    assert own.grades["q2"] == {"pdf-tables": 1, "meal-planner": 1}
    assert (own.added, own.judged, own.counts) == (False, None, {1: 4})
    given = {"q2": {"release-notes": 3, "meal-planner": 0}, "q1": {"pdf-tables": 1}}
    merged = merge_labels(data, Judgements("j", given, 2))
    assert merged.grades["q2"] == {"pdf-tables": 3, "release-notes": 3, "meal-planner": 0}
    assert merged.grades["q1"] == {"kubernetes-debugging": 3, "pdf-tables": 1}
    assert merged.judged == {"q1", "q2"}
    assert merged.counts == {0: 1, 1: 1, 3: 3}
    assert merged.relevant["q2"] == {"pdf-tables": 3, "release-notes": 3}
    assert "q3" not in merged.relevant
    assert merged.notes == ("j: 2 rows without a grade yet",)


def test_a_data_sets_own_grades_are_kept_and_its_zeros_are_judged(dataset):
    rows = [*qrel_rows(), {"query_id": "q1", "skill_id": "meal-planner", "relevance": 0}]
    rows[0]["relevance"] = 2
    write_table(dataset, "qrels", "dev", rows)
    data = load_dataset(dataset, "dev")
    assert data.nonrelevant == {"q1": {"meal-planner"}}
    assert "meal-planner" not in data.qrels["q1"]
    assert merge_labels(data).grades["q1"] == {"kubernetes-debugging": 2, "meal-planner": 0}
    given = Judgements("j", {"q1": {"pdf-tables": 3}})
    assert merge_labels(data, given).grades["q1"]["kubernetes-debugging"] == 2


def test_skills_that_would_do_as_well_are_counted_if_asked(dataset):
    queries = [dict(q) for q in QUERIES]
    queries[0] |= {"also": ["pdf-tables", "gone"], "not_skill_ids": ["meal-planner"]}
    write_table(dataset, "queries", "dev", queries)
    data = load_dataset(dataset, "dev")
    assert merge_labels(data).grades["q1"] == {"kubernetes-debugging": 1}
    labels = merge_labels(data, also=True)
    assert labels.grades["q1"] == {"kubernetes-debugging": 2, "pdf-tables": 1, "meal-planner": 0}
    assert labels.added


def test_without_the_column_or_with_judgements_of_other_data_it_is_refused(dataset):
    data = load_dataset(dataset, "dev")
    with pytest.raises(InputError, match="no column 'also'"):
        merge_labels(data, also=True)
    for grades in ({"other": {"pdf-tables": 1}}, {"q1": {"other": 1}}):
        with pytest.raises(InputError, match="judges another data set"):
            merge_labels(data, Judgements("j", grades))
    some = Judgements("j", {"q1": {"pdf-tables": 1, "other": 2}, "q9": {"pdf-tables": 1}})
    (note,) = merge_labels(data, some).notes
    assert "left out 2 judgements" in note
    assert "'other' for 'q1'" in note
