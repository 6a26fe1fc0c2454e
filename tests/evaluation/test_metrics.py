import math

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from skillret.errors import InputError
from skillret.evaluation.metrics import mean, measure, metric_names
from skillret.evaluation.runs import order, read_run, write_run

IDS = [f"s{i}" for i in range(25)]
RANKING = st.lists(st.sampled_from(IDS), unique=True, max_size=25)
GOLD = st.dictionaries(st.sampled_from(IDS), st.integers(1, 3), min_size=1, max_size=18)
QUERIES = st.sampled_from([f"q{i}" for i in range(5)])


def by_hand(ranking, gold, k):
    """NDCG, recall, precision and average precision by their definitions."""
    gains = [gold.get(id_, 0) for id_ in ranking[:k]]
    ideal = sorted(gold.values(), reverse=True)[:k]
    dcg, best = (sum(g / math.log2(i + 2) for i, g in enumerate(x)) for x in (gains, ideal))
    hits = [g > 0 for g in gains]
    precisions = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
    first = next((i + 1 for i, hit in enumerate(hits) if hit), None)
    return {
        f"ndcg@{k}": dcg / best,
        f"recall@{k}": sum(hits) / len(gold),
        f"precision@{k}": sum(hits) / k,
        f"map@{k}": sum(precisions) / len(gold),
        f"mrr@{k}": 1 / first if first else 0,
        f"completeness@{k}": float(sum(hits) == len(gold)),
    }


@given(st.dictionaries(QUERIES, RANKING), st.dictionaries(QUERIES, GOLD, min_size=1))
def test_metrics_are_their_definitions(run, qrels):
    """Also for queries that the run lacks, unjudged skills and more gold skills than k."""
    values = measure(run, qrels, (1, 5, 10))
    assert set(values) == set(qrels)
    for query, gold in qrels.items():
        ranking = run.get(query, [])
        for k in (1, 5, 10):
            for name, expected in by_hand(ranking, gold, k).items():
                assert values[query][name] == pytest.approx(expected, abs=1e-6), name
        assert values[query]["hit@1"] == float(bool(ranking) and ranking[0] in gold)


TREC = {"ndcg": "ndcg_cut", "map": "map_cut", "precision": "P", "recall": "recall"}
# A few values, so that many skills of a ranking have equal scores.
SCORES = st.dictionaries(st.sampled_from(IDS), st.sampled_from([0.0, 0.5, 0.25, -1.0]), min_size=1)


@given(st.dictionaries(QUERIES, SCORES, min_size=1), st.dictionaries(QUERIES, GOLD, min_size=1))
def test_metrics_are_those_of_pytrec_eval(run, qrels):
    """Also with ties, queries that the run lacks, unjudged skills, more gold skills than k."""
    cuts = (1, 5, 15)
    asked = {f"{name}.{','.join(map(str, cuts))}" for name in TREC.values()}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {*asked, "recip_rank", "success.1"})
    expected = evaluator.evaluate(run)
    # trec_eval's own order of equal scores is by id, from the end of the alphabet.
    ranked = {
        q: sorted(sorted(scores, reverse=True), key=lambda id_: -scores[id_])
        for q, scores in run.items()
    }
    values = measure(ranked, qrels, cuts)
    assert set(values) == set(qrels)
    for query in qrels:
        theirs = expected.get(query)
        for k in cuts:
            for ours, name in TREC.items():
                reference = theirs[f"{name}_{k}"] if theirs else 0.0
                assert values[query][f"{ours}@{k}"] == pytest.approx(reference, abs=1e-9)
            complete = theirs is not None and theirs[f"recall_{k}"] == 1.0
            assert values[query][f"completeness@{k}"] == complete
            reciprocal = theirs["recip_rank"] if theirs else 0.0
            assert values[query][f"mrr@{k}"] == (reciprocal if reciprocal * k >= 1 - 1e-6 else 0)
        assert values[query]["hit@1"] == (theirs["success_1"] if theirs else 0.0)


@given(SCORES, GOLD)
def test_ties_keep_the_order_of_the_run_also_through_a_file(tmp_path_factory, scores, gold):
    file = tmp_path_factory.mktemp("run") / "r.run"
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    write_run({"q": ranked}, file, "x")
    direct = measure({"q": [id_ for id_, _ in ranked]}, {"q": gold})
    assert measure(order(read_run(file)), {"q": gold}) == direct


def test_only_the_order_of_a_run_counts():
    qrels = {"q": {"a": 1}}
    assert measure({"q": ["a", "z"]}, qrels)["q"]["hit@1"] == 1
    assert measure({"q": ["z", "a"]}, qrels)["q"]["hit@1"] == 0


def test_a_skill_twice_and_impossible_cuts_are_refused():
    with pytest.raises(InputError, match="twice in the ranking of query 'q'"):
        measure({"q": ["a", "a"]}, {"q": {"a": 1}})
    for cuts in ((), (0, 5), (-1,), (10**20,)):
        with pytest.raises(InputError, match="from 1 to"):
            metric_names(cuts)


def test_the_mean_is_over_queries():
    assert mean({"a": {"x": 1.0}, "b": {"x": 0.0}}) == {"x": 0.5}
    assert mean({}) == {}
