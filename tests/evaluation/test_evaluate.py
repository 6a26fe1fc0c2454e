import json

import bm25s
import numpy as np
import pytest
from tests.cli.test_search import fails, run
from tests.conftest import HashEncoder, fill

import skillret
from skillret import Retriever
from skillret.errors import EncoderError
from skillret.evaluation.abstention import NeedScores
from skillret.evaluation.datasets import load_dataset
from skillret.evaluation.evaluate import evaluate, score
from skillret.evaluation.metrics import mean, measure
from skillret.evaluation.systems import encode_corpus, make_run


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_runs_are_the_product_s_own(dataset, encoder, tmp_path, mode):
    loaded = load_dataset(str(dataset), "dev")
    found, _ = make_run(loaded, mode, encoder)
    with Retriever(fill(tmp_path / "i.db", loaded.skills, encoder), encoder) as retriever:
        for query in loaded.queries:
            hits = retriever.search(query.text, k=50, mode=mode)
            assert [id_ for id_, _ in found[query.id]] == [h.id for h in hits]
            np.testing.assert_allclose(
                [s for _, s in found[query.id]], [h.score for h in hits], atol=1e-3
            )


def test_a_result_has_means_groups_and_abstention(dataset, encoder):
    result = skillret.evaluate(
        str(dataset), split="dev", model=encoder, group_by=("kind", "k", "major")
    )
    assert (result.n_queries, result.n_skills) == (3, 4)
    assert set(result.groups) == {
        "k=1",
        "k=2",
        "kind=long",
        "kind=short",
        "major=office",
        "major=ops",
    }
    assert result.groups["k=1"]["n_queries"] == 2
    assert 0 <= result.abstention.auroc <= 1
    assert (result.abstention.n_needed, result.abstention.n_negatives) == (3, 2)
    document = json.loads(json.dumps(result.to_json()))
    keys = "dataset revision split mode model n_queries n_skills metrics groups"
    assert list(document)[:9] == keys.split()
    assert {"ndcg@5", "ndcg@10", "ndcg@15", "completeness@5", "map@10", "hit@1"} <= set(
        document["metrics"]
    )


def test_a_corpus_is_encoded_once(dataset, encoder):
    loaded = load_dataset(str(dataset), "dev")
    first = encode_corpus(loaded.skills, encoder)
    again = HashEncoder()
    np.testing.assert_array_equal(encode_corpus(loaded.skills, again), first)
    assert again.encoded == []
    other = HashEncoder("other")
    encode_corpus(loaded.skills, other)
    assert len(other.encoded) == 4


def test_nan_vectors_are_refused(dataset, encoder):
    encoder.encode_queries = lambda texts: np.full((len(texts), 32), np.nan, dtype=np.float32)
    with pytest.raises(EncoderError, match="NaN"):
        evaluate(str(dataset), split="dev", model=encoder)


def test_another_score_of_need_can_be_judged(dataset, encoder):
    def short(mode, run, best):
        assert mode == "hybrid"
        assert set(run) == set(best)
        return NeedScores("nothing", dict.fromkeys(run, 0.5))

    result = evaluate(str(dataset), split="dev", model=encoder, need=short)
    assert (result.abstention.score, result.abstention.auroc) == ("nothing", 0.5)


def test_the_command_prints_writes_and_scores_runs(dataset, tmp_path, capsys):
    base = ("evaluate", str(dataset), "--split", "dev")
    run_file, json_file = tmp_path / "out" / "s.run", tmp_path / "r.json"
    status, out, _ = run(capsys, *base, "--run", str(run_file), "--json", str(json_file))
    assert status == 0
    assert "completeness" in out
    assert "kind=short" in out
    written = json.loads(json_file.read_text())
    status, out, _ = run(capsys, *base, "--from-run", str(run_file), "--json", "-")
    again = json.loads(out)
    assert again["metrics"] == written["metrics"]
    assert (again["mode"], again["model"]) == ("run", "s.run")


def test_bad_input_of_the_command(dataset, tmp_path, capsys):
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical")
    assert "at least 1" in fails(capsys, *base, "--k", "0")
    assert "whole numbers" in fails(capsys, *base, "--k", "five")
    assert "have a column 'colour'" in fails(capsys, *base, "--group", "colour")
    assert "no split 'test'" in fails(capsys, "evaluate", str(dataset))
    other = tmp_path / "other.run"
    other.write_text("x Q0 y 1 1.0 z\n")
    assert "another data set" in fails(capsys, *base, "--from-run", str(other))
    assert "cannot write" in fails(capsys, *base, "--json", str(tmp_path / "no" / "r.json"))


@pytest.mark.data
def test_bm25s_reaches_the_published_figures_of_dev(openskillret):
    """The protocol, checked against figures that were taken with other code."""
    dataset = load_dataset(str(openskillret), "dev")
    texts = [f"{s.name} | {s.description} | {s.body}" for s in dataset.skills]
    system = bm25s.BM25()
    system.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    queries = bm25s.tokenize(
        [q.text for q in dataset.queries], stopwords="en", show_progress=False, return_ids=False
    )
    found, values = system.retrieve(queries, k=50, show_progress=False)
    ranked = {
        q.id: [(dataset.skills[i].id, float(v)) for i, v in zip(row, vs, strict=True)]
        for q, row, vs in zip(dataset.queries, found, values, strict=True)
    }
    result = score(dataset, ranked, "run", "bm25s")
    assert result.metrics["ndcg@10"] == pytest.approx(0.6141, abs=0.001)
    assert result.groups["kind=scenario"]["ndcg@10"] == pytest.approx(0.3479, abs=0.001)
    assert result.groups["kind=scenario"]["recall@10"] == pytest.approx(0.397, abs=0.001)
    assert result.groups["kind=scenario"]["completeness@10"] == pytest.approx(0.252, abs=0.001)


@pytest.mark.data
def test_hybrid_beats_both_of_its_parts_on_dev(openskillret):
    dataset = load_dataset(str(openskillret), "dev")
    encoder = skillret.load_encoder()
    values = {
        mode: mean(
            measure(
                {
                    q: [i for i, _ in hits]
                    for q, hits in make_run(dataset, mode, encoder)[0].items()
                },
                dataset.qrels,
            )
        )["ndcg@10"]
        for mode in ("hybrid", "dense", "lexical")
    }
    assert values["hybrid"] > values["lexical"] > values["dense"]
    assert values["hybrid"] > 0.67
