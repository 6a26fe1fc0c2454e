from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import HashEncoder, TokenHashEncoder, make_skill
from tests.retrieval.test_searcher import ranked_encoder

from skillret.calibration import calibrate as module
from skillret.calibration import examples as pool
from skillret.calibration.calibrate import calibrate
from skillret.datasets.dataset import Dataset
from skillret.errors import DatasetError, InputError
from skillret.retrieval.ranker import Probe
from skillret.retrieval.term_head import TermHead
from skillret.types import Query

TOPICS = [f"topic{i}" for i in range(60)]


def labelled(count=120, negatives=30, seed=0):
    """One skill a topic; requests name one topic or two; needless ones name none."""
    draw = np.random.default_rng(seed)
    skills = [make_skill(t, f"Do {t} things", f"{t} steps and common words") for t in TOPICS]
    queries, qrels = [], {}
    for i in range(count):
        wanted = draw.choice(len(TOPICS), 2 if i % 4 == 0 else 1, replace=False)
        text = " ".join(f"Please do {TOPICS[w]} now." for w in wanted)
        queries.append(Query(f"q{i}", text, {"kind": "two" if i % 4 == 0 else "one"}))
        qrels[f"q{i}"] = {TOPICS[w]: 1 for w in wanted}
    chat = [Query(f"n{i}", f"good morning friend number{i}") for i in range(negatives)]
    return Dataset("toy", "rev", "dev", skills, queries, qrels, chat)


def test_thresholds_are_fitted_and_probabilities_mean_what_they_say():
    encoder = ranked_encoder()
    result = calibrate(labelled(), encoder)
    assert result.n_queries == 120
    assert result.n_negatives == 30
    assert result.ndcg["all"] > 0.9
    assert set(result.ndcg) == {"all", "one", "two"}
    assert result.auroc is not None and result.auroc > 0.95
    assert result.turned_away is not None and result.turned_away > 0.8
    assert result.kept is not None and result.kept > 0.9
    assert result.sets["selected"]["precision"] > result.sets["k=3"]["precision"]
    assert result.sets["k=10"]["completeness"] >= result.sets["k=1"]["completeness"]
    assert 0 < result.profile.threshold < 1
    assert result.profile.identity == encoder.profile.identity  # an index stays valid
    assert result.profile.ranker["hidden"] == encoder.profile.ranker["hidden"]


def test_a_ranker_is_fitted_for_an_encoder_that_has_none(monkeypatch):
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    encoder = HashEncoder()
    result = calibrate(labelled(), encoder, refit_ranker=True)
    assert result.ndcg["all"] > 0.85
    assert result.auroc > 0.9
    fitted = HashEncoder()
    fitted.profile = replace(result.profile)
    again = calibrate(labelled(seed=1), fitted)
    assert again.ndcg["all"] > 0.85


def test_a_head_for_terms_is_kept_beside_the_ranker(monkeypatch):
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    encoder, head = TokenHashEncoder(), TermHead(np.full(32, 0.01, dtype=np.float32), 0.5)
    fitted = calibrate(labelled(), encoder, refit_ranker=True, head=head).profile
    assert fitted.ranker["terms_bias"] == 0.5
    encoder.profile = fitted
    for refit in (False, True):
        again = calibrate(labelled(seed=1), encoder, refit_ranker=refit)
        assert again.profile.ranker["terms"] == fitted.ranker["terms"]
        assert again.ndcg["all"] > 0.85


def test_requests_of_the_train_split_are_learnt_from_and_judge_nothing(monkeypatch):
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    monkeypatch.setattr(pool, "_TRAIN_PER_KIND", 40)
    encoder = HashEncoder()
    alone = calibrate(labelled(), encoder, refit_ranker=True)
    train = replace(labelled(seed=2), split="train")
    helped = calibrate(labelled(), encoder, refit_ranker=True, train=train)
    assert (helped.n_queries, helped.n_negatives) == (alone.n_queries, alone.n_negatives)
    assert helped.profile.ranker["hidden"] != alone.profile.ranker["hidden"]
    assert helped.ndcg["all"] > 0.85
    probe = Probe(np.zeros(encoder.profile.dim, dtype=np.float32), 0.0)
    found = pool.train_examples(train, encoder, probe, None)
    assert len(found) == 30 + 40
    assert np.mean([e.weight for e in found]) == pytest.approx(pool._TRAIN_WEIGHT)


def test_without_needless_requests_the_threshold_is_kept():
    result = calibrate(labelled(negatives=0), ranked_encoder(threshold=0.25))
    assert result.profile.threshold == 0.25
    assert result.auroc is result.turned_away is result.kept is result.kept_at_95 is None
    assert "judgement of need is kept" in result.notes[0]


def test_requests_without_labels_are_not_taken_for_needless():
    data = labelled()
    bare = [Query(f"bare{i}", f"Please do {TOPICS[i]} now.") for i in range(40)]
    encoder = ranked_encoder()
    result = calibrate(replace(data, queries=[*data.queries, *bare]), encoder)
    assert result.to_json() == calibrate(data, encoder).to_json()


def test_too_little_is_refused():
    with pytest.raises(InputError, match="has no ranker to calibrate"):
        calibrate(labelled(), HashEncoder())
    with pytest.raises(DatasetError, match="at least 30 are needed"):
        calibrate(labelled(count=12), ranked_encoder())
    with pytest.raises(DatasetError, match="at least 500 are needed to fit a ranker"):
        calibrate(labelled(), ranked_encoder(), refit_ranker=True)


def test_without_needless_requests_a_new_ranker_turns_nothing_away(monkeypatch):
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    encoder = HashEncoder()
    encoder.profile = replace(encoder.profile, threshold=0.9)
    result = calibrate(labelled(negatives=0), encoder, refit_ranker=True)
    assert result.profile.threshold is None
    assert "nothing is turned away" in result.notes[0]


def test_ids_of_requests_are_their_own(monkeypatch):
    plain, strange = labelled(), labelled()
    names = {q.id: f"negative-{q.id[1:]}" for q in strange.queries}
    strange = replace(
        strange,
        queries=[replace(q, id=names[q.id]) for q in strange.queries],
        qrels={names[q]: gold for q, gold in strange.qrels.items()},
    )
    first, second = calibrate(plain, ranked_encoder()), calibrate(strange, ranked_encoder())
    assert second.ndcg == first.ndcg
    assert second.auroc == first.auroc


def test_requests_of_one_skill_fit_no_ranker(monkeypatch):
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    data = labelled()
    data = replace(data, qrels={q.id: {TOPICS[0]: 1} for q in data.queries})
    with pytest.raises(DatasetError, match="fewer than 5 groups"):
        calibrate(data, HashEncoder(), refit_ranker=True)
    assert calibrate(data, ranked_encoder()).kept is not None


def test_a_ranker_of_another_version_is_named():
    encoder = ranked_encoder()
    encoder.profile.ranker["features"] = ["dense"]
    with pytest.raises(InputError, match="has a ranker of another version"):
        calibrate(labelled(), encoder)
