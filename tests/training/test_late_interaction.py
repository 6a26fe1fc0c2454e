"""The loss against sums that are written out, and against how the engine scores."""

import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.training.conftest import recipe_table

from skillret import load_encoder
from skillret.encoders.token_projection import PROJECTION_FILE
from skillret.errors import InputError
from skillret.retrieval.late import matches
from skillret.training.export import export_onnx, model_profile
from skillret.training.late_interaction import LateInteractionLoss, fit_on, maxsim
from skillret.training.loss import MaskedRankingLoss
from skillret.training.recipe import parse_recipe
from skillret.training.rows import label_row
from skillret.training.run import train
from skillret.training.sections import LossSection

QUERIES = ["do badofi please", "help with gu vo", "use kemina for it"]
# No token twice in one: of those the engine keeps the first alone.
DOCUMENTS = ["badofi", "gu", "kemina"]
DIM = 6


@pytest.fixture
def model(bert):
    return SentenceTransformer(str(bert), device="cpu").eval()


@pytest.fixture
def projection(model):
    return fit_on(model, [*QUERIES, *DOCUMENTS], DIM)


def token_vectors(model, projection, text, *, document):
    """Of one text, as the engine makes them."""
    ids = model.tokenizer(text)["input_ids"]
    states = np.asarray(model.encode(text, output_value="token_embeddings").float())
    return (projection.document if document else projection.query)(ids, states)


def engine_scores(model, projection):
    held = [token_vectors(model, projection, d, document=True) for d in DOCUMENTS]
    asked = [token_vectors(model, projection, q, document=False) for q in QUERIES]
    return np.stack([matches(a, held).mean(axis=1) for a in asked])


def labels():
    rows = [label_row(i, [i], "gold", (i,), np.arange(3), 1) for i in range(3)]
    return torch.tensor(np.stack(rows))


def test_maxsim_is_the_mean_of_the_best_cosines_of_tokens_that_count():
    draw = np.random.default_rng(0)
    asked, held = (draw.normal(size=s) for s in ((2, 4, 3), (3, 5, 3)))
    asked, held = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (asked, held))
    asked_there = np.array([[1, 1, 0, 1], [0, 1, 0, 0]], dtype=bool)
    held_there = np.array([[1] * 5, [0, 1, 1, 0, 0], [0, 0, 0, 0, 1]], dtype=bool)
    expected = [
        [
            np.mean([max(t @ s for s in d[there]) for t in q[counts]])
            for d, there in zip(held, held_there, strict=True)
        ]
        for q, counts in zip(asked, asked_there, strict=True)
    ]
    found = maxsim(*map(torch.from_numpy, (asked, asked_there, held, held_there)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_the_loss_is_that_of_single_vectors_and_that_of_scores_of_the_engine(model, projection):
    base = MaskedRankingLoss(model)
    section = LossSection(late_interaction=0.5, late_scale=10.0, token_dim=DIM)
    loss = LateInteractionLoss(model, base, projection, section)
    features = [dict(model.preprocess(texts)) for texts in (QUERIES, DOCUMENTS)]
    with torch.no_grad():
        found = float(loss(features, labels()))
        single = float(base([dict(model.preprocess(t)) for t in (QUERIES, DOCUMENTS)], labels()))
    scores = 10.0 * engine_scores(model, projection)
    late = np.mean([np.log(np.exp(s - s[i]).sum()) for i, s in enumerate(scores)])
    assert found == pytest.approx(single + 0.5 * late, abs=0.02)  # the engine rounds to int8
    assert late > 0.01


def test_its_gradient_reaches_the_encoder_and_no_projection(model, projection):
    section = LossSection(late_interaction=1.0, token_dim=DIM)
    loss = LateInteractionLoss(model, MaskedRankingLoss(model), projection, section)
    loss([dict(model.preprocess(t)) for t in (QUERIES, DOCUMENTS)], labels()).backward()
    assert all(p.grad is not None for n, p in model.named_parameters() if "pooler" not in n)
    assert {n for n, _ in loss.named_parameters()} == {
        f"model.{n}" for n, _ in model.named_parameters()
    }


def test_another_gold_skill_is_no_negative(model, projection):
    section = LossSection(late_interaction=1.0, token_dim=DIM)
    loss = LateInteractionLoss(model, MaskedRankingLoss(model), projection, section)
    same = np.zeros(3, dtype=np.int64)  # all documents are near-duplicates of each other
    rows = [label_row(i, [i], "duplicates", (i,), same, 1) for i in range(3)]
    features = [dict(model.preprocess(t)) for t in (QUERIES, DOCUMENTS)]
    with torch.no_grad():
        assert float(loss(features, torch.tensor(np.stack(rows)))) == pytest.approx(0, abs=1e-6)


def test_a_run_leaves_a_model_whose_export_shows_tokens(bert, dataset, tmp_path):
    table = recipe_table(bert, dataset, loss={"late_interaction": 1.0, "token_dim": DIM})
    folder = train(parse_recipe(table, "late"), tmp_path / "run")
    stored = json.loads((folder / "profile.json").read_text())
    assert stored["token_dim"] == DIM
    exported = export_onnx(folder, tmp_path / "onnx", model_profile(folder))
    assert (exported / PROJECTION_FILE).read_bytes() == (folder / PROJECTION_FILE).read_bytes()
    encoder = load_encoder(exported)
    _, (tokens,) = encoder.encode_document_tokens(["badofi does it"])
    assert tokens.dtype == np.int8
    assert tokens.shape[1] == DIM
    assert len(tokens)


@pytest.mark.parametrize("more", [{"matryoshka": [8]}, {"mini_batch_size": 2}])
def test_what_cuts_vectors_or_batches_goes_not_with_it(bert, dataset, more):
    table = recipe_table(bert, dataset, loss={"late_interaction": 1.0} | more)
    with pytest.raises(InputError, match=r"loss\.late_interaction is 1\.0; .*allowed: 0"):
        parse_recipe(table, "late")
