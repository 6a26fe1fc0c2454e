import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import make_skill

from skillret.lexical.grams import (
    EXCLUDED,
    FIRST_NAME,
    MAX_CODE,
    WANTED,
    GramReader,
    gram_reader,
    kinds,
    term_codes,
)
from skillret.lexical.spelling import spell
from skillret.lexical.texts import lexical_text

STOP = {"the", "of", "a"}


def stem(text):
    return [w.rstrip("s") for w in text.lower().split() if w not in STOP]


def read(*texts, limit=None):
    """The numbers of each kind, ascending, as often as they are said."""
    codes, _ = GramReader(stem).read(texts, limit)
    return {kind: codes[span].tolist() for kind, span in kinds(codes).items()}


def sets(text, limit=None):
    return {kind: set(codes) for kind, codes in read(text, limit=limit).items()}


def test_words_are_kept_as_written():
    whole = read("Reads the PDF_files, reads\nthe rest!")["words"]
    parts = [read(w)["words"] for w in "reads the pdf files reads the rest".split()]
    assert whole == sorted(code for codes in parts for code in codes)
    assert read("read")["words"] != read("reads")["words"]


def test_the_number_of_a_word_comes_from_its_letters_alone():
    """What an index stores must mean the same in every process and every version."""
    assert read("pdf")["words"] == [zlib.crc32(b"pdf") >> 11]
    pdf, file = (zlib.crc32(w) for w in (b"pdf", b"files"))
    pair = ((pdf * 0x9E3779B1 ^ file) & 0xFFFFFFFF) >> 12
    assert read("pdf files")["pairs"] == [(2 << 20) + pair]


def test_pairs_are_ordered_and_pairs_of_stop_words_are_none():
    one, other = read("pull request")["pairs"], read("request pull")["pairs"]
    assert len(one) == len(other) == 1
    assert one != other
    assert read("of the")["pairs"] == []
    assert len(read("of the request")["pairs"]) == 1


def test_term_pairs_pass_over_stop_words_and_endings():
    first, second = read("pulls of the requests"), read("pull request")
    assert first["term_pairs"] == second["term_pairs"]
    assert len(first["term_pairs"]) == 1
    assert first["pairs"] != second["pairs"]


def test_nothing_is_read_beyond_the_limit():
    assert sets("one two three four", 2) == sets("one two")


@pytest.mark.parametrize("text", ["", "!?", "the", "one"])
def test_short_texts_have_no_pairs(text):
    grams = read(text)
    assert grams["pairs"] == grams["term_pairs"] == []


@given(st.text(), st.text())
def test_a_part_s_grams_are_the_whole_s(first, second):
    whole, part = sets(f"{first} {second}"), sets(first)
    for kind in part:
        assert part[kind] <= whole[kind]


@given(st.lists(st.text(), max_size=4))
def test_grams_ascend_and_are_those_of_each_text(texts):
    reader = GramReader(stem)
    codes, owners = reader.read(texts)
    assert codes.dtype == np.uint32
    assert (np.diff(codes.astype(np.int64)) >= 0).all()
    for number, text in enumerate(texts):
        np.testing.assert_array_equal(codes[owners == number], reader.read([text])[0])
    ends = [0, 2 << 20, 3 << 20, 4 << 20]
    for span, first, end in zip(kinds(codes).values(), ends[:3], ends[1:], strict=True):
        assert ((first <= codes[span]) & (codes[span] < end)).all()
    assert sum(len(codes[span]) for span in kinds(codes).values()) == len(codes)


@given(st.text(max_size=20), st.text(), st.text())
def test_a_skill_s_grams_are_those_of_its_text_and_the_terms_of_its_name(name, description, body):
    reader = gram_reader()
    codes = reader.read_skill(make_skill(name, description or "x", body))
    assert codes.dtype == np.uint32
    assert (np.diff(codes.astype(np.int64)) > 0).all()
    text, _ = reader.read([lexical_text(make_skill(name, description or "x", body))])
    named = codes[(codes >= FIRST_NAME) & (codes < EXCLUDED)]
    np.testing.assert_array_equal(codes[codes < FIRST_NAME], np.unique(text))
    analyzed = reader._analyze(spell(name))
    assert set(named.tolist()) == set(term_codes(analyzed, FIRST_NAME).tolist())
    assert codes.max(initial=0) <= MAX_CODE


def test_a_reader_that_has_met_words_reads_as_a_fresh_one():
    reader = GramReader(stem)
    reader.read(["the files of a request"])
    again, _ = reader.read(["files request"])
    np.testing.assert_array_equal(again, GramReader(stem).read(["files request"])[0])


@given(st.lists(st.text() | st.text("ab \n中é", max_size=60)), st.integers(0, 3))
def test_skills_read_together_read_as_each_alone(bodies, name):
    skills = [make_skill("ab" * name, "A. Not for b.", body) for body in bodies]
    together = list(GramReader(stem).read_skills([*skills, *skills[:20]] * 3))
    alone = [GramReader(stem).read_skill(skill) for skill in skills]
    for one, other in zip(together, [*alone, *alone[:20]] * 3, strict=True):
        np.testing.assert_array_equal(one, other)


def test_terms_of_an_exclusion_have_numbers_of_their_own():
    reader = gram_reader()
    codes = reader.read_skill(
        make_skill("bars", "Makes charts. Not for zebras or charts.")
    ).tolist()
    assert {*term_codes(["zebra", "chart"], EXCLUDED)} == {
        c for c in codes if EXCLUDED <= c < WANTED
    }
    assert {*term_codes(["make", "bar", "chart"], WANTED)} == {c for c in codes if c >= WANTED}
    assert max(reader.read_skill(make_skill("bars", "Makes charts."))) < EXCLUDED
