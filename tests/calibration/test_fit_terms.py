import numpy as np
import pytest
from tests.conftest import TokenHashEncoder, make_skill

from skillret.calibration import fit_terms as module
from skillret.calibration.fit_terms import fit_terms
from skillret.datasets.dataset import Dataset
from skillret.errors import DatasetError
from skillret.retrieval.query import read_queries
from skillret.retrieval.term_head import term_factors
from skillret.types import Query

NOISE = ["meeting", "budget", "friend", "laptop", "summer", "coffee"]


def labelled(count, seed=0):
    """Queries name the topic they need and two things that other skills are about."""
    draw = np.random.default_rng(seed)
    topics = [f"topic{i}" for i in range(40)]
    skills = [make_skill(t, f"Do {t} things") for t in topics]
    skills += [make_skill(f"{n}-{i}", f"All about {n} number{i}") for n in NOISE for i in range(3)]
    queries, qrels = [], {}
    for i in range(count):
        wanted, noise = topics[draw.integers(40)], draw.choice(NOISE, 2, replace=False)
        text = f"after the {noise[0]} i want {wanted} beside the {noise[1]}"
        queries.append(Query(f"q{i}", text, {"kind": "even" if i % 3 else "odd"}))
        qrels[f"q{i}"] = {wanted: 1}
    return Dataset("toy", "rev", "train", skills, queries, qrels, [])


def test_what_never_says_which_skill_counts_less():
    encoder, dataset = TokenHashEncoder(dim=64), labelled(400)
    steps = []
    head = fit_terms(dataset, encoder, progress=lambda done, of: steps.append((done, of)))
    assert steps[-1] == (400, 400)
    text = "after the coffee i want topic7 beside the laptop"
    (query,) = read_queries([text], encoder, tokens=True)
    factors = term_factors(head, query)
    assert factors["topic7"] > 1.2 * max(factors["coffe"], factors["laptop"])
    again = fit_terms(dataset, encoder)
    np.testing.assert_array_equal(head.weights, again.weights)


def test_the_gradient_is_that_of_the_loss():
    draw = np.random.default_rng(0)
    sample = module._Sample(
        draw.normal(size=(3, 5)).astype(np.float16),
        draw.uniform(size=(3, 4)).astype(np.float16),
        np.array([0, 0.5, 0.5, 0], dtype=np.float32),
        1.7,
    )
    weights, bias = draw.normal(size=5).astype(np.float32), np.array([0.3], dtype=np.float32)
    centre = draw.normal(size=5).astype(np.float32)

    def loss(w, b):
        logits = (sample.terms.astype(float) - centre) @ w + b
        outputs = module._SHARP * np.log1p(np.exp(logits)) @ sample.scores.astype(float)
        return -1.7 * float(sample.labels @ (outputs - np.log(np.exp(outputs).sum())))

    slope, shift = module._gradient(sample, weights, bias, centre)
    step = 1e-4
    for i in range(5):
        aside = step * np.eye(5)[i]
        numeric = (loss(weights + aside, bias) - loss(weights - aside, bias)) / (2 * step)
        assert slope[i] == pytest.approx(numeric, rel=1e-2, abs=1e-3)
    numeric = (loss(weights, bias + step) - loss(weights, bias - step)) / (2 * step)
    assert shift == pytest.approx(numeric, rel=1e-2, abs=1e-3)


def test_too_few_requests_are_refused():
    with pytest.raises(DatasetError, match="at least 100 are needed to weigh terms"):
        fit_terms(labelled(40), TokenHashEncoder())
