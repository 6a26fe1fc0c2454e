import pytest

from skillret.agents.prompts import is_follow_up, passed_over


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("  ", "empty"),
        ("x" * 200_000, "characters"),
        ("?!", "no words"),
        ("/compact", "slash command"),
        ("/office:pdf fill the form", "slash command"),
        ("! ls -la", "shell command"),
        ("<command-name>/cost</command-name>", "no person"),
        ("<task-notification>\n<task-id>1</task-id>\n</task-notification>", "no person"),
        ("<local-command-stdout>ok</local-command-stdout>", "no person"),
        ("<any-new-tag>done\nand so on</any-new-tag>", "no person"),
        ("[Request interrupted by user for tool use]", "no person"),
        ("Stop hook feedback:\n- tests fail", "no person"),
    ],
)
def test_what_is_nothing_to_search_for_is_passed_over(prompt, why):
    assert why in passed_over(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "/home/me/report.csv has broken rows, mend it",
        "!! the build is red\nfind out why",
        "<my-element> does not render, why?",
        "<div>hello</div> center this",
        "# npm audit report\n23 vulnerabilities",
        "PDF",
        "日本語",
    ],
)
def test_other_prompts_are_searched_for(prompt):
    assert passed_over(prompt) == ""


FOLLOW_UPS = """
now the same for the other file
do it again for chapter two
then convert the rest too
can you also do it for the invoices from april
make it shorter
now in landscape
now do the other half
fix the other one too
no, the other one
that works, now do the second table
what about the other repo?
how do I do the same for march?
und jetzt noch auf deutsch
もう一度
"""
REMARKS = """
thanks!
thanks, that was all!
thank you so much
thanks again
what time is it?
no, forget it
that looks good to me
that worked, thanks
ok now I get it
commit it
I have to go now, bye
why did that take so long?
is that all?
hm, that's odd
yes, do that
go on then
it's fine now
sorry, that was my mistake
谢谢，就这样
merge three PDF files
"""


@pytest.mark.parametrize("prompt", FOLLOW_UPS.strip().splitlines())
def test_a_few_words_that_ask_for_more_of_the_same_are_a_follow_up(prompt):
    assert is_follow_up(prompt)


@pytest.mark.parametrize("prompt", REMARKS.strip().splitlines())
def test_thanks_and_questions_about_what_was_done_are_none(prompt):
    assert not is_follow_up(prompt)


def test_who_says_much_says_what_it_is_about():
    assert not is_follow_up("fix it " + "and the table " * 40)
