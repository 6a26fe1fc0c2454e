import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.skills.exclusions import read_purpose

DOES = "Makes bar charts from tables."
# Ways to say that videos are not what a skill is for.
EXCLUDES = """
Not for videos.
NOT FOR: videos
**Not for** videos.
❌ Not for videos.
Do NOT use for videos.
DO NOT USE FOR: videos (use video-tools), audio.
Don't use this skill for videos.
Don't reach for this when you need videos.
Do not invoke when somebody asks for videos.
Should not be used for videos.
Must not be used when the input is videos.
Never use it on videos.
Does not cover videos.
Doesn't do videos.
It won't handle videos.
This is not an editor of videos.
The skill isn't about videos.
Not intended for videos; use video-tools for that.
Not when the user asks for videos.
Not the right tool for videos.
No good for videos.
Wrong choice for videos.
SKIP on: videos.
Skip it when the user has videos.
Avoid using this for videos.
Ignore this skill for videos.
videos are out of scope.
Out of scope: videos, audio.
Non-goals: videos.
Exclusions: videos.
Limitations: no videos.
For videos, use video-tools instead.
Use video-tools instead for videos.
If the user wants videos, see video-tools.
When they want videos, use the `video-tools` skill.
For videos → use video-tools.
videos: use video-tools.
Prefer video-tools for videos.
Leave videos to video-tools.
videos belong to video-tools.
videos are handled by video-tools.
Unlike tools for videos, it is quick.
Use for stills, not for videos.
Use only for stills; never for videos.
Use when plotting (not for videos).
Use it for stills but do not use it for videos.
Not aimed at videos.
Does not process videos.
Shouldn't be triggered by videos.
Do not fire on videos.
Not in scope: videos.
Do **NOT** use for videos.
`NOT` for videos.
NOT cutting videos.
Refuse requests for videos.
videos? Use video-tools.
videos or audio, say → use video-tools.
Hand off videos to video-tools.
Go to video-tools for videos.
There is another skill for videos.
Use $video-tools for videos.
<exclude>videos</exclude>
Unlike video-tools, which cuts videos, it draws.
Gebruik dit niet voor videos.
Ikke bruk for videos.
Använd inte för videos.
Nepoužívat pro videos.
videos için kullanmayın.
Không dùng cho videos.
Jangan gunakan untuk videos.
Не використовувати для videos.
Da non usare per videos.
Кроме videos.
别用于videos。
何时不使用：videos。
videos除外。
videosを除く。
Don'ts: videos.
⛔ videos.
Unsuitable for videos.
Poor fit for videos.
No support for videos.
With the exception of videos.
Plots everything except videos.
Only for stills, never for videos.
Stills only, not videos.
videos are handled elsewhere.
Use another skill for videos.
For videos: video-tools.
Plots stills (for videos see video-tools).
The video-tools skill handles videos.
`video-tools` is for videos.
Route videos to `video-tools`.
Anything with videos goes to video-tools.
Nicht für videos.
Nicht bei videos verwenden.
Ne pas utiliser pour videos.
N'est pas destiné aux videos.
No usar para videos.
Não usar para videos.
Non usare per videos.
Niet gebruiken voor videos.
Nie używać do videos.
Не использовать для videos.
不适用于videos。
請勿用於videos。
videos请使用video-tools。
You should not use this for videos.
It's not for videos.
Use for stills and NOT for videos.
Plots all tasks except videos.
videos are excluded.
Exclude videos.
Out of scope - videos, audio.
When not to use - videos.
When NOT to use — videos.
Not ideal for videos.
Not related to videos.
Not used for videos.
Not built for videos.
Do not suggest for videos.
Do not auto-trigger for videos.
Limits: no videos.
NOT-FOR: videos.
<not_for>videos</not_for>
Does not file videos.
Won't book videos.
It does not narrate videos.
videos -> video-tools.
videos → video-tools.
Use video-tools for videos.
See video-tools for videos.
video-tools handles videos.
Redirect videos to video-tools.
For videos, see video.
N'utilisez pas pour videos.
Ne l'utilisez pas pour videos.
Verwende diesen Skill nicht für videos.
Nicht verwenden für videos.
Não utilize para videos.
Non usarlo per videos.
禁止在处理videos时使用。
videos에는 사용하지 마십시오.
video-tools owns videos.
Excluded: videos.
Not supported: videos.
Unsupported: videos.
Exceptions: videos.
Off-limits: videos.
Out-of-scope topics: videos.
When to avoid: videos.
Bad for: videos.
What this is not: an editor of videos.
Do-not-use-for: videos.
Doesn't: videos.
Negative examples: videos.
Contraindications: videos.
videos: not supported.
videos? No.
videos excluded.
Explicitly not for videos.
Currently not for videos.
Also not for videos.
Particularly not for videos.
Not (yet) for videos.
That said, it is not for videos.
Kindly don't use it for videos.
Warning: this will not do videos.
NB: no videos!
Must never be used for videos.
Can't be used for videos.
Under no circumstances use it for videos.
Refrain from using it for videos.
Steer clear when somebody wants videos.
Stay away from it for videos.
Don't bother for videos.
Has nothing to do with videos.
Does neither videos nor sound.
Poorly suited to videos.
Currently does not support videos.
videos are not its job.
Note: videos are not covered here.
videos are not part of this skill.
videos are outside its scope.
videos are beyond the scope of this skill.
videos fall outside this skill.
videos are unsupported.
videos aren't supported.
videos are a separate skill.
videos have their own skills.
videos belong elsewhere.
videos are handled by a different skill.
videos should be handled by video-tools.
videos must be handled with `clips`.
videos are managed by video-tools.
videos live in video-tools.
Leave videos to `clips`.
Leave videos to the clips skill.
video-tools covers videos.
video-tools takes care of videos.
video-tools is better for videos.
See also video-tools for videos.
Ask video-tools for videos.
Use video-tools, not this, for videos.
For videos, refer to video-tools.
For videos there is video-tools.
For videos, video-tools is what you want.
If you need videos, video-tools is the right skill.
Need videos? That's video-tools.
videos: video-tools.
videos => video-tools.
Delegates videos to video-tools.
Different from video-tools, which is for videos.
Distinct from video-tools (videos).
Requests about videos should go to video-tools.
If the user asks for videos, hand over to video-tools.
If the user asks for videos, say no.
If the user asks for videos, this skill does not apply.
If the request mentions videos, do not load this skill.
When videos are involved, do not use it.
Use 'video-tools' for videos.
Use "video-tools" for videos.
Use [video-tools](../video-tools/SKILL.md) for videos.
Use /video for videos.
Use the clips skill for videos.
For videos use the clips skill.
Instead, use video-tools for videos.
Whoever wants videos should use video-tools.
The sibling skill video-tools does videos.
Not for sound. Nor for videos.
Not for sound. Same for videos.
Not for the following. 1. Sound. 2. Videos or videos.
Stills only; not videos.
Stills only - no videos.
Plots all charts apart from videos.
Plots stills, whereas video-tools plots videos.
Plots stills | Not for videos | Fast.
Für videos bitte video-tools verwenden.
Pour les videos, utilisez video-tools.
Para videos usa video-tools.
Plots, mais pas les videos.
Plots, pero no videos.
图，但不适用于videos。
不做videos。
videos由video-tools处理。
videosにはvideo-toolsを使うこと。
Route videos to the video-tools skill.
You must not use it for videos.
The skill won't shoot videos.
Anything except videos.
Don't auto-invoke for videos.
Do not recommend this skill for videos.
<do_not_use_for>videos</do_not_use_for>
À ne pas utiliser pour videos.
No lo uses para videos.
No la utilices para videos.
Nicht zuständig für videos.
不要在剪辑videos时使用。
当用户要剪辑videos时不要使用。
當用戶要剪videos時，請勿使用。
禁止用于videos。
排除：videos。
不应用于videos。
videosには使用しないでください。
videosは対象外。
videos에는 사용하지 마세요.
"""
# What looks like it, and is not.
MEANS = """
Use when the page does not load or is not centred.
Use when something isn't working, not only in CI.
Use when you want charts instead of tables.
Use instead of ad-hoc scripts.
Use even if the user does not say "chart".
Use when asked "do not use this for that" or "why doesn't it tie out".
Use this skill for charts; it is not limited to bars.
Handles cases where users cannot log in.
Explains why the build does not start.
Never fabricates numbers.
Do not guess: always run the linter.
Do not use eval in the code it writes.
Find what is missing, not covered by tests, or dead.
Detects unused exclusions: rules that never match.
Not sure where to start? Use this skill.
No configuration needed.
This skill covers lines, end to end.
Read-only: it never writes to a table.
Use no other tool than this.
The order is load → filter → bar-plot.
Maps each column to its kind (numeric → bar-plot).
Use bar-plot to draw.
Use /bars for a chart, /bars:list for all of them.
See below for examples.
Route requests to backend-services by weight.
Won't overwrite your files.
Exclude test files from the report.
Wraps load -> transform -> write-out.
Status changes: open → in-progress.
Not used for years? It still works.
For details, see reference.
Does not require Docker.
It won't break your layout.
Does not guarantee that people look at it.
Rows where the total is NOT for sale are kept.
Says what is in scope and out of scope - in one table.
Explains when to use bars and when not to use them - and why.
Limits: 100 rows a chart.
Ask "should it be a bar?" and "why not?" of each column.
The harness is NOT for bulk data alone.
所有不要的列都在导出时删除。
使わない列を消す。
Use clang-format for C++ and cargo-fmt for Rust.
For local stacks use docker-compose.
For long recordings, use faster-whisper.
Use image-magick for batch resizing.
Prefer pip-tools for lock files.
Für C++ clang-format verwenden.
Bar -> bar-chart; line -> line-chart.
Word documents -> pdf-a. CSV files -> json-lines.
Triggers: tax-return
For bars: bar-charting. For tables: table-test-utils.
Excludes duplicates from mailing lists.
Excludes allergens: nuts, gluten, milk.
Decline requests for refunds politely.
Not-for-profit accounting made easy.
Not for long: finds crashes in logs.
Only the best: picks wines, never cheap ones, for dinner.
Leave requests to HR-tools are filed.
Route requests to api-gateway and defer emails to background-jobs.
No API key required.
Not legal advice.
Keeps what is new (not what is old) in one table.
Use when some rows match, but not all.
Says which formats are not supported.
Use when tables are not covered by tests.
Finds calls that are handled by job-queue.
"""


@pytest.mark.parametrize("clause", EXCLUDES.strip().splitlines())
def test_what_a_skill_is_not_for_is_told_from_what_it_is_for(clause):
    purpose = read_purpose(f"{DOES} {clause} Use when someone asks for a chart.")
    assert "videos" in purpose.excluded
    assert "videos" not in purpose.wanted
    assert "bar charts" in purpose.wanted
    assert "asks for a chart" in purpose.wanted or clause[-1] not in ".。"


@pytest.mark.parametrize("clause", MEANS.strip().splitlines())
def test_what_only_sounds_like_an_exclusion_stays(clause):
    description = f"{DOES} {clause}"
    assert read_purpose(description) == (description, "")


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ("Bars.\nNot for videos\nUse when plotting", "Bars. Use when plotting"),
        ("Bars\nNot for videos\nKeywords: plots", "Bars. Keywords: plots"),
        ("Bars. Not for videos but for plots", "Bars. for plots"),
        ("Bars. Not for videos, only for plots", "Bars. only for plots"),
        ("Not for videos, use for plots", "use for plots"),
        ("Bars. Rather than for videos, use this for plots.", "Bars. use this for plots."),
        ("把文档翻译成英文。不用于videos。", "把文档翻译成英文。"),
        ("Bars. Not for videos; it is for plots", "Bars. it is for plots"),
        ("Bars. Not for videos; it shines at plots", "Bars. it shines at plots"),
        ("Bars. Not for videos, but great for plots", "Bars. great for plots"),
        ("Bars. Do not use for videos, instead use it for plots", "Bars. instead use it for plots"),
        ("Bars.\n- Not for videos\n- For plots", "Bars. - For plots"),
        ("Bars. ❌ videos ✅ plots", "Bars. ✅ plots"),
        ("Bars. Except for videos, it draws all: plots", "Bars. it draws all: plots"),
        ("Balken. Nicht für videos, sondern für Bilder", "Balken. sondern für Bilder"),
    ],
)
def test_what_the_skill_is_for_after_all_ends_an_exclusion(description, wanted):
    purpose = read_purpose(description)
    assert purpose.wanted == wanted
    assert "videos" in purpose.excluded


def test_an_exclusion_ends_with_its_sentence_or_bracket():
    text = "Reviews code (not for prose, e.g. essays) in any language. Not for A; use b-c. Fast."
    assert read_purpose(text) == (
        "Reviews code in any language. Fast.",
        "(not for prose, e.g. essays) Not for A; use b-c.",
    )


def test_a_stop_inside_quotes_ends_the_sentence():
    text = 'Builds pages. Triggers on "location pages," or "many pages." For audits, see seo-audit.'
    assert read_purpose(text).excluded == "For audits, see seo-audit."
    text = "Builds pages, also if asked 'make pages.' Not for audits. Fast."
    assert read_purpose(text) == (
        "Builds pages, also if asked 'make pages.' Fast.",
        "Not for audits.",
    )
    text = 'Not for audits, or "is it any good?" or the like. Fast "everywhere."'
    assert read_purpose(f"Builds pages. {text}").wanted == 'Builds pages. Fast "everywhere."'


@pytest.mark.parametrize(
    "begins",
    [
        "DO NOT USE FOR:",
        "DO NOT TRIGGER WHEN:",
        "Do not use this skill for",
        "NOT for",
        "and NOT for",
    ],
)
def test_capitals_begin_an_exclusion_without_a_stop(begins):
    purpose = read_purpose(f"Finds anomalies in time series {begins} rooms (use room-finder), cars")
    assert purpose == (
        "Finds anomalies in time series",
        f"{begins} rooms (use room-finder), cars",
    )


def test_the_first_sentence_sends_nobody_elsewhere():
    for text in (
        "Use room-finder for rooms.",
        "Route rooms to room-finder.",
        "Does not book rooms.",
    ):
        assert read_purpose(f"{text} Fast.") == (f"{text} Fast.", "")
        assert read_purpose(f"Plots charts. {text}") == ("Plots charts.", text)


def test_whoever_is_sent_to_the_skill_itself_is_not_sent_away():
    text = "Talks to maps. When a route is wanted, use the map-tools skill."
    assert read_purpose(text, "map-tools").excluded == ""
    assert "route" in read_purpose(text, "other-tools").excluded


def test_a_description_of_nothing_but_exclusions_stays_whole():
    assert read_purpose("Not for videos.") == ("Not for videos.", "")


@given(st.text(alphabet='not for use the x-y. ,;()—\n"`:', max_size=120))
def test_no_word_of_a_description_is_lost(text):
    wanted, excluded = read_purpose(text)
    letters = sorted(c for c in text if c.isalpha())
    assert sorted(c for c in wanted + excluded if c.isalpha()) == letters


def test_a_name_points_elsewhere_if_there_is_more_to_it():
    named = "For long recordings, use faster-whisper."
    assert read_purpose(f"Makes notes. {named}").excluded == ""
    assert named in read_purpose(f"Makes notes. Not for dictation. {named}").excluded
    for clause in (
        "For long recordings, use the faster-whisper skill.",
        "For long recordings, use recording-splitter.",
        "For long recordings, use very-long-audio.",
        "For long recordings, see faster-whisper.",
        "For recordings alone use faster-whisper.",
    ):
        assert read_purpose(f"Makes notes. {clause}") == ("Makes notes.", clause)


@pytest.mark.parametrize(
    ("name", "elsewhere"), [("recording-splitter", True), ("loud-and", True), ("llama-cpp", False)]
)
def test_for_a_part_of_its_trade_a_skill_sends_to_what_is_no_tool(name, elsewhere):
    clause = f"For long recordings, use {name}."
    excluded = read_purpose(f"Makes notes of recordings. {clause}").excluded
    assert excluded == (clause if elsewhere else "")


@pytest.mark.parametrize(
    "part",
    ["Not for x. ", "a-b-c: ", "For x, use a-b; ", "1. ", "[a](b) ", "quickly ", "x are ", '"'],
)
def test_repetitive_descriptions_are_read_in_no_time(part):
    assert read_purpose(f"Makes x. {part * 9_000}").wanted
