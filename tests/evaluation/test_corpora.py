import os

import numpy as np
import pytest
from tests.conftest import HashEncoder, LateHashEncoder

from skillret.datasets.dataset import load_dataset
from skillret.evaluation import corpora
from skillret.evaluation.corpora import read_corpus


@pytest.fixture
def skills(dataset):
    return load_dataset(dataset, "dev").skills


def files(home):
    return sorted(f for f in home.rglob("corpora/*") if f.is_file())


def test_a_corpus_is_encoded_once(skills, encoder):
    first = read_corpus(skills, encoder).vectors
    again = HashEncoder()
    np.testing.assert_array_equal(read_corpus(skills, again).vectors, first)
    assert again.encoded == []
    other = HashEncoder("other")
    read_corpus(skills, other)
    assert len(other.encoded) == 4


def test_a_damaged_cache_is_made_anew(skills, encoder, home):
    first = np.array(read_corpus(skills, encoder).vectors)
    (file,) = files(home)
    whole = file.read_bytes()
    nan = np.full(first.shape, np.nan, np.float32).tobytes()
    flipped = bytes([whole[0] ^ 1]) + whole[1:]
    for content in (b"", b"nonsense", whole[:200], flipped, nan + whole[-4:], whole + b"x"):
        file.write_bytes(content)
        encoder.encoded.clear()
        np.testing.assert_array_equal(read_corpus(skills, encoder).vectors, first)
        assert len(encoder.encoded) == 4
    assert file.read_bytes() == whole


def test_a_text_that_changed_is_another_corpus(skills, encoder, changed):
    first = np.array(read_corpus(skills, encoder).vectors)
    other = read_corpus([changed(skills[0]), *skills[1:]], encoder).vectors
    assert len(encoder.encoded) == 8
    assert not np.array_equal(other[0], first[0])
    np.testing.assert_array_equal(other[1:], first[1:])


def test_the_cache_does_not_grow_beyond_its_bound(skills, home, monkeypatch):
    monkeypatch.setattr(corpora, "_KEPT", 3 * (4 * 32 * 4 + 4))

    def stamp(file, seconds):
        os.utime(file, (seconds, seconds))

    read_corpus(skills, HashEncoder("0"))
    (first,) = files(home)
    old = first.with_name("of-an-earlier-version.npy")
    old.write_bytes(b"x" * 400)
    stamp(old, 1)
    for number in range(1, 6):
        before = set(files(home))
        for age, file in enumerate(sorted(before - {first}, key=lambda f: f.stat().st_mtime)):
            stamp(file, 10 * number + age)
        stamp(first, 2)
        read_corpus(skills, HashEncoder("0"))  # used just now, so it stays
        assert first.stat().st_mtime > 1000
        read_corpus(skills, HashEncoder(str(number)))
        assert first in files(home)
        assert len(files(home)) <= 3
    assert not old.exists()
    again = HashEncoder("5")
    read_corpus(skills, again)
    assert again.encoded == []


def test_a_corpus_larger_than_the_bound_is_kept_alone(skills, encoder, home, monkeypatch):
    monkeypatch.setattr(corpora, "_KEPT", 10)
    read_corpus(skills, encoder)
    assert len(files(home)) == 1


def test_where_nothing_can_be_kept_it_is_encoded_all_the_same(skills, encoder, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpora, "replacing", full)
    assert read_corpus(skills, encoder).vectors.shape == (4, 32)
    assert read_corpus(skills, encoder, cache=False).vectors.shape == (4, 32)
    assert len(encoder.encoded) == 8


def test_texts_are_made_a_chunk_at_a_time_and_progress_counts_on(skills, encoder, monkeypatch):
    monkeypatch.setattr(corpora, "_CHUNK", 3)
    whole, steps = HashEncoder(), []
    vectors = read_corpus(skills, encoder, lambda *step: steps.append(step), cache=False).vectors
    assert steps == [(3, 4), (4, 4)]
    monkeypatch.setattr(corpora, "_CHUNK", 100)
    np.testing.assert_array_equal(read_corpus(skills, whole, cache=False).vectors, vectors)


def test_tokens_are_kept_beside_the_vectors(skills, encoder, home):
    assert read_corpus(skills, encoder).tokens is None
    late = LateHashEncoder()
    read = read_corpus(skills, late)
    again = LateHashEncoder()
    stored = read_corpus(skills, again)
    assert again.encoded == []
    np.testing.assert_array_equal(stored.vectors, read.vectors)
    for a, b in zip(stored.tokens, read.tokens, strict=True):
        assert a.dtype == np.int8
        np.testing.assert_array_equal(a, b)
    assert [f.suffix for f in files(home)].count(".i8") == 1
    assert read_corpus([], late).tokens == read_corpus([], late).tokens == []


@pytest.mark.parametrize("content", [None, b"", b"nonsense", "cut", "flipped", "longer"])
def test_damaged_tokens_are_made_anew(skills, home, content):
    late = LateHashEncoder()
    first = read_corpus(skills, late)
    (file,) = (f for f in files(home) if f.suffix == ".i8")
    whole = file.read_bytes()
    flipped = whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]
    contents = {"cut": whole[:20], "flipped": flipped, "longer": whole + b"x"}
    file.unlink() if content is None else file.write_bytes(contents.get(content, content))
    late.encoded.clear()
    stored = read_corpus(skills, late)
    assert len(late.encoded) == 4
    for a, b in zip(stored.tokens, first.tokens, strict=True):
        np.testing.assert_array_equal(a, b)
    assert file.read_bytes() == whole


def test_tokens_in_parts_are_those_of_the_whole(skills, monkeypatch):
    monkeypatch.setattr(corpora, "_CHUNK", 3)
    read = read_corpus(skills, LateHashEncoder(), cache=False)
    monkeypatch.setattr(corpora, "_CHUNK", 100)
    whole = read_corpus(skills, LateHashEncoder(), cache=False)
    for a, b in zip(read.tokens, whole.tokens, strict=True):
        np.testing.assert_array_equal(a, b)
