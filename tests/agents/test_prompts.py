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


def test_a_few_words_that_point_at_what_was_said_are_a_follow_up():
    for prompt in ("now the same for the other file", "und jetzt noch auf deutsch", "もう一度"):
        assert is_follow_up(prompt)
    for prompt in ("thanks!", "merge three PDF files", "fix it " + "and the table " * 40):
        assert not is_follow_up(prompt)
