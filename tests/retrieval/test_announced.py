import pytest

from skillret.retrieval.query import asked_words

PROSE = (
    "The release notes for 2.4 are out. The pods kept restarting on Tuesday, so we rolled back the"
    " Terraform change and filled in the PDF form for the audit. Invoices go out tomorrow; the SQL"
    " query for the report is still slow. Thanks for the code review!"
)
MARKDOWN = (
    "# Release notes 2.4\n\n## Fixed\n- Pods no longer restart after the Terraform change\n- The"
    " SQL query is fast\n\n## Known\n- The PDF form cannot be filled in\n- Invoices are missing"
)
NUMBERED = (
    "1. The pods keep restarting since the change.\n2. The SQL query for the report is slow.\n"
    "3. The PDF form must be filled in.\n4. Invoices for March go out tomorrow."
)
HTML = (
    "<html><body><h1>Release notes</h1><p>Pods keep restarting since Tuesday.</p><p>The SQL query"
    " is slow.</p><p>Fill in the PDF form.</p></body></html>"
)
MAIL = (
    "From: Ann <ann@example.org>\nTo: Bob <bob@example.org>\nSubject: pods restarting\n\nHi Bob,"
    " the pods keep restarting since the Terraform change. Can you fill in the PDF form?\n\nAnn"
)
PYTHON = (
    'Traceback (most recent call last):\n  File "/app/report.py", line 12, in <module>\n'
    '    rows = db.execute("SELECT pod")\nsqlalchemy.exc.OperationalError: canceling invoice'
)
JAVA = (
    'Exception in thread "main" java.lang.NullPointerException\n\tat com.Invoice.fill(P.java:42)\n'
    "\tat com.Main.main(Main.java:7)\nCaused by: java.sql.SQLTimeoutException: slow query\n"
    "\t... 3 more"
)
FOREIGN = ("pod", "release", "sql", "invoice", "pdf", "terraform")


def is_free(text):
    return not any(word in asked_words(text).lower() for word in FOREIGN)


@pytest.mark.parametrize("text", [PROSE, MARKDOWN, NUMBERED, HTML])
@pytest.mark.parametrize(
    "around",
    [
        "Translate to German\n\n{}",
        "translate into spanish pls\n{}",
        "tl;dr?\n\n{}",
        "I got this mail from my boss. Translate it.\n\n{}",
        "Hi!\n\nCan you proofread this?\n\n{}",
        "Task: translate into German\nText: {}",
        "In French please:\n\n{}",
        "Kannst du das bitte ins Deutsche übersetzen?\n\n{}",
        "Corrige ce texte :\n\n{}",
        "¿Puedes traducir este texto?\n\n{}",
        "润色这段文字：\n\n{}",
        "把下面这段话缩短\n\n{}",
        "How many words are in the following text?\n\n{}",
        "What language is this?\n\n{}",
        "what is this about?\n\n{}",
        "Turn this into a newsletter:\n\n{}",
        "Translate ```\n{}\n``` to French",
        "{}\n\n翻译成中文",
        "{}\n\nTraduis ce texte.",
        "{}\nBitte ins Deutsche übersetzen.",
        "{}    Bitte ins Deutsche übersetzen.",
    ],
)
def test_a_text_beside_a_request_to_handle_it_is_material(around, text):
    assert is_free(around.format(text))


def test_a_request_may_begin_the_paragraph_of_the_text():
    assert is_free(f"Translate this to German. {PROSE}")
    assert is_free(f"fix typos: {PROSE}")
    assert is_free(f"{PROSE} Translate this to German.")


@pytest.mark.parametrize("material", [MAIL, f"```\n{MAIL}\n```", f"<input>\n{MAIL}\n</input>"])
@pytest.mark.parametrize(
    "own", ["Translate this to German.", "Summarise this mail.", "Bitte antworte höflich."]
)
def test_a_mail_ends_where_a_request_about_it_begins(material, own):
    assert asked_words(f"{material}\n\n{own}").startswith(own)
    assert is_free(f"{material}\n\n{own}")


def test_an_answer_to_a_quoted_mail_may_be_asked_for_below_it():
    quoted = "On Tue, Ann wrote:\n> the pods keep restarting\n> and SQL is slow"
    assert asked_words(f"{quoted}\n\nHelp me answer politely") == "Help me answer politely"


@pytest.mark.parametrize("trace", [PYTHON, JAVA])
def test_a_trace_can_be_translated(trace):
    assert is_free(f"{trace}\n\nTranslate this to German.")


def test_thanks_above_a_circular_ask_for_nothing():
    for own in ("ok", "Thanks!", "FYI:"):
        assert asked_words(f"{own}\n\nHi all, {PROSE}") == own


def test_the_last_turn_of_a_talk_asks():
    talk = "User: my pods restart\nAssistant: run kubectl describe\nUser: {}"
    asked = "ok thanks. now make an invoice for 3 hours of work"
    assert asked_words(talk.format(asked)) == asked
    for text in (talk.format("and now?"), talk.split("\nUser: {")[0], "User: make an invoice now"):
        assert asked_words(text) == text


def test_who_goes_on_with_their_story_asks_about_that():
    refused = f'apple said no again :(\n\n"{PROSE[:100]}"\n\nbut we do have it, in settings, under'
    query = f"{refused} privacy. what do i answer them"
    assert asked_words(query) == query


def test_a_second_task_below_the_text_stays():
    text = f"Translate this to German:\n\n{PROSE}\n\nThen make slides of it."
    assert "Then make slides of it." in asked_words(text)


@pytest.mark.parametrize(
    "head",
    [
        "My pods are broken",
        "Need help.",
        "Quick question.",
        "ok",
        "Thanks!",
        "Answer in German.",
        "In German please.",
        "Language: German",
        "Build a grammar checker",
        "Translate the app into German.",
        "Our translation is broken.",
        "Summary:",
        "Fix this.",
    ],
)
def test_a_story_below_a_short_head_is_the_user_s_own(head):
    text = f"{head}\n\nSince yesterday we have this: {PROSE}"
    assert asked_words(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"Translate to German\n\nAlso {PROSE}",
        f"Translate to German\n\nWrite {PROSE}",
        f"Write the release notes: {PROSE} Then translate this to German.",
        "Scrape the page\n\ntranslate it to German",
    ],
)
def test_what_may_be_a_second_task_stays(text):
    assert asked_words(text) == text
