from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.retrieval.test_calibration import make_calibration

from skillret.retrieval.selection import (
    Chosen,
    SelectionPolicy,
    choose,
    select,
    spells_identifier,
)


@dataclass
class Ranked:
    scores: np.ndarray
    vectors: np.ndarray
    parts: np.ndarray
    text: str = "anything"
    need: float | None = 1.0
    keys: np.ndarray = None
    asks: float | None = None

    def __post_init__(self):
        if self.keys is None:
            self.keys = np.arange(len(self.scores))


def ranked(scores, vectors=None, parts=None, **fields):
    vectors = (
        np.eye(max(len(scores), 1), dtype=np.float32)[: len(scores)]
        if vectors is None
        else (np.array(vectors, dtype=np.float32))
    )
    parts = np.array([-1] * len(scores) if parts is None else parts, dtype=np.int64)
    return Ranked(np.array(scores, dtype=np.float32), vectors, parts, **fields)


def chosen(scores, parts, share, vectors=None):
    return choose(ranked(scores, vectors, parts), SelectionPolicy(share=share))


def test_the_best_is_joined_by_what_is_likely_enough():
    likely = [0.9, 0.6, 0.2]
    assert chosen(likely, [0, 0, 0], 0.5) == [0, 1]
    assert chosen(likely, [-1, -1, -1], 0.95) == [0]
    assert chosen([0.3, 0.2, 0.01], [0, 0, 0], 0.5) == [0, 1]
    assert chosen([], [], 0.1) == []


def test_what_is_hardly_likely_is_no_answer():
    assert chosen([0.009, 0.008], [0, 0], 0.1) == []
    assert chosen([0.012, 0.008], [0, 0], 0.1) == [0]


def test_another_part_of_the_query_needs_less():
    likely = [0.9, 0.3, 0.3, 0.2]
    assert chosen(likely, [0, 0, 1, 1], 0.5) == [0, 2]
    assert chosen(likely, [0, -1, -1, -1], 0.5) == [0]
    assert chosen([0.9, 0.1], [0, 1], 0.5) == [0]


def test_among_few_skills_a_rival_needs_more():
    calibration = make_calibration()
    fitted = int(calibration.ranker.need_skills)
    policy = SelectionPolicy(share=0.2)

    def kept(skills, parts, score=0.3):
        hits = ranked([0.9, score], parts=parts)
        return choose(hits, policy.among(skills, calibration))

    assert kept(fitted, [0, 0]) == kept(10 * fitted, [0, 0]) == [0, 1]
    assert kept(fitted // 100, [0, 0]) == kept(fitted // 100, [-1, -1]) == [0]
    assert kept(fitted // 100, [0, 1]) == [0, 1]  # it is for another task
    assert kept(0, [0, 0], 0.55) == [0, 1]
    assert policy.among(1, None) == policy
    assert SelectionPolicy(share=0.8).among(1, calibration).rivals_share == 0.8


def test_among_few_skills_the_best_one_must_be_likelier():
    policy = SelectionPolicy(share=0.2, least=0.03)

    def kept(skills, *scores):
        return choose(ranked(scores), policy.among(skills, make_calibration()))

    assert kept(100, 0.04) == kept(5000, 0.04) == [0]
    assert kept(60, 0.04) == []
    assert kept(60, 0.06, 0.04) == [0, 1]  # one that joins it need not be
    assert kept(1, 0.07) == []
    assert kept(1, 0.09) == [0]


def test_beside_pasted_material_the_best_one_must_be_likelier():
    policy = SelectionPolicy(share=0.2, least=0.03).beside_material()
    assert choose(ranked([0.19]), policy) == []
    assert choose(ranked([0.21, 0.06]), policy) == [0, 1]
    assert policy.beside_material() == policy


def test_a_near_duplicate_adds_nothing():
    vectors = [[1, 0], [1, 0], [0, 1]]
    assert chosen([0.9, 0.8, 0.7], [0, 0, 0], 0.1, vectors) == [0, 2]


LIMIT = SelectionPolicy().limit


@given(st.lists(st.floats(0, 1, width=32), max_size=25), st.floats(0, 1), st.integers(1, LIMIT))
def test_selections_are_ordered_limited_and_unlike(likely, share, limit):
    likely = sorted(likely, reverse=True)
    draw = np.random.default_rng(len(likely))
    vectors = draw.normal(size=(len(likely), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    parts = draw.integers(-1, 3, len(likely)).tolist()
    policy = SelectionPolicy(share=share, limit=limit)
    positions = choose(ranked(likely, vectors, parts), policy)
    assert positions == sorted(set(positions))
    assert len(positions) <= limit
    assert bool(positions) == (max(likely, default=0) >= 0.01)
    old = [
        i
        for n, i in enumerate(positions)
        if n and parts[i] in {-1, *(parts[j] for j in positions[:n])}
    ]
    assert all(likely[i] >= share * likely[0] for i in old)
    similar = vectors[positions] @ vectors[positions].T
    assert (similar[~np.eye(len(positions), dtype=bool)] < policy.same).all()


def selected(whole, parts=None, names=None, **policy):
    asked = []

    def rank(text, k):
        asked.append((text, k))
        return (parts or {})[text]

    def known(keys):
        return {key: {(names or {}).get(key, f"skill {key}")} for key in keys}

    chosen = select(whole, rank, known, SelectionPolicy(**policy))
    return [(p.key, pytest.approx(p.score)) for p in chosen.picked], asked


def missing(whole, parts=None, **policy):
    return select(
        whole, lambda text, _: parts[text], lambda _: {}, SelectionPolicy(**policy)
    ).missing


def test_below_the_threshold_nothing_is_selected_but_what_is_called_so():
    assert selected(ranked([0.9], need=0.3), threshold=0.4)[0] == []
    assert selected(ranked([0.9], need=0.3), threshold=0.3)[0] == [(0, 0.9)]
    names = {1: "api-keys"}
    for text in ("api-keys", "/API keys!", "api_keys"):
        whole = ranked([0.9, 0.001], need=0.1, text=text)
        assert [k for (k, _) in selected(whole, names=names, threshold=0.4)[0]] == [1]
    for text in ("ok", "Go on!", "thank you"):  # people say it anyway
        whole = ranked([0.9, 0.001], need=0.1, text=text)
        assert not selected(whole, names={1: text}, threshold=0.4)[0]
    for text, keys in (
        *(("continue.", []), ("please continue", []), ("continue, please", [])),
        *(("continue the build", [0]), ("/continue", [0]), ("use the continue skill", [0])),
    ):
        whole = ranked([0.9], text=text)
        assert [k for (k, _) in selected(whole, names={0: "continue"})[0]] == keys
    assert selected(ranked([0.9, 0.8], text="resume"), names={1: "resume"})[0] == [(0, 0.9)]
    whole = ranked([0.9, 0.001], text="api keys please")
    assert [k for (k, _) in selected(whole, names=names)[0]] == [0]


def test_names_of_several_words_in_a_query_are_called():
    names = {0: "csv-tools", 1: "api-keys", 2: "keys"}
    for text, keys in (
        ("use csv-tools, then API-keys", [0, 1]),
        ("/csv-tools the file and /api-keys it", [0, 1]),
        ("csv tools and the api keys", [0]),  # these may be any
        ("look at src/api-keys and api-keys.md", [0]),  # a path and a file
        ("rotate the keys", [0]),
    ):
        whole = ranked([0.9, 0.001, 0.0001], text=text)
        assert [k for (k, _) in selected(whole, names=names)[0]] == keys


@pytest.mark.parametrize(
    ("query", "spelled"),
    [
        ("no such bean definition", True),
        ("No such bean-definition exception?", True),
        ("max retry count", True),
        ("bean definition", False),  # it begins otherwise
        ("such bean definition", False),
        ("no such bean", True),
        ("no such thing", False),
        ("a plain sentence", False),
        ("thanks very good", False),
        ("!!", False),
    ],
)
def test_words_apart_spell_an_identifier(query, spelled):
    text = "NoSuchBeanDefinitionException, then MAX_RETRY_COUNT. aplainsentence"
    assert spells_identifier(query, text) == spelled


TWO = "shrink my docker image and write the release notes"
PARTS = ("shrink my docker image", "write the release notes")
E1, E2, E3 = np.eye(3).tolist()


def test_each_part_adds_its_best_skill_if_that_is_likely_and_new():
    whole = ranked([0.8, 0.1], [E1, E3], text=TWO, keys=np.array([0, 7]))
    alone = {
        PARTS[0]: ranked([0.7], [E1], keys=np.array([0])),
        PARTS[1]: ranked([0.9], [E3], keys=np.array([7])),
    }
    picked, asked = selected(whole, alone, tasks=4)
    assert picked == [(7, 0.9), (0, 0.8)]
    assert asked == [(PARTS[0], 20), (PARTS[1], 20)]
    assert selected(whole, alone, tasks=4, limit=1)[0] == [(7, 0.9)]
    for change in ({"scores": np.array([0.1])}, {"need": 0.1}, {"vectors": np.array([E1])}):
        other = {**alone, PARTS[1]: replace(alone[PARTS[1]], **change)}
        assert selected(whole, other, tasks=4, threshold=0.2)[0] == [(0, 0.8)]
    nothing = {**alone, PARTS[1]: ranked([])}
    assert selected(whole, nothing, tasks=4)[0] == [(0, 0.8)]


def test_a_part_adds_nothing_that_the_whole_query_hardly_fits():
    alone = {
        PARTS[0]: ranked([0.7], [E1]),
        PARTS[1]: ranked([0.9], [E3], keys=np.array([7])),
    }
    for scores, keys in (([0.8, 0.002], [0, 7]), ([0.8, 0.1], [0, 6])):
        whole = ranked(scores, [E1, E3], text=TWO, keys=np.array(keys))
        assert selected(whole, alone, tasks=4)[0] == [(0, 0.8)]
    # How well one fits that stands further behind than the ranking goes is not known.
    whole = ranked([0.8, 0.1], [E1, E2], text=TWO)
    assert selected(whole, alone, tasks=4, limit=1)[0] == [(7, 0.9)]


def test_parts_are_not_asked_for_where_there_are_many_none_or_nothing_is_needed():
    story = ". ".join([*PARTS, "plan my meals now", "review my code too", "fix the broken build"])
    whole = ranked([0.8])
    assert selected(replace(whole, text=story), tasks=4)[1] == []
    assert selected(replace(whole, text=TWO), tasks=0)[1] == []
    assert selected(replace(whole, text=TWO, need=0.1), tasks=4, threshold=0.2)[1] == []
    assert selected(replace(whole, text=PARTS[0]), tasks=4)[1] == []


def test_a_query_that_surely_asks_for_what_no_skill_does_is_missing():
    surely, nothing = {"text": "deploy the shop", "asks": 3.1}, [0.001]
    assert missing(ranked(nothing, **surely)) == ("deploy the shop",)
    assert missing(ranked([], **surely)) == ("deploy the shop",)
    assert missing(ranked([0.9], need=0.1, **surely), threshold=0.2) == ("deploy the shop",)
    assert missing(ranked([0.9], **surely)) == ()
    assert missing(ranked(nothing, text="deploy the shop", asks=2.9)) == ()
    assert missing(ranked(nothing, text="deploy the shop")) == ()  # no ranker is at work


def test_a_part_that_no_skill_does_is_missing():
    whole = ranked([0.8], [E1], text=TWO, keys=np.array([0]))
    first = ranked([0.7], [E1], keys=np.array([0]))
    second = ranked([0.15, 0.0005], [E2, E1], keys=np.array([5, 0]), text=PARTS[1], asks=3.1)

    def left(**change):
        parts = dict(zip(PARTS, (first, replace(second, **change)), strict=True))
        return missing(whole, parts, tasks=4, threshold=0.1)

    assert left() == left(need=0.01) == (PARTS[1],)
    assert left(asks=1.0) == ()  # a remark
    assert left(scores=np.array([0.15, 0.002])) == ()  # what is selected may do it too
    assert left(keys=np.array([0, 5])) == ()  # ... and does it best
    assert left(vectors=np.array([E1, E2])) == ()  # ... or one just like it
    assert left(scores=np.array([0.9, 0.0])) == ()
    assert missing(replace(whole, asks=9.0), dict.fromkeys(PARTS, first), tasks=4) == ()


def test_two_parts_do_not_add_one_skill_twice():
    whole = ranked([0.8, 0.1, 0.1], [E1, E2, E2], text=TWO, keys=np.array([0, 7, 8]))
    same = ranked([0.9], [E3], keys=np.array([7]))
    assert selected(whole, dict.fromkeys(PARTS, same), tasks=4)[0] == [(7, 0.9), (0, 0.8)]
    copy = ranked([0.9], [E3], keys=np.array([8]))
    picked, _ = selected(whole, dict(zip(PARTS, (same, copy), strict=True)), tasks=4)
    assert picked == [(7, 0.9), (0, 0.8)]


def test_the_policy_is_that_of_the_calibration():
    assert SelectionPolicy.of(None) == SelectionPolicy(threshold=0.0, tasks=0)
    calibration = make_calibration()
    policy = SelectionPolicy.of(calibration)
    assert (policy.threshold, policy.share) == (0.25, calibration.ranker.share)
    assert policy.tasks == 4
    assert policy.depth == 2 * policy.limit
    assert SelectionPolicy.of(make_calibration(threshold=None)).threshold == 0.0


def test_small_talk_in_other_languages_gets_nothing():
    def names(text):
        hits = ranked([0.9, 0.8], text=text)
        return select(hits, lambda *_: hits, lambda _: {0: "contract-review"}, SelectionPolicy())

    for text in ("감사합니다", "お願いします", "好的，谢谢", "辛苦了"):
        assert names(text) == Chosen([], 1.0)
    for text in ("계약서 검토", "週報", "感谢信", "thanks", "/继续"):
        assert names(text).picked
