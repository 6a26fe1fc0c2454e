import pytest

from skillret.retrieval.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("One", ["One"]),
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("see v1.2.3 of a.b", ["see v1.2.3 of a.b"]),
        ("a\n\n b \n", ["a", "b"]),
        ("same. same. other.", ["same.", "other."]),
        ("一。二？三", ["一。", "二？", "三"]),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences
