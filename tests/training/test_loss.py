"""Loss and gradients against a reference that is written out by hand, entry by entry."""

import math

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from skillret.training.loss import (
    CachedMaskedRankingLoss,
    Labels,
    MaskedRankingLoss,
    Teacher,
    build_loss,
    false_negatives,
)
from skillret.training.rows import label_row
from skillret.training.sections import DistillSection, LossSection

SCALE = 20.0
# Six pairs. Query 0 needs skills 0 and 1, query 2 has skill 0 as well, skill 5 is a near-duplicate
# of skill 1; the rest is unrelated.
PAIRS = [(0, 0), (0, 1), (1, 2), (2, 0), (3, 3), (4, 5)]
GOLD = {0: (0, 1), 1: (2,), 2: (0,), 3: (3,), 4: (5,)}
GROUPS = np.array([0, 1, 2, 3, 4, 1])
# What each mask takes out, read off the lines above: (row, column).
MASKED = {
    "none": set(),
    "skill": {(0, 3), (3, 0)},
    "gold": {(0, 1), (0, 3), (1, 0), (1, 3), (3, 0)},
    "duplicates": {(0, 1), (0, 3), (0, 5), (1, 0), (1, 3), (1, 5), (3, 0), (5, 1)},
}


class Embedder(torch.nn.Module):
    """Stands in for a model: one linear layer over given vectors."""

    def __init__(self, dim=8):
        super().__init__()
        self.layer = torch.nn.Linear(dim, dim, dtype=torch.float64)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(7)
            self.layer.weight.copy_(torch.randn(dim, dim, generator=generator))
            self.layer.bias.zero_()

    def get_embedding_dimension(self):
        return self.layer.out_features

    def __getitem__(self, index):
        return self.layer

    def forward(self, features):
        return {"sentence_embedding": self.layer(features["input_values"])}


def vectors(seed, rows=6, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, dim, generator=generator, dtype=torch.float64)


def labels(mask, negatives=()):
    rows = []
    for number, (query, skill) in enumerate(PAIRS):
        skills = [skill, *(column[number] for column in negatives)]
        rows.append(label_row(query, skills, mask, GOLD[query], GROUPS, 2))
    return torch.tensor(rows)


def by_hand(queries, documents, masked, scale=SCALE):
    """Mean over rows of -log softmax, in plain Python, from lists of lists."""

    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b))

    total = 0.0
    for row, query in enumerate(queries):
        scores = {
            column: scale * cosine(query, document)
            for column, document in enumerate(documents)
            if (row, column) not in masked
        }
        top = max(scores.values())
        total += top + math.log(sum(math.exp(s - top) for s in scores.values())) - scores[row]
    return total / len(queries)


def numeric_gradient(function, values, step=1e-6):
    gradient = torch.zeros_like(values)
    for index in range(values.numel()):
        for sign in (1, -1):
            moved = values.clone()
            moved.view(-1)[index] += sign * step
            gradient.view(-1)[index] += sign * function(moved.tolist()) / (2 * step)
    return gradient


@pytest.mark.parametrize("mask", MASKED)
def test_loss_and_gradients_are_those_of_the_plain_reference(mask):
    queries, documents = vectors(1).requires_grad_(), vectors(2).requires_grad_()
    loss = MaskedRankingLoss(Embedder(), SCALE)
    value = loss.compute_loss_from_embeddings([queries, documents], labels(mask))
    value.backward()
    plain_q, plain_d = queries.detach().tolist(), documents.detach().tolist()
    assert value.item() == pytest.approx(by_hand(plain_q, plain_d, MASKED[mask]), abs=1e-10)
    by_query = numeric_gradient(lambda q: by_hand(q, plain_d, MASKED[mask]), queries.detach())
    by_document = numeric_gradient(lambda d: by_hand(plain_q, d, MASKED[mask]), documents.detach())
    torch.testing.assert_close(queries.grad, by_query, atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(documents.grad, by_document, atol=1e-7, rtol=1e-5)


def test_without_a_mask_it_is_the_published_loss():
    queries, documents = vectors(1), vectors(2)
    ours = MaskedRankingLoss(Embedder(), SCALE)
    theirs = MultipleNegativesRankingLoss(Embedder(), SCALE)
    value = ours.compute_loss_from_embeddings([queries, documents], labels("none"))
    expected = theirs.compute_loss_from_embeddings([queries, documents], None)
    assert torch.equal(value, expected)


def test_a_masked_document_gets_no_gradient_from_its_anchor():
    # With two pairs of one skill, each row has only its own column left: the loss is zero.
    queries, documents = vectors(1, 2).requires_grad_(), vectors(2, 2).requires_grad_()
    rows = [label_row(q, [0], "skill", [0], GROUPS, 1) for q in (0, 1)]
    loss = MaskedRankingLoss(Embedder(), SCALE)
    value = loss.compute_loss_from_embeddings([queries, documents], torch.tensor(rows))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert torch.count_nonzero(documents.grad.abs() > 1e-12) == 0


def test_hard_negatives_are_masked_by_the_same_rule():
    negatives = [[4, 5, 4, 4, 4, 4]]  # the second pair's is a near-duplicate of its own gold skill
    batch = Labels.unpack(labels("duplicates", negatives), 2)
    mask = false_negatives(batch, batch, 0)
    assert mask.shape == (6, 12)
    assert bool(mask[1, 7])  # its own negative
    assert bool(mask[0, 7])  # and that of the pair with the same query
    assert {(r, c) for r, c in mask[:, :6].nonzero().tolist()} == MASKED["duplicates"]
    assert not mask.diagonal().any()


@pytest.mark.parametrize("mask", ["none", "duplicates"])
@pytest.mark.parametrize("negatives", [(), ([4, 4, 0, 2, 1, 3],)])
def test_gradient_caching_changes_nothing(mask, negatives):
    grads = []
    for build in (
        lambda m: MaskedRankingLoss(m, SCALE),
        lambda m: CachedMaskedRankingLoss(m, SCALE, mini_batch_size=4),
    ):
        model = Embedder()
        columns = [{"input_values": vectors(s)} for s in range(2 + len(negatives))]
        value = build(model)(columns, labels(mask, negatives))
        value.backward()
        grads.append((value.detach(), model.layer.weight.grad))
    torch.testing.assert_close(grads[0], grads[1], atol=1e-10, rtol=1e-10)


@pytest.fixture
def teacher_files(tmp_path):
    for name, rows, seed in (("queries", 5, 11), ("documents", 6, 12)):
        found = torch.nn.functional.normalize(vectors(seed, rows, 12)).float().numpy()
        np.save(tmp_path / f"{name}.npy", found)
    return tmp_path / "queries.npy", tmp_path / "documents.npy"


def _student_and_teacher(files):
    queries, documents = vectors(1), vectors(2)
    unit = torch.nn.functional.normalize
    student = (unit(queries) @ unit(documents).T).numpy()
    t_q, t_d = np.load(files[0]), np.load(files[1])
    rows = [q for q, _ in PAIRS]
    teacher = t_q[rows] @ t_d[[s for _, s in PAIRS]].T
    return queries, documents, student, teacher.astype(np.float64)


def test_the_teacher_s_scores_are_a_kl_divergence_over_the_batch(teacher_files):
    queries, documents, student, scores = _student_and_teacher(teacher_files)
    section = DistillSection(teacher="t", target="scores", weight=0.5, teacher_scale=10.0)

    def log_softmax(x):
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    p, q = log_softmax(scores * 10), log_softmax(student * 10)
    expected = 0.5 * (np.exp(p) * (p - q)).sum(axis=1).mean()
    plain = MaskedRankingLoss(Embedder(), SCALE)
    taught = MaskedRankingLoss(Embedder(), SCALE, teacher=Teacher(*teacher_files, section))
    columns = ([queries, documents], labels("none"))
    difference = taught.compute_loss_from_embeddings(*columns) - plain.compute_loss_from_embeddings(
        *columns
    )
    assert difference.item() == pytest.approx(expected, abs=1e-6)


def test_the_teacher_s_margins_are_a_squared_error(teacher_files):
    queries, documents, student, scores = _student_and_teacher(teacher_files)
    section = DistillSection(teacher="t", target="margins")
    own = np.arange(len(PAIRS))
    mine = student[own, own][:, None] - student
    theirs = scores[own, own][:, None] - scores
    expected = ((mine - theirs) ** 2).mean()
    batch = Labels.unpack(labels("none"), 1)
    value = Teacher(*teacher_files, section).loss(queries, [documents], batch, batch)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_a_student_that_has_the_teacher_s_vectors_loses_nothing(teacher_files):
    section = DistillSection(teacher="t", target="embeddings")
    teacher = Teacher(*teacher_files, section)
    batch = Labels.unpack(labels("none"), 1)
    same = (teacher.queries(batch.queries), [teacher.documents(batch.skills[:, 0])])
    assert teacher.loss(*same, batch, batch).item() == pytest.approx(0, abs=1e-6)
    flipped = (-same[0], [-same[1][0]])
    assert teacher.loss(*flipped, batch, batch).item() == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize("target", ["scores", "margins"])
def test_gradient_caching_changes_nothing_for_a_teacher_either(teacher_files, target):
    section = DistillSection(teacher="t", target=target)
    results = []
    for mini in (0, 4):
        model = Embedder()
        loss = build_loss(
            model, LossSection(mini_batch_size=mini), Teacher(*teacher_files, section)
        )
        columns = [{"input_values": vectors(s)} for s in range(2)]
        value = loss(columns, labels("duplicates"))
        value.backward()
        results.append((value.detach(), model.layer.weight.grad))
    torch.testing.assert_close(results[0], results[1], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("mini", [0, 4])
def test_matryoshka_is_the_sum_over_cut_vectors(mini):
    model = Embedder()
    loss = build_loss(model, LossSection(mini_batch_size=mini, matryoshka=(2, 4)))
    columns = [{"input_values": vectors(s)} for s in range(2)]
    value = loss(columns, labels("gold"))
    value.backward()
    gradient = model.layer.weight.grad

    def by_hand_at(weight):
        with torch.no_grad():
            model.layer.weight.copy_(torch.tensor(weight, dtype=torch.float64))
            embedded = [model(c)["sentence_embedding"] for c in columns]
        return sum(
            by_hand(embedded[0][:, :d].tolist(), embedded[1][:, :d].tolist(), MASKED["gold"])
            for d in (2, 4, 8)
        )

    weight = model.layer.weight.detach().clone()
    assert value.item() == pytest.approx(by_hand_at(weight.tolist()), abs=1e-8)
    torch.testing.assert_close(gradient, numeric_gradient(by_hand_at, weight), atol=1e-6, rtol=1e-5)
