import pytest

from skillret.retrieval.negation import without_negated


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("I don't need a review of it, only a summary of this", "only a summary of this"),
        ("please do not deploy to staging, just write the notes", "just write the notes"),
        ("skip the code review and squash the commits", "squash the commits"),
        ("forget about the charts, then clean this CSV", "clean this CSV"),
        ("I already have the notes, now write the newsletter", "now write the newsletter"),
    ],
)
def test_what_is_not_asked_for_is_left_out(text, asked):
    assert without_negated(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "please don't change the tests",
        "don't know why my pods crash, just fix it",
        "forget it",
        "skip this",
        "write a text that does not need a review, and only one",
        "I already have the notes",
    ],
)
def test_everything_else_stays(text):
    assert without_negated(text) == text
