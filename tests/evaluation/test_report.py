import re
from dataclasses import replace

import numpy as np
import pytest
from tests.cli.test_search import fails, run
from tests.tables import QUERIES, skill_rows, write_table

from skillret.datasets.dataset import load_dataset
from skillret.errors import InputError
from skillret.evaluation.evaluator import evaluate, score
from skillret.evaluation.metrics import mean, measure
from skillret.evaluation.published import published_rows
from skillret.evaluation.report import depth_curves, gold_ranks, hardest, write_report
from skillret.evaluation.runs import order
from skillret.types import Query, Skill

NASTY = '<script>alert("x")</script> & $\\frac{1}{0}$ 日本 \u202e\x07'


@pytest.fixture
def measured(dataset, encoder):
    loaded = load_dataset(str(dataset), "dev")
    return loaded, evaluate(loaded, model=encoder)


def test_the_page_stands_alone(measured, tmp_path):
    loaded, result = measured
    page = write_report(loaded, result, tmp_path / "rep")
    text = page.read_text()
    names = sorted(f.name for f in page.parent.iterdir())
    assert names == ["abstention.png", "depth.png", "groups.png", "report.html", "scores.png"]
    for png in page.parent.glob("*.png"):
        assert png.read_bytes().startswith(b"\x89PNG")
    assert text.count("data:image/png;base64,") == 4
    assert set(re.findall(r'(?:src|href)="([a-z]+:)', text)) == {"data:"}
    assert "<script" not in text and "http://" not in text and "https://" not in text
    value = result.metrics["ndcg@10"]
    assert f"{value:.4f}" in text
    assert "kind=short" in text
    assert "need no skill" in text
    assert "The sets an agent would get" in text
    for values in (result.sets.selected, *(result.sets.fixed[k] for k in (1, 3, 5))):
        cells = (f'<td class="n">{v:.4f}</td>' for v in list(values.values())[:4])
        assert "".join(cells) in text
    assert "100.0 % of these queries get a set; 0.0 % of 2 needless ones get none." in text
    for query in QUERIES:
        assert query["query"] in text


def test_a_second_report_leaves_no_figure_of_the_first(measured, tmp_path):
    loaded, result = measured
    write_report(loaded, result, tmp_path)
    write_report(loaded, replace(result, abstention=None, sets=None), tmp_path)
    assert "The sets" not in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "abstention.png").exists()
    assert "need no skill" not in (tmp_path / "report.html").read_text()


def test_near_misses_are_told_from_needless_queries(dataset, encoder, tmp_path):
    loaded = load_dataset(str(dataset), "dev")
    near = Query("near", "pods", {"negative_for": ["kubernetes-debugging"]})
    for negatives, apart in (([*loaded.negatives, near], True), ([near], False)):
        data = replace(loaded, negatives=negatives)
        write_report(data, evaluate(data, model=encoder), tmp_path)
        text = (tmp_path / "report.html").read_text()
        assert "1 near miss of single skills" in text
        assert "0.0 % of 1 near miss get none." in text
        assert ("95 % of 2 needless queries" in text) == apart
        assert ("no skill</h2>" in text) == (tmp_path / "abstention.png").exists() == apart


def test_hostile_texts_are_shown_and_nothing_else(tmp_path, encoder):
    folder = tmp_path / "set"
    rows = [{**row, "name": NASTY, "description": NASTY} for row in skill_rows()]
    write_table(folder, "skills", "dev", rows)
    queries = [{**q, "query": f"{q['id']} {NASTY}", "kind": NASTY} for q in QUERIES]
    write_table(folder, "queries", "dev", queries)
    loaded = load_dataset(str(folder), "dev")
    page = write_report(loaded, evaluate(loaded, model=encoder), tmp_path / "rep")
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text and "\x07" not in text


def test_figures_of_others_stand_only_beside_their_split(measured, tmp_path):
    assert published_rows(2550, 2482) == ()
    loaded, result = measured
    text = write_report(loaded, result, tmp_path / "a").read_text()
    assert "SkillRet-Embedding-0.6B" not in text
    filler = [Skill(f"s{n}", "x", "x", "x") for n in range(6660 - len(loaded.skills))]
    more = [Query(f"f{n}", "x") for n in range(4997 - len(loaded.queries))]
    paper = replace(loaded, skills=[*loaded.skills, *filler], queries=[*loaded.queries, *more])
    text = write_report(paper, result, tmp_path / "b").read_text()
    rows = re.findall(r"<tr><th>([^<]+) <span class=\"tag published\">", text)
    assert {"BM25", "SkillRet-Embedding-0.6B", "SkillRet-Embedding-8B"} <= set(rows)
    assert text.count("measured here") == 2  # the row and the caption
    assert "0.780" in text


def test_the_card_s_figures_are_as_published():
    (row,) = [r for r in published_rows(6660, 4997) if r.system == "SkillRet-Embedding-0.6B"]
    assert row.metrics["ndcg@10"] == 0.7803
    assert row.metrics["recall@15"] == 0.8809
    assert row.metrics["completeness@5"] == 0.6596


def test_curves_are_the_metrics_at_every_depth():
    generator = np.random.default_rng(0)
    ids = [f"s{n}" for n in range(60)]
    qrels = {f"q{n}": {str(g): 1 for g in generator.choice(ids, n % 4 + 1)} for n in range(20)}
    found = {
        q: [(str(i), 1.0) for i in generator.permutation(ids)[: generator.integers(0, 60)]]
        for q in qrels
    }
    recall, completeness = depth_curves(found, qrels)
    assert len(recall) == 50
    expected = mean(measure(order(found), qrels, range(1, 51)))
    for k in range(1, 51):
        assert recall[k - 1] == pytest.approx(expected[f"recall@{k}"])
        assert completeness[k - 1] == pytest.approx(expected[f"completeness@{k}"])
    assert len(depth_curves({"q1": [("s1", 1.0)]}, {"q1": {"s1": 1}})[0]) == 1


def test_the_hardest_come_first(dataset):
    loaded = load_dataset(str(dataset), "dev")
    ranked = {
        "q1": [("kubernetes-debugging", 1.0)],
        "q2": [("release-notes", 3.0), ("kubernetes-debugging", 2.0), ("meal-planner", 1.0)],
        "q3": [("pdf-tables", 1.0)],
    }
    result = score(loaded, ranked, "run", "r")
    cases = hardest(loaded, result, "ndcg@10")
    assert [c["query"].id for c in cases] == ["q3", "q2", "q1"]
    assert [(g["skill"].id, g["rank"]) for g in cases[1]["gold"]] == [
        ("pdf-tables", None),
        ("meal-planner", 3),
    ]
    assert [r["gold"] for r in cases[1]["returned"]] == [False, False, True]
    assert gold_ranks({}, {"q": {"s": 1}}) == {"q": [None]}


def test_other_cuts_and_a_run_that_returned_little(dataset, tmp_path):
    loaded = replace(load_dataset(str(dataset), "dev"), negatives=[])
    result = score(loaded, {"q1": [("pdf-tables", 0.5)]}, "run", "r", cuts=(3,), group_by=())
    text = write_report(loaded, result, tmp_path, (3,)).read_text()
    assert "NDCG@3" in text and "nothing" in text
    assert "r lacks 2 of 3 queries" in text


def test_the_command_writes_it_and_refuses_early(dataset, tmp_path, capsys, monkeypatch):
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical")
    status, out, err = run(capsys, *base, "--report", str(tmp_path / "rep"), "--json", "-")
    assert status == 0
    assert out.startswith("{") and "the report is" in err
    assert (tmp_path / "rep" / "report.html").is_file()
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot make the report's folder" in fails(capsys, *base, "--report", str(file))


def test_a_page_that_cannot_be_written(measured, tmp_path):
    loaded, result = measured
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match="is no file of a report"):
        write_report(loaded, result, tmp_path)


@pytest.mark.parametrize("name", ["report.html", "scores.png", "erasure.png"])
def test_files_of_someone_else_are_not_touched(measured, dataset, tmp_path, capsys, name):
    loaded, result = measured
    theirs = tmp_path / name
    theirs.write_text("mine")
    with pytest.raises(InputError, match=f"{name} is no file of a report"):
        write_report(loaded, result, tmp_path)
    line = fails(capsys, "evaluate", str(dataset), "--split", "dev", "--report", str(tmp_path))
    assert "give another folder" in line
    assert theirs.read_text() == "mine"
    theirs.rename(tmp_path / "target")
    theirs.symlink_to(tmp_path / "target")
    with pytest.raises(InputError, match="is no file of a report"):
        write_report(loaded, result, tmp_path)
    assert (tmp_path / "target").read_text() == "mine"
