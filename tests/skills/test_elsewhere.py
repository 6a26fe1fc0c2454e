import time

import pytest

from skillret.skills.exclusions import read_purpose

DOES = "Makes bar charts from tables."
# Ways to say of videos that they are somebody else's, or nobody's.
ELSEWHERE = """
Cutting videos is explicitly out of scope.
videos are always out of scope.
videos are deliberately not covered.
videos are not currently supported.
videos aren't yet handled.
videos are strictly off-limits.
videos are explicitly excluded.
Cutting videos is video-tools's job.
Cutting videos is video-tools' job.
Cutting videos is `video-tools`'s job.
videos are the domain of video-tools.
videos are someone else's responsibility.
videos are another skill's business.
videos aren't our job.
videos are not what this skill is for.
videos are not for this skill.
videos are left to video-tools.
videos are best left to the clips skill.
videos should be left to video-tools.
videos are a non-goal.
videos are explicit non-goals.
videos are not what it's for.
Cutting videos isn't something this skill does.
videos are none of its business.
Anything with videos is better served by video-tools.
videos lie outside of this.
Cutting videos is video-tools territory.
Reach for video-tools when the user wants videos.
Turn to video-tools if videos are wanted.
Use video-tools when somebody asks for videos.
Prefer video-tools when the user only wants videos.
Load the video-tools skill when videos are wanted.
(videos: not this one.)
videos: not this skill.
videos: not handled.
When asked to cut videos, decline.
If the user wants videos, then look elsewhere.
When somebody requests videos, politely refuse.
When a task is about videos, stand down.
videos are out-of-scope.
videos are not within scope.
videos are not in its scope.
Cutting videos is a different skill.
A separate skill, video-tools, handles videos.
Another skill is for videos.
Defer to video-tools for videos.
Hand off to video-tools for videos.
"""
MEANS = """
If the build fails, stop and look elsewhere.
If a card expires, decline.
When the deadline passes, refuse.
Use mid-session when the user has lost track.
Use step-by-step when the user wants details.
Use dry-run when somebody asks for a preview.
Use side-by-side when comparing.
Reach for type-guards when a union narrows.
The legend is left to the reader.
Explains that the axis is the reader's job.
Finds out what is the job of each service.
Files are left to right.
Says what is clearly stated.
Use when somebody cooks for those who eat no nuts.
Use it for an outline or a title for such a post.
Rows without a date are left out.
A gap is not something it draws as zero.
Run type-checks when the user edits a legend.
Use docker-compose if the user has it.
Use table-charts when the user has a table.
Use log-scale when values differ.
Use chart-maker when somebody asks for a chart.
Use when another skill needs a chart.
Refer to best-practices for details.
Use graph-js for graphs.
"""


@pytest.mark.parametrize("clause", ELSEWHERE.strip().splitlines())
def test_what_is_somebody_elses_is_no_purpose(clause):
    purpose = read_purpose(f"{DOES} {clause} Use when someone asks for a chart.", "chart-maker")
    assert "videos" in purpose.excluded
    assert purpose.wanted == f"{DOES} Use when someone asks for a chart."


@pytest.mark.parametrize("clause", MEANS.strip().splitlines())
def test_what_sends_nobody_away_stays(clause):
    description = f"{DOES} {clause}"
    assert read_purpose(description, "chart-maker") == (description, "")


@pytest.mark.parametrize(
    "part",
    ["x is left to ", "use a-b when ", "when you ask, ", "a-b's job ", "x is explicitly ", "is "],
)
def test_repetitive_texts_are_read_in_no_time(part):
    start = time.process_time()
    assert read_purpose(f"{DOES} {part * 9_000}").wanted
    assert time.process_time() - start < 3
