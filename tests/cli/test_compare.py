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
    assert "cannot read the run" in fails(capsys, "compare", runs[0], missing, *base)
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
