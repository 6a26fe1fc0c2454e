import pytest

from skillret.datasets.columns import decimal, label_row, parse_label, parse_query, parse_skill
from skillret.errors import DatasetError


def test_what_a_row_needs():
    skill = parse_skill({"id": 0, "name": "n", "body": "b", "skill_md": "s", "major": "x"}, "here")
    assert (skill.id, skill.body, skill.extra) == ("0", "s", {"major": "x"})
    assert parse_skill({"id": "a", "name": "", "body": "b"}, "here").body == "b"
    assert parse_query({"id": 0, "query": "x", "k": 2}, "here").extra == {"k": 2}
    assert parse_label({"query_id": 0, "skill_id": "s", "relevance": 2.0}, "here") == ("0", "s", 2)
    for parse, row, match in [
        (parse_skill, {"name": "n"}, "column 'id' is missing"),
        (parse_skill, {"id": " ", "name": "n"}, "column 'id' is missing"),
        (parse_skill, {"id": True, "name": "n"}, "column 'id' is missing"),
        (parse_skill, {"id": "a"}, "column 'name' is missing"),
        (parse_query, {"id": "a", "query": ["x"]}, "column 'query' is missing"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": "x"}, "a number of"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": None}, "a number of"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 1001}, "at most 1000"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 2**63}, "at most 1000"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 1e999}, "a number of"),
        (parse_label, {"query_id": "q"}, "needs query_id, skill_id"),
    ]:
        with pytest.raises(DatasetError, match=f"^here: .*{match}"):
            parse(row, "here")


@pytest.mark.parametrize(
    ("value", "number"),
    [("0,5", 0.5), (" -1,25 ", -1.25), (",5", 0.5), ("1", 1), (2, 2), (0.5, 0.5)],
)
def test_a_number_may_have_a_decimal_comma(value, number):
    assert decimal(value) == number


def test_two_commas_are_no_number():
    for value in ("1,000,000", "1,0.5", "a,5", ","):
        with pytest.raises(ValueError):
            decimal(value)


def test_metadata_is_an_object_or_a_column_like_any_other():
    row = {"id": "a", "name": "b", "skill_md": "c"}
    skill = parse_skill({**row, "metadata": {"team": "x"}, "stars": 3}, "here")
    assert (skill.metadata, skill.extra) == ({"team": "x"}, {"stars": 3})
    for other in ("text", 5, ["x"], None):
        skill = parse_skill({**row, "metadata": other}, "here")
        assert (skill.metadata, skill.extra) == ({}, {"metadata": other})


@pytest.mark.parametrize(
    ("row", "relevance"),
    [
        ({"qid": "q", "pid": "s", "judgement": 0}, 0),
        ({"Query ID": "q", "Doc ID": "s", "Relevance Score": "2"}, "2"),
        ({"query_id": "q", "skill_id": "s", "label": "easy", "score": 0.5}, 0.5),
        ({"qid": "q", "docid": "s", "score": 0.9, "label": 0}, 0),
    ],
)
def test_labels_are_known_by_many_names(row, relevance):
    assert label_row(row)["relevance"] == relevance


@pytest.mark.parametrize("value", [0, "0", "-1", "0,0", 0.0])
def test_a_row_that_may_be_no_label_is_refused(value):
    row = {"query_id": "q", "skill_id": "s"}
    with pytest.raises(DatasetError, match=r"^here: there is no relevance, .* 'weight'.* call it"):
        parse_label({**row, "weight": value}, "here")
    for more in (
        {"weight": 1},
        {"rank": value},
        {"hard": False},
        {"weight": value, "relevance": 1},
    ):
        assert parse_label({**row, **more}, "here") == ("q", "s", 1)
