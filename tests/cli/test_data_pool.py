import json

from tests.cli.test_search import fails, run
from tests.tables import QUERIES, write_table


def judge(file, grades):
    """Fill in the grades that are given; all others are left open."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        row["grade"] = grades.get((row["query_id"], row["skill_id"]))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def test_a_pool_is_judged_and_read_back(dataset, tmp_path, capsys):
    file = tmp_path / "judge.jsonl"
    base = (str(dataset), "--split", "dev")
    status, out, _ = run(
        capsys, "data", "pool", *base, "--mode", "lexical", "-k", "2", "--output", str(file)
    )
    assert status == 0
    assert "for 3 queries" in out
    grades = {("q1", "kubernetes-debugging"): 2, ("q2", "pdf-tables"): 0, ("q2", "meal-planner"): 2}
    rows = judge(file, grades)
    assert {(row["query_id"], row["skill_id"]) for row in rows} >= set(grades)
    lexical = ("evaluate", *base, "--mode", "lexical", "--judgements", str(file))
    status, out, err = run(capsys, *lexical)
    assert status == 0
    assert "by all labels of 2 queries: 1 of grade 0, 2 of grade 2" in out
    for line in ("ndcg, own", "with grades", "condensed", "bpref", "never judged: "):
        assert f"\n{line}" in out, line
    assert "1 row without a grade yet" in err or "rows without a grade yet" in err
    status, out, _ = run(capsys, *lexical, "--json", "-")
    judged = json.loads(out)
    assert judged["judged"]["grades"] == {"0": 1, "2": 2}
    _, plain, _ = run(capsys, "evaluate", *base, "--mode", "lexical", "--json", "-")
    unjudged = json.loads(plain)
    assert judged["metrics"] == unjudged["metrics"]  # those by the data set's own labels
    assert [*unjudged["judged"]["metrics"]] == ["unjudged@5", "unjudged@10", "unjudged@15"]
    # What is judged is not asked again.
    more = tmp_path / "more.jsonl"
    again = ("data", "pool", *base, "--mode", "lexical", "-k", "2", "--judgements", str(file))
    run(capsys, *again, "--output", str(more))
    left = [json.loads(line) for line in more.read_text().splitlines()]
    assert len(left) == len(rows) - 3


def test_a_run_of_another_system_is_pooled(dataset, tmp_path, capsys):
    (tmp_path / "other.run").write_text("q3 Q0 meal-planner 1 1 x\n")
    file = tmp_path / "judge.jsonl"
    base = ("data", "pool", str(dataset), "--split", "dev", "--mode", "lexical", "-k", "1")
    run(capsys, *base, "--run", str(tmp_path / "other.run"), "--output", str(file))
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert ("q3", "meal-planner") in {(row["query_id"], row["skill_id"]) for row in rows}


def test_judgements_are_never_overwritten_and_a_pool_is_json_lines(dataset, tmp_path, capsys):
    file = tmp_path / "judge.jsonl"
    file.write_text("")
    base = ("data", "pool", str(dataset), "--split", "dev", "--output")
    assert "may hold judgements" in fails(capsys, *base, str(file))
    assert "is written as .jsonl" in fails(capsys, *base, str(tmp_path / "judge.csv"))


def test_the_least_grade_is_told_and_must_be_there(dataset, tmp_path, capsys):
    file = tmp_path / "judged.tsv"
    file.write_text("q1 0 kubernetes-debugging 2\nq1 0 pdf-tables 1\n")
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical", "--judgements")
    _, out, _ = run(capsys, *base, str(file), "--least-grade", "2")
    assert "from grade 2 on" in out
    assert "no label has a grade of 3" in fails(capsys, *base, str(file), "--least-grade", "3")


def test_only_queries_without_a_label_of_their_own_may_be_judged(dataset, tmp_path, capsys):
    queries = [*QUERIES, {"id": "q4", "query": "pods again"}]
    write_table(dataset, "queries", "dev", queries)
    file = tmp_path / "judged.tsv"
    file.write_text("q4 0 kubernetes-debugging 1\nq4 0 pdf-tables 0\n")
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical", "--judgements")
    _, out, _ = run(capsys, *base, str(file))
    assert "by all labels of 1 query: 1 of grade 0, 1 of grade 1" in out
    assert "own labels" not in out
