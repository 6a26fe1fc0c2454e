import pytest
from tests.conftest import HashEncoder

from skillret.datasets.dataset import load_dataset
from skillret.datasets.judgements import Judgements
from skillret.evaluation.pool import pool_rows, pool_runs, sample_queries


@pytest.fixture
def data(dataset):
    return load_dataset(dataset, "dev")


def pairs(rows):
    return {(row["query_id"], row["skill_id"]) for row in rows}


def test_a_pool_is_the_first_hits_of_all_and_the_gold_skills_once(data):
    one = {"q1": [("meal-planner", 2.0), ("release-notes", 1.0)], "q2": [("pdf-tables", 1.0)]}
    other = {"q1": [("meal-planner", 9.0)]}
    rows = [*pool_rows(data, data.queries, [one, other], depth=1)]
    assert pairs(rows) == {
        ("q1", "meal-planner"),
        ("q1", "kubernetes-debugging"),
        ("q2", "pdf-tables"),
        ("q2", "meal-planner"),
        ("q3", "release-notes"),
    }
    assert len(rows) == 5
    assert [row["query_id"] for row in rows] == ["q1", "q1", "q2", "q2", "q3"]
    first = next(row for row in rows if row["skill_id"] == "meal-planner")
    assert first["grade"] is None
    assert first["query"] == "crashing pods"
    assert first["description"].startswith("Plan meals")
    cut = [*pool_rows(data, data.queries, [one], depth=1, characters=3)]
    assert {len(row["text"]) for row in cut} == {3}


def test_what_is_judged_is_left_out_and_the_order_is_the_seeds(data):
    run = {"q1": [(s.id, 1.0) for s in data.skills]}
    queries = data.queries[:1]
    done = Judgements("j", {"q1": {"meal-planner": 0}})
    left = [*pool_rows(data, queries, [run], judgements=done)]
    assert len(left) == 3
    orders = {
        tuple(row["skill_id"] for row in pool_rows(data, queries, [run], seed=seed))
        for seed in (0, 0, 1, 2, 3)
    }
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(s.id for s in data.skills)}


def test_samples_are_of_labelled_queries_in_their_order(data):
    del data.qrels["q2"]
    assert [q.id for q in sample_queries(data, None)] == ["q1", "q3"]
    assert [q.id for q in sample_queries(data, 5)] == ["q1", "q3"]
    assert {sample_queries(data, 1, seed)[0].id for seed in range(20)} == {"q1", "q3"}
    assert sample_queries(data, 1, 7) == sample_queries(data, 1, 7)


def test_our_systems_search_some_queries(data):
    encoder = HashEncoder()
    runs = pool_runs(data, data.queries[:2], encoder, depth=2, modes=("lexical", "dense", "hybrid"))
    assert [list(run) for run in runs] == [["q1", "q2"]] * 3
    assert runs[0]["q1"][0][0] == "kubernetes-debugging"
    assert all(len(hits) <= 2 for run in runs for hits in run.values())
    bare = HashEncoder()
    pool_runs(data, data.queries, bare, modes=("lexical",))
    assert bare.encoded == []
