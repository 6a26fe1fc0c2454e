import pytest

from skillret.messages import counted, printable


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "skill", "0 skills"),
        (1, "skill", "1 skill"),
        (1, "query", "1 query"),
        (2482, "query", "2,482 queries"),
        (2, "gold index", "2 gold indexes"),
    ],
)
def test_what_is_counted_is_singular_or_plural(number, noun, text):
    assert counted(number, noun) == text


def test_untrusted_text_is_one_harmless_line():
    assert printable("a\x1b[31m\r\n\tb \u202e\x9b") == "a\ufffd[31m b \ufffd\ufffd"
