import numpy as np
from tests.conftest import TokenHashEncoder, make_skill
from tests.retrieval.test_ranker import bm25_ranker

from skillret.training.query_tokens.candidates import (
    Found,
    Group,
    group,
    pick,
    rank,
    read_found,
    write_found,
)

SKILLS = [make_skill(f"s{i}", f"It does w{i} and w{i + 1} all day.") for i in range(8)]


def ranked(texts, **options):
    encoder = TokenHashEncoder()
    vectors = encoder.encode_documents([s.description for s in SKILLS])
    return list(rank(texts, SKILLS, vectors, encoder, bm25_ranker(), 3, **options))


def found(rows, outputs=None):
    outputs = range(len(rows), 0, -1) if outputs is None else outputs
    return Found(np.array(rows, dtype=np.int32), np.array(list(outputs), dtype=np.float32))


def test_the_best_candidates_come_first():
    first, second = ranked(["w3 and w4 please", "w6"])
    assert first.rows[0] == 3
    assert set(second.rows[:2].tolist()) == {5, 6}
    for each in (first, second):
        assert len(each.rows) == 3
        assert (np.diff(each.outputs) <= 0).all()
        assert each.rows.dtype == np.int32
        assert each.outputs.dtype == np.float32


def test_gold_skills_are_there_however_low_they_stand():
    (without,) = ranked(["w3 and w4 please"])
    (with_gold,) = ranked(["w3 and w4 please"], gold=[frozenset({7})])
    assert 7 not in without.rows
    assert with_gold.rows.tolist() == [*without.rows.tolist(), 7]


def test_they_survive_their_file(tmp_path):
    made = [found([3, 1]), found([]), found([5])]
    write_found(made, tmp_path / "c.npz")
    again = read_found(tmp_path / "c.npz")
    assert len(again) == 3
    for a, b in zip(made, again, strict=True):
        np.testing.assert_array_equal(a.rows, b.rows)
        np.testing.assert_array_equal(a.outputs, b.outputs)


def test_what_may_well_do_is_no_negative():
    names = ["gold", "other", "gold", "fourth", "fifth"]
    vectors = np.eye(5, dtype=np.float32)
    vectors[3] = 0.96 * vectors[1] + 0.28 * vectors[3]  # like the gold skill in row 1
    made = group([7], frozenset({0, 1, 99}), found([4, 0, 2, 3, 1]), names, np.array(vectors))
    assert made.found.rows.tolist() == [0, 1, 4]
    assert made.found.outputs.tolist() == [4, 1, 5]
    assert made.golds == 2


def test_a_query_without_gold_or_without_negative_teaches_nothing():
    vectors = np.eye(3, dtype=np.float32)
    assert group([7], frozenset({2}), found([0, 1]), "abc", vectors) is None
    assert group([7], frozenset({0, 1}), found([0, 1]), "abc", vectors) is None


def test_gold_skills_the_best_others_and_some_by_chance_are_looked_at():
    one = Group([7], frozenset({0, 1}), found(range(40)), 2)
    draws = [pick(one, 14, np.random.default_rng(seed)).tolist() for seed in range(2)]
    for places in draws:
        assert places[:10] == list(range(10))  # of 12 others the best 8
        assert len(set(places)) == 14
        assert min(places[10:]) >= 10
    assert draws[0] != draws[1]
    assert pick(one, 14, np.random.default_rng(0)).tolist() == draws[0]


def test_there_is_a_negative_among_however_many_gold_skills():
    many = Group([7], frozenset(range(5)), found(range(7)), 5)
    places = pick(many, 3, np.random.default_rng(0)).tolist()
    assert places[:5] == [0, 1, 2, 3, 4]
    assert len(places) == 6
    few = Group([7], frozenset({0}), found(range(3)), 1)
    assert pick(few, 24, np.random.default_rng(0)).tolist() == [0, 1, 2]
