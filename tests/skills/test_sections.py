import pytest

from skillret.skills.sections import without_exclusions


def test_sections_on_when_not_to_use_a_skill_are_left_out():
    body = """Intro.
## When to use
charts
## When NOT to use this skill
videos
### Really not
films
```
# a comment in code
```
## Steps
do not use eval
**Out of scope:**
audio
**Then**
plot
"""
    kept = without_exclusions(body)
    assert [w for w in ("videos", "films", "audio", "a comment") if w in kept] == []
    for word in ("Intro", "charts", "Steps", "do not use eval", "plot"):
        assert word in kept
    assert (
        without_exclusions("# Do not use eval\n\nIt is slow.") == "# Do not use eval\n\nIt is slow."
    )


def test_a_heading_without_a_title_is_none_of_them():
    assert without_exclusions("# When not to use\n\nvideos\n\n# \n\ncharts") == "# \n\ncharts"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\x0c", "\u2028"])
def test_sections_are_left_out_wherever_lines_end_otherwise(end):
    body = end.join(["Intro", "## Out of scope", "videos", "## Steps", "charts", "\n# Not so"])
    assert "videos" not in without_exclusions(body)
    assert "charts" in without_exclusions(body)


def test_a_body_that_is_all_marks_is_read_in_no_time():
    assert without_exclusions("# -\n" * 50_000) == "# -\n" * 50_000


@pytest.mark.parametrize(
    "said",
    [
        "Not for videos.",
        "**Not for:** videos",
        "- NOT for: videos",
        "> Not for videos",
        "Out of scope: videos,\nand videos again.",
        "Do not use this skill for videos.",
        "This skill is not for videos.",
        "Do NOT trigger this skill for:\n- videos\n\n- more videos\n  and videos",
        "**When not to use:**\n- videos",
        "## When to skip\n\n- videos",
        "## Nicht verwenden für\n\n- videos",
        "## What this skill cannot do\n\n- videos",
        "When not to use\n---------------\n\n- videos\n\nNext\n====",
    ],
)
def test_paragraphs_and_sections_that_say_what_a_skill_is_not_for_are_left_out(said):
    kept = without_exclusions(f"# Charts\n\nDraw it.\n\n{said}\n\n## Steps\n\nplot\n")
    assert "videos" not in kept
    assert kept.startswith("# Charts\n\nDraw it.\n")
    assert kept.endswith("## Steps\n\nplot\n")


@pytest.mark.parametrize(
    "body",
    [
        "Do not use tabs.\n",
        "It is drawn once and\nNot for each row.\n",
        "```\nNot for videos\n```\n",
        "For long rows use row-splitter.\n",
        "## Limitations\n\nNo videos.\n",
        "Skip if there is no table.\n",
    ],
)
def test_instructions_on_what_not_to_do_stay(body):
    assert without_exclusions(body) == body


def test_what_follows_an_excluding_paragraph_stays():
    body = "Do not use this skill for:\n\n- videos\n\nDraw it.\n\n- plot\n"
    assert without_exclusions(body) == "Draw it.\n\n- plot\n"
    assert without_exclusions("- Not for videos\n- plot\n") == "- plot\n"
