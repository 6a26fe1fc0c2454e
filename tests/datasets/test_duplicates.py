import random

import numpy as np
import pytest

from skillret.datasets.duplicates import jaccard, near_duplicate_groups, shingles


def by_hand(text, size):
    tokens = text.lower().split()
    return {tuple(tokens[i : i + size]) for i in range(max(1, len(tokens) - size + 1))}


@pytest.mark.parametrize("size", [3, 5])
def test_shingles_are_the_different_word_n_grams(size):
    a = "the quick brown fox jumps over the lazy dog and the quick brown fox jumps again"
    b = "a quick brown fox jumps over the lazy dog and sleeps"
    assert len(shingles(a, size)) == len(by_hand(a, size))
    one, two = by_hand(a, size), by_hand(b, size)
    expected = len(one & two) / len(one | two)
    assert jaccard(shingles(a, size), shingles(b, size)) == pytest.approx(expected)


def test_short_and_empty_texts():
    assert len(shingles("two words")) == 1
    assert len(shingles("...")) == 0
    assert jaccard(shingles(""), shingles("")) == 0


def test_groups_are_those_of_all_pairs():
    draw = random.Random(1)
    vocabulary = [f"w{i}" for i in range(500)]
    texts = [" ".join(draw.choices(vocabulary, k=120)) for _ in range(40)]
    for source, changes in ((0, 2), (0, 4), (1, 40), (2, 0), (3, 1)):
        tokens = texts[source].split()
        for _ in range(changes):
            tokens[draw.randrange(len(tokens))] = draw.choice(vocabulary)
        texts.append(" ".join(tokens))
    groups = near_duplicate_groups(len(texts), texts.__getitem__, 0.7)
    expected = np.arange(len(texts))
    for i in range(len(texts)):
        for j in range(i):
            a, b = by_hand(texts[i], 5), by_hand(texts[j], 5)
            if len(a & b) / len(a | b) >= 0.7:
                expected[expected == expected[i]] = expected[j]
    np.testing.assert_array_equal(groups, expected)
    assert len(set(groups.tolist())) < len(texts) - 2


def test_empty_documents_are_no_duplicates():
    texts = ["", "", "one two three four five six", "one two three four five six"]
    assert near_duplicate_groups(4, texts.__getitem__, 0.8).tolist() == [0, 1, 2, 2]
