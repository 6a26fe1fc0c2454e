"""Losses against those of sentence-transformers, value and gradients."""

import pytest
import torch
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, ListNetLoss

from skillret.training.reranker.groups import IGNORED, Collator
from skillret.training.reranker.loss import GroupLoss, listwise, pointwise
from skillret.training.reranker.model import load_pair_model

QUERIES = ["please badofi now", "naragu for today"]
DOCUMENTS = [["badofi | kemi", "gu vo", "lo | fi"], ["naragu", "badofi today", "my vo"]]


@pytest.fixture(params=["encoder", "decoder"])
def model(request, reranker_recipe):
    base = request.getfixturevalue(f"{request.param}_base")
    found = load_pair_model(
        reranker_recipe(base, model={"max_tokens": 1000 if request.param == "decoder" else 40}),
        "cpu",
    )
    found.eval()  # no dropout
    return found


def ours(model, objective, relevance=((1, 0, 0), (1, 0, 0))):
    rows = [
        {"query": q, "documents": d, "label": [0, 0, *r]}
        for q, d, r in zip(QUERIES, DOCUMENTS, relevance, strict=True)
    ]
    batch = Collator(model)(rows)
    labels = batch.pop("label")
    return gradients(model, GroupLoss(model, objective)([batch], labels))


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), found


def same(a, b):
    torch.testing.assert_close(a[0], b[0], rtol=1e-5, atol=1e-6)
    assert a[1].keys() == b[1].keys()
    assert any(g.abs().max() > 1e-4 for g in a[1].values())
    for name in a[1]:
        torch.testing.assert_close(a[1][name], b[1][name], rtol=1e-4, atol=1e-6)


def test_pointwise_is_binary_cross_entropy_over_the_pairs(model):
    pairs = [(q, d) for q, documents in zip(QUERIES, DOCUMENTS, strict=True) for d in documents]
    columns = [list(column) for column in zip(*pairs, strict=True)]
    labels = torch.tensor([1, 0, 0, 1, 0, 0])
    theirs = gradients(model, BinaryCrossEntropyLoss(model)(columns, labels))
    same(ours(model, "pointwise"), theirs)


def test_listwise_is_listnet_with_all_of_the_weight_on_the_gold_one(model):
    # ListNet makes a distribution of relevances by a softmax: this one is all but one-hot.
    labels = [torch.tensor([1e3, 0.0, 0.0])] * 2
    theirs = gradients(model, ListNetLoss(model)([QUERIES, DOCUMENTS], labels))
    same(ours(model, "listwise"), theirs)


@pytest.mark.parametrize("objective", [pointwise, listwise])
def test_a_place_that_does_not_count_is_as_good_as_absent(objective):
    scores = torch.tensor([[0.3, -1.0, 5.0], [0.1, 2.0, -7.0]], requires_grad=True)
    relevance = torch.tensor([[1, 0, IGNORED], [1, 0, IGNORED]])
    loss = objective(scores, relevance)
    loss.backward()
    assert (scores.grad[:, 2] == 0).all()
    without = objective(scores.detach()[:, :2], relevance[:, :2])
    torch.testing.assert_close(loss.detach(), without)


def test_known_values():
    scores, relevance = torch.zeros(2, 4), torch.tensor([[1, 0, 0, 0]] * 2)
    assert float(listwise(scores, relevance)) == pytest.approx(1.386294, abs=1e-5)  # ln 4
    assert float(pointwise(scores, relevance)) == pytest.approx(0.693147, abs=1e-5)  # ln 2
