import numpy as np
import pytest
from tests.conftest import SKILLS, fill
from tests.retrieval.test_searcher import ranked_encoder

from skillret import Retriever
from skillret.datasets.dataset import load_dataset
from skillret.evaluation import systems
from skillret.evaluation.systems import encode_corpus, make_run, score_requests
from skillret.retrieval import request


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_blocks_of_any_size_give_the_same_run(dataset, encoder, monkeypatch, mode):
    loaded = load_dataset(str(dataset), "dev")
    whole, best = make_run(loaded, mode, encoder, cache=False)
    sizes = []
    encode = encoder.encode_queries
    monkeypatch.setattr(encoder, "encode_queries", lambda t: sizes.append(len(t)) or encode(t))
    monkeypatch.setattr(systems, "_CHUNK", 3)
    for size, expected in ((1, [1, 1, 1]), (2, [2, 1])):
        sizes.clear()
        monkeypatch.setattr(request, "_BLOCK", size)
        found, largest = make_run(loaded, mode, encoder, cache=False)
        assert sizes == ([] if mode == "lexical" else expected)
        assert {q: [i for i, _ in h] for q, h in found.items()} == {
            q: [i for i, _ in h] for q, h in whole.items()
        }
        assert largest == pytest.approx(best, abs=1e-6)


def test_a_damaged_cache_is_made_anew(dataset, encoder, home):
    skills = load_dataset(str(dataset), "dev").skills
    first = np.array(encode_corpus(skills, encoder))
    (file,) = home.rglob("*.npy")
    for content in (b"", b"nonsense", file.read_bytes()[:200]):
        file.write_bytes(content)
        encoder.encoded.clear()
        np.testing.assert_array_equal(encode_corpus(skills, encoder), first)
        assert len(encoder.encoded) == 4


def test_a_text_that_changed_is_another_corpus(dataset, encoder, changed):
    skills = load_dataset(str(dataset), "dev").skills
    first = np.array(encode_corpus(skills, encoder))
    other = encode_corpus([changed(skills[0]), *skills[1:]], encoder)
    assert len(encoder.encoded) == 8
    assert not np.array_equal(other[0], first[0])
    np.testing.assert_array_equal(other[1:], first[1:])


def test_blocks_of_requests_are_judged_like_one_by_the_product(tmp_path, monkeypatch):
    encoder = ranked_encoder(tmp_path)
    monkeypatch.setattr(request, "_BLOCK", 2)
    texts = ["pods crash", "Read tables from PDF files. Then plan my meals.", " zebra ", "commits"]
    pairs = [(f"q{n}", text) for n, text in enumerate(texts)]
    found = list(score_requests(SKILLS, "hybrid", encoder, iter(pairs), cache=False))
    assert [id_ for id_, _, _ in found] == [id_ for id_, _ in pairs]
    with Retriever(fill(tmp_path / "i.db", SKILLS, encoder), encoder) as retriever:
        for text, (_, scores, _) in zip(texts, found, strict=True):
            hits = {h.id: h.score for h in retriever.search(text, k=4)}
            expected = [hits[s.id] for s in SKILLS]
            np.testing.assert_allclose(scores, expected, atol=1e-3)
