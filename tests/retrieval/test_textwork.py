import pytest

from skillret.retrieval.textwork import (
    handles_text,
    hands_text_over,
    said_plainly,
    translates,
    without_quoted,
)


@pytest.mark.parametrize(
    "request_",
    [
        "Translate to German",
        "translate into spanish pls",
        "tl;dr?",
        "proofread this",
        "fix typos:",
        "Task: translate into German",
        "In French please:",
        "EN->DE",
        "Translation needed:",
        "translate to klingon for my boss",
        "Translate this to German for our customers in Austria, formal",
        "Could you give me a French version of this:",
        "give me 3 bullet points of this:",
        "How many words are in the following text?",
        "What language is this?",
        "what is this about?",
        "Turn this into a newsletter",
        "Encode this as base64:",
        "Is the tone of this message ok?",
        "Kannst du das bitte ins Deutsche übersetzen?",
        "Fasse den Text zusammen:",
        "Korrigiere bitte diesen Text:",
        "Was steht in dieser Mail?",
        "Mach das kürzer",
        "Wie viele Wörter hat dieser Text?",
        "Traduis ce message en français :",
        "Corrige ce texte :",
        "Raccourcis ce paragraphe",
        "Traduce este mensaje al español:",
        "¿De qué trata este texto?",
        "翻译成中文",
        "请总结这篇文章的要点",
        "润色这段文字：",
        "このメールを英語に翻訳してください",
        "Traduci in italiano",
        "переведи на французский",
    ],
)
def test_a_request_to_handle_a_text_says_no_more(request_):
    assert handles_text(request_)


@pytest.mark.parametrize(
    "request_",
    [
        "My pods are broken",
        "Need help.",
        "Thanks!",
        "Translate the app",
        "Translate README.md to French",
        "Add translations for German",
        "build a grammar checker",
        "turn this into a dashboard",
        "summarize sales by region",
        "Summarise the pods incident for Ann",
        "Summarize Business Metrics:",
        "Fix Summary for Developers:",
        "Summary of the problem:",
        "Zusammenfassung:",
        "Here is a summary:",
        "See the summary below.",
        "I'm building translations like this:",
        "Our translation is broken.",
        "The reply is slow",
        "Short summary of what I need:",
        "Answer in German.",
        "In German please.",
        "Antworte kurz.",
        "Resume this session",
        "Review this PR",
        "Rewrite this function in Go:",
        "Explain this error:",
        "I have a German shepherd",
        "Which language should I use?",
        "I get CrashLoopBackOff on deploy",
    ],
)
def test_a_request_for_anything_else_does_not_handle_a_text(request_):
    assert not handles_text(request_)


def test_an_answer_is_asked_for_below_a_text():
    for request in ("Help me answer politely", "Bitte höflich antworten", "Responde a este correo"):
        assert handles_text(request, below=True)
    assert not handles_text("Answer in German.", below=True)


def test_within_a_paragraph_only_what_points_at_a_text_is_about_it():
    assert hands_text_over("Translate this to German.")
    assert hands_text_over("Bitte ins Deutsche übersetzen.")
    assert not hands_text_over("proofread please")
    assert not hands_text_over("Reply to this email as my client.")


@pytest.mark.parametrize(
    ("own", "plain"),
    [
        ("Bitte ins Deutsche übersetzen.", "translate a text"),
        ("In French please:", "translate a text"),
        ("How do you say   in Italian?", "translate a text"),
        ("Hi!\nTL;DR", "summarize a text"),
        ("fix typos:", "proofread a text"),
    ],
)
def test_the_usual_tasks_are_said_in_plain_english(own, plain):
    assert said_plainly(own) == f"{own} ({plain})"
    assert translates(own) == (plain.startswith("translate") and "say" not in own)


@pytest.mark.parametrize(
    "own", ["Summarise this error log", "What language is this?", "Review my code", "ok"]
)
def test_other_tasks_and_other_material_keep_their_words(own):
    assert said_plainly(own) == own


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('How do you say "please fill in this PDF form" in Italian?', "How do you say in Italian?"),
        ("Translate 'How do I tune a slow SQL query?' to German", "Translate to German"),
        ("Wie sagt man auf Französisch: 'the pods restart'?", "Wie sagt man auf Französisch: ?"),
        ("Shorten this: “the pods don't restart at all”", "Shorten this:"),
    ],
)
def test_what_is_quoted_to_be_handled_is_left_out(text, rest):
    assert without_quoted(text).split() == rest.split()


@pytest.mark.parametrize(
    "text",
    [
        'I get "CrashLoopBackOff" on deploy',
        'why does "connection refused by the host" happen',
        "What does 'Back-off restarting failed container' mean in Kubernetes?",
        "Explain 'canceling statement due to timeout' to me",
        "fix Ann's pods, Bob's release notes and the users' invoices",
        'Rename "release notes" to "what is new" and translate the app',
    ],
)
def test_what_else_is_quoted_is_the_substance(text):
    assert without_quoted(text) == text
