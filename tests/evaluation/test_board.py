import re

import pytest
from tests.conftest import SKILLS

from skillret.datasets.dataset import Dataset, load_dataset
from skillret.errors import InputError
from skillret.evaluation.board import System, make_board, write_board
from skillret.evaluation.costs import Cost
from skillret.types import Query

METRICS = ("hit@1", "recall@10")
HOSTILE = '<script>alert("x")</script> \u202e'


@pytest.fixture
def data():
    """Thirty queries for one skill."""
    queries = [Query(f"q{n}", f"request {n}") for n in range(30)]
    qrels = {q.id: {SKILLS[0].id: 1} for q in queries}
    return Dataset("many", "abc", "dev", list(SKILLS), queries, qrels, [], ("a note <b>",))


def system(data, name, wrong, **more):
    """Returns the gold skill first, for all but the first queries."""
    run = {
        q.id: [(SKILLS[1].id if n < wrong else SKILLS[0].id, 1.0)]
        for n, q in enumerate(data.queries)
    }
    return System(name, run, **more)


def test_systems_are_ranked_and_tested_against_the_best(data):
    systems = [system(data, "bad", 20), system(data, "good", 0), system(data, "near", 1)]
    board = make_board(data, systems, METRICS)
    assert [e.name for e in board.entries] == ["good", "near", "bad"]
    good, near, bad = board.entries
    assert good.against_best == {}
    assert near.against_best["hit@1"].p == 1.0
    assert near.against_best["hit@1"].interval.mean == pytest.approx(-1 / 30)
    assert bad.against_best["hit@1"].p < 0.001
    assert bad.metrics["hit@1"].mean == pytest.approx(1 / 3)
    document = board.to_json()
    assert [s["name"] for s in document["systems"]] == ["good", "near", "bad"]
    assert document["systems"][2]["against_best"]["hit@1"]["p"] == bad.against_best["hit@1"].p
    assert (document["published"], document["n_queries"]) == ([], 30)


def test_two_systems_of_one_name_are_refused(data):
    with pytest.raises(InputError, match="two systems have one name"):
        make_board(data, [system(data, "a", 0), system(data, "a", 1)], METRICS)


def test_the_page_is_self_contained_and_escapes_what_is_written_by_others(data, tmp_path):
    systems = [
        system(data, "near", 1),
        system(data, HOSTILE, 0, cost=Cost(1.25, 23_000_000), notes=("seen <i>",)),
        system(data, "bad", 20, cost=Cost(0.5, 0)),
    ]
    page = write_board(make_board(data, systems, METRICS), tmp_path / "board")
    html = page.read_text(encoding="utf-8")
    assert page.name == "report.html"
    assert re.search(r"<(script|link|img|iframe)|https?:|url\(|@import|javascript", html) is None
    assert "Content-Security-Policy" in html
    assert "\u202e" not in html
    for text in ("&lt;script&gt;", "a note &lt;b&gt;", "seen &lt;i&gt;", "best measured here"):
        assert text in html, text
    assert html.count("not told from the best</span>") == 1
    for text in (">1.2<", ">23.0<", ">none<", "p &lt; 0.0001", "prefers-color-scheme: dark"):
        assert text in html, text
    assert "published" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)


def test_published_rows_stand_where_they_belong_and_nothing_is_tested_against_them(
    data, tmp_path, monkeypatch
):
    from skillret.evaluation.published import Published

    rows = [
        Published("Theirs", "a paper", {"hit@1": 0.9}),
        Published("Other", "a card", {"recall@10": 0.5}),
        Published("Elsewhere", "a card", {"ndcg@5": 0.5}),
    ]
    monkeypatch.setattr("skillret.evaluation.board.published_rows", lambda skills, queries: rows)
    board = make_board(data, [system(data, "good", 0), system(data, "bad", 20)], METRICS)
    assert [p.system for p in board.published] == ["Theirs", "Other"]
    assert [e.name for e in board.entries] == ["good", "bad"]
    html = write_board(board, tmp_path).read_text(encoding="utf-8")
    places = [html.index(f">{name}<") for name in ("good", "Theirs", "bad", "Other")]
    assert places == sorted(places)
    assert html.count('<span class="tag published">published</span>') == 2
    assert "a paper" in html


def test_one_system_alone_has_a_page(dataset, tmp_path):
    data = load_dataset(dataset, "dev")
    board = make_board(data, [System("only", {"q1": []})], ("ndcg@10",))
    assert "only" in write_board(board, tmp_path).read_text(encoding="utf-8")
