import numpy as np
import torch
from transformers import BertModel

from skillret.training.query_tokens.model import QueryReader, maxsim, pad, shares

IDS = [[2, 40, 41, 3], [2, 50, 3]]


def test_untrained_it_does_what_the_projection_does(bert, projection):
    encoder = BertModel.from_pretrained(bert, add_pooling_layer=False).eval()
    reader = QueryReader(encoder, projection, 1)
    with torch.no_grad():
        vectors, weights = reader(*pad(IDS[:1]))
        states = encoder(*pad(IDS[:1])).last_hidden_state[0]
        documents = reader.documents(states)
    expected = projection.query([40] * 4, states.numpy())  # of no silent token
    np.testing.assert_allclose(vectors[0].numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(documents.numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(weights.numpy(), 1, atol=1e-3)


def test_what_was_learnt_for_documents_is_a_projection_again(reader, projection):
    learnt = reader.projection(projection)
    states = np.random.default_rng(0).normal(size=(5, 32)).astype(np.float32)
    with torch.no_grad():
        expected = reader.documents(torch.from_numpy(states)).numpy()
    np.testing.assert_allclose(learnt.query([40] * 5, states), expected, atol=1e-4)
    assert (learnt.kept, learnt.read) == (projection.kept, projection.read)
    np.testing.assert_array_equal(learnt.silent, projection.silent)


def test_embeddings_and_first_layers_stay(reader):
    free = {name for name, p in reader.named_parameters() if p.requires_grad}
    assert not any(name.startswith("encoder.embeddings") for name in free)
    assert not any(name.startswith("encoder.encoder.layer.0") for name in free)
    assert any(name.startswith("encoder.encoder.layer.1") for name in free)
    assert {"query_matrix", "document_matrix", "weigh.weight"} <= free


def test_padding_changes_nothing(reader):
    with torch.no_grad():
        together, weights = reader(*pad(IDS))
        alone, own = reader(*pad(IDS[1:]))
    torch.testing.assert_close(together[1, :3], alone[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(weights[1, :3], own[0], atol=1e-5, rtol=0)


def test_maxsim_is_a_sum_of_largest_products():
    draw = np.random.default_rng(0)
    vectors, held = draw.normal(size=(3, 4)), draw.normal(size=(2, 5, 4))
    held /= np.linalg.norm(held, axis=2, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights, there = np.array([0.5, 0.2, 0.3]), np.array([[1] * 5, [0, 1, 0, 1, 0]], dtype=bool)
    expected = [
        sum(w * max(v @ d for d in own[counts]) for v, w in zip(vectors, weights, strict=True))
        for own, counts in zip(held, there, strict=True)
    ]
    found = maxsim(*map(torch.from_numpy, (vectors, weights, held, there)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_shares_add_up_to_one_over_what_counts():
    counts = torch.tensor([[True, True, False], [False, False, False]])
    found = shares(torch.tensor([[1.0, 3.0, 9.0], [1.0, 1.0, 1.0]]), counts)
    assert found.tolist() == [[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]
