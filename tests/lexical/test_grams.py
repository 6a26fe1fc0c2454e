import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import make_skill

from skillret.lexical.grams import (
    EXCLUDED,
    FIRST_NAME,
    GRAMS,
    MAX_CODE,
    WANTED,
    GramReader,
    _words,
    gram_reader,
)
from skillret.lexical.spelling import spell
from skillret.lexical.texts import lexical_text

STOP = {"the", "of", "a"}


def stem(text):
    return [w.rstrip("s") for w in text.lower().split() if w not in STOP]


def read(text, limit=None):
    return GramReader(stem).read(text, limit)


def sets(text, limit=None):
    grams = read(text, limit)
    return {kind: set(getattr(grams, kind).tolist()) for kind in GRAMS}


def test_words_are_kept_as_written_and_once():
    whole = read("Reads the PDF_files, reads\nthe rest!").words
    parts = [read(w).words for w in ("reads", "the", "pdf", "files", "rest")]
    assert whole.tolist() == sorted(int(p[0]) for p in parts)
    assert read("read").words.tolist() != read("reads").words.tolist()


def test_the_number_of_a_word_comes_from_its_letters_alone():
    """What an index stores must mean the same in every process and every version."""
    assert read("pdf").words.tolist() == [zlib.crc32(b"pdf") >> 11]
    pdf, file = (zlib.crc32(w) for w in (b"pdf", b"files"))
    pair = ((pdf * 0x9E3779B1 ^ file) & 0xFFFFFFFF) >> 12
    assert read("pdf files").pairs.tolist() == [(2 << 20) + pair]


def test_pairs_are_ordered_and_pairs_of_stop_words_are_none():
    one, other = read("pull request").pairs, read("request pull").pairs
    assert len(one) == len(other) == 1
    assert one.tolist() != other.tolist()
    assert read("of the").pairs.tolist() == []
    assert len(read("of the request").pairs) == 1


def test_term_pairs_pass_over_stop_words_and_endings():
    first, second = read("pulls of the requests"), read("pull request")
    assert first.term_pairs.tolist() == second.term_pairs.tolist()
    assert len(first.term_pairs) == 1
    assert first.pairs.tolist() != second.pairs.tolist()


def test_nothing_is_read_beyond_the_limit():
    assert sets("one two three four", 2) == sets("one two")


@pytest.mark.parametrize("text", ["", "!?", "the", "one"])
def test_short_texts_have_no_pairs(text):
    grams = read(text)
    assert grams.pairs.tolist() == grams.term_pairs.tolist() == []


@given(st.text(), st.text())
def test_a_part_s_grams_are_the_whole_s(first, second):
    whole, part = sets(f"{first} {second}"), sets(first)
    for kind in GRAMS:
        assert part[kind] <= whole[kind]


@given(st.text())
def test_grams_ascend_and_no_number_is_of_two_kinds(text):
    grams = read(text)
    ends = [0, 2 << 20, 3 << 20, 4 << 20]
    for kind, first, end in zip(GRAMS, ends[:3], ends[1:], strict=True):
        codes = getattr(grams, kind)
        assert codes.dtype == np.uint32
        assert (np.diff(codes.astype(np.int64)) > 0).all()
        assert ((first <= codes) & (codes < end)).all()


@given(st.text(max_size=20), st.text(), st.text())
def test_a_skill_s_grams_are_those_of_its_text_and_the_terms_of_its_name(name, description, body):
    reader = gram_reader()
    codes = reader.read_skill(make_skill(name, description or "x", body))
    assert codes.dtype == np.uint32
    assert (np.diff(codes.astype(np.int64)) > 0).all()
    text = reader.read(lexical_text(make_skill(name, description or "x", body)))
    named = codes[(codes >= FIRST_NAME) & (codes < EXCLUDED)]
    whole = np.unique(np.concatenate([getattr(text, kind) for kind in GRAMS]))
    np.testing.assert_array_equal(codes[codes < FIRST_NAME], whole)
    analyzed = reader._analyze(spell(name))
    assert set(named.tolist()) == set(reader.codes(analyzed, FIRST_NAME).tolist())
    assert codes.max(initial=0) <= MAX_CODE


def test_a_reader_that_has_met_words_reads_as_a_fresh_one():
    reader = GramReader(stem)
    reader.read("the files of a request")
    for kind in GRAMS:
        again = getattr(reader.read("files request"), kind)
        np.testing.assert_array_equal(again, getattr(read("files request"), kind))


def test_terms_of_an_exclusion_have_numbers_of_their_own():
    reader = gram_reader()
    codes = reader.read_skill(
        make_skill("bars", "Makes charts. Not for zebras or charts.")
    ).tolist()
    assert {*reader.codes(["zebra", "chart"], EXCLUDED)} == {
        c for c in codes if EXCLUDED <= c < WANTED
    }
    assert {*reader.codes(["make", "bar", "chart"], WANTED)} == {c for c in codes if c >= WANTED}
    assert max(reader.read_skill(make_skill("bars", "Makes charts."))) < EXCLUDED


@given(st.text() | st.text("aé_- —→✅²中\n\u2028"))
def test_words_are_runs_of_letters_and_digits(text):
    spelled = spell(text)
    words = [word.decode() for word in _words(spelled)]
    assert words == re.findall(r"[^\W_]+", spelled)


def test_words_amid_many_different_signs():
    signs = [chr(c) for c in range(0x2190, 0x2300)]
    assert _words("a".join(signs)) == [b"a"] * (len(signs) - 1)
