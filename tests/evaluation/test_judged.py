import math

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from skillret.datasets.judgements import Grades
from skillret.errors import InputError
from skillret.evaluation.judged import condense, measure_judged, unjudged_share
from skillret.evaluation.metrics import measure

IDS = [f"s{i}" for i in range(25)]
RANKING = st.lists(st.sampled_from(IDS), unique=True, max_size=25)
GRADES = st.dictionaries(st.sampled_from(IDS), st.integers(0, 3), min_size=1, max_size=20)
QUERIES = st.sampled_from([f"q{i}" for i in range(4)])


def scored(ranking):
    return {id_: float(len(ranking) - rank) for rank, id_ in enumerate(ranking)}


@given(
    st.dictionaries(QUERIES, RANKING),
    st.dictionaries(QUERIES, GRADES, min_size=1),
    st.integers(1, 3),
)
def test_graded_metrics_are_those_of_pytrec_eval(run, grades, least):
    """Also of empty rankings and of queries for which nothing is right."""
    with_right = {q: g for q, g in grades.items() if max(g.values()) > 0}
    highest = max(max(g.values()) for g in grades.values())
    labels = Grades(grades, None, True)
    if not with_right or highest < least:
        with pytest.raises(InputError, match=f"no label has a grade of {least}"):
            measure_judged(run, labels, {}, (5, 10), least)
        return
    names = {"bpref", "P.5,10", "recip_rank", "success.1"}
    evaluator = pytrec_eval.RelevanceEvaluator(with_right, names, relevance_level=least)
    found = {q: scored(r) for q, r in run.items() if r and q in with_right}
    flat = evaluator.evaluate(found)
    ndcg = pytrec_eval.RelevanceEvaluator(with_right, {"ndcg_cut.5,10"})
    graded = ndcg.evaluate(found)
    only = {q: {s: v for s, v in r.items() if s in with_right[q]} for q, r in found.items()}
    condensed = ndcg.evaluate({q: r for q, r in only.items() if r})

    def mean(values, name):
        return sum(values[q][name] for q in values) / len(with_right)

    result = measure_judged(run, labels, {}, (5, 10), least)
    assert result.n_queries == len(with_right)
    assert result.metrics["hit@1"] == pytest.approx(mean(flat, "success_1"))
    for k in (5, 10):
        assert result.metrics[f"ndcg@{k}"] == pytest.approx(mean(graded, f"ndcg_cut_{k}"))
        assert result.metrics[f"precision@{k}"] == pytest.approx(mean(flat, f"P_{k}"))
    if any(0 in g.values() for g in grades.values()):
        assert result.metrics["bpref"] == pytest.approx(mean(flat, "bpref"))
        for k in (5, 10):
            expected = mean(condensed, f"ndcg_cut_{k}")
            assert result.metrics[f"condensed_ndcg@{k}"] == pytest.approx(expected)
    else:
        assert "bpref" not in result.metrics


def test_a_hand_made_ranking():
    """A grade-2 skill is found second, behind one that nobody judged; a wrong one is third."""
    labels = Grades({"q": {"a": 2, "b": 1, "c": 0}}, None, True)
    result = measure_judged({"q": ["x", "a", "c"]}, labels, {"q": {"hit@1": 0.0}}, (3,))
    ideal = 2 + 1 / math.log2(3)
    assert result.metrics["ndcg@3"] == pytest.approx(2 / math.log2(3) / ideal)
    assert result.metrics["condensed_ndcg@3"] == pytest.approx(2 / ideal)
    assert result.metrics["unjudged@3"] == pytest.approx(1 / 3)
    assert result.metrics["mrr@3"] == 0.5
    assert result.metrics["bpref"] == 0.5  # of two right ones the first is above all wrong ones
    assert result.counts == {0: 1, 1: 1, 2: 1}
    assert result.own == {"hit@1": 0.0}
    assert result.to_json()["grades"] == {"0": 1, "1": 1, "2": 1}


def test_without_grades_there_is_only_what_was_never_judged():
    labels = Grades({"q": {"a": 1}, "r": {"b": 1}})
    result = measure_judged({"q": ["x", "a"], "r": []}, labels, {}, (1, 2))
    assert result.metrics == {"unjudged@1": 0.5, "unjudged@2": 0.25}


def test_only_judged_queries_count_and_own_figures_are_of_the_same():
    labels = Grades({"q": {"a": 2, "b": 0}, "r": {"b": 2}}, frozenset({"q"}), True)
    own = measure({"q": ["b"], "r": ["b"]}, {"q": {"a": 1}, "r": {"b": 1}}, (5,))
    result = measure_judged({"q": ["a"], "r": ["b"]}, labels, own, (5,))
    assert result.n_queries == 1
    assert result.metrics["hit@1"] == 1
    assert result.own["hit@1"] == 0


@given(RANKING, GRADES)
def test_condensed_lists_hold_what_was_judged_in_its_order(ranking, grades):
    kept = condense(ranking, grades)
    assert kept == [id_ for id_ in ranking if id_ in grades]
    share = unjudged_share(ranking, grades)
    assert share == pytest.approx(1 - len(kept) / len(ranking) if ranking else 0)
