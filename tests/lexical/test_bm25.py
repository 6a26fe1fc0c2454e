from dataclasses import replace

import bm25s
import numpy as np
import pytest
from tests.conftest import SKILLS, make_skill

from skillret.errors import StoreError
from skillret.lexical import bm25 as module
from skillret.lexical.bm25 import LexicalIndex, write_lexical


def search(skills, text, k=10):
    keys, scores = LexicalIndex(write_lexical(None, enumerate(skills))).search(text, k)
    return keys.tolist(), scores


def test_shared_words_are_found_whatever_their_form():
    assert search(SKILLS, "The pod CRASHED and restarted!")[0] == [1]


def test_words_without_meaning_and_other_scripts_find_nothing():
    for text in ("could you please help me with this", "将扫描件转换为表格", "🎉🎉", "", "!?"):
        assert search(SKILLS, text)[0] in ([], [3]), text  # "help" is no stop word


def test_a_word_that_no_skill_holds_stands_for_those_one_letter_away():
    skills = [make_skill("a", "review the pull request"), make_skill("b", "bake the bread")]
    for wrong in ("reveiw", "rveiew", "reviw", "revieww", "rewiew"):
        assert search(skills, wrong)[0] == [0], wrong
    assert search(skills, "breda and reveiw, bread and review")[0] in ([0, 1], [1, 0])
    for unknown in ("rveeiw", "rev", "bred", "pull1", "zebra", "a" * 30):
        assert search(skills, unknown)[0] == [], unknown
    index = LexicalIndex(write_lexical(None, enumerate(skills)))
    assert index.terms("reveiw").weight == pytest.approx(0.7 * index.terms("review").weight)
    (value,) = index.explain(index.terms("reveiw"), [0])[0].items()
    assert value == ("reveiw", pytest.approx(float(index.search("reveiw", 1)[1][0])))


def test_many_unknown_words_are_another_language():
    skills = [make_skill("a", "review the pull request"), make_skill("b", "bake the bread")]
    assert search(skills, "breda baek")[0] == []
    assert search(skills, "bake breda")[0] == [1]
    index = LexicalIndex(write_lexical(None, enumerate(skills)))
    exact = index.terms("review pull").weight
    foreign = index.terms("Review pull, bitte reveiw kuchen für breda.").weight
    assert foreign == pytest.approx(exact)
    apart = index.search("Bitte kuchen für breda. Then reveiw the pull request", 5)
    assert apart[0].tolist() == [0]


def test_no_text_makes_a_search_long(monkeypatch):
    made = []
    make = module._make_misspelt
    monkeypatch.setattr(module, "_make_misspelt", lambda *a: made.append(a[2]) or make(*a))
    index = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"qx{a}{b}{c}" for a in letters for b in letters for c in letters[:8]]
    for text in (" ".join(words), ". ".join(f"pods {w}" for w in words), ". ".join(words)):
        index.search(text, 5)
    assert len(made) <= 2 * module._GUESSES


def test_a_word_that_a_skill_holds_is_no_typing_error():
    skills = [make_skill("a", "form a team"), make_skill("b", "use steam and teams")]
    assert search(skills, "steam")[0] == [1]


def test_a_word_said_twice_counts_once():
    once, twice = (search(SKILLS, t)[1] for t in ("commits", "commits commits commits"))
    np.testing.assert_array_equal(once, twice)


def test_k_may_exceed_the_index():
    assert len(search(SKILLS, "pdf pods commits meals", 10_000)[0]) == 4


def test_scores_are_those_of_bm25s(monkeypatch):
    """One field, the same tokens and the same constants: the formula of another library."""
    monkeypatch.setattr(module, "FIELD_WEIGHTS", {"text": 1.0})
    rng = np.random.default_rng(0)
    # Up to 40 words: below that tantivy stores the length of a field exactly.
    texts = [
        " ".join(f"w{n}" for n in rng.integers(0, 60, rng.integers(5, 38))) for _ in range(200)
    ]
    skills = [make_skill("x", "y", t) for t in texts]
    ours = LexicalIndex(write_lexical(None, enumerate(skills)))
    corpus = [f"x y {t}".split() for t in texts]
    theirs = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    theirs.index(corpus, show_progress=False)
    for _ in range(20):
        query = [f"w{n}" for n in set(rng.integers(0, 60, 4).tolist())]
        expected = theirs.get_scores(query)
        keys, scores = ours.search(" ".join(query), 200)
        # Lucene's variant leaves out the constant factor k1 + 1.
        np.testing.assert_allclose(scores / 2.2, expected[keys], rtol=1e-4)
        assert len(keys) == (expected > 0).sum()


def test_factors_multiply_the_scores_of_their_terms():
    index = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    text = "commits or pods"
    plain = dict(zip(*index.search(text, 4), strict=True))
    weighted = dict(zip(*index.search(index.terms(text, {"commit": 0.5}), 4), strict=True))
    assert weighted[2] == pytest.approx(0.5 * plain[2])
    assert weighted[1] == pytest.approx(plain[1])
    commits, pods = (index.terms(t).weight for t in ("commits", "pods"))
    assert index.terms(text, {"commit": 0.5}).weight == pytest.approx(0.5 * commits + pods)


def test_a_single_term_is_searched_for_by_itself():
    index = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    single = index.search(index.term("pod"), 4)
    np.testing.assert_array_equal(single[1], index.search("pods", 4)[1])
    assert index.search(index.term("zebra"), 4)[0].tolist() == []


def test_keys_are_ascending_whatever_the_order_of_writing():
    skills = [make_skill("a", "b", "word " * n) for n in (5, 1, 3)]
    index = LexicalIndex(write_lexical(None, zip([7, 9, 2], skills, strict=True)))
    assert index.keys().tolist() == [2, 7, 9]


def test_terms_explain_a_score():
    index = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    text = "which commits go into the release notes"
    for factors in ({}, {"commit": 0.5, "note": 2.0}):
        terms = index.terms(text, factors)
        keys, scores = index.search(terms, 1)
        reasons = index.explain(terms, [2, 0])
        assert set(reasons[2]) == {"releas", "note", "commit"}
        assert sum(reasons[2].values()) == pytest.approx(float(scores[0]), rel=1e-5)
        assert keys.tolist() == [2]
        assert reasons[0] == {}
    assert index.explain(terms, [99]) == {99: {}}


@pytest.fixture
def tagged():
    """BM25 over skills with metadata."""
    metadata = [
        {"tag": "office", "tested": True, "level": 1},
        {"tag": ["ops", "cloud"], "tested": False, "level": 2},
        {"tag": ["office", "ops"]},
        {},
    ]
    skills = [replace(s, metadata=m) for s, m in zip(SKILLS, metadata, strict=True)]
    return LexicalIndex(write_lexical(None, enumerate(skills)))


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ({}, [0, 1, 2, 3]),
        ({"tag": "ops"}, [1, 2]),
        ({"tag": ["cloud", "office"]}, [0, 1, 2]),
        ({"tag": "office", "level": 1}, [0]),
        ({"tested": False}, [1]),
        ({"level": [1, 2, 3]}, [0, 1]),
        ({"tag": "of"}, []),
        ({"tag": []}, []),
        ({"unknown": "ops"}, []),
    ],
)
def test_a_filter_leaves_out_what_does_not_hold_all_of_it(tagged, where, keys):
    assert tagged.keys(where).tolist() == keys
    text = "pods, commits, meals or PDF tables"
    every = dict(zip(*tagged.search(text, 4), strict=True))
    some = dict(zip(*tagged.search(text, 4, where), strict=True))
    assert some == {k: v for k, v in every.items() if k in keys}


def test_a_panic_of_the_library_is_an_error(monkeypatch):
    class PanicException(BaseException):  # as pyo3 calls it
        pass

    class Searcher:
        num_docs = 1

        def search(self, *_, **__):
            raise PanicException("index out of bounds")

    index = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    monkeypatch.setattr(index, "_searcher", Searcher())
    terms = index.terms("pods")
    for use in (lambda: index.search(terms, 3), lambda: index.explain(terms, [1]), index.keys):
        with pytest.raises(StoreError, match=r"damaged; it is made anew if .*\.cache .*is deleted"):
            use()


def test_terms_read_once_are_searched_for_like_their_text():
    index = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    text = "why do pods crash, and who writes the release notes?"
    terms = index.terms(text)
    for own, expected in zip(index.search(terms, 3), index.search(text, 3), strict=True):
        np.testing.assert_array_equal(own, expected)


def test_what_is_known_of_a_term_ends_with_its_generation(tmp_path):
    skills = [make_skill(f"s{n}", "pods", "crash") for n in range(5)]
    write_lexical(tmp_path / "a", enumerate(skills))
    before = LexicalIndex(tmp_path / "a")
    weight = before.terms("pods").weight
    more = ((n, make_skill(f"s{n}", "meals")) for n in range(5, 9))
    write_lexical(tmp_path / "b", more, base=tmp_path / "a")
    after = LexicalIndex(tmp_path / "b")
    assert after.terms("pods").weight > weight == before.terms("pods").weight
    assert before.terms("meals").weight == 0 < after.terms("meals").weight


def test_a_term_of_removed_skills_never_weighs_less_than_nothing(tmp_path):
    skills = [make_skill(f"s{n}", "pods", "crash") for n in range(5)]
    write_lexical(tmp_path / "a", enumerate(skills))
    write_lexical(tmp_path / "b", [], removed=range(4), base=tmp_path / "a")
    index = LexicalIndex(tmp_path / "b")
    assert len(index) == 1
    assert index.terms("pods").weight > 0
    assert index.search("pods", 5)[0].tolist() == [4]


def test_a_query_of_stop_words_alone_finds_names_and_descriptions_that_hold_them():
    skills = [
        make_skill("helpdesk", "tickets of the IT department", "body"),
        make_skill("pdf", "reads it aloud", "body"),
        make_skill("notes", "writes release notes", "IT"),
    ]
    index = LexicalIndex(write_lexical(None, enumerate(skills)))
    assert index.search("IT", 9)[0].tolist() == [0, 1]
    assert index.search("it?", 9)[0].tolist() == [0, 1]
    assert index.search("IT release", 9)[0].tolist() == [2, 0]
    assert index.search("reads it", 9)[0].tolist() == [1]
    terms = index.terms("IT")
    assert list(index.explain(terms, [0])[0]) == ['"IT"']
