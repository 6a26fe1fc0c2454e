import pytest

from skillret.retrieval.sentences import is_list, segments, split_sentences, tasks, unmarked


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


def parts(text):
    return [text[start:end] for start, end in segments(text)]


def test_a_request_of_one_sentence_has_no_parts():
    assert segments("why do my pods restart?") == []
    assert segments("Thanks! Why do my pods restart?") == []


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        (
            "shrink my image and write the release notes",
            ["shrink my image", "write the release notes"],
        ),
        (
            "Hi! Clean this csv, then also please make a chart of it.",
            ["Clean this csv", "make a chart of it."],
        ),
        ("can you shrink my image and write the notes?", []),  # a question is one
        ("add salt and pepper to the soup", []),  # no clause of three words
        ("do a and b and write the c", ["do a and b", "write the c"]),
        ("do this one and do that one and mend it here and end it there and go on home", []),
        ("Read the table and make a plan. Then plan my meals and buy the food.", None),
    ],
)
def test_tasks_within_one_sentence_are_parts(text, clauses):
    sentences = ["Read the table and make a plan.", "Then plan my meals and buy the food."]
    assert parts(text) == (sentences if clauses is None else clauses)


def test_sentences_are_parts_and_many_are_joined_without_loss():
    assert parts("Read the table. Then plan my meals. Read the table.") == [
        "Read the table.",
        "Then plan my meals.",
    ]
    text = [f"This is sentence number {i}." for i in range(30)]
    joined = parts(" ".join(text))
    assert len(joined) == 16
    assert " ".join(joined).split() == " ".join(text).split()


def test_long_runs_of_spaces_and_dots_are_no_boundary():
    long = "a" + " " * 99_000 + "b" + "." * 99_000 + "c"
    assert split_sentences(long) == [long]
    assert segments(long) == []
    assert segments("do it now and " * 7000) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "write the changelog\ndeploy to staging\nplan a trip",
            ["write the changelog", "deploy to staging", "plan a trip"],
        ),
        (
            "write the changelog, deploy to staging, and then plan a trip",
            ["write the changelog", "deploy to staging", "plan a trip"],
        ),
        ("write the changelog. Then deploy it.", ["write the changelog.", "Then deploy it."]),
        (
            "write the changelog, deploy to staging and plan a trip",
            ["write the changelog", "deploy to staging", "plan a trip"],
        ),
        (
            "write the changelog; deploy to staging; and plan a trip",
            ["write the changelog", "deploy to staging", "plan a trip"],
        ),
        (
            "1) write the changelog 2) deploy to staging, 3) plan a trip",
            ["write the changelog", "deploy to staging", "plan a trip"],
        ),
        (
            "1. write the changelog 2. deploy to staging 3. plan a trip",
            ["write the changelog", "deploy to staging", "plan a trip"],
        ),
        ("the report is done; drop it into the book", []),
        ("see the page 3) with the page 7) of it", []),
        ("clean the CSV, JSON, XML", []),  # no tasks of three words
        ("write the changelog", []),
    ],
)
def test_tasks_are_those_of_a_list_or_a_few_sentences(text, parts):
    assert [text[start:end] for start, end in tasks(text, 4)] == parts
    assert is_list(text) == (len(parts) > 2)


def test_what_stands_behind_an_and_may_be_a_thing():
    assert not is_list("the menu feels abrupt, add a nice exit and a lil bounce to it")


def test_a_story_has_no_tasks_and_a_letter_is_no_list():
    story = " ".join(f"And then it did thing {n}." for n in range(6))
    assert tasks(story, 4) == []
    assert not is_list("my pods restart all day\n\nthe logs say nothing\n\nwhat can I do")
    assert not is_list("\n".join(f"do the thing number {n}" for n in range(20)))


def test_marks_of_a_list_are_no_words():
    listed = "1. write the changelog\n2. deploy to staging"
    assert unmarked(listed) == "write the changelog\ndeploy to staging"
    assert unmarked("- write it\n- deploy it") == "write it\ndeploy it"
    assert unmarked("3. write it") == "3. write it"


def test_what_is_ticked_off_is_no_task():
    listed = "- [x] write the changelog\n- [ ] deploy to staging\n- [ ] plan a trip"
    assert unmarked(listed) == "deploy to staging\nplan a trip"
    assert unmarked("- [x] write it\n- [x] deploy it") == "[x] write it\n[x] deploy it"
