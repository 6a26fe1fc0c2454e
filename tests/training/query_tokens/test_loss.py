"""The losses against loops that write them out, a query and a document at a time."""

import numpy as np
import pytest
import torch

from skillret.training.query_tokens.candidates import Found, Group
from skillret.training.query_tokens.loss import batch_losses, list_loss
from skillret.training.query_tokens.model import pad
from skillret.training.query_tokens.states import States

SILENT = torch.tensor([2, 3])
LATE, SCALE = 7.0, 11.0


@pytest.fixture
def states():
    draw = np.random.default_rng(0)
    counts = [4, 1, 3, 2, 5, 2, 3, 1]
    tokens = draw.normal(size=(sum(counts), 32)).astype(np.float16)
    vectors = draw.normal(size=(len(counts), 32)).astype(np.float32)
    vectors[6] = vectors[0] + 0.01  # the gold skill of one query, like that of another
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return States(tokens, np.cumsum(counts), vectors)


def one(ids, gold, rows, golds, sure=1.0):
    outputs = np.random.default_rng(rows[0]).normal(size=len(rows)).astype(np.float32)
    return Group(ids, frozenset(gold), Found(np.array(rows, np.int32), outputs), golds, 1.0, sure)


BATCH = [
    (one([2, 40, 41, 42, 3], [0], [0, 3, 4, 5, 7], 1), np.array([0, 1, 3, 4])),
    (one([2, 50, 3], [6], [6, 1, 2], 1, sure=0.6), np.array([0, 2])),
    (one([2, 45, 46, 3], [1, 2], [2, 1, 5, 7], 2), np.array([0, 1, 2, 3])),
]
# Gold skills of others that are negatives of each: row 6 is like row 0, row 2 is known to the
# second query and gold to the third.
OTHERS = [[2], [], [0, 6]]


def late(reader, states, ids, row):
    """Of one query and one document."""
    with torch.no_grad():
        vectors, weights = reader(*pad([ids]))
        held, _ = states.of([row])
        documents = reader.documents(held)[0].numpy()
    total = score = 0.0
    for id_, vector, weight in zip(ids, vectors[0].numpy(), weights[0].tolist(), strict=True):
        if id_ not in (2, 3):
            score += weight * max(float(vector @ d) for d in documents)
            total += weight
    return score / total


def written_out(logits, golds):
    """Of one list: how improbable each gold one is among itself and all that are not gold."""
    rest = [np.exp(x) for x in logits[golds:]]
    return np.mean([-np.log(np.exp(x) / (np.exp(x) + sum(rest))) for x in logits[:golds]])


def losses(reader, states, weight=LATE):
    return batch_losses(reader, torch.tensor(weight), SCALE, BATCH, states, SILENT)


def test_they_are_what_they_say(reader, states):
    residual, pure, first = [], [], []
    for (group, places), others in zip(BATCH, OTHERS, strict=True):
        rows = group.found.rows[places].tolist()
        outputs = group.sure * group.found.outputs[places]
        own = [late(reader, states, group.ids, row) for row in rows]
        logits = [o + LATE * score for o, score in zip(outputs, own, strict=True)]
        residual.append(written_out(logits, group.golds))
        first.append(int(np.argmax(logits)) < group.golds)
        more = [late(reader, states, group.ids, row) for row in others]
        pure.append(written_out([SCALE * score for score in (*own, *more)], group.golds))
    found = losses(reader, states)
    assert found.residual.item() == pytest.approx(np.mean(residual), abs=1e-4)
    assert found.pure.item() == pytest.approx(np.mean(pure), abs=1e-4)
    assert found.first == pytest.approx(np.mean(first))
    assert min(residual + pure) > 0.01


def test_everything_that_is_to_learn_gets_a_gradient(reader, states):
    weight = torch.tensor(LATE, requires_grad=True)
    found = batch_losses(reader, weight, SCALE, BATCH, states, SILENT)
    (found.residual + found.pure).backward()
    for name, parameter in reader.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    assert weight.grad is not None


def test_a_surer_ranker_leaves_less_to_learn():
    loose = list_loss(torch.tensor([1.0, 0.0, 0.0]), 1)
    assert list_loss(torch.tensor([5.0, 0.0, 0.0]), 1) < loose
    # Another gold skill above it is no fault.
    assert list_loss(torch.tensor([1.0, 9.0, 0.0, 0.0]), 2) < loose
