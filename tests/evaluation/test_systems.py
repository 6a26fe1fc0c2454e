import numpy as np
import pytest
from tests.conftest import SKILLS, fill
from tests.retrieval.test_calibration import make_calibration
from tests.retrieval.test_searcher import ranked_encoder

from skillret import Retriever
from skillret.datasets.dataset import load_dataset
from skillret.errors import EncoderError
from skillret.evaluation.systems import answer, make_run, open_searcher, rank_queries
from skillret.retrieval import query
from skillret.retrieval.calibration import CALIBRATION_FILE


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_blocks_of_any_size_give_the_same_run(dataset, encoder, monkeypatch, mode):
    loaded = load_dataset(str(dataset), "dev")
    whole, best = make_run(loaded, mode, encoder, cache=False)
    sizes = []
    encode = encoder.encode_queries
    monkeypatch.setattr(encoder, "encode_queries", lambda t: sizes.append(len(t)) or encode(t))
    for size, expected in ((1, [1, 1, 1]), (2, [2, 1])):
        sizes.clear()
        monkeypatch.setattr(query, "_BLOCK", size)
        run, largest = make_run(loaded, mode, encoder, cache=False)
        assert sizes == ([] if mode == "lexical" else expected)
        assert {q: [i for i, _ in h] for q, h in run.items()} == {
            q: [i for i, _ in h] for q, h in whole.items()
        }
        assert largest == pytest.approx(best, abs=1e-6)


def test_blocks_of_queries_are_judged_like_one_by_the_product(tmp_path, monkeypatch):
    encoder = ranked_encoder(tmp_path)
    monkeypatch.setattr(query, "_BLOCK", 2)
    texts = ["pods crash", "Read tables from PDF files. Then plan my meals.", " zebra ", "commits"]
    pairs = [(f"q{n}", text) for n, text in enumerate(texts)]
    searcher = open_searcher(SKILLS, "hybrid", encoder, cache=False)
    ranked = list(rank_queries(searcher, iter(pairs), 4))
    assert [id_ for id_, _ in ranked] == [id_ for id_, _ in pairs]
    with Retriever(fill(tmp_path / "i.db", SKILLS, encoder)) as retriever:
        for text, (_, ranking) in zip(texts, ranked, strict=True):
            hits = {h.id: h.score for h in retriever.search(text, k=4)}
            scores = [hits[SKILLS[key].id] for key in ranking.keys.tolist()]
            np.testing.assert_allclose(ranking.scores, scores, atol=1e-3)


@pytest.mark.parametrize("ranked", [True, False])
def test_answers_are_what_a_user_and_an_agent_get(dataset, tmp_path, encoder, ranked):
    loaded = load_dataset(str(dataset), "dev")
    if ranked:
        encoder = ranked_encoder(tmp_path, threshold=0.4)
    texts = [*loaded.queries, *loaded.negatives]
    pairs, steps = [(q.id, q.text) for q in texts], []
    searcher = open_searcher(loaded.skills, "hybrid", encoder)
    answers = answer(loaded, searcher, pairs, "hybrid", searched=lambda *step: steps.append(step))
    assert steps == [(n, 5) for n in range(1, 6)]
    with Retriever(fill(tmp_path / "i.db", loaded.skills, encoder)) as retriever:
        for id_, text in pairs:
            selection = retriever.select(text)
            assert answers.selected[id_] == [h.id for h in selection]
            assert answers.sure[id_] == pytest.approx(selection.need, abs=1e-3)
            hits = retriever.search(text, k=50)
            assert [skill for skill, _ in answers.run[id_]] == [h.id for h in hits]
    if ranked:
        assert any(not s for s in answers.selected.values())
    without = answer(loaded, searcher, pairs, "hybrid", select=False)
    assert without.selected == {}
    assert without.run == answers.run


def test_a_calibration_may_be_named_and_is_looked_at_first(tmp_path, monkeypatch):
    encoder = ranked_encoder(tmp_path)
    stored = open_searcher(SKILLS, "hybrid", encoder).calibration
    file = tmp_path / "other.json"
    make_calibration(threshold=0.75, encoder=encoder.profile.identity).save(file)
    other = open_searcher(SKILLS, "hybrid", encoder, calibration=file).calibration
    assert (stored.threshold, other.threshold) == (None, 0.75)
    assert open_searcher(SKILLS, "hybrid", encoder, calibration=other).calibration is other
    for mode in ("dense", "lexical"):
        assert open_searcher(SKILLS, mode, encoder).calibration is None
    (tmp_path / CALIBRATION_FILE).write_text("{}")
    monkeypatch.setattr(encoder, "encode_documents", None)
    with pytest.raises(EncoderError, match="malformed"):
        open_searcher(SKILLS, "hybrid", encoder, cache=False)
    with pytest.raises(EncoderError, match="this calibration was fitted for other weights"):
        open_searcher(SKILLS, "hybrid", encoder, calibration=make_calibration(encoder="x"))
