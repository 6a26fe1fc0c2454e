import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.retrieval.material import own_words
from skillret.retrieval.referents import names_material

LONG = (
    "Hi all, the release notes for 2.4 are out. The pods kept restarting on Tuesday, so we rolled"
    " back the Terraform change and filled in the PDF form for the audit. Invoices go out tomorrow."
)
LOG = "\n".join(
    f"2026-01-0{n} 10:00:00 ERROR pod crashed, rolling back terraform" for n in range(1, 6)
)
DIFF = "diff --git a/x.sql b/x.sql\n@@ -1,2 +1,2 @@\n-SELECT invoice\n+SELECT pdf\n"
MAIL = f"From: Bo <bo@example.com>\nSubject: release\n\n{LONG}"
SQL = "SELECT pod\nFROM release\nWHERE invoice > 5"
TABLE = "name\tpod\trelease\nalfa\t1\t2\nbeta\t3\t4"


def unnamed(text):
    """A query as it was, before "this" was called by a name."""
    return re.sub(r"\b([Tt]his) (?:text|diff|SQL query|error log)\b", r"\1", text)


@pytest.mark.parametrize(
    ("own", "material"),
    [
        ("Translate this into French:", f"> {LONG}"),
        ("Translate this into French:", f"> Hi all,\n>\n> {LONG}"),
        ("Please translate the following message to German:", LONG),
        ("Translate to Spanish:", LONG),
        ("Summarize the email below.", f"\n{LONG}"),
        ("Proofread this", f'"{LONG}"'),
        ("Make it friendlier:", f"```\n{LONG}\n```"),
        ("Make it friendlier:", f'"""\n{LONG}\n"""'),
        ("Shorten the text", f"<text>\n{LONG}\n</text>"),
        ("Answer politely", MAIL),
        ("Write a commit message", DIFF),
        ("Write a commit message", f"{DIFF} release()\n+-- pods\n\\ No newline"),
        ("Count the errors by day", LOG),
        ("Which level is worst?", '{"level": "warn", "pod": "a"}\n{"level": "info", "pod": "b"}'),
        ("Turn this into a table", '{"invoice": 1, "pod": {"release": "b"}}'),
        ("Is this sound?", "SELECT pod\nFROM release\nWHERE invoice > 5"),
        ("Is this sound?", 'FROM python\nRUN release\nCMD ["pod"]'),
        ("Is this sound?", "def pod(a):\n    return release(a)\n\nimport invoice"),
        ("Is this sound?", '<invoice id="1">\n  <pod>a</pod>\n</invoice>'),
        ("Who is late?", "[10:01] Ann: the pods\n[10:02] Bo: the release\n[10:03] Ann: why?"),
        ("Who is late?", "POD      STATE     AGE\na-1      Error     3d\nb-2      Running   4d"),
        ("Put this into French for her", f"\nDear Mrs Le Goff, thank you for writing. {LONG}"),
        ("Please get it into English", f"\nHallo Frau Meier, {LONG}"),
        ("pls put this in german, polite:", "the pods keep restarting"),
        ("Could you put this into French? She is formal. Thank you!", f"\n{LONG}"),
        ("Answer it politely", "\nDear Ann,\n\nwhere is the invoice?\n\nBo"),
        ("Draw a chart", TABLE),
        ("请把以下内容翻译成英文:", "发布说明已经完成，服务器在星期二不断重启。" * 5),
    ],
)
def test_a_block_below_a_query_is_material(own, material):
    assert unnamed(own_words(f"{own}\n{material}")) == own


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (f"{LONG}\n\nTranslate the above into French.", "Translate the above into French."),
        (
            f"Translate the following text to French: {LONG}",
            "Translate the following text to French:",
        ),
        (
            f"Here is my draft:\n{LONG}\n\nIs the tone polite?",
            "Here is my draft:\nIs the tone polite?",
        ),
        (
            "Review my code\n```python\nx = 1\n```\nand make it faster",
            "Review my code\npython\nand make it faster",
        ),
    ],
)
def test_own_words_may_stand_on_both_sides(text, own):
    assert unnamed(own_words(text)) == own


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"> {LONG}",
        "use the 'pdf-tables' skill",
        "I get `CrashLoopBackOff`, what now?",
        'kubectl says "Back-off restarting failed container", why?',
        "Do the following:\n- write the release notes\n- review the code\n- translate the README",
        "I need three things: a chart of sales, release notes for 2.4, and a review of my code",
        f"I have a problem.\n\n{LONG}\n\nWhat should I do about the invoices?",
        "Deploy it. x -> y > z",
        "Hi Ann,\n\nwhere is the invoice?",
        "Hi Ann, where is the invoice?",
        "fix the login\n\nhello, also look at the logs please",
        "fix the login\n\nHey Claude, and look at the logs please",
        "Plan my day:\n09:00 museum\n12:30 lunch\n15:00 release party",
        "Plan my day:\nLunch 12:30 PM\nMeeting  3:00 PM\nreview the SQL",
        "Plan my day:\nLunch\n12:30 PM\nMeeting\n3:00 PM\nParty\n8:00 PM",
        "Plan my day:\n09:00 Standup: pods\n10:00 Review: release notes",
        "Rename a.py:\n  to b.py",
    ],
)
def test_everything_else_is_the_user_s_own(text):
    assert own_words(text) == text


TRACE = """Traceback (most recent call last):
  File "/app/run.py", line 10, in <module>
    main()
KeyError: 'sum'"""


@pytest.mark.parametrize("text", [LOG, f"```\n{LOG}\n```", TRACE])
def test_who_pastes_an_error_log_alone_asks_what_is_wrong(text):
    first, rest = own_words(text).split("\n")
    assert first == "find out what is wrong in this error log"
    assert rest.split() == text.split()[:30]


def test_here_is_what_was_pasted_too():
    assert own_words(f"what went wrong here?\n\n{LOG}").startswith(
        "what went wrong here in this error log?"
    )


def test_where_own_words_say_nothing_the_material_begins_to_speak():
    read = own_words(f"fix this:\n```\n{LOG}\n```")
    assert read.startswith("fix this error log:\n")
    assert read.count("fix this") == 1
    assert "pod crashed" in read
    assert len(read.split()) < 40


LIST = "- pods restarting since Tuesday\n- invoice 2041 sent\n- the SQL query is slow"


@pytest.mark.parametrize(
    "own",
    [
        "write a press release from this:",
        "Write a haiku from this list:",
        "Write release notes from these",
        "slides from this\n",
        "minutes from this please:",
        "draft a mail to the team with these points:",
        "Put together a newsletter out of the following items:",
        "write a poem about this:",
        "make this shorter and less stiff:",
        "translate to Spanish:",
        "Summarise:",
        "Reword this for my boss:",
        "翻译成英文：",
    ],
)
def test_what_something_is_made_of_is_material_however_short(own):
    assert unnamed(own_words(f"{own}\n{LIST}")) == own.strip()


@pytest.mark.parametrize(
    "own",
    [
        "do these:",
        "Help me with these points:",
        "write these:",
        "do something about this:",
        "how do I recover from this:",
        "What do I get from this:",
        "I need this from you:",
        "todo from this morning:",
        "plan my trip with these stops:",
        "make this faster:",
        "Translate Product Goals:",
        "Summarize Business Metrics:",
    ],
)
def test_a_list_of_tasks_or_facts_is_the_user_s_own(own):
    assert own_words(f"{own}\n{LIST}") == f"{own}\n{LIST}"


@pytest.mark.parametrize(
    "own",
    [
        "proofread this",
        "Any typos?",
        "make it shorter",
        "Can you fix the grammar?",
        "reply to her",
    ],
)
def test_a_text_above_is_material_of_what_is_asked_below(own):
    letter = f"Hi all,\n\n{LONG}\n\nBest,\nAnna"
    assert unnamed(own_words(f"{letter}\n\n{own}")) == own
    assert unnamed(own_words(f"My story:\n\n{own}")) != own  # nothing long


def test_what_several_people_say_in_turn_is_a_transcript():
    chat = "\n".join(["Anna: hi", "Bob (PM): the pods are down", "Anna: again?", "Bob: yes"])
    assert own_words(f"write meeting notes\n\n{chat}") == "write meeting notes"
    fields = "Goal: a chart\nInput: a CSV file\nOutput: a page"
    assert own_words(f"do this\n\n{fields}") == f"do this\n\n{fields}"


def test_it_may_stand_on_the_same_line():
    for own in ("make this shorter:", "write a haiku about this:", "translate to Spanish:"):
        assert unnamed(own_words(f"{own} the pods keep restarting")) == own


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (f"look at this before i push\n\n{DIFF}", "look at this diff before i push"),
        (f"why is this slow?\n\n{SQL}", "why is this SQL query slow?"),
        (f"what happened here, this is new\n\n{LOG}", "what happened here, this error log is new"),
        (f"make this shorter: {LONG}", "make this text shorter:"),
    ],
)
def test_what_is_called_this_is_called_by_its_name(text, own):
    assert own_words(text) == own
    assert own_words(text, language=True) == own.replace("diff", "SQL diff")
    assert names_material(own) == ("text" not in own)


@pytest.mark.parametrize(
    "own",
    [
        "is this commit all right?",  # has a name
        "thanks, this helped",  # asks for nothing
        "Write a commit message",  # speaks of nothing else
    ],
)
def test_what_has_a_name_or_is_not_spoken_of_gets_none(own):
    assert own_words(f"{own}\n\n{DIFF}") == own


def test_a_file_that_something_is_made_from_says_what_the_task_is_about():
    for text in ("build a dashboard from this: sales.csv", "make slides from these\nnotes.docx"):
        assert own_words(text) == text


RULES = ["---", "=====", "***", "* * *", "___", "──────", "--- text ---"]
MORE = (
    "Write the release notes for 2.4, which has a new parser, a faster index and a page for the"
    " docs, and then deploy it to the staging cluster with helm, and tell Ann about it, please."
)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "own",
    [
        "Translate this message into German.",
        "Summarize the text below.",
        "Is this polite enough?",
        "Can you help?\n\nMake it shorter",
    ],
)
def test_a_rule_sets_apart_what_a_request_speaks_of(own, rule):
    for text in (f"{LONG}\n{rule}", LONG, f"\n{LONG}\n\n{LONG}\n", f"{LONG}\n{rule}\n{LONG}"):
        assert unnamed(own_words(f"{own}\n{rule}\n{text}")) == own
    assert unnamed(own_words(f"{own}\n{rule}\n{LONG}\n{rule}\nBe formal.")) == f"{own}\nBe formal."


def test_between_rules_a_text_may_be_short():
    own = "Translate this message into German."
    assert own_words(f"{own}\n---\nThe pods keep restarting.\n---") == own


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "own", ["Translate the above into German.", "Translate it.", "Any typos?", "proofread please"]
)
def test_a_rule_sets_apart_what_a_request_looks_back_on(own, rule):
    for text in (LONG, f"{rule}\n{LONG}", f"{LONG}\n{rule}\n{LONG}\n"):
        assert own_words(f"{text}\n{rule}\n{own}") == own


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "tasks",
    [
        ("Fix this failing test in the parser.", "Then write the release notes."),
        ("Fix this failing test in the parser.", MORE),
        ("Review this PR and merge it.", MORE, "Tell Ann."),
        ("Summarize this mail.", f"Then {MORE}"),
        ("Summarize this mail.", "Review my pull request", "Deploy to staging"),
        ("Summarize the meeting notes in notes.md", MORE),
        ("Build a dashboard of sales", MORE),
        ("Please do the following:", f"1. {MORE}"),
        ("Do these tasks:", "release notes", f"pods {LONG}"),
        (MORE, "Translate README.md into German"),
        (MORE, "Translate it into German"),
        ("", MORE),
    ],
)
def test_a_rule_between_two_requests_leaves_both(tasks, rule):
    text = f"\n{rule}\n".join(tasks).strip()
    assert own_words(text) == text


def test_tags_may_stand_within_a_line():
    own = "Translate the document into German."
    for tag in ("document", "doc", "message", "anything", "text"):
        assert own_words(f"{own} <{tag}>{LONG}\n{LOG}</{tag}>") == own
        assert own_words(f'<{tag} id="1">{LONG}</{tag}> {own}') == own
    assert own_words("Translate <text>the pods restart</text> into German").split() == [
        "Translate",
        "into",
        "German",
    ]


def test_what_follows_material_that_was_announced_is_asked():
    for text in (
        f"<text>{LONG}</text> and write a tweet",
        f"\n```\n{LONG}\n```\nand write a tweet",
    ):
        assert own_words(f"Summarize: {text}").split() == "Summarize: and write a tweet".split()


def test_a_fence_may_be_long():
    for fence in ("~~~~~~", "``````", "````"):
        own = "Is this polite enough?"
        assert own_words(f"{own}\n{fence}\n{LONG}\n{fence}") == own


def test_tags_around_few_words_or_a_task_are_the_user_s_own():
    for text in (
        "make <b>this word</b> bold in <title>my page</title>",
        f"<task>{MORE}</task>",
        "is <a><a><a> closed by </b>?",
    ):
        assert own_words(text) == text
    task = "<task>\nWrite the release notes\n</task>"
    assert own_words(f"{task}\n<context>\n{LONG}\n</context>") == task


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("BEGIN", "END"),
        ("START OF TEXT", "END OF TEXT"),
        ("--- BEGIN ---", "--- END ---"),
        ("-----BEGIN MAIL-----", "-----END MAIL-----"),
        ("### TEXT ###", "### END ###"),
        ("### TEXT ###", "### TEXT END ###"),
        ("[TEXT]", "[/TEXT]"),
        ("<<< text >>>", "<<< end of text >>>"),
    ],
)
def test_marks_set_apart_what_stands_between_them(begin, end):
    own = "Translate this into German."
    for text in (LONG, "the pods restart"):
        block = f"{begin}\n{text}\n{end}"
        assert unnamed(own_words(f"{own}\n{block}")) == own
        assert unnamed(own_words(f"{block}\n{own}")) == own
    assert own_words(f"do it\n{begin}\npods") == f"do it\n{begin}\npods"


@pytest.mark.parametrize(
    "talk",
    [
        f"bob  10:14 AM\n{LONG}\n\nann  10:16 AM\nwhy?",
        f"Bob Smith\n  10:14 AM\n{LONG}\nAnn Lee\n  10:16 AM\nwhy?",
        f"[10:14 AM] Bob Smith\n{LONG}\n[10:16 AM] Ann\nwhy?",
        f"bob 10:14 AM\n{LONG}\nann 10:15 AM\nwhy?\nbob 10:16 AM\nok",
        f"Ann — Today at 10:14\n{LONG}\nBob — Today at 10:15\nwhy?",
        f"[00:01] Ann: the pods\n{LONG}\n[00:20] Bob: why?",
        "[12/05/24, 10:14:03] Ann: the pods\n[12/05/24, 10:15:03] Bob: why?",
        f"1. From: Bo, Subject: Pods\n{LONG}\n2. From: Ann <a@b.c>, Subject: SQL",
        "- From: Bo; Subject: Pods\n- From: Ann; Subject: SQL",
        "1. From: Bo\n   Subject: Pods\n2. From: Ann\n   Subject: SQL",
    ],
)
def test_talk_and_lists_of_mails_are_material(talk):
    own = "What should I answer?"
    for text in (f"{own}\n{talk}", f"{own}\n\n{talk}\n\n{LONG}", f"{talk}\n\n{own}"):
        assert own_words(text) == own


LINES = st.sampled_from(
    [
        *RULES,
        "BEGIN",
        "END",
        "bob  10:14 AM",
        "1. From: Bo, Subject: pods",
        "fix it",
        "```",
        "> a",
        '"""',
        "<x>",
        "</x>",
        LOG,
        DIFF,
        MAIL,
        "Review this:",
        "",
        LONG,
    ]
)


@given(st.lists(st.one_of(LINES, st.text())).map("\n".join))
def test_something_is_left_and_no_more_than_was_there(text):
    own = own_words(text)
    assert bool(own.strip()) == bool(text.strip())
    there = {*text.split(), *text.replace("```", " ").split()}
    asked = set("find out what is wrong in this".split())
    assert set(unnamed(own).split()) <= there | asked or '"' in text
