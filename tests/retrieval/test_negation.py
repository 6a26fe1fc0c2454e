import pytest

from skillret.retrieval.negation import denied_before, only_declines, without_negated


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("I don't need a review of it, only a summary of this", "a summary of this"),
        ("please do not deploy to staging, just write the notes", "write the notes"),
        ("write release notes, not a blog post", "write release notes"),
        ("review my code, and not the tests.", "review my code"),
        ("don't write a blog post, write release notes", "write release notes"),
        ("clean the CSV but don't profile it", "clean the CSV"),
        ("Search for TODOs in src. Do not modify files.", "Search for TODOs in src"),
        ("plan a long trip. I don't want a blog post.", "plan a long trip"),
        ("no slides please, a nice chart", "a nice chart"),
        ("plan a trip instead of writing a blog post", "plan a trip"),
        ("stop scraping a website and review my code", "review my code"),
        ("skip the code review and squash the commits", "squash the commits"),
        ("forget about the charts, then clean this CSV", "clean this CSV"),
        ("I already have the notes, now write the newsletter", "write the newsletter"),
    ],
)
def test_what_is_not_asked_for_is_left_out(text, asked):
    assert without_negated(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "please don't change the tests",
        "We don't have a meal plan, just make one",
        "I don't like this chart, just fix it",
        "I don't have release notes yet, just write them",
        "ignore files and folders in git",
        "the tests pass, not sure why",
        "my pods restart but don't have logs",
        "we don't deploy on Fridays in this team",
        "I don't want to lose commits. How do I undo a rebase?",
        "don't know why my pods crash, just fix it",
        "forget it",
        "skip this",
        "write a text that does not need a review, and only one",
        "I already have the notes",
    ],
)
def test_everything_else_stays(text):
    assert without_negated(text) == text


def test_a_story_stays_whole():
    story = f"{'My shop sells shoes. ' * 12}Write a post about it, not a letter"
    assert without_negated(story) == story


@pytest.mark.parametrize(
    "text",
    [
        "do it" + "\n" * 99_000 + "instead of",
        "a" + " " * 99_000 + "but don't",
        "! " * 45_000 + "don't x",
        ", " * 45_000 + "not x",
        "don't " * 16_000,
    ],
    ids=["lines", "spaces", "signs", "commas", "words"],
)
def test_long_runs_are_read_once(text):
    assert len(without_negated(text)) <= len(text)  # with a square of them it would take minutes


def test_a_story_leaves_out_what_it_sets_aside():
    story = f"{'My shop sells shoes. ' * 12}Don't change a word, just put remarks in it"
    assert without_negated(story).split()[-5:] == ["shoes.", "put", "remarks", "in", "it"]


@pytest.mark.parametrize(
    "text",
    [
        "do not use the code-review skill",
        "please don't use code-review again",
        "skip code review this time",
        "never mind the slow SQL query",
        "I don't need an invoice",
        "ok, never mind",
    ],
)
def test_who_only_declines_asks_for_nothing(text):
    assert only_declines(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't use code-review, write the release notes",
        "I don't need an invoice but a receipt",
        "don't let users see stack traces",
        "never mind the typos, translate this",
        "we don't need the old index to be rebuilt when a row changes",
        "skip the intro and write the chapter",
        "stop the pods from restarting",
    ],
)
def test_who_asks_for_something_beside_it_does_not(text):
    assert not only_declines(text)


def test_a_name_may_be_denied():
    text = "use sql-query-tuning, not code-review"
    assert denied_before(text, text.index("code-review"))
    assert not denied_before(text, text.index("sql-query"))
    text = "don't use the csv-cleaning skill"
    assert denied_before(text, text.index("csv"))
    assert not denied_before("not now; csv-cleaning", 9)
