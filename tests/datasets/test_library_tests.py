import json
import re

import pytest
from tests.cli.test_search import run
from tests.conftest import ROOT, write_skill

from skillret import Library, evaluate
from skillret.datasets.convert import convert
from skillret.datasets.dataset import load_dataset
from skillret.datasets.library_tests import library_source, read_library_tests
from skillret.errors import DatasetError


def put_tests(folder, name, document):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def tested(tmp_path):
    """Three skills: with trigger tests, with tasks, with none; one query wanted by two."""
    folder = tmp_path / "skills"
    for name in ("pdf", "charts", "mail"):
        write_skill(folder, name, f"All about {name}.")
    put_tests(
        folder / "pdf",
        "eval_queries.json",
        [
            {"query": "read this pdf", "should_trigger": True},
            {"query": "plot the table in the pdf", "should_trigger": True},
            {"query": "write a pdf viewer", "should_trigger": False},
            {"query": "draw a pie", "should_trigger": False},
        ],
    )
    tasks = [{"id": 1, "prompt": "draw a pie "}, {"prompt": "plot the table in the pdf"}]
    put_tests(folder / "charts", "evals/evals.json", {"skill_name": "charts", "evals": tasks})
    return folder


def test_a_library_s_own_tests_are_a_data_set(tested):
    data = load_dataset(str(tested))
    assert data.split == "tests"
    texts = {q.id: q.text for q in data.queries}
    assert {texts[q]: set(gold) for q, gold in data.qrels.items()} == {
        "read this pdf": {"pdf"},
        "plot the table in the pdf": {"pdf", "charts"},
        "draw a pie": {"charts"},  # a near miss of one skill that another one wants
    }
    assert {q.text: q.extra["negative_for"] for q in data.negatives} == {
        "write a pdf viewer": ["pdf"]
    }
    assert [q.extra["kind"] for q in data.queries if q.text == "draw a pie"] == ["task"]
    assert any("2 of 3 skills have tests" in n for n in data.notes)
    assert any("1 near miss of one skill" in n for n in data.notes)
    convert(str(tested), tested.parent / "converted", "skillret")
    again = load_dataset(str(tested.parent / "converted"), "tests")
    assert any("1 near miss of one skill" in n for n in again.notes)
    with pytest.raises(DatasetError, match="no split 'train'; it has: tests"):
        load_dataset(str(tested), "train")


def test_near_misses_are_said_to_tell_nothing_of_abstention(tested, capsys):
    status, out, _ = run(capsys, "evaluate", str(tested), "--mode", "lexical")
    assert status == 0
    assert "abstention: not told by" in out
    assert "are kept" not in out


def test_links_lead_out_of_no_skill(tested, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('[{"query": "private", "should_trigger": true}]')
    file = tested / "mail" / "eval_queries.json"
    file.symlink_to(secret)
    data = load_dataset(str(tested))
    assert "private" not in {q.text for q in data.queries}
    assert any("mail/eval_queries.json is passed over: it is a link" in n for n in data.notes)
    file.unlink()
    file.symlink_to("own.json")
    (tested / "mail" / "own.json").write_text(secret.read_text())
    assert "private" in {q.text for q in load_dataset(str(tested)).queries}


@pytest.mark.parametrize("text", ["[" * 100_000, '[{"query": "\\ud800", "should_trigger": true}]'])
def test_json_that_could_not_be_kept_is_passed_over(tested, text):
    (tested / "mail" / "eval_queries.json").write_text(text)
    data = load_dataset(str(tested))
    assert len(data.queries) == 3
    assert any("cannot be read as JSON" in n for n in data.notes)


def test_ids_do_not_depend_on_the_place_nor_on_other_skills_and_tests(tested, tmp_path):
    before = load_dataset(str(tested), "tests")
    (tmp_path / "elsewhere").mkdir()
    moved = tested.rename(tmp_path / "elsewhere" / "skills")
    assert load_dataset(str(moved)).revision == before.revision
    write_skill(moved, "aaa-first")
    put_tests(moved / "aaa-first", "eval_queries.json", [{"query": "x", "should_trigger": True}])
    after = load_dataset(str(moved))
    assert after.revision != before.revision
    assert before.qrels.items() <= after.qrels.items()
    assert {s.id for s in before.skills} < {s.id for s in after.skills}


def test_tests_beside_a_collapsed_copy_count_for_the_skill(tested):
    write_skill(tested / "zzz", "pdf", "All about pdf.")
    tests = [{"query": "only beside the copy", "should_trigger": True}]
    put_tests(tested / "zzz" / "pdf", "eval_queries.json", tests)
    data = load_dataset(str(tested))
    assert len(data.skills) == 3
    (query,) = [q for q in data.queries if q.text == "only beside the copy"]
    assert set(data.qrels[query.id]) == {"pdf"}


def test_skills_of_one_name_are_told_apart_and_ids_hold_no_blank(tested):
    write_skill(tested / "team", "mail", "Another thing.", "Another body.")
    write_skill(tested, "two words")
    ids = [s.id for s in load_dataset(str(tested)).skills]
    assert "two-words" in ids
    assert len([i for i in ids if i.startswith("mail@")]) == 2


def test_a_library_without_tests_and_a_folder_without_anything(library, tmp_path):
    with pytest.raises(DatasetError, match=r"4 skills in .* have no tests: .* eval_queries\.json"):
        load_dataset(str(library))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"neither data/skills.* nor corpus\.jsonl.* nor a SKI"):
        load_dataset(str(tmp_path / "empty"))
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="is a file; a data set is the folder"):
        load_dataset(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("name", "document", "match"),
    [
        ("eval_queries.json", [{"query": "x"}], "needs a query and should_trigger"),
        ("eval_queries.json", [{"query": "x", "should_trigger": "maybe"}], "true or false"),
        ("eval_queries.json", ["x"], "no list of tests"),
        ("evals/evals.json", {"evals": [{"prompt": " "}]}, "test 1 needs a query"),
    ],
)
def test_malformed_tests_are_named_and_the_others_count(tested, name, document, match):
    put_tests(tested / "mail", name, document)
    data = load_dataset(str(tested))
    assert len(data.queries) == 3
    (note,) = [n for n in data.notes if "passed over" in n]
    assert re.search(f"{name} is passed over: .*{match}", note)


@pytest.mark.parametrize("text", ["", "\n", "{", "[{]"])
def test_a_file_that_is_no_json_is_named_where_no_test_is_left(tested, text):
    (tested / "mail" / "evals.json").write_text(text)
    source = library_source(Library.open(tested))
    assert any("evals.json is passed over: it cannot be read" in n for n in source.notes)
    for file in ("pdf/eval_queries.json", "charts/evals/evals.json"):
        (tested / file).unlink()
    with pytest.raises(DatasetError, match=r"no tests: .*; .*mail.evals\.json is passed over: it "):
        library_source(Library.open(tested))


def test_of_many_malformed_files_some_are_named(tmp_path):
    for number in range(30):
        folder = write_skill(tmp_path / "skills", f"skill-{number:02}", f"Does {number}.").parent
        (folder / "trigger-eval.json").write_text("")
    with pytest.raises(DatasetError) as caught:
        load_dataset(str(tmp_path / "skills"))
    assert str(caught.value).count("passed over: it cannot be read as JSON: it is empty") == 20
    assert "10 more are passed over" in str(caught.value)


def test_expected_is_a_label_where_it_is_true_or_false(tested):
    tests = [{"query": "x", "expected": True}, {"query": "y", "expected": False}]
    put_tests(tested / "mail", "evals/trigger-eval.json", tests)
    put_tests(tested / "mail", "evals/evals.json", [{"prompt": "z", "expected": "A letter."}])
    data = load_dataset(str(tested))
    texts = {q.text: q for q in data.queries}
    assert {"x", "z"} < set(texts)
    assert texts["z"].extra["kind"] == "task"
    assert "y" in {q.text for q in data.negatives}


@pytest.mark.parametrize("as_list", [False, True])
def test_tests_that_name_their_skills_are_tests_of_those(tested, as_list):
    test = {
        "skills": ["mail", "charts"],
        "query": "Send the pie to the board",
        "files": [],
        "expected_behavior": ["Draws it", "Sends it"],
    }
    put_tests(tested / "mail", "evals/berth.json", [test] if as_list else test)
    data = load_dataset(str(tested))
    (query,) = [q for q in data.queries if q.text == test["query"]]
    assert set(data.qrels[query.id]) == {"mail", "charts"}
    assert query.extra["kind"] == "task"
    assert not [n for n in data.notes if "passed over" in n]


def test_tests_that_name_a_skill_that_is_not_here_are_passed_over(tested):
    put_tests(tested / "mail", "evals/one.json", {"skills": ["fax"], "query": "Send it"})
    put_tests(tested / "mail", "evals/none.json", {"skills": [], "query": "Send it"})
    data = load_dataset(str(tested))
    assert len(data.queries) == 3
    notes = [n for n in data.notes if "passed over" in n]
    assert "one.json is passed over: test 1 wants the skill 'fax', which is not here" in notes[0]
    assert "none.json" in notes[1]


def test_the_example_skills_are_found_by_their_own_tests():
    folder = ROOT / "examples" / "skills"
    tests = list(read_library_tests(Library.open(folder).skills))
    assert {t.kind for t in tests} == {"trigger", "task"}
    result = evaluate(str(folder), mode="lexical")
    wanted = {t.text for t in tests if t.should_trigger}
    assert (result.split, result.n_queries) == ("tests", len(wanted))
    assert result.metrics["recall@10"] > 0.9


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("evals/trigger-eval.json", [{"query": "x", "should_trigger": "true"}]),
        ("trigger_eval.json", {"skill": "mail", "evals": [{"Prompt": "x", "shouldTrigger": 1}]}),
        ("evals/routing.json", {"a": {"b": [{"query": "x", "should_trigger": True}]}}),
        ("evals/set.json", {"should_trigger": ["x"], "should_not_trigger": ["y"]}),
    ],
)
def test_tests_go_by_other_names_and_in_other_objects(tested, name, document):
    put_tests(tested / "mail", name, document)
    data = load_dataset(str(tested))
    (query,) = [q for q in data.queries if q.text == "x"]
    assert list(data.qrels[query.id]) == ["mail"]
    assert ("y" in {q.text for q in data.negatives}) == ("set" in name)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("trigger-eval.jsonl", '{{"query": "{0}", "should_trigger": {1}}}\n'),
        ("any.jsonl", '[{{"prompt": "{0}", "should-trigger": {1}}}]\n'),
        ("Routing.JSON", '{{"input": "{0}", "expectedTrigger": {1}}}'),
    ],
)
def test_tests_are_read_by_other_names_and_as_lines(tmp_path, name, form):
    folder = write_skill(tmp_path / "skills", "boats").parent / "evals"
    folder.mkdir()
    tests = [form.format("sail", "true"), form.format("cook", "false")]
    lines = name.endswith(".jsonl")
    (folder / name).write_text("\n".join(tests) if lines else f"[{','.join(tests)}]")
    data = load_dataset(str(tmp_path / "skills"))
    assert [q.text for q in data.queries] == ["sail"]
    assert [q.text for q in data.negatives] == ["cook"]


def test_other_json_beside_tests_is_passed_over_and_named(tested):
    put_tests(tested / "mail", "evals/grading.json", {"evals": [{"prompt": "x", "expected": "y"}]})
    put_tests(tested / "mail", "evals/evals.json", {"evals": [{"assertions": [{"text": "fine"}]}]})
    (tested / "mail" / "evals" / "broken.json").write_text("{")
    data = load_dataset(str(tested))
    assert len(data.queries) == 3
    (note,) = [n for n in data.notes if "passed over" in n]
    assert all(name in note for name in ("grading.json", "evals.json", "broken.json"))


@pytest.mark.parametrize(
    "form",
    [
        '{{"{key}": "x", "should_trigger": 1.0}}',
        '{{"{key}": "x", "trigger": true}}',
        '{{"{key}": "x", "triggers": "yes"}}',
        '{{"{key}": "x", "expected": true}}',
    ],
)
@pytest.mark.parametrize("key", ["text", "utterance", "message", "task", "user_prompt"])
def test_a_request_goes_by_other_names_beside_what_it_wants(tested, form, key):
    documents = [json.loads(form.format(key=key)), {key: "y", "shouldTrigger": 0.0}]
    put_tests(tested / "mail", "evals/triggers.json", documents)
    data = load_dataset(str(tested))
    (query,) = [q for q in data.queries if q.text == "x"]
    assert list(data.qrels[query.id]) == ["mail"]
    assert "y" in {q.text for q in data.negatives}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"query": "", "should_trigger": True}, "needs a query"),
        ({"should_trigger": True}, "needs a query"),
        ({"query": "z"}, "needs a query and should_trigger"),
        ({"query": "z", "should_trigger": "maybe"}, "true or false, not 'maybe'"),
        ({"query": "z", "should_trigger": None}, "true or false, not ''"),
        ({"query": "z", "skills": ["fax"]}, "wants the skill 'fax'"),
    ],
)
@pytest.mark.parametrize("name", ["eval_queries.json", "evals/evals.json"])
def test_one_malformed_entry_is_left_out_and_named(tested, entry, why, name):
    if name.endswith("evals.json") and entry == {"query": "z"}:
        return  # a task
    put_tests(tested / "mail", name, [{"query": "x", "should_trigger": True}, entry])
    data = load_dataset(str(tested))
    texts = {q.text for q in data.queries}
    assert "x" in texts
    assert "z" not in texts
    (note,) = [n for n in data.notes if "left out" in n]
    assert re.search(f"mail/{name}: left out: test 2 .*{why}", note)


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("mail.json", [{"query": "x", "should_trigger": True}]),
        ("mail-evals.jsonl", [{"query": "x", "should_trigger": True}]),
        ("mail/evals.json", {"evals": [{"prompt": "x"}]}),
        ("all.json", [{"query": "x", "skill": "mail", "should_trigger": True}]),
        ("all.json", [{"prompt": "x", "expected_skill": "mail"}]),
        ("all.json", {"skill_name": "mail", "evals": [{"query": "x", "should_trigger": True}]}),
        ("all.json", {"mail": [{"query": "x", "should_trigger": True}]}),
        ("all.json", {"mail": {"should_trigger": ["x"]}}),
        ("pdf.json", [{"query": "x", "skills": ["mail"]}]),
    ],
)
def test_the_evals_of_a_whole_library_are_read(tested, beside, name, document):
    put_tests(tested.parent if beside else tested, f"evals/{name}", document)
    data = load_dataset(str(tested))
    (query,) = [q for q in data.queries if q.text == "x"]
    assert list(data.qrels[query.id]) == ["mail"]
    assert not [n for n in data.notes if "passed over" in n]


def test_the_evals_of_a_whole_library_that_name_no_skill_are_named(tested):
    put_tests(tested.parent, "evals/all.json", [{"query": "x", "should_trigger": True}])
    put_tests(tested.parent, "evals/fax.json", [{"query": "x", "skill": "fax"}])
    put_tests(tested.parent, "evals/scores.json", {"runs": [{"prompt": "x", "score": 1}]})
    (tested.parent / "evals" / "notes.md").write_text("x")
    data = load_dataset(str(tested))
    assert len(data.queries) == 3
    notes = [n for n in data.notes if "passed over" in n]
    assert "all.json is passed over: test 1 names no skill" in notes[0]
    assert "fax.json is passed over: test 1 wants the skill 'fax'" in notes[1]
    assert "scores.json" in notes[2]
