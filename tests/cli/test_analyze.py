import json

import pytest
from tests.cli.test_search import fails, run
from tests.tables import QUERIES, write_table


@pytest.fixture
def long_requests(dataset):
    """The data set's queries, each with a sentence that says nothing."""
    rows = [{**q, "query": f"It was a long day. {q['query']}."} for q in QUERIES]
    write_table(dataset, "queries", "dev", rows)
    return ("analyze", "erasure", str(dataset), "--split", "dev", "--mode", "lexical")


def test_text_json_and_report(long_requests, tmp_path, capsys):
    status, out, _ = run(capsys, *long_requests)
    assert status == 0
    assert "3 queries of 2 sentences or more, 2.0 in the mean; 0 shorter ones" in out
    assert "most important sentence erased" in out
    status, out, err = run(capsys, *long_requests, "--json", "--report", str(tmp_path / "rep"))
    document = json.loads(out)
    assert status == 0
    assert (document["mode"], document["model"], document["n_queries"]) == ("lexical", "BM25", 3)
    assert document["conditions"]["most_erased"]["ndcg@10"]["mean"] == 0
    assert "report.html" in err
    assert (tmp_path / "rep" / "report.html").is_file()


def test_requests_without_a_kind(long_requests, dataset, capsys):
    rows = [{"id": q["id"], "query": f"One. {q['query']}."} for q in QUERIES]
    write_table(dataset, "queries", "dev", rows)
    status, out, _ = run(capsys, *long_requests)
    assert status == 0
    assert "\nk=1 " in out
    assert "kind=" not in out


def test_a_sample_is_called_one(long_requests, capsys):
    _, out, _ = run(capsys, *long_requests, "--max-queries", "2")
    assert "2 queries (a sample of 3)" in out


def test_bad_input(long_requests, dataset, tmp_path, capsys):
    assert "at least 2 sentences" in fails(capsys, *long_requests, "--min-sentences", "1")
    assert "no query" in fails(capsys, *long_requests, "--min-sentences", "5")
    assert "no split 'test'" in fails(capsys, "analyze", "erasure", str(dataset))
    with pytest.raises(SystemExit, match="2"):
        run(capsys, "analyze")
