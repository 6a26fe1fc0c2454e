from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import (
    SKILLS,
    HashEncoder,
    LateHashEncoder,
    TokenHashEncoder,
    make_skill,
    name_of,
)
from tests.retrieval.test_ranker import WITHOUT_LATE, make_ranker

from skillret import Index, Retriever
from skillret.errors import InputError
from skillret.index.memory import corpus_of
from skillret.retrieval import searcher as searcher_module
from skillret.retrieval.calibration import CALIBRATION_FILE, Calibration, load_calibration
from skillret.retrieval.explain import explain
from skillret.retrieval.features import FEATURES
from skillret.retrieval.fusion import fuse
from skillret.retrieval.ranker import Probe
from skillret.retrieval.searcher import Searcher
from skillret.retrieval.term_head import TermHead
from skillret.skills import Root


def bm25_ranker():
    """A ranker that goes by the share of BM25 alone."""
    hidden = np.zeros((1, len(WITHOUT_LATE)), dtype=np.float32)
    hidden[0, WITHOUT_LATE.index("lexical")] = 1.0
    return make_ranker(
        mean=np.zeros(len(WITHOUT_LATE), dtype=np.float32),
        scale=np.ones(len(WITHOUT_LATE), dtype=np.float32),
        hidden=hidden,
        hidden_bias=np.zeros(1, dtype=np.float32),
        output=np.ones(1, dtype=np.float32),
        slope=10.0,
        intercept=-4.0,
        probe=Probe(np.zeros(32, dtype=np.float32), 0.0),
        terms=TermHead(np.zeros(32, dtype=np.float32), 0.0),
        need_slope=10.0,
        need_intercept=-2.0,
        need_size=0.0,
        share=0.5,
    )


def ranked_encoder(folder, threshold=None, **fields):
    """An encoder with `bm25_ranker`; its calibration is written to a folder."""
    encoder = TokenHashEncoder()
    encoder.folder = folder
    ranker = replace(bm25_ranker(), **fields)
    calibration = Calibration(encoder.profile.identity, ranker, threshold, created="2026-01-31")
    calibration.save(folder / CALIBRATION_FILE)
    return encoder


def searcher_of(encoder, skills=SKILLS):
    vectors = encoder.encode_documents([s.description for s in skills])
    corpus = corpus_of(skills, vectors, encoder.profile)
    return Searcher(corpus, encoder, load_calibration(encoder))


def scores(ranking, skills=SKILLS):
    """Of each skill, in their order."""
    by_key = dict(zip(ranking.keys.tolist(), ranking.scores.tolist(), strict=True))
    return [by_key[key] for key in range(len(skills))]


def test_with_a_ranker_the_score_is_a_probability(tmp_path):
    ranking = searcher_of(ranked_encoder(tmp_path)).rank("why do pods crash", 4)
    assert ranking.keys[0] == 1
    need = 1 / (1 + np.exp(-(10 * np.tanh(1) - 2)))
    assert ranking.need == pytest.approx(need, abs=1e-3)
    likely = 1 / (1 + np.exp(-(10 * np.tanh(1) - 4)))
    assert ranking.scores[0] == pytest.approx(need * likely, abs=1e-3)
    assert ranking.scores.min() >= 0


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("ranked", [True, False])
def test_many_queries_are_ranked_as_each_alone(mode, ranked, tmp_path):
    searcher = searcher_of(ranked_encoder(tmp_path) if ranked else HashEncoder())
    texts = ["pods crash", "Read all the tables. Then plan my meals. Thanks!", "zebra", "meals"]
    together = list(searcher.rank_all(texts, 4, mode))
    assert [r.text for r in together] == texts
    for text, ranking in zip(texts, together, strict=True):
        alone = searcher.rank(text, 4, mode)
        assert ranking.keys.tolist() == alone.keys.tolist()
        np.testing.assert_allclose(ranking.scores, alone.scores, atol=1e-5)
        assert (ranking.need is None) == (mode == "lexical")
        assert ranking.need == pytest.approx(alone.need, abs=1e-5)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_an_empty_library_has_no_scores(tmp_path, mode):
    searcher = searcher_of(ranked_encoder(tmp_path), [])
    rankings = list(searcher.rank_all(["pods", "meals"], 5, mode))
    assert [len(r) for r in rankings] == [0, 0]
    assert [r.need for r in rankings] == [None if mode == "lexical" else 0.0] * 2
    assert searcher.select("pods") == ([], 0.0, (), ())
    with pytest.raises(InputError, match="query is empty"):
        list(searcher.rank_all(["pods", " "], 5, mode))


def test_without_a_calibration_cosines_and_bm25_are_fused():
    encoder = HashEncoder()
    searcher = searcher_of(encoder)
    ranking = searcher.rank("why do pods crash", 4)
    corpus = searcher.corpus
    (vector,) = encoder.encode_queries(["why do pods crash"])
    cosines = corpus.vectors(np.arange(4)) @ vector
    bm25 = np.array([sum(t.values()) for t in corpus.explain(ranking.terms, range(4)).values()])
    means, deviations = corpus.moments.cosines(vector[None])
    low = float(means[0] - 3 * deviations[0])
    weight = encoder.profile.dense_weight
    expected = fuse(cosines, bm25.astype(np.float32), weight, low)
    np.testing.assert_allclose(scores(ranking), expected, atol=1e-5)
    assert ranking.need == pytest.approx(cosines.max())


@pytest.mark.parametrize("ranked", [True, False])
def test_skills_beyond_the_candidates_stand_behind_them(tmp_path, ranked):
    skills = [make_skill(f"s{i}", f"words {i} of skill", f"body{i}") for i in range(400)]
    encoder = ranked_encoder(tmp_path) if ranked else HashEncoder()
    searcher = searcher_of(encoder, skills)
    ranking = searcher.rank("body7", 400)
    assert ranking.keys[0] == 7
    assert sorted(ranking.keys.tolist()) == list(range(400))
    assert (np.diff(ranking.scores) <= 0).all()
    assert len(set(ranking.scores[:50].tolist())) > 1
    assert (ranking.scores > 0).sum() >= 399  # the worst of all may score 0
    first = searcher.rank("body7", 20)
    assert first.keys.tolist() == ranking.keys[:20].tolist()
    np.testing.assert_allclose(first.scores, ranking.scores[:20], rtol=1e-5)
    for row in (0, 399):
        vector = searcher.corpus.vectors(ranking.keys[row : row + 1])
        np.testing.assert_array_equal(ranking.vectors[row], vector[0])


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("ranked", [True, False])
def test_a_filter_comes_before_the_ranking(tmp_path, mode, ranked):
    skills = [
        make_skill(f"s{i}", f"pods number {i}", metadata={"team": "ab"[i % 100 == 99]})
        for i in range(400)
    ]
    searcher = searcher_of(ranked_encoder(tmp_path) if ranked else HashEncoder(), skills)
    ranking = searcher.rank("pods number 7", 10, mode, {"team": "b"})
    assert sorted(ranking.keys.tolist()) == [99, 199, 299, 399]
    assert searcher.rank("pods number 7", 10, mode, {"team": "c"}).keys.tolist() == []
    if mode == "hybrid":
        picked = searcher.select("pods number 7", where={"team": "b"}).picked
        assert {p.key for p in picked} <= {99, 199, 299, 399}
        assert picked


def test_an_index_is_searched_and_selected_from_by_the_ranker(tmp_path):
    index = Index.in_memory(model=ranked_encoder(tmp_path, threshold=0.5))
    index.add(SKILLS)
    with Retriever(index) as retriever:
        assert retriever.search("why do pods crash")[0].name == "kubernetes-debugging"
        chosen = retriever.select("why do pods crash")
        assert [h.name for h in chosen.hits] == ["kubernetes-debugging"]
        nothing = retriever.select("good morning")
        assert nothing.abstained
        assert nothing.hits == ()
        both = retriever.select("pods crash. plan meals.")
        assert {h.name for h in both.hits} >= {"kubernetes-debugging"}
        assert [h.rank for h in both.hits] == list(range(1, len(both.hits) + 1))


def test_a_selection_is_the_same_from_a_ranking_that_is_known(tmp_path):
    searcher = searcher_of(ranked_encoder(tmp_path, threshold=0.5))
    for text in ("why do pods crash", "read the pdf tables and plan some good meals", "hello"):
        picked, *told = searcher.select(text)
        again, *same = searcher.select(text, ranking=searcher.rank(text, 50))
        assert [(p.key, p.score) for p in picked] == [(p.key, p.score) for p in again]
        assert told == same


NAMES = ("name", "lexical")


def few_features():
    ranker = bm25_ranker()
    columns = [WITHOUT_LATE.index(name) for name in NAMES]
    return {
        "features": NAMES,
        "mean": ranker.mean[columns],
        "scale": ranker.scale[columns],
        "hidden": ranker.hidden[:, columns],
    }


def test_a_ranker_of_fewer_features_gets_its_own(tmp_path):
    text = "why do pods crash"
    whole = searcher_of(ranked_encoder(tmp_path)).rank(text, 4)
    few = searcher_of(ranked_encoder(tmp_path, **few_features())).rank(text, 4)
    np.testing.assert_allclose(scores(few), scores(whole), atol=1e-6)


def test_one_more_registered_feature_changes_nothing_for_a_ranker(tmp_path, monkeypatch):
    texts = ["why do pods crash", "Read tables from PDF files. Then plan my meals.", "zebra"]
    before = list(searcher_of(ranked_encoder(tmp_path)).rank_all(texts, 4))
    registered = {"first of all": lambda e: e.dense + 5, **FEATURES, "last": lambda e: -e.lexical}
    monkeypatch.setattr("skillret.retrieval.features.FEATURES", registered)
    monkeypatch.setattr("skillret.retrieval.ranker.FEATURES", registered)
    after = list(searcher_of(ranked_encoder(tmp_path)).rank_all(texts, 4))
    for old, new in zip(before, after, strict=True):
        assert new.keys.tolist() == old.keys.tolist()
        np.testing.assert_allclose(new.scores, old.scores, atol=1e-6)
        assert new.need == pytest.approx(old.need)
    names = ("lexical", "last")
    fitted = {**few_features(), "features": names}
    ranking = searcher_of(ranked_encoder(tmp_path, **fitted)).rank(texts[0], 4)
    assert load_calibration(ranked_encoder(tmp_path, **fitted)).ranker.features == names
    assert len(ranking) == 4


def late_searcher(folder, names, skills=SKILLS):
    """One whose ranker goes by features of these names alike, over an index of tokens."""
    encoder, f = LateHashEncoder(), len(names)
    encoder.folder = folder
    arrays = {"mean": np.zeros(f), "scale": np.ones(f), "hidden": np.full((1, f), 0.3)}
    arrays = {name: a.astype(np.float32) for name, a in arrays.items()}
    ranker = replace(bm25_ranker(), features=names, terms=None, **arrays)
    calibration = Calibration(encoder.profile.identity, ranker, None, created="2026-01-31")
    calibration.save(folder / CALIBRATION_FILE)
    index = Index.in_memory(model=encoder)
    index.add(skills)
    return Searcher(index.corpus(), encoder, load_calibration(encoder))


def test_a_ranker_may_go_by_late_interaction(tmp_path):
    """A skill of one matching word amid many others, which its vector hides."""
    others = " ".join(f"w{i}" for i in range(300))
    skills = [make_skill("a", body=f"kraken {others}"), *SKILLS]
    searcher = late_searcher(tmp_path, ("late_gap",), skills)
    ranking = searcher.rank("kraken", 5)
    assert name_of(searcher, int(ranking.keys[0])) == "a"
    by_both = late_searcher(tmp_path, ("late_gap", "late_z", "lexical"), skills).rank("kraken", 5)
    assert by_both.keys[0] == ranking.keys[0]
    texts = ["kraken", "Why do pods crash? Then plan my meals.", "zebra"]
    for text, together in zip(texts, searcher.rank_all(texts, 5), strict=True):
        alone = searcher.rank(text, 5)
        np.testing.assert_array_equal(together.keys, alone.keys)
        np.testing.assert_allclose(together.scores, alone.scores, atol=1e-6)


def test_tokens_are_read_for_a_ranker_that_names_them_alone(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("skillret.retrieval.searcher.late_interaction", refuse)
    assert len(late_searcher(tmp_path, ("lexical", "dense")).rank("pods", 4)) == 4
    with pytest.raises(AssertionError):
        late_searcher(tmp_path, ("lexical", "late_z")).rank("pods", 4)


def test_a_selection_says_how_sure_it_is(tmp_path):
    index = Index.in_memory(model=ranked_encoder(tmp_path, threshold=0.5))
    index.add(SKILLS)
    with Retriever(index) as retriever:
        assert retriever.policy.threshold == 0.5
        sure, unsure = (retriever.select(t).need for t in ("why do pods crash", "good morning"))
        assert unsure < 0.5 < sure


def weighing_encoder(folder):
    """One whose ranker weighs every term otherwise."""
    weights = np.random.default_rng(5).normal(size=32).astype(np.float32)
    return ranked_encoder(folder, terms=TermHead(weights, 0.3))


@pytest.mark.parametrize("weighed", [True, False])
@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_the_words_of_an_explanation_add_up_to_the_score_of_the_hit(tmp_path, weighed, mode):
    index = Index.in_memory(model=weighing_encoder(tmp_path) if weighed else HashEncoder())
    index.add(SKILLS)
    texts = ["the pods crash and restart", "Write release notes. Plan meals, pods, tbles!"]
    with Retriever(index) as retriever:
        for text in texts:
            hits = retriever.search(text, k=4, mode=mode, explain=True)
            assert any(h.explanation.terms for h in hits)
            for hit in hits:
                assert sum(s for _, s in hit.explanation.terms) == pytest.approx(
                    hit.lexical, rel=1e-4, abs=1e-6
                )
        for hit in retriever.select(texts[0], explain=True) if mode == "hybrid" else ():
            words = sum(s for _, s in hit.explanation.terms)
            assert words == pytest.approx(hit.lexical, rel=1e-4, abs=1e-6)


def test_a_skill_beyond_the_depth_of_the_search_for_terms_has_no_words():
    skills = [make_skill(f"s{i}", f"pods {'pods ' * (i < 380)}{i}") for i in range(400)]
    searcher = searcher_of(HashEncoder(), skills)
    ranking = searcher.rank("pods 399", 100)
    assert (ranking.lexical == 0).any()
    keys = ranking.keys.tolist()
    reasons = explain(ranking, keys, "hybrid", searcher.corpus, searcher.encoder)
    for key, score in zip(keys, ranking.lexical.tolist(), strict=True):
        words = sum(s for _, s in reasons[key].terms)
        assert words == pytest.approx(score, rel=1e-4, abs=1e-6)


def test_what_a_query_calls_by_name_comes_first(monkeypatch):
    """The name of a folder is no text that any other look-up would find."""
    alike = [make_skill(n, "Design APIs.", path=f"/l/{n}/SKILL.md") for n in ("api-v2", "api")]
    odd = make_skill("tide", "Read tables.", path="/l/gezeiten/SKILL.md")
    others = [make_skill(f"other-{n}", f"Bake cake {n}.") for n in range(300)]
    searcher = searcher_of(HashEncoder(), [*alike, *others, odd])

    def best(query, **options):
        (key,) = searcher.rank(query, 1, **options).keys.tolist()
        return name_of(searcher, key)

    assert best("api") == "api"
    assert best("/api-v2") == "api-v2"
    for query in ("gezeiten", "/gezeiten now", "use the gezeiten skill"):
        assert best(query) == "tide"
        assert name_of(searcher, searcher.select(query).picked[0].key) == "tide"
    monkeypatch.setattr(searcher_module, "_MOST_BY_NAME", 10)
    searcher = searcher_of(HashEncoder(), [*alike, *others, odd])
    assert best("bake cake 7") == "other-7"
    assert best("gezeiten") != "tide"


def test_a_plugin_s_name_tells_two_of_a_name_apart():
    skills = [
        make_skill("deploy", "Deploy it.", path=f"/p/{plugin}/deploy/SKILL.md", id=plugin)
        for plugin in ("river", "sea")
    ]
    encoder = HashEncoder()
    vectors = encoder.encode_documents([s.description for s in skills])
    roots = [Root(Path(f"/p/{plugin}"), f"plugin:{plugin}") for plugin in ("river", "sea")]
    searcher = Searcher(corpus_of(skills, vectors, encoder.profile), encoder, roots=roots)
    for plugin in ("river", "sea"):
        (picked,) = searcher.select(f"/{plugin}:deploy").picked
        assert searcher.corpus.records([picked.key])[picked.key].id == plugin


def test_a_skill_of_an_agent_stands_behind_the_one_that_hides_it():
    hidden = make_skill("scale", "Scale recipes.", shadowed_by="/home/scale", id="hidden")
    winner = make_skill("scale", "Weigh things.", path="/home/scale", id="winner")
    others = [make_skill("forms", "Fill in forms."), make_skill("mail", "Write mails.")]
    encoder, skills = HashEncoder(), [hidden, winner, *others]
    vectors = encoder.encode_documents([s.description for s in skills])
    corpus = corpus_of(skills, vectors, encoder.profile)
    for of_agent, first in ((True, "winner"), (False, "hidden")):
        searcher = Searcher(corpus, encoder, of_agent=of_agent)
        ranking = searcher.rank("scale recipes", 1)
        assert len(ranking) == 1
        assert corpus.records(ranking.keys.tolist())[ranking.keys[0]].id == first
