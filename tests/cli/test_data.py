import json

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
