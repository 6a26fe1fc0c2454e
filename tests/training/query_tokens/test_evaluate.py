import numpy as np
import pytest
import torch

from skillret.evaluation.metrics import mean, measure
from skillret.training.query_tokens.candidates import Found
from skillret.training.query_tokens.evaluate import WEIGHTS, DevQuery, evaluate
from skillret.training.query_tokens.model import pad
from skillret.training.query_tokens.states import States


def test_figures_are_those_of_orders_by_outputs_plus_late_interaction(reader):
    draw = np.random.default_rng(1)
    counts = draw.integers(1, 6, 20)
    tokens = draw.normal(size=(counts.sum(), 32)).astype(np.float16)
    states = States(tokens, np.cumsum(counts), np.zeros((20, 32), np.float32))
    ids, qrels, queries = [f"s{i}" for i in range(20)], {}, []
    for number in range(9):
        rows = draw.permutation(20)[:12].astype(np.int32)
        outputs = draw.normal(size=12).astype(np.float32)
        words = [2, *draw.integers(40, 90, draw.integers(1, 5)).tolist(), 3]
        queries.append(DevQuery(f"q{number}", words, Found(rows, outputs)))
        qrels[f"q{number}"] = {ids[rows[3]]: 1, ids[19]: 1}
    found = evaluate(reader, queries, ids, qrels, states, torch.tensor([2, 3]))
    assert list(found) == [f"ndcg@10+{weight}" for weight in WEIGHTS]
    for weight in WEIGHTS:
        run = {}
        for query in queries:
            with torch.no_grad():
                vectors, shares = reader(*pad([query.ids]))
                scores = []
                for row in query.found.rows.tolist():
                    documents = reader.documents(states.of([row])[0])[0]
                    best = (vectors[0, 1:-1] @ documents.T).amax(1)
                    share = shares[0, 1:-1] / shares[0, 1:-1].sum()
                    scores.append(float(best @ share))
            order = np.argsort(-(query.found.outputs + weight * np.array(scores)), kind="stable")
            run[query.id] = [ids[row] for row in query.found.rows[order][:10]]
        expected = mean(measure(run, qrels, (10,)))["ndcg@10"]
        assert found[f"ndcg@10+{weight}"] == pytest.approx(expected, abs=1e-9)
    assert len(set(found.values())) > 1
