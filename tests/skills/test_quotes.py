import time

import pytest

from skillret.skills.frontmatter import parse_skill
from skillret.skills.quotes import plain, unparted, unquoted


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("“menu-planner”", "menu-planner"),
        ("‘Plans. Don’t cook.’", "Plans. Don’t cook."),
        ("„Plant Menüs.“", "Plant Menüs."),
        ("« Planifie. »", "Planifie."),
        ("「献立」", "献立"),
        ('“Plans."', "Plans."),
        ("“Plan” and “cook”", "“Plan” and “cook”"),
        ("„Plan“ und „koche“", "„Plan“ und „koche“"),
        ("“Plan” menus", "“Plan” menus"),
        ("(plans)", "(plans)"),
        ("“", "“"),
        ("", ""),
    ],
)
def test_typographic_marks_around_a_text_are_no_part_of_it(text, inner):
    assert unquoted(text) == inner


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ('"Plans menus."\n\nUse when cooking.\n', "Plans menus. Use when cooking."),
        ('"menu-planner”', "menu-planner"),
        ('"Read" and "write"', '"Read" and "write"'),
    ],
)
def test_a_field_loses_the_quotes_that_are_its_own(entry, text):
    assert plain(entry) == text


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (' "Plans menus.",', '"Plans menus."'),
        (" 'Plans menus.' ;", "'Plans menus.'"),
        (' {"a": 1},', '{"a": 1}'),
        (" [a, b],", "[a, b]"),
        (' "Plan", "cook",', ' "Plan", "cook",'),
        (" Plans menus,", " Plans menus,"),
        (' "Plans', ' "Plans'),
        (' "', ' "'),
        ("", ""),
    ],
)
def test_a_comma_behind_quotes_is_no_part_of_a_field(entry, text):
    assert unparted(entry) == text


@pytest.mark.parametrize("comma", [",", " ,", ";", ""])
def test_lines_of_json_without_its_braces_are_fields(comma):
    front = (
        f'"name": "menu"{comma}\n"description": "Plans \\"menus\\".\\tAll."{comma}\n"tags": ["a"]'
    )
    skill, notes = parse_skill(f"---\n{front}\n---\nDo it.".encode(), "menu")
    assert (skill.name, skill.description) == ("menu", 'Plans "menus". All.')
    assert bool(notes) is bool(comma)


def test_quotes_in_name_and_description_are_told():
    data = "---\nname: “menu-planner”\ndescription: „Plans: menus.“\n---\nDo it.".encode()
    skill, notes = parse_skill(data, "menu-planner")
    assert (skill.name, skill.description) == ("menu-planner", "Plans: menus.")
    assert sum("quotation marks" in note for note in notes) == 2


def test_quotes_without_end_take_no_time():
    start = time.process_time()
    for piece in ("“", '"', "“a” ", "‘\n"):
        unquoted(piece * 100_000)
        plain(piece * 100_000)
        unparted(piece * 100_000 + ",")
    assert time.process_time() - start < 2
