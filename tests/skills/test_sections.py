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
        "When **not** to use\n---------------\n\n- videos\n\nNext\n====",
        "## When **NOT** to use\n\n- videos",
        "## When _not_ to use it\n\n- videos",
        "## 3. When not to use\n\n- videos",
        "### 2.1 Out of scope\n\n- videos",
        "## When NOT to activate\n\n- videos",
        "## Do NOT activate for\n\n- videos",
        "## When this skill does not apply\n\n- videos",
        "## When you should not use this\n\n- videos",
        "## Not covered\n\n- videos",
        "## What's not in scope\n\n- videos",
        "## What is out of scope?\n\n- videos",
        "## What it does NOT cover (yet)\n\n- videos",
        "## Avoid using it for\n\n- videos",
        "## Constraints & non-goals\n\n- videos",
        "## Quand ne pas l'utiliser\n\n- videos",
        "## Cuándo no usarlo\n\n- videos",
        "## Fora do escopo\n\n- videos",
        "## Quando non usare\n\n- videos",
        "## 使用しない場合\n\n- videos",
        "## 対象外\n\n- videos",
        "## 이 스킬을 사용하지 말아야 할 때\n\n- videos",
        "This skill does not cover:\n- videos",
        "This skill does **not** handle:\n- videos",
        "It does not cover: videos",
        "It is not for:\n- videos",
        "Not covered here: videos",
        "Do not activate when somebody wants videos.",
        "Do NOT load this skill for videos.",
        "Skip this skill when there are videos.",
        "Do NOT use for: videos",
        "**Do not use** for videos, **or** sound.",
        "Don't use it when\nthere are videos.",
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
        "- Do not use for bars.\n",
        "- **Don't use it for bars**: they are wide.\n",
        "Never use for bars:\n\n- red\n",
        "It does not cover the axis.\n",
        "## When not to sort\n\nRows in time.\n",
        "## 3. Not found\n\nAsk.\n",
        "Bars\n----\n\nDraw.\n",
    ],
)
def test_instructions_on_what_not_to_do_stay(body):
    assert without_exclusions(body) == body


def test_what_follows_an_excluding_paragraph_stays():
    body = "Do not use this skill for:\n\n- videos\n\nDraw it.\n\n- plot\n"
    assert without_exclusions(body) == "Draw it.\n\n- plot\n"
    assert without_exclusions("- Not for videos\n- plot\n") == "- plot\n"
