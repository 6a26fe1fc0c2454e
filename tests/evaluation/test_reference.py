import json

import pytest
from tests.cli.test_search import fails, run

from skillret.datasets.dataset import load_dataset
from skillret.evaluation.reference import bm25s_searcher


def test_bm25s_ranks_by_shared_words_and_leaves_out_what_shares_none(dataset):
    loaded = load_dataset(str(dataset), "dev")
    texts = [("a", "why do pods restart"), ("b", "the of and"), ("c", "zebra"), ("d", "tables")]
    steps = []
    found, best = bm25s_searcher(loaded)(texts, 50, lambda *step: steps.append(step))
    assert [id_ for id_, _ in found["a"]] == ["kubernetes-debugging"]
    assert (found["b"], found["c"], best["b"]) == ([], [], 0.0)
    assert best["a"] == found["a"][0][1] > 0
    assert steps[-1] == (4, 4)
    found, _ = bm25s_searcher(loaded)(texts, 1, None)
    assert set(found) == {"a", "b", "c", "d"}
    assert all(len(hits) <= 1 for hits in found.values())


def test_the_command_names_the_system_and_its_one_mode(dataset, capsys):
    base = ("evaluate", str(dataset), "--split", "dev", "--lexical", "bm25s")
    status, out, _ = run(capsys, *base, "--json", "-")
    document = json.loads(out)
    assert (status, document["mode"], document["model"]) == (0, "lexical", "BM25 (bm25s)")
    assert "it has no mode 'dense'" in fails(capsys, *base, "--mode", "dense")


@pytest.mark.data
def test_the_published_figures_of_dev(openskillret, capsys):
    """Taken with other code: the protocol and the metrics are right."""
    arguments = ("evaluate", str(openskillret), "--split", "dev", "--lexical", "bm25s")
    _, out, _ = run(capsys, *arguments, "--json", "-")
    document = json.loads(out)
    assert document["metrics"]["ndcg@10"] == pytest.approx(0.6141, abs=0.001)
    scenario = document["groups"]["kind=scenario"]
    assert scenario["ndcg@10"] == pytest.approx(0.3479, abs=0.001)
    assert scenario["recall@10"] == pytest.approx(0.397, abs=0.001)
    assert scenario["completeness@10"] == pytest.approx(0.252, abs=0.001)
