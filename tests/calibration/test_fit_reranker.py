import zlib
from dataclasses import replace

import numpy as np
import pytest
from tests.calibration.test_calibrate import labelled, stored

from skillret.calibration.calibrate import calibrate
from skillret.calibration.examples import FOLDS, Example
from skillret.calibration.fit_reranker import fit_reranker
from skillret.errors import DatasetError, EncoderError, InputError
from skillret.evaluation.systems import open_searcher
from skillret.retrieval.calibration import Calibration
from skillret.retrieval.features import RERANKED
from skillret.retrieval.rerank import DEPTH
from skillret.types import Query


def example(number, labels, fold=0, weight=1.0):
    m = len(labels)
    return Example(
        query=Query(str(number), "x"),
        rows=np.arange(m),
        features=np.zeros((m, 1), np.float32),
        excluded=np.zeros(m, np.float32),
        parts=np.zeros(m, np.int64),
        evidence=0.0,
        labels=np.array(labels, np.float64),
        missed=0,
        fold=fold,
        skills=m,
        weight=weight,
    )


def random_examples(n=100, m=12, seed=0):
    draw = np.random.default_rng(seed)
    golds = draw.integers(m, size=n)
    found = [example(i, np.arange(m) == gold, fold=i % FOLDS) for i, gold in enumerate(golds)]
    return draw, found, [draw.normal(size=m) for _ in found]


def loss(weight, found, outputs, scores, fitted, fold):
    total = weight**2
    for e, own, read in zip(found, outputs, scores, strict=True):
        if e.fold != fold:
            x = own + weight * (read - fitted.mean) / fitted.scale
            total -= e.weight * float(
                np.log(np.exp(x - x.max()) / np.exp(x - x.max()).sum())[e.labels > 0].mean()
            )
    return total


def test_the_weight_is_that_of_the_least_loss():
    draw, found, outputs = random_examples()
    scores = [(2 * e.labels + draw.normal(size=len(e.labels))).astype(np.float32) for e in found]
    fitted = fit_reranker(found, outputs, scores)
    for fold, weight in [*enumerate(fitted.weights), (-1, fitted.weight)]:
        assert weight > 1
        least = loss(weight, found, outputs, scores, fitted, fold)
        for other in (weight - 0.05, weight + 0.05):
            assert loss(other, found, outputs, scores, fitted, fold) > least


def test_scores_that_say_nothing_count_nothing():
    draw, found, outputs = random_examples()
    worse = [(-3 * e.labels + draw.normal(size=12)).astype(np.float32) for e in found]
    assert fit_reranker(found, outputs, worse).weight == 0
    same = [np.full(12, 7, np.float32) for _ in found]
    assert fit_reranker(found, outputs, same).weight == 0


def test_what_the_first_ones_have_adds_nothing():
    _, found, outputs = random_examples()
    scores = [own.astype(np.float32) * 3 + 40 for own in outputs]
    fitted = fit_reranker(found, outputs, scores)
    first = [
        float(fitted.added(e.fold, s)[o.argmax()])
        for e, o, s in zip(found, outputs, scores, strict=True)
    ]
    assert np.mean(first) == pytest.approx(0, abs=1e-4)


class Reads:
    """Knows that the first topic of a query is the wanted one."""

    name = "reads"

    def __init__(self):
        self.most = 0

    def scores(self, query, documents):
        self.most = max(self.most, len(documents))
        wanted = next((word for word in query.split() if word.startswith("topic")), "none")
        return [5.0 * (document.split(" | ")[0] == wanted) - 2 for document in documents]


class Guesses(Reads):
    """Knows nothing."""

    name = "guesses"

    def scores(self, query, documents):
        return [zlib.crc32(document.encode()) % 7 for document in documents]


def with_decoys(data):
    """Each query names two topics more, which its words do not tell from the wanted one."""
    queries = [q for q in data.queries if len(data.qrels[q.id]) == 1]
    wanted = [min(data.qrels[q.id]) for q in queries]
    texts = [
        f"Please do {topic} as {decoy} or {other} do."
        for topic, decoy, other in zip(
            wanted, wanted[1:] + wanted[:1], wanted[2:] + wanted[:2], strict=True
        )
    ]
    told = [replace(q, text=text) for q, text in zip(queries, texts, strict=True)]
    return replace(data, queries=told, qrels={q.id: data.qrels[q.id] for q in queries})


def test_a_reranker_is_a_feature_of_the_ranker(tmp_path):
    encoder, before = stored()
    data, reranker = with_decoys(labelled()), Reads()
    plain = calibrate(data, encoder, before)
    result = calibrate(data, encoder, before, reranker=reranker)
    assert reranker.most == DEPTH
    assert plain.figures.ndcg["all"] < 0.9 < result.figures.ndcg["all"]
    before_, now = (c.figures.sets["selected"]["precision"] for c in (plain, result))
    assert before_ < 0.7 < now
    after = result.calibration
    assert after.reranker == "reads"
    assert after.ranker.features == (*before.ranker.features, RERANKED)
    assert after.fitted_on[0].purpose == ("ranker", "need", "thresholds")
    assert after.id != replace(after, reranker="").id

    file = tmp_path / "c.json"
    after.save(file)
    again = Calibration.load(file, encoder.profile)
    assert again.id == after.id
    searcher = open_searcher(data.skills, "hybrid", encoder, calibration=again, reranker=reranker)
    text = "Please do topic7 as topic9 or topic3 do."
    ranking = searcher.rank(text, 5)
    assert data.skills[ranking.keys[0]].name == "topic7"
    assert ranking.scores[0] > 10 * ranking.scores[1]
    assert ranking.need > searcher.rank("good morning friend number3", 5).need
    assert [data.skills[p.key].name for p in searcher.select(text).picked] == ["topic7"]
    for other in (None, Guesses()):
        with pytest.raises(EncoderError, match="fitted with the reranker reads, and is used with"):
            open_searcher(data.skills, "hybrid", encoder, calibration=again, reranker=other)
    with pytest.raises(DatasetError, match=r"nothing held out"):
        calibrate(data, encoder, again, reranker=reranker)

    # Calibrated without it, nothing of it is left.
    new = replace(data, queries=[replace(q, text=f"{q.text} again") for q in data.queries])
    new = replace(new, negatives=[replace(q, text=f"{q.text}!") for q in data.negatives])
    without = calibrate(new, encoder, again).calibration
    assert without.reranker == ""
    assert without.ranker.features == before.ranker.features


def test_a_reranker_that_knows_nothing_costs_nothing():
    encoder, before = stored()
    plain = calibrate(labelled(), encoder, before)
    result = calibrate(labelled(), encoder, before, reranker=Guesses())
    assert result.figures.ndcg["all"] >= plain.figures.ndcg["all"] - 0.005


def test_a_ranker_is_fitted_before_it_is_joined():
    encoder, before = stored()
    with pytest.raises(InputError, match="fit the ranker first"):
        calibrate(labelled(), encoder, before, refit_ranker=True, reranker=Reads())


def test_a_file_that_names_no_reranker_for_its_ranker_is_refused(tmp_path):
    encoder, before = stored()
    joined = replace(before, ranker=before.ranker.plus(RERANKED, 2.0))
    for wrong in (joined, replace(before, reranker="reads")):
        wrong.save(tmp_path / "c.json")
        with pytest.raises(EncoderError, match="a reranker that it does not name"):
            Calibration.load(tmp_path / "c.json", encoder.profile)
