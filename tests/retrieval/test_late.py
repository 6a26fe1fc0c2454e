import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import SKILLS, HashEncoder, LateHashEncoder, TokenHashEncoder, make_skill

from skillret import Index
from skillret.encoders.token_projection import widen
from skillret.index.memory import corpus_of
from skillret.retrieval import late as module
from skillret.retrieval.candidates import find_candidates
from skillret.retrieval.features import FITTED, LATE, columns, features_of
from skillret.retrieval.late import late_interaction, likely_rows, matches, votes
from skillret.retrieval.query import read_queries
from skillret.skills import document_text

TEXT = "why do pods crash"


def make_corpus(skills=SKILLS, encoder=None):
    encoder = encoder or LateHashEncoder()
    read = encoder.encode_document_tokens([document_text(s, "{description}") for s in skills])
    return corpus_of(skills, read.vectors, encoder.profile, tokens=read.tokens)


def interact(text=TEXT, skills=SKILLS, corpus=None, encoder=None):
    """Late interaction of a query, and the evidence with it."""
    corpus = corpus or make_corpus(skills)
    (query,) = read_queries([text], encoder or LateHashEncoder(), tokens=True)
    e = find_candidates(query, corpus, np.ones(len(query.vectors), dtype=np.float32))
    found = late_interaction(query, e, corpus)
    return found, e._replace(late=found)


def plain_maxsim(asked, documents):
    """Token by token."""
    scores = []
    for tokens in documents:
        total = 0.0
        for a in asked.tolist():
            cosines = []
            for t in tokens.tolist():
                length = sum(v * v for v in t) ** 0.5
                cosines.append(sum(x * y for x, y in zip(a, t, strict=True)) / length)
            total += max(cosines)
        scores.append(total / len(asked))
    return scores


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.lists(st.integers(1, 70), min_size=1))
def test_maxsim_is_what_a_plain_loop_counts(seed, q, lengths):
    draw = np.random.default_rng(seed)
    asked = widen(draw.integers(-127, 128, (q, 5), dtype=np.int8) | np.int8(1))
    documents = [draw.integers(-127, 128, (n, 5), dtype=np.int8) | np.int8(1) for n in lengths]
    found = matches(asked, documents)
    assert (found.dtype, found.shape) == (np.float32, (len(lengths), q))
    np.testing.assert_allclose(found.mean(axis=1), plain_maxsim(asked, documents), atol=1e-5)


def plain_votes(best, counts):
    """Token by token."""
    shares = [0.0] * len(best)
    for i, count in enumerate(counts):
        parts = [math.exp(10 * row[i] / count) for row in best]
        for j, part in enumerate(parts):
            shares[j] += count / sum(counts) * part / sum(parts) * len(best) / 64
    return shares


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 64))
def test_votes_are_what_a_plain_loop_counts(seed, q, n):
    draw = np.random.default_rng(seed)
    counts = draw.uniform(0.05, 3, q).astype(np.float32)
    best = (draw.uniform(-1, 1, (n, q)) * counts).astype(np.float32)
    found = votes(best, counts)
    assert (found.dtype, found.shape) == (np.float32, (n,))
    np.testing.assert_allclose(found, plain_votes(best.tolist(), counts.tolist()), atol=1e-5)
    assert found.sum() == pytest.approx(n / 64, abs=1e-4)


def test_a_token_that_one_skill_meets_is_a_vote_for_it_and_one_that_all_meet_is_none():
    counts = np.array([2.0, 1.0], dtype=np.float32)
    best = counts * np.array([[0.9, 0.2], [0.9, 0.8], [0.9, 0.2]], dtype=np.float32)
    first, second, third = votes(best, counts).tolist()
    assert second > first == third
    assert votes(best[:, :1], counts[:1]).tolist() == pytest.approx([1 / 64] * 3)
    assert votes(best[:1], counts).tolist() == pytest.approx([1 / 64])


def test_a_token_that_does_not_count_has_no_vote():
    counts = np.array([1.0, 0.0], dtype=np.float32)
    best = np.array([[0.9, 0.0], [0.3, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(votes(best, counts), votes(best[:, :1], counts[:1]))
    assert not votes(best * 0, counts * 0).any()


def test_the_skill_that_holds_the_words_is_met_best():
    found, evidence = interact("pods crash or restart.")
    assert evidence.keys[found.scores.argmax()] == 1
    assert found.scores.max() == found.best == pytest.approx(1, abs=0.01)
    (query,) = read_queries(["pods crash or restart."], LateHashEncoder(), tokens=True)
    tokens = make_corpus().tokens(evidence.keys.tolist())
    expected = plain_maxsim(query.tokens.late, [tokens[key] for key in evidence.keys.tolist()])
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)
    assert found.mean == pytest.approx(np.mean(expected), abs=1e-5)
    assert found.deviation == pytest.approx(np.std(expected), abs=1e-5)
    assert found.votes.argmax() == found.scores.argmax()
    assert found.votes.sum() == pytest.approx(len(evidence.keys) / 64)


def test_only_the_likeliest_are_looked_at_and_the_others_get_the_worst(monkeypatch):
    skills = [make_skill(f"s{i}", f"pods crash {'restart ' * (i % 7)}{i}") for i in range(30)]
    whole, evidence = interact(skills=skills)
    asked = []

    class Counting(type(make_corpus())):
        def tokens(self, keys):
            asked.append(list(keys))
            return super().tokens(keys)

    corpus = make_corpus(skills)
    names = corpus.__dataclass_fields__
    counting = Counting(**{n: getattr(corpus, n) for n in names})
    monkeypatch.setattr(module, "_DEPTH", 8)
    found, _ = interact(corpus=counting)
    rows = likely_rows(evidence, 8)
    assert asked == [evidence.keys[rows].tolist()]
    np.testing.assert_array_equal(found.scores[rows], whole.scores[rows])
    others = np.delete(np.arange(30), rows)
    assert set(found.scores[others].tolist()) == {float(whole.scores[rows].min())}
    assert found.mean == pytest.approx(whole.scores[rows].mean())
    assert set(found.votes[others].tolist()) == {float(found.votes[rows].min())}
    assert found.votes[rows].sum() == pytest.approx(1)


def test_the_likeliest_are_good_by_the_whole_or_by_a_part():
    text = "I want tables from PDF files. Then tell me why pods crash."
    skills = [*SKILLS, *(make_skill(f"s{i}", f"about {i}") for i in range(20))]
    _, evidence = interact(text, skills)
    assert set(evidence.keys[likely_rows(evidence, 2)].tolist()) == {0, 1}
    assert len(likely_rows(evidence, 99)) == len(evidence.keys)


def test_a_skill_without_tokens_gets_the_worst_and_none_at_all_says_nothing():
    words = [make_skill("a", "pods crash"), make_skill("b", "meals"), make_skill("c", " ")]
    encoder = LateHashEncoder()
    read = encoder.encode_document_tokens([s.description.strip() for s in words])
    assert [len(t) for t in read.tokens] == [2, 1, 0]
    corpus = corpus_of(words, read.vectors, encoder.profile, tokens=read.tokens)
    found, _ = interact(corpus=corpus)
    assert found.scores[2] == found.scores[1] < found.scores[0]
    bare = corpus_of(words, read.vectors, encoder.profile)
    assert interact(corpus=bare)[0] is None
    empty = [t[:0] for t in read.tokens]
    bare = corpus_of(words, read.vectors, encoder.profile, tokens=empty)
    assert interact(corpus=bare)[0] is None


def test_an_encoder_without_tokens_says_nothing():
    found, evidence = interact(encoder=TokenHashEncoder())
    assert found is None
    assert not columns(LATE, evidence).any()


def test_features_are_gaps_and_standard_scores():
    found, evidence = interact()
    gap, z, voted = columns(LATE, evidence).T
    np.testing.assert_allclose(voted, found.votes - found.votes.max(), atol=1e-6)
    assert voted.max() == 0
    np.testing.assert_allclose(gap, found.scores - found.scores.max(), atol=1e-6)
    assert gap.max() == 0
    assert (z.mean(), z.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-4))
    one, evidence = interact(skills=SKILLS[:1])
    assert (float(one.mean), columns(LATE, evidence).tolist()) == (float(one.best), [[0, 0, 0]])


def test_only_an_encoder_with_tokens_has_these_features():
    assert features_of(LateHashEncoder().profile) == FITTED
    assert set(FITTED) - set(features_of(HashEncoder().profile)) == set(LATE)
    assert features_of(replace(LateHashEncoder().profile, token_dim=0))[-1] == "sentences"


def test_an_index_file_says_what_one_in_memory_says(tmp_path):
    encoder = LateHashEncoder()
    found = []
    for index in (
        Index.in_memory(model=encoder),
        Index.open(tmp_path / "i", create=True, model=encoder),
    ):
        with index:
            index.add(SKILLS)
            found.append(interact(corpus=index.corpus())[0])
    np.testing.assert_array_equal(found[0].scores, found[1].scores)
