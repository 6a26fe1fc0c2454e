"""Name and description, where other keys or lines than theirs say them."""

import pytest
from tests.skills.test_frontmatter import parsed

from skillret.skills.fields import written_as


@pytest.mark.parametrize(
    "below",
    [
        "and plans: harbour arrivals, moorings.",
        "Use when: someone asks for tides",
        "Not for: cooking",
        "which plans (in order): harbours, moorings",
        "sails to every harbour: Cork, Brest",
        "knots, bends: all that one ties",
        "Plans trips: those of boats and their crews",
    ],
)
def test_a_line_of_the_description_that_holds_a_colon_is_no_field(below):
    skill, notes = parsed(f"name: pdf-tools\ndescription: Sails boats\n{below}\nlicense: MIT")
    assert skill.description in (f"Sails boats {below}", f"Sails boats. {below}")
    assert skill.extra == {"license": "MIT"}
    assert [note for note in notes if "below the description was read as part of it" in note]


def test_several_lines_below_the_description_are_its_own():
    below = "Use when: asked for tides.\nNot for: cooking."
    skill, notes = parsed(f"name: pdf-tools\ndescription: Sails boats.\n{below}")
    assert skill.description == "Sails boats. Use when: asked for tides. Not for: cooking."
    assert len(notes) == 2


@pytest.mark.parametrize(
    "field",
    [
        "last updated: 2024-01-01",
        "display name: The Tide Tables of All Harbours",
        "short description: Sails boats over all seas",
        "allowed tools: Read, Grep, Bash and more",
        "created by: Ann",
        "plans: harbour arrivals, moorings and more",
        "for-teams: all of those who sail boats",
        "use cases:\n  a: b",
    ],
)
def test_a_key_below_the_description_stays_one(field):
    skill, notes = parsed(f"name: pdf-tools\ndescription: Sails boats\n{field}")
    assert skill.description == "Sails boats"
    assert len(skill.extra) == 1
    assert notes == []


def test_what_does_not_stand_right_below_the_description_stays_a_field():
    skill, notes = parsed("name: pdf-tools\ndescription: Sails.\nlicense: MIT\nand plans: a, b")
    assert (skill.description, notes) == ("Sails.", [])


@pytest.mark.parametrize("key", ["desc", "descr", "Short description", "skill-description"])
def test_a_key_that_is_cut_short_or_longer_is_the_description_s(key):
    skill, notes = parsed(f"name: pdf-tools\n{key}: Reads PDFs.")
    assert skill.description == "Reads PDFs."
    assert notes == [f"`{key}` was taken for `description`; correct it"]


def test_another_word_for_the_description_is_one_if_it_says_something():
    skill, _ = parsed("name: pdf-tools\nsummary: Reads PDFs and scans.")
    assert skill.description == "Reads PDFs and scans."
    skill, _ = parsed("name: pdf-tools\npurpose: demo")
    assert skill.description == "Do it."


@pytest.mark.parametrize("key", ["des", "describe", "label", "scripts"])
def test_other_keys_are_not_the_description_s(key):
    assert written_as({key: "Reads PDFs and scans."}) is None


def test_the_description_counts_whatever_else_is_called_like_it():
    skill, notes = parsed("name: pdf-tools\ndesc: Old.\ndescription: Reads PDFs.\nsummary: A b c d")
    assert (skill.description, notes) == ("Reads PDFs.", [])


@pytest.mark.parametrize(
    "name", ["[pdf-tools]", "\n  - pdf-tools", "pdf-tools,", "'pdf-tools';", "`pdf-tools`"]
)
def test_a_name_loses_what_is_around_it_with_a_remark(name):
    skill, notes = parsed(f"name: {name}\ndescription: Reads PDFs.")
    assert (skill.name, skill.description) == ("pdf-tools", "Reads PDFs.")
    assert notes


@pytest.mark.parametrize("name", ["a*b", "c`", "_x_", "**"])
def test_marks_within_a_name_are_left(name):
    skill, notes = parsed(f"name: '{name}'\ndescription: Reads PDFs.")
    assert skill.name == name
    assert "breaks the rules" in notes[0]
