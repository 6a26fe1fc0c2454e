from dataclasses import replace

import numpy as np
from tests.calibration.test_thresholds import POLICY, VECTORS, N, judged, ranked, selector
from tests.conftest import make_skill
from tests.retrieval.test_ranker import make_ranker

from skillret.calibration.examples import Example, Pool
from skillret.calibration.selections import Selector, judge, part_folds, parts_of, rank_rows
from skillret.types import Query


def test_a_set_holds_what_reaches_a_share_of_the_best():
    j = judged("a", [3], {3: 0.8, 5: 0.5, 7: 0.3}, 0.9)
    known = selector()
    assert known.rows(j, POLICY) == (3, 5)
    assert known.rows(j, replace(POLICY, share=0.2)) == (3, 5, 7)


def test_the_threshold_counts_for_the_query_and_for_each_part():
    j = judged("b", [3], {3: 0.8, 5: 0.01}, 0.6)
    j = replace(
        j,
        whole=replace(j.whole, text="do the first. do the second."),
        parts={
            "do the first.": ranked({3: 0.5}, 0.9, "do the first."),
            "do the second.": ranked({5: 0.5}, 0.4, "do the second."),
        },
    )
    policy, known = replace(POLICY, tasks=4), selector()
    rows = [known.rows(j, replace(policy, threshold=t)) for t in (0.3, 0.5, 0.7, 0.3)]
    assert rows == [(3, 5), (3,), (), (3, 5)]


def test_parts_are_queries_of_their_query_s_fold():
    texts = ["  Sort the files. Then print the list!  ", "Sort the files.", "One two three. " * 9]
    texts.append(" ".join(f"Do the thing {i}." for i in range(5)))  # a story
    queries = [Query(f"q{i}", text) for i, text in enumerate(texts)]
    pool = Pool([make_skill("s")], np.ones((1, 2), dtype=np.float32), queries, {})
    parts = parts_of(pool, 4)
    assert [q.text for q in parts.queries] == ["Sort the files.", "Then print the list!"]
    assert set(part_folds(parts, {"q0": 3, "q1": 2}).values()) == {3}
    assert len({q.id for q in parts.queries}) == 2


def example_of(query):
    features, labels = np.zeros((4, 1), dtype=np.float32), np.zeros(4)
    rows, parts = np.array([2, 4, 6, 8]), np.array([0, 1, 2, 3])
    none = np.zeros(len(rows), dtype=np.float32)
    return Example(query, rows, features, none, parts, 1.5, labels, 0, 0, N)


def test_a_part_is_known_as_it_stands_in_its_query_however_it_reads_by_itself():
    story = (
        "A journal sent me a manuscript and wants comments by Sunday. I'm a process engineer, not a"
        " chemist. Their trace is bimodal and they quote one dispersity, the second heating shows"
        " no crystallisation while they claim it, and the curve looks too flat for the weight they"
        " state. Can you go through whether the measurements support the claims?"
    )
    pool = Pool([make_skill(f"s{i}") for i in range(N)], VECTORS, [Query("q", story)], {})
    outputs, policy = np.array([0.1, 0.9, 0.9, -3.0]), replace(POLICY, tasks=4)
    parts = [(example_of(query), outputs) for query in parts_of(pool, 4).queries]
    whole = [(example_of(query), outputs) for query in pool.queries]
    (j,) = judge(pool, make_ranker(), whole, parts, policy)
    assert "I'm a process engineer, not a chemist." in j.parts  # without its end by itself
    assert Selector(pool).rows(j, policy)


def test_rows_are_ranked_by_need_times_probability():
    ranker, outputs = make_ranker(), np.array([0.1, 0.9, 0.9, -3.0])
    example = example_of(Query("q", " text "))
    pool = Pool([make_skill(f"s{i}") for i in range(N)], VECTORS, [], {})
    best = rank_rows(pool, example, outputs, ranker, 3)
    assert best.text == "text"
    assert best.keys.tolist() == [4, 6, 2]  # of equal ones the smaller row
    assert best.parts.tolist() == [1, 2, 0]
    assert best.need == ranker.need(outputs, 1.5, N)
    expected = best.need * ranker.probabilities(outputs)[[1, 2, 0]]
    np.testing.assert_allclose(best.scores, expected, rtol=1e-6)
    np.testing.assert_array_equal(best.vectors, VECTORS[[4, 6, 2]])
