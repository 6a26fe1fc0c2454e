"""Which files hold tests, and what one entry says of two skills."""

import json
from pathlib import Path

import pytest
from tests.conftest import write_skill

from skillret.datasets.dataset import load_dataset
from skillret.datasets.test_file import promised
from skillret.errors import DatasetError

YES = {"query": "when is high tide", "should_trigger": True}
NO = {"query": "tie a bowline", "should_trigger": False}
LINES = (
    "- query: when is high tide\n  should_trigger: true\n"
    "- query: tie a bowline\n  should_trigger: false\n"
)


@pytest.fixture
def skills(tmp_path):
    for name in ("tide-table", "knots"):
        write_skill(tmp_path / "skills", name, f"All about {name}.")
    return tmp_path / "skills"


def gold(skills, name, document):
    """The labels that a file gives, by query, and what is told of it."""
    file = skills / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    data = load_dataset(str(skills))
    texts = {query.id: query.text for query in data.queries}
    return {texts[id_]: sorted(of) for id_, of in data.qrels.items()}, data.notes


@pytest.mark.parametrize(
    "name",
    [
        *("trigger-eval.json", "trigger_eval_set.json", "triggerEvals.json", "triggerevals.jsonl"),
        *("eval_queries.json", "evalQueries.json", "skill-trigger-tests.yaml", "routing-cases.yml"),
    ],
)
def test_names_that_promise_tests(name):
    assert promised(Path(name))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "tests.json",
            "eval.json",
            "queries.json",
            "trigger.json",
            "package.json",
            "evaluator.json",
        ),
        *("github-trigger-tests.json", "sql-queries-test.json", "test_cases.json", "database.json"),
    ],
)
def test_names_that_may_hold_anything(name):
    assert not promised(Path(name))


@pytest.mark.parametrize("folder", ["", "evals/", "eval/", "tests/", "evaluation/"])
@pytest.mark.parametrize("name", ["trigger_eval_set.json", "trigger-eval.yaml"])
def test_tests_go_by_other_places_and_forms(skills, folder, name):
    text = LINES if name.endswith("yaml") else json.dumps([YES, NO])
    assert gold(skills, f"tide-table/{folder}{name}", text)[0] == {YES["query"]: ["tide-table"]}


@pytest.mark.parametrize(
    "name", ["tests/data.json", "tests.json", "evals/other.yaml", "x/evals.json"]
)
def test_other_files_are_no_tests(skills, name):
    with pytest.raises(DatasetError, match="have no tests"):
        gold(skills, f"tide-table/{name}", LINES if name.endswith("yaml") else [YES])


def test_broken_yaml_that_promises_tests_is_named(skills):
    with pytest.raises(
        DatasetError, match=r"trigger-eval\.yaml is passed over: .* as YAML: [^\n]+$"
    ):
        gold(skills, "tide-table/evals/trigger-eval.yaml", "a: [")


def test_a_comma_behind_the_last_test_and_comments_are_read_over(skills):
    text = f"[// ours\n{json.dumps(YES)},\n{json.dumps(NO)},\n]"
    assert list(gold(skills, "tide-table/trigger-eval.json", text)[0]) == [YES["query"]]


def test_what_is_wanted_and_not_is_left_out_and_named(skills):
    other = {"query": "x", "should_trigger": True}
    labels, notes = gold(
        skills, "tide-table/trigger-eval.json", [YES, {**YES, "should_trigger": False}, other]
    )
    assert labels == {"x": ["tide-table"]}
    assert [n for n in notes if "left out: 'when is high tide' has a should_trigger" in n]


def test_what_one_skill_wants_another_may_not(skills):
    (skills / "knots" / "trigger-eval.json").write_text(
        json.dumps([{**NO, "should_trigger": True}])
    )
    labels, notes = gold(skills, "tide-table/trigger-eval.json", [YES, NO])
    assert labels == {YES["query"]: ["tide-table"], NO["query"]: ["knots"]}
    assert not [n for n in notes if "left out" in n]


@pytest.mark.parametrize("right", ["knots", ["knots"], ["knots", "fax"]])
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tide-table/trigger-eval.json", {}),
        ("evals/tide-table.json", {}),
        ("evals/all.json", {"skill": "tide-table"}),
    ],
)
def test_a_near_miss_may_name_the_skill_that_is_right(skills, name, more, right):
    labels, notes = gold(skills, name, [{**YES, **more}, {**NO, **more, "expected_skill": right}])
    assert labels == {YES["query"]: ["tide-table"], NO["query"]: ["knots"]}
    assert not [n for n in notes if "left out" in n]


@pytest.mark.parametrize("right", ["none", "", None, "fax", 5])
def test_a_near_miss_of_no_other_skill_is_one(skills, right):
    labels, _ = gold(skills, "tide-table/trigger-eval.json", [YES, {**NO, "expected_skill": right}])
    assert labels == {YES["query"]: ["tide-table"]}


@pytest.mark.parametrize("none", [None, "none", "None", "", [], ["none"], "N/A"])
@pytest.mark.parametrize("column", ["expected_skill", "expected_skills", "skill"])
@pytest.mark.parametrize("text", ["query", "message"])
def test_a_test_of_a_whole_library_may_need_no_skill(skills, column, none, text):
    tests = [{text: "when is high tide", column: "tide-table"}, {text: "cook dinner", column: none}]
    labels, notes = gold(skills, "evals/routing.json", tests)
    assert labels == {"when is high tide": ["tide-table"]}
    assert not [n for n in notes if "left out" in n or "passed over" in n]
    (negative,) = load_dataset(str(skills)).negatives
    assert (negative.text, dict(negative.extra)) == ("cook dinner", {})


def test_a_file_may_hold_nothing_but_what_needs_no_skill(skills):
    (skills / "tide-table" / "trigger-eval.json").write_text(json.dumps([YES]))
    gold(skills, "evals/unrelated.json", [{"query": "cook dinner", "expected_skill": None}])
    assert [q.text for q in load_dataset(str(skills)).negatives] == ["cook dinner"]


@pytest.mark.parametrize(
    ("test", "wanted"),
    [
        ({"expected_skill": "none", "skill": "knots"}, True),
        ({"expected_skill": "none", "skill": "tide-table", "should_trigger": False}, False),
        ({"expected_skill": "none", "should_trigger": False}, False),
        ({"expected_skill": "none", "skill": "none"}, False),
        ({"skill": "none", "expected_skill": "knots"}, True),
    ],
)
def test_what_names_a_skill_needs_one(skills, test, wanted):
    labels, _ = gold(
        skills, "evals/all.json", [{**YES, "skill": "tide-table"}, {"query": "x", **test}]
    )
    assert labels.get("x", []) == ["knots"] * wanted
    assert [q.text for q in load_dataset(str(skills)).negatives] == ["x"] * (not wanted)


def test_a_skill_may_be_called_none(skills):
    write_skill(skills, "none", "All about nothing.")
    labels, _ = gold(skills, "evals/all.json", [{"query": "x", "expected_skill": "none"}])
    assert labels == {"x": ["none"]}
