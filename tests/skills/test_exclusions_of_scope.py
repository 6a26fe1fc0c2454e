"""Sentences of a description that state its scope, and what they leave out."""

import time

import pytest

from skillret.skills.exclusions import read_purpose

DOES = "Makes bar charts from tables."
EXCLUDES = """
Handles stills but not cutting videos.
Handles stills, but not videos.
Covers charts, not videos.
It works on stills, not videos or sound (use video-tools).
Supports tables — not videos.
Use it for stills, NOT videos.
Use this skill for stills, not videos or audio.
For stills — not videos.
For naming a chart, not cutting videos.
This is for stills, not videos.
Not handled: videos.
Not done: videos.
Not meant for: videos.
Not scope: videos.
Outside of scope: videos.
Beyond scope: videos.
Will not: cut videos.
Can't do: videos.
Wrong for: videos.
No-gos: videos.
Isn't suitable for videos.
Is not recommended for videos.
Aren't useful for videos.
It's not ideal for videos.
Ain't for videos.
We do not cut videos here.
We never edit videos.
I don't do videos.
Keep away from this skill for videos.
Stay well away from it when videos are wanted.
Keep clear of this skill for videos.
Look elsewhere for videos.
Pass on this skill if the user has videos.
Leave this skill alone for videos.
Decline if the user asks for videos.
It was never meant for videos.
It is in no way an editor of videos.
This skill stays out of videos.
That excludes videos.
Has no business with videos.
✖ videos.
👎 videos.
🙅 cutting videos.
Note that this skill does not narrate videos.
Be aware that it does not narrate videos.
However, it does not narrate videos.
This skill never narrates videos.
It NEVER narrates videos, and never sounds.
It cannot narrate videos.
The skill can't narrate videos.
HARD BOUNDARY: it never narrates videos.
Boundaries: does not narrate videos.
Caveat: not for videos.
When to skip: videos.
When not: videos.
Not responsible for videos.
Not helpful for videos.
videos gehören nicht dazu.
videos sind nicht Teil davon.
Sauf les videos.
N'inclut pas les videos.
No gestiona videos.
Excepto los videos.
Non gestisce videos.
Tranne i videos.
Não inclui videos.
videos不属于本技能。
"""
MEANS = """
Positive: 4-5 stars. Negative: 1-2 stars.
Keep away from jargon.
It is never late.
The axis stays out of the plot.
We do not store your tables.
We never share what you type.
I don't know what to say.
Use for charts, not just bars.
Use for bars, but not only those.
For long bars use log-scale axes, not colours.
Use when it runs but not on Windows.
Covers what is visible but not rendering.
Handles rows that match, not all of them.
Supports all charts, not only bars.
For every chart it draws a legend, not a title.
Handles pages that load but not yet indexed.
Use it for pages that are up but not responding.
Indexes pages, not posts, by their date.
It never commits secrets.
This skill never guesses.
It never changes behaviour.
It never sends your tables anywhere.
It never makes up numbers.
It never posts, edits or removes a chart without approval.
It never draws a bar until it is asked to.
It cannot be undone.
It cannot fail.
Draws tables it cannot sort.
The agent never narrates.
Reply does not need a chart.
Boundaries are drawn in grey.
Sauf indication contraire.
Salvo indicación contraria.
"""


@pytest.mark.parametrize("clause", EXCLUDES.strip().splitlines())
def test_what_a_scope_leaves_out_is_told_from_what_it_holds(clause):
    purpose = read_purpose(f"{DOES} {clause} Use when someone asks for a chart.")
    assert "videos" in purpose.excluded
    assert "videos" not in purpose.wanted
    assert purpose.wanted.startswith(DOES)
    assert purpose.wanted.endswith("Use when someone asks for a chart.")


@pytest.mark.parametrize("clause", MEANS.strip().splitlines())
def test_what_only_contrasts_stays(clause):
    description = f"{DOES} {clause}"
    assert read_purpose(description) == (description, "")


@pytest.mark.parametrize(
    "part",
    [
        "For x, not y. ",
        "Covers x ",
        "not (",
        "for x - not ",
        "but not ",
        ", not x",
        "We do not ",
        "It never ",
    ],
)
def test_repetitive_scopes_are_read_in_no_time(part):
    start = time.process_time()
    assert read_purpose(f"{DOES} {part * 9_000}").wanted
    assert time.process_time() - start < 3
