import pytest
from tests.conftest import make_skill

from skillret.lexical.analyzer import STOP_WORDS, lexical_text, make_analyzer, read_words


def test_words_know_their_place_and_terms():
    text = "Do the release_notes, pods!"
    words = read_words(text)
    assert [text[w.start : w.end] for w in words] == ["Do", "the", "release_notes", "pods"]
    assert [list(w.terms) for w in words] == [[], [], ["releas", "note"], ["pod"]]


@pytest.mark.parametrize("text", ["", "!?", "🎉", " \n"])
def test_a_text_without_words_has_none(text):
    assert read_words(text) == []


def test_stop_words_have_no_term_whatever_their_case():
    analyze = make_analyzer().analyze
    assert [w for w in sorted(STOP_WORDS) if analyze(w) or analyze(w.upper())] == []
    assert analyze("a" * 100) == []


def test_name_description_and_body_are_searched():
    assert lexical_text(make_skill("a", "b", "c")) == "a b c"
