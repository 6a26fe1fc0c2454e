import re

import numpy as np
import pytest
from tests.conftest import make_skill

from skillret.calibration.examples import (
    FOLDS,
    Pool,
    composed,
    fold_numbers,
    kind_weights,
    padded,
    some_of_each_kind,
    subpools,
)
from skillret.retrieval.sentences import segments
from skillret.types import Query


def asked(count):
    return [Query(f"q{i}", "text", {"kind": "even" if i % 4 else "odd"}) for i in range(count)]


def test_common_kinds_are_thinned_out():
    queries = asked(120)
    kinds = [q.extra["kind"] for q in some_of_each_kind(queries, 10, 0)]
    assert kinds.count("even") == kinds.count("odd") == 10
    assert some_of_each_kind(queries, 10, 0) == some_of_each_kind(queries, 10, 0)
    assert len(some_of_each_kind(queries, 999, 0)) == 120


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
    assert joined == 2  # tasks in one sentence, which a query falls apart at
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
    assert set(fold_numbers([Query(i, i) for i in many], many).values()) == set(range(FOLDS))


def test_kinds_weigh_by_the_square_root_of_their_number():
    queries = asked(40)
    weights = kind_weights(queries)
    odd = np.array([q.extra["kind"] == "odd" for q in queries])
    assert weights[~odd].sum() / weights[odd].sum() == pytest.approx(3**0.5)
    assert weights.mean() == pytest.approx(1.0)
