import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skillret.lexical.grams import GramReader

STOP = {"the", "of", "a"}


def stem(text):
    return [w.rstrip("s") for w in text.split() if w not in STOP]


def read(text, limit=None):
    return GramReader(stem).read(text, limit)


def test_words_are_kept_as_written_and_once():
    grams = read("Reads the PDF_files, reads\nthe rest!")
    assert list(grams.words) == ["reads", "the", "pdf", "files", "rest"]


def test_pairs_are_ordered_and_pairs_of_stop_words_are_none():
    one, other = read("pull request").pairs, read("request pull").pairs
    assert len(one) == len(other) == 1
    assert one != other
    assert read("of the").pairs == []
    assert len(read("of the request").pairs) == 1


def test_term_pairs_pass_over_stop_words_and_endings():
    assert read("pulls of the requests").term_pairs == read("pull request").term_pairs
    assert read("pulls of the requests").pairs != read("pull request").pairs


def test_nothing_is_read_beyond_the_limit():
    assert read("one two three four", 2) == read("one two")


@given(st.text(), st.text())
def test_a_part_s_grams_are_the_whole_s(first, second):
    whole, part = read(f"{first} {second}"), read(first)
    for kind in ("words", "pairs", "term_pairs"):
        assert set(getattr(part, kind)) <= set(getattr(whole, kind))


def test_a_reader_that_has_met_words_reads_as_a_fresh_one():
    reader = GramReader(stem)
    reader.read("the files of a request")
    assert reader.read("files request") == read("files request")
    assert np.all([int(code) < 1 << 20 for code in reader.read("a b c d e f").pairs])
