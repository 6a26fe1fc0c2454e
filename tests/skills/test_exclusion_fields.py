import time

import pytest

from skillret.skills.exclusion_fields import not_for
from skillret.skills.exclusions import read_purpose
from skillret.skills.frontmatter import parse_skill


def _read(fields: str):
    skill, notes = parse_skill(f"---\nname: a\n{fields}\n---\nBody.\n".encode(), "a")
    assert skill is not None
    return skill, notes


@pytest.mark.parametrize(
    "field",
    [
        "when_not_to_use: videos",
        "when-not-to-use: Videos, or videos with sound.",
        "whenNotToUse: The user has videos. It is a scan of videos.",
        "not_for: videos",
        "exclusions: [videos, sound]",
        "exclusions:\n  - cut videos\n  - it is a scan, see video-tools",
        "do_not_use_for: Do not use for videos.",
        "do-not-trigger-when: somebody asks for videos",
        "dont_use_if: videos",
        "should_not_be_used_for: videos",
        "not_suitable_for: videos",
        "non_goals: videos",
        "out_of_scope: |\n  - videos\n  - Sound. Noise.",
        "anti_triggers: [cut videos, edit videos]",
        "metadata:\n  anti_triggers:\n  - brainstorming\n  - videos",
        "negative-triggers: videos",
        "avoid_when: videos",
        "when_to_avoid: videos",
        "skip_if: videos",
        "do_not_use_for:\n  - when: cutting videos\n    use_instead: video-tools",
        "when_not_to_use: >\n  Não use para videos (use video-tools).",
    ],
)
def test_a_field_says_what_a_skill_is_not_for(field):
    skill, notes = _read(f"description: Makes charts.\n{field}")
    assert not notes
    purpose = read_purpose(skill.description, skill.name)
    assert purpose.wanted == "Makes charts."
    assert "videos" in purpose.excluded.lower()


@pytest.mark.parametrize(
    "field",
    [
        "not: videos",
        "never: videos",
        "exclude: videos",
        "notes: videos",
        "note_for_users: videos",
        "do_not_edit: videos",
        "notifications: videos",
        "not_for: ",
        "not_for: []",
        "do_not_use: true",
        "do_not_trigger: 'no'",
        'exclusions: ["*.mp4", videos/**]',
        "limitations: videos",
    ],
)
def test_other_fields_do_not(field):
    assert _read(f"description: Makes charts.\n{field}")[0].description == "Makes charts."


def test_the_sentences_of_such_a_field_all_say_so():
    skill, _ = _read("description: Makes charts\nwhen_to_use: For bars\nnot_for: Films. Sound.")
    assert skill.description == "Makes charts. For bars. Not for: Films. Not for: Sound."
    assert skill.extra["not_for"] == "Films. Sound."


def test_such_a_field_is_no_description():
    skill, notes = _read("not_for: films")
    assert skill.description == "Body. Not for: films"
    assert "first paragraph stands in" in notes[0]


@pytest.mark.parametrize("part", ["a. ", "a, ", "not ", "\n- a", "。"])
def test_long_fields_are_read_in_no_time(part):
    start = time.process_time()
    not_for({"not_for": part * 30_000, "exclusions": [part] * 30_000})
    assert time.process_time() - start < 3
