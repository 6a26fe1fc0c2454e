from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import SKILLS, HashEncoder, TokenHashEncoder, fill, make_skill
from tests.retrieval.test_ranker import make_ranker

from skillret import Retriever
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.retrieval.calibration import CALIBRATION_FILE, Calibration
from skillret.retrieval.features import FEATURES
from skillret.retrieval.ranker import Probe
from skillret.retrieval.searcher import Scorer
from skillret.retrieval.term_head import TermHead


def bm25_ranker():
    """A ranker that goes by the share of BM25 alone."""
    hidden = np.zeros((1, len(FEATURES)), dtype=np.float32)
    hidden[0, FEATURES.index("lexical")] = 1.0
    return make_ranker(
        mean=np.zeros(len(FEATURES), dtype=np.float32),
        scale=np.ones(len(FEATURES), dtype=np.float32),
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


def ranked_encoder(folder, threshold=None):
    """An encoder with `bm25_ranker`; its calibration is written to a folder."""
    encoder = TokenHashEncoder()
    encoder.folder = folder
    identity = encoder.profile.identity
    calibration = Calibration(identity, bm25_ranker(), threshold, created="2026-01-31")
    calibration.save(folder / CALIBRATION_FILE)
    return encoder


def scores(encoder, text, skills=SKILLS, mode="hybrid"):
    vectors = encoder.encode_documents([s.description for s in skills])
    lexical = LexicalIndex(write_lexical(None, enumerate(skills)))
    return Scorer(encoder).score(text, mode, vectors, lexical)


def test_with_a_ranker_the_score_is_a_probability(tmp_path):
    found = scores(ranked_encoder(tmp_path), "why do pods crash")
    assert int(found.total.argmax()) == 1
    need = 1 / (1 + np.exp(-(10 * np.tanh(1) - 2)))
    assert found.need == pytest.approx(need, abs=1e-3)
    likely = 1 / (1 + np.exp(-(10 * np.tanh(1) - 4)))
    assert found.total[1] == pytest.approx(need * likely, abs=1e-3)
    assert found.total.min() >= 0


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("ranked", [True, False])
def test_many_requests_are_scored_as_each_alone(mode, ranked, tmp_path):
    encoder = ranked_encoder(tmp_path) if ranked else HashEncoder()
    vectors = encoder.encode_documents([s.description for s in SKILLS])
    lexical = LexicalIndex(write_lexical(None, enumerate(SKILLS)))
    texts = ["pods crash", "Read all the tables. Then plan my meals. Thanks!", "zebra", "meals"]
    scorer = Scorer(encoder)
    together = list(scorer.score_all(texts, mode, vectors, lexical))
    assert len(together) == len(texts)
    for text, found in zip(texts, together, strict=True):
        alone = scorer.score(text, mode, vectors, lexical)
        np.testing.assert_allclose(found.total, alone.total, atol=1e-5)
        assert (found.need is None) == (alone.need is None) == (mode != "hybrid" or not ranked)
        assert found.need == pytest.approx(alone.need, abs=1e-5)


def test_an_empty_library_has_no_scores(tmp_path):
    encoder = ranked_encoder(tmp_path)
    empty = np.empty((0, 32), dtype=np.float32)
    found = list(Scorer(encoder).score_all(["pods", "meals"], "hybrid", empty, None))
    assert [len(f.total) for f in found] == [0, 0]


def test_skills_beyond_the_candidates_stand_behind_them(tmp_path):
    skills = [make_skill(f"s{i}", f"words {i} of skill", f"body{i}") for i in range(400)]
    found = scores(ranked_encoder(tmp_path), "body7", skills)
    order = np.argsort(-found.total, kind="stable")
    assert order[0] == 7
    assert len(set(found.total[order[:50]])) > 1
    assert (found.total > 0).sum() >= 399  # the worst of all may score 0


def test_an_index_is_searched_and_selected_from_by_the_ranker(tmp_path):
    encoder = ranked_encoder(tmp_path, threshold=0.5)
    with Retriever(fill(tmp_path / "i.db", encoder=encoder), encoder) as retriever:
        assert retriever.search("why do pods crash")[0].name == "kubernetes-debugging"
        chosen = retriever.select("why do pods crash")
        assert [h.name for h in chosen.hits] == ["kubernetes-debugging"]
        nothing = retriever.select("good morning")
        assert nothing.abstained
        assert nothing.hits == ()
        both = retriever.select("pods crash. plan meals.")
        assert {h.name for h in both.hits} >= {"kubernetes-debugging"}
        assert [h.rank for h in both.hits] == list(range(1, len(both.hits) + 1))


def test_a_ranker_of_fewer_features_gets_its_own(tmp_path):
    encoder, text = ranked_encoder(tmp_path), "why do pods crash"
    whole = scores(encoder, text)
    names = ("name", "lexical")
    columns = [list(FEATURES).index(name) for name in names]
    ranker = bm25_ranker()
    few = replace(
        ranker,
        features=names,
        mean=ranker.mean[columns],
        scale=ranker.scale[columns],
        hidden=ranker.hidden[:, columns],
    )
    Calibration(encoder.profile.identity, few, None, created="2026-01-31").save(
        tmp_path / CALIBRATION_FILE
    )
    np.testing.assert_allclose(scores(encoder, text).total, whole.total, atol=1e-6)


def test_a_selection_says_how_sure_it_is(tmp_path):
    encoder = ranked_encoder(tmp_path, threshold=0.5)
    with Retriever(fill(tmp_path / "i.db", encoder=encoder), encoder) as retriever:
        assert retriever.threshold == 0.5
        sure, unsure = (retriever.select(t).need for t in ("why do pods crash", "good morning"))
        assert unsure < 0.5 < sure
