import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import ROOT, HashEncoder, LateHashEncoder, TokenHashEncoder, make_skill
from tests.retrieval.test_ranker import WITHOUT_LATE, bm25_ranker

from skillret import load_encoder
from skillret.calibration import calibrate as module
from skillret.calibration import examples
from skillret.calibration.calibrate import calibrate
from skillret.calibration.selections import Selector, judge
from skillret.calibration.written import digests
from skillret.datasets.dataset import Dataset
from skillret.errors import DatasetError, InputError
from skillret.evaluation.systems import open_searcher
from skillret.retrieval.calibration import Calibration, load_calibration
from skillret.retrieval.features import FITTED, LATE
from skillret.retrieval.ranker import Probe
from skillret.retrieval.term_head import TermHead
from skillret.types import Query

TOPICS = [f"topic{i}" for i in range(60)]


def labelled(count=120, negatives=30, seed=0):
    """One skill a topic; queries name one topic or two; needless ones name none."""
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


def stored(threshold=None, **fields):
    """An encoder and a calibration of its ranker."""
    encoder = TokenHashEncoder()
    identity = encoder.profile.identity
    return encoder, Calibration(identity, bm25_ranker(), threshold, created="2026-01-31", **fields)


def forget(calibration):
    """Queries of two seeds have texts in common."""
    return replace(calibration, fitted_on=())


@pytest.fixture
def small(monkeypatch):
    """A ranker may be fitted on few queries, and is one."""
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    monkeypatch.setattr(module, "_SEEDS", 1)
    monkeypatch.setattr(examples, "_TRAIN_PER_KIND", 40)


def test_thresholds_are_fitted_and_probabilities_mean_what_they_say():
    encoder, before = stored()
    result = calibrate(labelled(), encoder, before)
    assert result.n_queries == 120
    assert result.n_negatives == 30
    figures = result.figures
    assert figures.ndcg["all"] > 0.9
    assert set(figures.ndcg) == {"all", "one", "two"}
    assert figures.auroc is not None and figures.auroc > 0.95
    assert figures.turned_away is not None and figures.turned_away > 0.8
    assert figures.kept is not None and figures.kept > 0.9
    assert figures.sets["selected"]["precision"] > figures.sets["k=3"]["precision"]
    assert figures.sets["k=10"]["completeness"] >= figures.sets["k=1"]["completeness"]
    after = result.calibration
    assert 0 < after.threshold < 1
    assert after.encoder == encoder.profile.identity
    np.testing.assert_array_equal(after.ranker.hidden, before.ranker.hidden)
    assert result.to_json()["calibration"] == after.id != before.id


def test_a_ranker_is_fitted_for_an_encoder_that_has_none(monkeypatch):
    monkeypatch.setattr(module, "_LEAST_RANKER", 100)
    encoder = HashEncoder()
    result = calibrate(labelled(), encoder, refit_ranker=True)
    assert result.figures.ndcg["all"] > 0.85
    assert result.figures.auroc > 0.9
    assert result.calibration.ranker.features == WITHOUT_LATE
    assert result.calibration.texts == digests()
    again = calibrate(labelled(seed=1), HashEncoder(), forget(result.calibration))
    assert again.figures.ndcg["all"] > 0.85


def test_a_ranker_goes_by_tokens_where_the_encoder_shows_them(small):
    encoder = LateHashEncoder()
    result = calibrate(labelled(), encoder, refit_ranker=True)
    ranker = result.calibration.ranker
    assert ranker.features == FITTED
    assert result.figures.ndcg["all"] > 0.85
    late = [ranker.features.index(name) for name in LATE]
    assert (ranker.scale[late] > 0.01).all()  # they are no constants
    again = calibrate(labelled(seed=1), LateHashEncoder(), forget(result.calibration))
    assert again.calibration.ranker.features == FITTED
    assert again.figures.ndcg["all"] > 0.85


@pytest.mark.parametrize("kind", [HashEncoder, LateHashEncoder])
def test_a_packaged_ranker_that_goes_by_tokens_is_adapted_to_any_encoder(kind, monkeypatch):
    packaged = module._packaged()
    plain = packaged.ranker.without(LATE)
    used = plain.hidden.any(axis=1)  # others went by tokens alone
    better = 0.1 * (np.sign(plain.output) * used)[:, None].repeat(len(LATE), axis=1)
    more = {"mean": np.zeros(len(LATE)), "scale": np.ones(len(LATE)), "hidden": better}
    arrays = {
        name: np.concatenate([getattr(plain, name), a.astype(np.float32)], axis=-1)
        for name, a in more.items()
    }
    names = (*plain.features, *LATE)
    ranker = replace(plain, features=names, **arrays)
    monkeypatch.setattr(module, "_packaged", lambda: replace(packaged, ranker=ranker))
    result = calibrate(labelled(), kind(), refit_ranker=True)
    expected = names if kind is LateHashEncoder else plain.features
    assert result.calibration.ranker.features == expected
    assert result.figures.ndcg["all"] > 0.8


def test_a_ranker_is_not_judged_by_the_queries_that_it_was_fitted_on(small):
    data, encoder = labelled(), HashEncoder()
    fitted = calibrate(data, encoder, refit_ranker=True).calibration
    (entry,) = fitted.fitted_on
    assert entry.purpose == ("ranker", "need", "thresholds")
    assert (entry.dataset, entry.revision, entry.split) == ("toy", "rev", "dev")
    assert entry.n_queries == 150
    with pytest.raises(DatasetError, match=r"100% of the .*\(toy rev dev\).*--fit-ranker"):
        calibrate(data, encoder, fitted)
    new = [replace(q, text=f"{q.text} again") for q in data.queries]
    data = replace(data, negatives=[replace(q, text=f"{q.text}!") for q in data.negatives])
    calibrate(replace(data, queries=[*data.queries[:7], *new[7:]]), encoder, fitted)
    with pytest.raises(DatasetError, match="nothing held out"):  # 8 of 150 and more
        calibrate(replace(data, queries=[*data.queries[:9], *new[9:]]), encoder, fitted)


def test_thresholds_may_be_fitted_on_the_same_queries_twice():
    encoder, before = stored(0.5, texts={"tasks.txt": "0" * 64})
    once = calibrate(labelled(), encoder, before).calibration
    twice = calibrate(labelled(), encoder, once).calibration
    assert once.fitted_on == twice.fitted_on
    assert [f.purpose for f in once.fitted_on] == [("need", "thresholds")]
    assert once.texts == twice.texts == before.texts  # the probe still knows them
    other = replace(labelled(seed=5, negatives=0), split="mine")
    third = calibrate(other, encoder, once).calibration
    assert third.threshold == once.threshold
    assert [f.purpose for f in third.fitted_on] == [("need", "thresholds"), ("thresholds",)]
    fourth = calibrate(replace(labelled(seed=6), split="new"), encoder, third).calibration
    assert [(f.split, f.purpose) for f in fourth.fitted_on] == [("new", ("need", "thresholds"))]


def test_a_head_for_terms_is_kept_beside_the_ranker(small):
    encoder, head = TokenHashEncoder(), TermHead(np.full(32, 0.01, dtype=np.float32), 0.5)
    train = replace(labelled(seed=2), split="train")
    fitted = calibrate(labelled(), encoder, refit_ranker=True, head=head, train=train).calibration
    assert fitted.ranker.terms is head
    helped, judging = fitted.fitted_on
    assert (helped.split, helped.purpose) == ("train", ("helped", "terms"))
    assert (judging.split, judging.purpose) == ("dev", ("ranker", "need", "thresholds"))
    assert helped.n_queries == len({q.text for q in train.queries})
    for refit in (False, True):
        before = fitted if refit else forget(fitted)
        again = calibrate(labelled(seed=1), encoder, before, refit_ranker=refit)
        assert again.calibration.ranker.terms is head
        assert again.figures.ndcg["all"] > 0.85
    # What the head was fitted on counts as long as it is used.
    first, second = again.calibration.fitted_on
    assert (first.split, first.purpose) == ("train", ("terms",))
    assert second.purpose == judging.purpose


def test_requests_of_the_train_split_are_learnt_from_and_judge_nothing(small):
    encoder = HashEncoder()
    alone = calibrate(labelled(), encoder, refit_ranker=True)
    train = replace(labelled(seed=2), split="train")
    helped = calibrate(labelled(), encoder, refit_ranker=True, train=train)
    assert (helped.n_queries, helped.n_negatives) == (alone.n_queries, alone.n_negatives)
    ours, theirs = helped.calibration.ranker.hidden, alone.calibration.ranker.hidden
    assert not np.array_equal(ours, theirs)
    assert helped.figures.ndcg["all"] > 0.85
    assert [f.purpose[0] for f in helped.calibration.fitted_on] == ["helped", "ranker"]
    assert helped.calibration.fitted_on[0].n_queries == 30 + 40
    with pytest.raises(DatasetError, match="nothing held out"):
        calibrate(train, encoder, helped.calibration)
    probe = Probe(np.zeros(encoder.profile.dim, dtype=np.float32), 0.0)
    found = examples.train_examples(train, encoder, probe, None)
    assert len(found) == 30 + 40
    assert np.mean([e.weight for e in found]) == pytest.approx(examples._TRAIN_WEIGHT)


def test_without_needless_requests_the_threshold_is_kept():
    result = calibrate(labelled(negatives=0), *stored(threshold=0.25))
    assert result.calibration.threshold == 0.25
    figures = result.figures
    assert figures.auroc is figures.turned_away is figures.kept is figures.kept_at_95 is None
    assert "judgement of need is kept" in result.notes[0]


def test_what_is_measured_is_what_a_search_selects():
    names = [*TOPICS[:40], "pdf", "meal plan"]
    skills = [make_skill(n, f"Do {n} things", f"a{n} b{n} c{n} d{n} e{n}") for n in names]
    # The first task drowns the second, which is found by itself; or two skills fit one sentence.
    texts = [
        f"Please do {a} by a{a} b{a} c{a} d{a} e{a} and then have {b} done"
        for a, b in zip(TOPICS[:20], TOPICS[20:40], strict=True)
    ]
    texts += [f"{text}. Then rest a while. Thanks!" for text in texts]
    texts += [f"Please do {TOPICS[i]} {TOPICS[i + 1]}" for i in range(20)]
    texts += ["PDF", "meal_plan", *[f"good morning friend number{i}" for i in range(10)]]
    queries = [Query(f"q{i}", text) for i, text in enumerate(texts)]
    qrels = {q.id: {TOPICS[i % 40]: 1} for i, q in enumerate(queries)}
    encoder, before = stored()
    data = Dataset("toy", "rev", "dev", skills, queries, qrels, [])
    tested = examples.dataset_pool(data, encoder)
    fit = module._keep(tested, encoder, before.ranker, None)
    calibration = replace(before, threshold=0.6, ranker=replace(before.ranker, share=0.9))
    searcher = open_searcher(skills, "hybrid", encoder, calibration=calibration)
    scored = zip(fit.found, fit.outputs, strict=True)
    parts = zip(fit.parts, fit.part_outputs, strict=True)
    selector, sizes, by_part = Selector(tested), Counter(), 0
    judged = list(judge(tested, calibration.ranker, scored, parts, searcher.policy))
    assert [j.query.text for j in judged] == texts
    for j in judged:
        picked, need, *_ = searcher.select(j.query.text)
        assert selector.rows(j, searcher.policy) == tuple(p.key for p in picked), j.query
        assert need == pytest.approx(j.need, abs=1e-5)
        sizes[len(picked)] += 1
        by_part += any(p.ranking.text != j.query.text for p in picked)
    assert sizes[0] == 10
    assert sizes[1] > 1
    assert sizes[2] >= 20
    assert by_part >= 20


def test_requests_without_labels_are_not_taken_for_needless():
    data = labelled()
    bare = [Query(f"bare{i}", f"Please do {TOPICS[i]} now.") for i in range(40)]
    result = calibrate(replace(data, queries=[*data.queries, *bare]), *stored())
    assert result.to_json() == calibrate(data, *stored()).to_json()


def test_too_little_is_refused():
    with pytest.raises(InputError, match="has no ranker to calibrate"):
        calibrate(labelled(), HashEncoder())
    with pytest.raises(DatasetError, match="at least 30 are needed"):
        calibrate(labelled(count=12), *stored())
    one = replace(labelled(), qrels={f"q{i}": {"topic1": 1} for i in range(40)})
    with pytest.raises(DatasetError, match="all 40 queries have one gold skill, 'topic1'"):
        calibrate(one, *stored())


def test_what_is_measured_is_drawn_as_what_is_written_is(monkeypatch):
    """On few queries both are, and the figures are those of a selection by the written file."""
    policies = set()

    class Noted(Selector):
        def rows(self, judged, policy):
            policies.add((policy.share, policy.threshold))
            return super().rows(judged, policy)

    def choose(selector, judged, policy):
        return replace(policy, share=0.05, threshold=0.4)

    monkeypatch.setattr(module, "choose_thresholds", choose)
    monkeypatch.setattr("skillret.calibration.figures.choose_thresholds", choose, raising=False)
    monkeypatch.setattr(module, "Selector", Noted)
    encoder, before = stored(threshold=0.25)
    after = calibrate(labelled(), encoder, before).calibration
    assert 0.05 < after.ranker.share < before.ranker.share
    assert policies == {(after.ranker.share, after.threshold), (after.ranker.share, 0.0)}


def test_few_queries_adapt_the_packaged_ranker():
    result = calibrate(replace(labelled(), negatives=[]), HashEncoder(), refit_ranker=True)
    fitted, packaged = result.calibration, load_calibration(load_encoder())
    # This encoder shows no tokens.
    kept = packaged.ranker.without(LATE)
    np.testing.assert_array_equal(fitted.ranker.hidden, kept.hidden)
    assert (len(fitted.ranker.probe.weights), fitted.ranker.terms) == (
        HashEncoder().profile.dim,
        None,
    )
    # No query of the data set needs no skill, so this stays.
    assert fitted.threshold == packaged.threshold
    assert fitted.ranker.slope != packaged.ranker.slope
    assert any("those of the packaged model" in note for note in result.notes)
    sources = {f.dataset: f.purpose for f in fitted.fitted_on}
    assert sources["toy"] == ("thresholds",)
    assert "ranker" in sources["openskillret"]
    assert result.figures.ndcg["all"] > 0.8


def test_a_fit_is_drawn_towards_the_packaged_one_the_less_the_more_queries_there_are():
    own = replace(bm25_ranker(), slope=3.0)
    drawn = [module._drawn(own, bm25_ranker(), n, 60).slope for n in (0, 200, 10**9)]
    assert drawn == pytest.approx([bm25_ranker().slope, (bm25_ranker().slope + 3) / 2, 3])


def test_without_needless_requests_a_new_ranker_turns_nothing_away(small):
    _, before = stored(threshold=0.9)
    result = calibrate(labelled(negatives=0), TokenHashEncoder(), before, refit_ranker=True)
    assert result.calibration.threshold is None
    assert "nothing is turned away" in result.notes[0]
    assert result.calibration.fitted_on[0].purpose == ("ranker", "thresholds")


def test_ids_of_requests_are_their_own():
    plain, strange = labelled(), labelled()
    names = {q.id: f"negative-{q.id[1:]}" for q in strange.queries}
    strange = replace(
        strange,
        queries=[replace(q, id=names[q.id]) for q in strange.queries],
        qrels={names[q]: gold for q, gold in strange.qrels.items()},
    )
    first, second = calibrate(plain, *stored()), calibrate(strange, *stored())
    assert second.figures.ndcg == first.figures.ndcg
    assert second.figures.auroc == first.figures.auroc


def test_requests_of_one_skill_fit_no_ranker(small):
    data = labelled()
    one = replace(data, qrels={q.id: {TOPICS[0]: 1} for q in data.queries})
    with pytest.raises(DatasetError, match="one gold skill"):
        calibrate(one, HashEncoder(), refit_ranker=True)
    two = replace(data, qrels={q.id: {TOPICS[i % 2]: 1} for i, q in enumerate(data.queries)})
    with pytest.raises(DatasetError, match="fewer than 5 groups"):
        calibrate(two, HashEncoder(), refit_ranker=True)
    assert calibrate(two, *stored()).figures.kept is not None


def test_a_ranker_of_fewer_features_is_kept():
    encoder, before = stored()
    whole = calibrate(labelled(), encoder, before)
    column = WITHOUT_LATE.index("lexical")
    ranker = before.ranker
    few = replace(
        ranker,
        features=("lexical",),
        mean=ranker.mean[[column]],
        scale=ranker.scale[[column]],
        hidden=ranker.hidden[:, [column]],
    )
    result = calibrate(labelled(), encoder, replace(before, ranker=few))
    assert result.figures.ndcg == pytest.approx(whole.figures.ndcg)
    assert result.calibration.ranker.features == ("lexical",)


def test_neither_torch_nor_any_extra_is_needed():
    code = """
import sys
for name in ("torch", "pytrec_eval", "sentence_transformers", "datasets", "pyarrow", "jinja2",
             "matplotlib", "huggingface_hub", "bm25s", "transformers", "accelerate", "onnx"):
    sys.modules[name] = None
import skillret.calibration.calibrate, skillret.calibration.fit_terms
from skillret.cli import main
sys.exit(main(sys.argv[1:]))
"""
    command = ["calibrate", str(ROOT / "examples" / "skills"), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_queries"] > 30
