import threading

import numpy as np
import pytest
from tests.conftest import SKILLS, HashEncoder, make_skill

from skillret import Index
from skillret.errors import StoreError
from skillret.index.memory import corpus_of
from skillret.lexical.bm25 import LexicalIndex
from skillret.retrieval.candidates import find_candidates, fitting_parts, scores_of
from skillret.retrieval.query import read_queries
from skillret.skills import document_text


def make_corpus(skills=SKILLS):
    encoder = HashEncoder()
    documents = [document_text(s, "{name} {description}") for s in skills]
    return corpus_of(skills, encoder.encode_documents(documents), encoder.profile)


def find(text, skills=SKILLS, asking=None, factors=None, where=None, corpus=None):
    (query,) = read_queries([text], HashEncoder())
    if asking is None:
        asking = np.ones(len(query.vectors))
    asking = np.asarray(asking, dtype=np.float32)
    return find_candidates(query, corpus or make_corpus(skills), asking, factors, where)


def test_every_candidate_knows_the_part_it_fits_if_that_asks_for_something():
    text = "I want tables from PDF files. Tell me why pods crash."
    evidence = find(text, asking=[1, 1, 0.4])
    place = np.searchsorted(evidence.keys, [0, 1])
    assert fitting_parts(find(text))[place].tolist() == [0, 1]
    assert fitting_parts(evidence)[place].tolist() == [0, -1]
    assert set(fitting_parts(find("pods crash")).tolist()) == {0}


def test_what_is_known_of_candidates_is_what_the_corpus_says():
    text, encoder = "tables from PDF files. Why do pods crash?", HashEncoder()
    corpus = make_corpus()
    evidence = find(text, corpus=corpus)
    assert evidence.keys.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(evidence.vectors, corpus.vectors(evidence.keys))
    parts = ["tables from PDF files.", "Why do pods crash?"]
    queries = encoder.encode_queries([text, *parts])
    cosines = queries @ evidence.vectors.T
    np.testing.assert_allclose(evidence.dense, cosines[0], rtol=1e-6)
    np.testing.assert_allclose(evidence.part_dense, cosines[1:], rtol=1e-6)
    assert evidence.dense_best == pytest.approx(cosines[0].max())
    assert evidence.dense_mean == pytest.approx(cosines[0].mean(), abs=1e-5)
    assert evidence.dense_deviation == pytest.approx(cosines[0].std(), abs=1e-4)
    for lexical, part in zip(
        [evidence.lexical, *evidence.part_lexical], [text, *parts], strict=True
    ):
        keys, scores = corpus.best(corpus.terms(part), 10)
        np.testing.assert_array_equal(lexical, scores_of(evidence.keys, keys, scores))
    assert evidence.words == len(text.split())


def test_candidates_are_the_best_by_either_and_by_part():
    skills = [make_skill(f"s{i}", f"words {i} of skill") for i in range(600)]
    skills[590] = make_skill("zebra", "Other things entirely.", "zebra")
    evidence = find("Words of a skill. Look after the zebra.", skills)
    assert 590 in evidence.keys
    assert 100 <= len(evidence.keys) <= 100 + 100 + 2 * 40
    assert (np.diff(evidence.keys) > 0).all()


@pytest.mark.parametrize("where", [None, {"n": [1, 3]}])
def test_a_large_corpus_gives_the_same_from_threads(monkeypatch, where):
    skills = [make_skill(s.name, s.description, metadata={"n": i}) for i, s in enumerate(SKILLS)]
    text, threads = "tables from PDF files. Why do pods crash? Plan my meals.", set()
    alone = find(text, skills, where=where)
    best = LexicalIndex.search
    monkeypatch.setattr(
        LexicalIndex, "search", lambda *a: threads.add(threading.current_thread()) or best(*a)
    )
    monkeypatch.setattr("skillret.retrieval.candidates._SIDE_BY_SIDE", 1)
    together = find(text, skills, where=where)
    assert threads
    assert threading.main_thread() not in threads
    for name in ("keys", "dense", "lexical", "part_dense", "part_lexical", "lexical_best"):
        np.testing.assert_array_equal(getattr(together, name), getattr(alone, name))


def test_an_error_of_a_thread_is_an_error_of_the_search(monkeypatch):
    def damaged(*_):
        raise StoreError("the BM25 cache is damaged")

    monkeypatch.setattr("skillret.retrieval.candidates._SIDE_BY_SIDE", 1)
    monkeypatch.setattr(LexicalIndex, "search", damaged)
    with pytest.raises(StoreError, match="damaged"):
        find("tables from PDF files")


def test_a_filter_leaves_only_what_holds_it():
    skills = [make_skill(s.name, s.description, metadata={"n": i}) for i, s in enumerate(SKILLS)]
    evidence = find("tables from PDF files", skills, where={"n": [1, 3]})
    assert evidence.keys.tolist() == [1, 3]
    assert evidence.dense_best == pytest.approx(evidence.dense.max())
    assert not len(find("tables", skills, where={"n": 9}).keys)


def test_keys_of_an_index_are_those_of_the_evidence():
    index = Index.in_memory(model=HashEncoder())
    index.add(SKILLS[2:])
    index.remove(["meal-planner"])
    index.add(SKILLS[:2])
    evidence = find("pods crash", corpus=index.corpus())
    records = index.corpus().records(evidence.keys.tolist())
    best = records[int(evidence.keys[evidence.lexical.argmax()])]
    assert best.name == "kubernetes-debugging"
    assert len(evidence.keys) == 3


def test_scores_of_unknown_keys_are_0():
    keys, known = np.array([2, 5, 9]), np.array([9, 7, 2])
    scores = np.array([0.5, 1.0, 2.0], dtype=np.float32)
    assert scores_of(keys, known, scores).tolist() == [2.0, 0.0, 0.5]
    none = np.empty(0, dtype=np.int64)
    assert scores_of(keys, none, scores[:0]).tolist() == [0, 0, 0]
    assert scores_of(none, known, scores).tolist() == []


def test_what_a_skill_excludes_counts_by_what_the_rest_does_not_say():
    skills = [
        make_skill("bars", "Makes charts. Not for zebras or charts of llamas."),
        make_skill("zebras", "Feeds zebras."),
        make_skill("llamas", "Shears llamas."),
    ]
    assert find("zebras", skills).excluded.tolist() == [1, 0, 0]
    assert 0 < find("feed zebras", skills).excluded[0] < 1
    assert find("makes charts", skills).excluded.tolist() == [0, 0, 0]
    assert find("of the", skills).excluded.tolist() == [0, 0, 0]
