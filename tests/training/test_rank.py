import re

import numpy as np
import pytest
from tests.conftest import make_skill

from skillret.retrieval.features import FEATURES
from skillret.retrieval.ranker import Probe
from skillret.retrieval.sentences import segments
from skillret.training import rank
from skillret.training.rank import (
    Example,
    Pool,
    composed,
    cross_fit,
    fit_logistic,
    fit_ranker,
    fold_numbers,
    padded,
    some_of_each_kind,
    subpools,
    weighted,
)
from skillret.types import Query

F = len(FEATURES)
PROBE = Probe(np.zeros(4, dtype=np.float32), 0.0)


def toy(count=120, seed=0):
    """Requests whose gold skill is the candidate that is best in two features together."""
    draw = np.random.default_rng(seed)
    found = []
    for i in range(count):
        x = draw.normal(size=(20, F)).astype(np.float32)
        labels = np.zeros(20)
        labels[int((x[:, 0] + 0.7 * x[:, 6]).argmax())] = 1.0
        query = Query(f"q{i}", "text", {"kind": "even" if i % 4 else "odd"})
        parts = np.zeros(20, dtype=np.int64)
        found.append(Example(query, np.arange(20), x, parts, 0.0, labels, 0, i % rank.FOLDS, 50))
    return found


def hit_rate(found, scores):
    return np.mean([e.labels[int(s.argmax())] for e, s in zip(found, scores, strict=True)])


def test_it_learns_what_the_labels_follow_and_does_so_out_of_fold():
    found = toy(600)
    assert hit_rate(found, cross_fit(found)) > 0.7
    shuffled = toy(200)
    for e in shuffled:
        np.random.default_rng(1).shuffle(e.labels)
    assert hit_rate(shuffled, cross_fit(shuffled)) < 0.3


def test_others_are_judged_and_never_learnt_from():
    found, others = toy(400), toy(50, seed=9)
    alone, both = cross_fit(found), cross_fit(found, others)
    assert len(both) == 450
    for a, b in zip(alone, both, strict=False):
        np.testing.assert_array_equal(a, b)
    assert hit_rate(others, both[400:]) > 0.5


def test_examples_of_no_fold_are_learnt_from_in_every_fold():
    few, many = toy(60), weighted(toy(500, seed=5))
    alone, both = cross_fit(few), cross_fit(few, also=many)
    assert len(both) == len(few)
    assert hit_rate(few, both) > hit_rate(few, alone) + 0.1


def test_common_kinds_are_thinned_out():
    queries = [e.query for e in toy(120)]
    kinds = [q.extra["kind"] for q in some_of_each_kind(queries, 10, 0)]
    assert kinds.count("even") == kinds.count("odd") == 10
    assert some_of_each_kind(queries, 10, 0) == some_of_each_kind(queries, 10, 0)
    assert len(some_of_each_kind(queries, 999, 0)) == 120


def test_the_hardest_candidates_are_the_best_by_each_score_and_the_gold_ones(monkeypatch):
    monkeypatch.setattr(rank, "_HARDEST", 2)
    for e in toy(20):
        e.labels[:] = 0
        e.labels[3] = 1
        kept = rank._hardest(e)
        columns = [FEATURES.index(n) for n in ("lexical", "dense", "sentence_dense")]
        best = {int(i) for c in columns for i in np.argsort(-e.features[:, c])[:2]}
        assert set(kept.rows.tolist()) == best | {3}
        assert kept.labels.sum() == 1
        np.testing.assert_array_equal(kept.features, e.features[kept.rows])


def test_parts_of_a_library_hold_the_skills_their_requests_need():
    skills = [make_skill(f"s{i}") for i in range(40)]
    queries = [Query(f"q{i}", "t", {"kind": "k"}) for i in range(30)] + [
        Query(f"n{i}", "hi", {"kind": "negative"}) for i in range(16)
    ]
    gold = {f"q{i}": frozenset({i, (i + 1) % 40} if i % 3 == 0 else {i}) for i in range(30)}
    whole = Pool(skills, np.eye(40, dtype=np.float32), queries, gold)
    parts = list(subpools(whole, 10, 0, absent=True))
    assert sorted(s.id for p in parts for s in p.skills) == sorted(s.id for s in skills)
    for part in parts:
        for id_, rows in part.gold.items():
            assert {part.skills[r].id for r in rows} == {f"s{i}" for i in gold[id_]}
        kinds = [q.extra["kind"] for q in part.queries if q.id not in part.gold]
        assert kinds.count("negative") == 2
        assert kinds.count("absent") == len(part.gold)
        here = {s.id for s in part.skills}
        for query in part.queries:
            if query.extra["kind"] == "absent":
                assert here.isdisjoint(f"s{i}" for i in gold[query.id])
    assert all(q.extra["kind"] != "absent" for p in subpools(whole, 10, 0) for q in p.queries)


def test_composed_requests_hold_those_of_one_fold_and_their_gold():
    skills = [make_skill(f"s{i}") for i in range(30)]
    queries = [Query(f"q{i}", f"Do the task number{i}", {"kind": "a"}) for i in range(30)]
    long = Query("long", "word " * 60, {"kind": "a"})
    gold = {f"q{i}": frozenset({i}) for i in range(30)} | {"long": frozenset({0})}
    pool = Pool(skills, np.zeros((30, 4), dtype=np.float32), [*queries, long], gold)
    folds = {f"q{i}": i % 5 for i in range(30)} | {"long": 0}
    found, own = composed(pool, 0.5, folds, 0)
    assert len(found.queries) == len(own) == len({q.id for q in found.queries}) == 20
    (joined,) = {len(segments(q.text)) for q in found.queries if "." not in q.text[:-1]}
    assert joined == 2  # tasks in one sentence, which a request falls apart at
    for query in found.queries:
        rows = found.gold[query.id]
        assert len(rows) in (2, 3)
        assert set(map(int, re.findall(r"number(\d+)", query.text))) == rows
        assert {row % 5 for row in rows} == {own[query.id]}
        assert "word word" not in query.text
        assert query.extra == {"kind": "composed"}
    assert composed(pool, 0.5, folds, 0) == (found, own)


def test_padded_requests_keep_their_words_and_their_gold():
    queries = [Query(f"q{i}", f"need number {i}") for i in range(40)]
    gold = {f"q{i}": frozenset({0}) for i in range(40)}
    pool = Pool([make_skill("s")], np.ones((1, 2), dtype=np.float32), queries, gold)
    found = padded(pool, 0.5, 0)
    assert 10 < len(found.queries) < 30
    for query in found.queries:
        assert f"need number {query.id[1:]}" in query.text
        assert len(query.text.split()) > 60
        assert query.extra == {"kind": "padded"}
    assert padded(pool, 0.5, 0) == found


def test_fitting_is_repeatable():
    found = weighted(toy(30))
    a, b, c = (fit_ranker(found, PROBE, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.hidden, b.hidden)
    assert not np.array_equal(a.hidden, c.hidden)
    assert a.probe is PROBE


def test_gradients_are_those_of_the_loss():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3, 5, F)).astype(np.float32)
    y = np.zeros((3, 5), dtype=np.float32)
    y[0, 1] = y[1, 0] = y[1, 2] = 1  # the third request needs no skill
    mask = np.ones((3, 5), dtype=bool)
    mask[0, 4] = False
    w = np.array([1.0, 2.0, 0.5], dtype=np.float32)
    shapes = [(4, F), (4,), (4,), (1,)]
    start = [draw.normal(0, 0.5, s).astype(np.float32) for s in shapes]

    def loss(parameters):
        hidden, bias, output, intercept = (p.astype(np.float64) for p in parameters)
        scores = np.tanh(x @ hidden.T + bias) @ output
        total = 0.0
        for i in range(3):
            s, t = scores[i][mask[i]], y[i][mask[i]]
            if t.sum():
                total += w[i] * -(t / t.sum() * (s - np.log(np.exp(s).sum()))).sum()
            p = 1 / (1 + np.exp(-(s + intercept[0])))
            total += w[i] * rank._POINTWISE * -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum()
        return total / 3

    for number, gradient in enumerate(rank._gradients(start, x, y, mask, w)):
        for place in list(np.ndindex(gradient.shape))[:6]:
            up, down = ([p.astype(np.float64) for p in start] for _ in range(2))
            up[number][place] += 1e-4
            down[number][place] -= 1e-4
            assert gradient[place] == pytest.approx((loss(up) - loss(down)) / 2e-4, abs=1e-3)


def test_requests_that_share_a_skill_share_a_fold():
    gold = {
        "a": frozenset({1, 2}),
        "b": frozenset({2, 3}),
        "c": frozenset({3}),
        "d": frozenset({9}),
    }
    queries = [Query(i, i) for i in "abcde"]
    folds = fold_numbers(queries, gold)
    assert folds["a"] == folds["b"] == folds["c"]
    many = {f"q{i}": frozenset({i}) for i in range(100)}
    assert set(fold_numbers([Query(i, i) for i in many], many).values()) == set(range(rank.FOLDS))


def test_kinds_weigh_by_the_square_root_of_their_number():
    found = weighted(toy(40))
    total = {k: sum(e.weight for e in found if e.query.extra["kind"] == k) for k in ("even", "odd")}
    assert total["even"] / total["odd"] == pytest.approx(3**0.5)
    assert np.mean([e.weight for e in found]) == pytest.approx(1.0)


def test_logistic_regression_finds_what_made_the_labels():
    draw = np.random.default_rng(0)
    x = draw.normal(0, 2, (20_000, 2))
    odds = 1.7 * x[:, 0] - 0.6 * x[:, 1] - 2.5
    labels = (draw.random(20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    weights, intercept = fit_logistic(x, labels, np.ones(20_000))
    np.testing.assert_allclose(weights, [1.7, -0.6], atol=0.1)
    assert intercept == pytest.approx(-2.5, abs=0.1)


def test_a_ridge_keeps_separable_labels_finite():
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    loose, _ = fit_logistic(x, labels, np.ones(4), ridge=0.01)
    tight, _ = fit_logistic(x, labels, np.ones(4), ridge=10.0)
    assert 0 < tight[0] < loose[0] < 50
