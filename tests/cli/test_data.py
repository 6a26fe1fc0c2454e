import json

import pytest
from tests.cli.test_search import fails, run
from tests.tables import QUERIES, qrel_rows, write_table


def test_check_prints_counts_and_faults(dataset, capsys):
    status, out, err = run(capsys, "data", "check", str(dataset))
    assert (status, err) == (0, "")
    (row,) = [line.split() for line in out.splitlines() if line.startswith("dev")]
    assert row[1:5] == ["4", "3", "4", "2"]
    write_table(dataset, "qrels", "dev", [*qrel_rows(), {"query_id": "q1", "skill_id": "g\x1b[2J"}])
    status, out, err = run(capsys, "data", "check", str(dataset))
    assert status == 1
    assert "evaluation refuses:\n  dev: 1 labels name a skill that is not there: q1 -> g" in out
    assert "\x1b" not in out
    assert err.count("\n") == 1
    assert "cannot be evaluated as it is: 1 kind of fault" in err


def test_check_as_json_is_one_document_whatever_it_finds(dataset, capsys):
    _, out, _ = run(capsys, "data", "check", str(dataset), "--json")
    document = json.loads(out)
    assert list(document) == ["dataset", "layout", "ok", "splits", "findings"]
    assert document["splits"]["dev"]["k=2"] == 1
    write_table(dataset, "queries", "dev", [*QUERIES, QUERIES[0]])
    status, out, _ = run(capsys, "data", "check", str(dataset), "--json")
    document = json.loads(out)
    assert (status, document["ok"]) == (1, False)
    assert document["findings"][0] == {
        "split": "dev",
        "what": "queries are there twice (by id)",
        "count": 1,
        "examples": ["q1"],
        "refused": True,
    }


def test_convert_writes_what_evaluate_reads(dataset, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = ("data", "convert", str(dataset), str(output), "--to", "beir")
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (0, "")
    assert f"wrote dev to {output}" in err
    results = []
    for folder in (dataset, output):
        arguments = ("evaluate", str(folder), "--split", "dev", "--mode", "lexical", "--json", "-")
        _, out, _ = run(capsys, *arguments)
        results.append(json.loads(out))
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["groups"] == results[1]["groups"]


def test_bad_input_is_one_line(dataset, tmp_path, capsys):
    assert "neither a folder nor a hub id" in fails(capsys, "data", "check", str(tmp_path / "no"))
    line = fails(capsys, "data", "convert", str(dataset), str(dataset), "--to", "beir")
    assert "not empty" in line


COMMANDS = [
    ("data", "check"),
    ("data", "convert", "--to", "skillret", "out"),
    ("evaluate", "--mode", "lexical"),
    ("analyze", "erasure", "--mode", "lexical"),
    ("compare", "a.run", "b.run", "--dataset"),
    ("calibrate",),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_reads_and_refuses_alike(command, library, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    start = command[:-1] if command[-1] == "out" else command
    end = ("out",) if command[-1] == "out" else ()
    (tmp_path / "q.csv").write_text("query,skill\nx,gone\n")
    given = ("--library", str(library))
    for spec, options, message in (
        ("q.csv", (), "q.csv names skills: give the folder that holds them with --library"),
        ("nowhere.csv", given, "no such file: nowhere.csv"),
        ("./nowhere", (), "no such data set: ./nowhere is neither a folder nor a hub id"),
        (str(library), given, "--library goes with a .csv, .tsv, .txt, .jsonl, .jsonl.gz or"),
        (str(library), (), "have no tests: put queries into eval_queries.json"),
    ):
        assert message in fails(capsys, *start, spec, *end, *options)
    status, out, err = run(capsys, *start, "q.csv", *end, *given)
    assert status == 1
    assert "q.csv, line 2: the skill 'gone' is not in the library" in out + err


def test_a_file_of_queries_is_evaluated_and_converted_to_the_same(library, tmp_path, capsys):
    file = tmp_path / "q.csv"
    file.write_text("query,skill,kind\nmy pods crash,kubernetes-debugging,short\n")
    given = ("--library", str(library))
    status, out, _ = run(capsys, "evaluate", str(file), *given, "--mode", "lexical", "--json", "-")
    result = json.loads(out)
    assert (status, result["split"], result["n_queries"]) == (0, "tests", 1)
    assert "kind=short" in result["groups"]
    assert "tests" in run(capsys, "data", "check", str(file), *given)[1]
    converted = tmp_path / "out"
    run(capsys, "data", "convert", str(file), str(converted), "--to", "skillret", *given)
    _, out, _ = run(capsys, "evaluate", str(converted), "--mode", "lexical", "--json", "-")
    assert json.loads(out)["metrics"] == result["metrics"]
