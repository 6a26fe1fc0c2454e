import json

import pytest
from tests.cli.test_search import fails, run


@pytest.fixture
def runs(tmp_path):
    """A finds q1 late and q3 not at all; B finds q1 first and loses a gold skill of q2."""
    rows = {
        "a": [
            "q1 Q0 meal-planner 1 2 a",
            "q1 Q0 kubernetes-debugging 2 1 a",
            "q2 Q0 pdf-tables 1 2 a",
            "q2 Q0 meal-planner 2 1 a",
            "q3 Q0 pdf-tables 1 1 a",
        ],
        "b": [
            "q1 Q0 kubernetes-debugging 1 2 b",
            "q2 Q0 pdf-tables 1 2 b",
            "q2 Q0 release-notes 2 1 b",
            "q3 Q0 pdf-tables 1 1 b",
        ],
    }
    files = []
    for name, lines in rows.items():
        file = tmp_path / f"{name}.run"
        file.write_text("\n".join(lines) + "\n")
        files.append(str(file))
    return files


def test_json_says_which_query_moved_and_why(dataset, runs, capsys):
    base = ("compare", *runs, "--dataset", str(dataset), "--split", "dev")
    status, out, err = run(capsys, *base, "--metric", "hit@1", "--metric", "recall@2", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["n_queries"] == 3
    hit = document["metrics"]["hit@1"]
    assert (hit["wins"], hit["losses"], hit["ties"]) == (1, 0, 2)
    assert hit["difference"] == pytest.approx(1 / 3)
    assert hit["p"] == 1.0  # of the two sign patterns of one difference both are as far from 0
    recall = document["metrics"]["recall@2"]
    assert (recall["wins"], recall["losses"], recall["ties"]) == (0, 1, 2)
    (moved,) = document["moved"]
    assert (moved["id"], moved["query"], moved["a"], moved["b"]) == ("q1", "crashing pods", 0, 1)
    gold = {"id": "kubernetes-debugging", "name": "kubernetes-debugging", "rank_a": 2, "rank_b": 1}
    assert moved["gold"] == [gold]


def test_the_text_lists_gains_and_losses(dataset, runs, capsys):
    base = ("compare", *runs, "--dataset", str(dataset), "--split", "dev")
    status, out, _ = run(capsys, *base)
    assert status == 0
    better, worse = out.index("B is better most"), out.index("B is worse most")
    assert better < out.index("kubernetes-debugging 2 -> 1") < worse
    assert worse < out.index("pdf-tables 1 -> 1; meal-planner 2 -> -")
    assert "no difference is shown" in out
    _, same, _ = run(capsys, "compare", runs[0], runs[0], *base[3:])
    assert "Both runs have the same ndcg@10 for every query." in same
    assert "most" not in same
    _, short, _ = run(capsys, *base, "--top", "0")
    assert "most" not in short


def test_a_real_difference_is_called_one(tmp_path, capsys):
    from tests.conftest import SKILLS
    from tests.tables import skill_rows, write_table

    folder = tmp_path / "many"
    write_table(folder, "skills", "dev", skill_rows())
    gold = SKILLS[0].id
    queries = [{"id": f"q{n}", "query": f"request {n}", "skill_ids": [gold]} for n in range(30)]
    write_table(folder, "queries", "dev", queries)
    for name, first in (("good", gold), ("bad", SKILLS[1].id)):
        lines = [f"{q['id']} Q0 {first} 1 1 x\n" for q in queries]
        (tmp_path / f"{name}.run").write_text("".join(lines))
    names = [str(tmp_path / f"{name}.run") for name in ("good", "bad")]
    base = ("--dataset", str(folder), "--split", "dev", "--metric", "hit@1")
    _, out, _ = run(capsys, "compare", *names, *base)
    assert "By hit@1, B is worse than A." in out
    assert "< 0.0001" in out
    _, out, _ = run(capsys, "compare", *reversed(names), *base)
    assert "By hit@1, B is better than A." in out


def test_bad_input(dataset, runs, tmp_path, capsys):
    base = ("--dataset", str(dataset), "--split", "dev")
    assert "no metric 'speed@10'" in fails(capsys, "compare", *runs, *base, "--metric", "speed@10")
    missing = str(tmp_path / "no.run")
    assert f"no such file: {missing}" in fails(capsys, "compare", runs[0], missing, *base)
    other = tmp_path / "other.run"
    other.write_text("q1 Q0 nothing-known 1 1 x\n")
    assert "another data set" in fails(capsys, "compare", runs[0], str(other), *base)
    assert "no split 'test'" in fails(capsys, "compare", *runs, "--dataset", str(dataset))


def test_a_run_that_lacks_queries_is_told(dataset, runs, tmp_path, capsys):
    part = tmp_path / "part.run"
    part.write_text("q1 Q0 pdf-tables 1 1 x\n")
    base = ("--dataset", str(dataset), "--split", "dev")
    _, _, err = run(capsys, "compare", runs[0], str(part), *base)
    assert "part.run lacks 2 of 3 queries" in err


def test_several_runs_make_a_leaderboard(dataset, runs, tmp_path, capsys):
    base = ("--dataset", str(dataset), "--split", "dev")
    lexical = str(tmp_path / "lexical.run")
    run(capsys, "evaluate", str(dataset), "--split", "dev", "--mode", "lexical", "--run", lexical)
    folder = tmp_path / "board"
    status, out, err = run(capsys, "compare", *runs, lexical, *base, "--report", str(folder))
    assert status == 0
    assert f"the leaderboard is {folder}" in err
    lines = [line.split("  ")[0] for line in out.splitlines()]
    assert lines[3] == "BM25, lexical"
    assert set(lines[4:6]) == {"a", "b"}
    assert "ms a query" in out
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "BM25, lexical" in html
    status, out, _ = run(capsys, "compare", *runs, lexical, *base, "--json")
    systems = json.loads(out)["systems"]
    assert [s["cost"] is None for s in systems] == [False, True, True]
    assert systems[0]["cost"]["model_bytes"] == 0
    # The same system twice is told apart by its files.
    again = str(tmp_path / "again.run")
    run(capsys, "evaluate", str(dataset), "--split", "dev", "--mode", "lexical", "--run", again)
    _, out, _ = run(capsys, "compare", lexical, again, *base, "--report", str(folder))
    assert "BM25, lexical (lexical)" in out
    assert "BM25, lexical (again)" in out


def test_one_run_is_compared_with_nothing_but_may_have_a_page(dataset, runs, tmp_path, capsys):
    base = ("--dataset", str(dataset), "--split", "dev")
    assert "compared with nothing" in fails(capsys, "compare", runs[0], *base)
    status, _, _ = run(capsys, "compare", runs[0], *base, "--report", str(tmp_path / "board"))
    assert status == 0


def test_judgements_count_in_comparisons(dataset, runs, tmp_path, capsys):
    judged = tmp_path / "judged.tsv"
    judged.write_text("q1 0 meal-planner 3\nq1 0 kubernetes-debugging 3\n")
    base = ("--dataset", str(dataset), "--split", "dev", "--metric", "hit@1", "--json")
    _, out, _ = run(capsys, "compare", *runs, *base)
    assert json.loads(out)["metrics"]["hit@1"]["difference"] > 0
    _, out, _ = run(capsys, "compare", *runs, *base, "--judgements", str(judged))
    document = json.loads(out)
    assert document["n_queries"] == 1
    assert document["metrics"]["hit@1"]["difference"] == 0
    queries = ("compare", *runs, *base, "--also")
    assert "no column 'also'" in fails(capsys, *queries)


def test_a_run_and_what_is_told_of_it_never_share_a_file(dataset, tmp_path, capsys):
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical")
    file = str(tmp_path / "x.run")
    assert "name one file twice" in fails(capsys, *base, "--run", file, "--json", file + ".json")
