"""Signs, quotes, tables and lists that say where a pasted text begins."""

import time

import pytest

from skillret.retrieval.query import asked_words, clean_query

LETTER = (
    "The release notes for 2.4 are out. The pods didn't restart on Tuesday, so we rolled back the"
    " Terraform change and filled in the PDF form. Invoices go out tomorrow; the SQL query is slow."
)
STEPS = "Run terraform apply. Then fill in the PDF form and check all of the pods."
BOXES = "- [ ] Debug pods (Bob)\n- [ ] slow SQL query (Al)\n- [x] release notes"
WORDS = "debug kubernets pods\ntune sql qeury\nfill pdf form"
FOREIGN = ("pod", "release", "sql", "invoice", "pdf", "terraform")


def foreign(text):
    return {word for word in FOREIGN if word in text.lower()}


@pytest.mark.parametrize("sign", [":", " - ", " – ", " -- ", " → ", "->", " => ", " = ", " | "])
@pytest.mark.parametrize(
    "head",
    [
        "Translate to Italian",
        "Hi! Please proofread this",
        "tl;dr",
        "Übersetze das ins Deutsche",
        "Write a post from these notes",
    ],
)
def test_what_stands_for_a_colon_announces_a_text(head, sign):
    assert not foreign(asked_words(f"{head}{sign}{LETTER}"))


@pytest.mark.parametrize(
    "text",
    [
        "Translate this - then write the release notes and debug the pods that keep restarting now",
        "Translate to Italian - our landing page and the release notes",
        "Translate into Italian - can you also write the release notes and look after the pods?",
        "Fix this - pods keep restarting since the Terraform change, the SQL query is slow",
        "Set TZ:Europe/Berlin in the pods and translate:true in the config, then write the release"
        " notes for all of it",
        "spelling-bee = a game that shows the release notes in a PDF form and asks for SQL queries",
    ],
)
def test_a_dash_goes_on_with_what_is_asked(text):
    assert asked_words(text) == text


@pytest.mark.parametrize("quotes", ["''", "‘’", "‚‘", "‹›", "``", '""', "“”", "«»"])
@pytest.mark.parametrize(
    "around", ["What does this say in Italian? {}", "{} - translate that", "Proofread {}, please"]
)
def test_quotes_of_any_kind_hold_a_text(around, quotes):
    for text in (LETTER, f"{LETTER}\n\n{LETTER}"):
        query = around.format(f"{quotes[0]}{text}{quotes[1]}")
        assert not foreign(asked_words(query))


@pytest.mark.parametrize(
    "text",
    [
        f"Our goal is: '{LETTER}' Write the PDF form for that.",
        "Our users' pods are gone and the admins' invoices, so look at the SQL logs, then write the"
        " release notes, since the customers' PDF forms go out tomorrow morning.",
        "Rock 'n' roll and the 'em dash: write the release notes for pods whose Terraform fills in"
        " the PDF form with SQL queries, since the users' invoices are missing.",
        "What does `kubectl get pods` print?",
    ],
)
def test_apostrophes_and_other_quotes_are_the_user_s_own(text):
    assert asked_words(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"Proofread this README section\n\n## Deploying\n\n{STEPS}",
        f"Proofread this paragraph\n\n{STEPS}",
        f"Shorten this blog entry\n{STEPS}",
        f"Can you translate the following chapter\n\n{STEPS}",
    ],
)
def test_a_part_of_a_text_needs_no_colon(text):
    assert not foreign(asked_words(text))


@pytest.mark.parametrize(
    "table",
    [
        "name,task\nBob,debug kubernetes pods\nAl,tune sql query\nEve,fill pdf form",
        "name;task\nBob;debug kubernetes pods\nAl;tune sql query\nEve;fill pdf form",
        'name,task,day\n"Smith, Bob",debug pods,Monday\nAl B,tune sql,\nEve C,fill pdf,Friday',
    ],
)
def test_the_lines_of_a_table_are_material(table):
    for own in ("Correct the spelling in this CSV:", "Plot the tasks of each person"):
        assert asked_words(f"{own}\n{table}") == own


@pytest.mark.parametrize(
    "text",
    [
        "Review my PR:\nfix the bug,then push\nwrite release notes\ncheck pods",
        "I need 1,000 pods\nand 2,000 invoices\nand 3,000 release notes",
        "First, debug pods\nsecond, tune sql\nthird, fill in the pdf",
    ],
)
def test_commas_of_sentences_make_no_table(text):
    assert asked_words(text) == text


@pytest.mark.parametrize("below", [BOXES, WORDS, f"\n{BOXES}"])
@pytest.mark.parametrize(
    "head",
    [
        "Summarise the meeting notes:",
        "Proofread my to-do list:",
        "Translate our button labels:",
        "Fix the typos in these lines:",
        "Fasse die Notizen zusammen:",
    ],
)
def test_lines_below_what_is_done_to_a_named_text_are_that_text(head, below):
    assert not foreign(clean_query(f"{head}\n{below}"))


@pytest.mark.parametrize(
    "text",
    [
        "Translate the app:\n- extract the strings\n- add a switch for pods\n- test the PDF form",
        "Summarise the meeting notes:\n- create an invoice for each item\n- draft release notes",
        "Translate the website:\n- pods\n- invoices\n- PDF forms",
        "Things to do:\n- [ ] debug pods\n- [ ] slow SQL query\n- [ ] release notes",
        "Debug the pods:\n- [ ] look at Terraform\n- [ ] slow SQL query",
    ],
)
def test_tasks_below_a_colon_stay(text):
    assert foreign(clean_query(text)) == foreign(text)


@pytest.mark.parametrize(
    "unit", ["Translate this - ", "'a b c ", "‘a’ ", "`", ' "', '"a",', "a;", "how to 'a b c' "]
)
def test_marks_without_end_take_no_time(unit):
    began = time.perf_counter()
    clean_query((unit * 100_000)[:100_000])
    assert time.perf_counter() - began < 5
