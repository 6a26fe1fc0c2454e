import re
import struct
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skillret.lexical import word_codes
from skillret.lexical.spelling import spell
from skillret.lexical.word_codes import WordCodes, WordRows, plain_words

WORDS = st.text("abcdé中", min_size=1, max_size=20) | st.sampled_from(["of", "a" * 16, "a" * 17])


def stem(text):
    return [] if text == "of" else [text[:5]]


def numbers(word):
    term = "".join(stem(word))
    return [zlib.crc32(word.encode()), zlib.crc32(term.encode())]


@given(st.text() | st.text("aé_- —→✅²中\n\u2028"))
def test_words_are_runs_of_letters_and_digits(text):
    spelled = spell(text)
    words = [word.decode() for word in plain_words(spelled).split()]
    assert words == re.findall(r"[^\W_]+", spelled)


def test_words_amid_many_different_signs():
    signs = [chr(c) for c in range(0x2190, 0x2300)]
    assert plain_words("a".join(signs)).split() == [b"a"] * (len(signs) - 1)
    assert plain_words("é".join(signs)).split() == ["é".encode()] * (len(signs) - 1)


@given(st.lists(st.lists(WORDS, max_size=30), max_size=5))
def test_every_word_of_every_text_has_its_numbers(texts):
    plain = [" ".join(words).encode() for words in texts]
    expected = [numbers(word) for words in texts for word in words]
    known = WordCodes(stem)
    rows = WordRows(known)
    for look_up in (known.look_up, rows.look_up, rows.look_up):
        codes, owners = look_up(plain)
        assert codes.tolist() == expected
        assert owners.tolist() == [n for n, words in enumerate(texts) for _ in words]


def test_words_that_share_a_row_are_told_apart(monkeypatch):
    monkeypatch.setattr(word_codes, "_ROW_BITS", 1)
    text = " ".join(f"w{n % 40}" for n in range(200)).encode()
    known = WordCodes(stem)
    rows = WordRows(known)
    for _ in range(2):
        np.testing.assert_array_equal(rows.look_up([text])[0], known.look_up([text])[0])


def test_a_limit_is_of_each_text():
    codes, owners = WordCodes(stem).look_up([b"a b c", b"d"], limit=2)
    assert codes.tolist() == [numbers(word) for word in "abd"]
    assert owners.tolist() == [0, 0, 1]


def test_no_more_words_are_kept_than_memory_is_for(monkeypatch):
    monkeypatch.setattr(word_codes, "_KNOWN_WORDS", 2)
    known = WordCodes(stem)
    assert known.look_up([b"a b c d"])[0].tolist() == [numbers(word) for word in "abcd"]
    assert known == {word: struct.pack("=II", *numbers(word.decode())) for word in (b"a", b"b")}
