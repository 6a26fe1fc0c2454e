import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.lexical.analyzer import (
    STOP_WORDS,
    make_analyzer,
    read_stops,
    read_terms,
    read_words,
)
from skillret.lexical.spelling import normalize


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


@pytest.mark.parametrize(
    "text",
    [
        "Review C++ code, C# and F#; .NET 8, ASP.NET, Node.js, NodeJS, a Go service, Objective-C",
        "K8sHTTPServer fails: getUserById, get_user_by_id, parsePDFs (R&D)",
        "使用React编写 检查发票 猫 서버 로그 サーバー",
        "IT is what WHO does",
        "Java21, .NET8, net8.0, nodejs20, Node.js20 and PostgreSQL16",
    ],
)
def test_the_terms_of_the_words_are_those_of_the_text(text):
    assert [term for word in read_words(text) for term in word.terms] == list(read_terms(text))


@given(st.text())
def test_whatever_is_written_has_the_terms_of_its_normal_form(text):
    words = read_words(text)
    assert read_terms(normalize(text)) == read_terms(text)
    assert all(0 <= w.start < w.end <= len(text) for w in words)


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("IT", ["IT", "it"]),
        ("who?", ["WHO", "who"]),
        ("who is it", ["WHO", "who", "IS", "is", "IT", "it"]),
        ("IT onboarding, not it", ["IT"]),
        ("who reads it", []),
        ("TURN IT INTO A PDF", []),
    ],
)
def test_stop_words_count_where_nothing_else_is_said(text, stops):
    assert read_stops(text) == stops
