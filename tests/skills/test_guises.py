"""Fields that are written in another guise than YAML's, and what only looks like them."""

import time

import pytest
from tests.skills.test_frontmatter import md

from skillret.skills.frontmatter import parse_skill
from skillret.skills.guises import from_comment, from_guise

SAYS = "Read tide tables and plan harbour arrivals."
BODY = "# Steps\n\nDo it."


@pytest.mark.parametrize(
    ("guise", "top"),
    [
        ("Markdown", f"**Name**: tide\n\n**Description**: {SAYS}\n"),
        ("Markdown", f"# Tide\n\n**Name:** `tide`\n**Description:** {SAYS}\n**License:** MIT\n"),
        ("Markdown", f"# Tide\n\n- **name**: tide\n- **description**: {SAYS}\n"),
        ("Markdown", f"- name: tide\n- description: {SAYS}\n"),
        ("Markdown", f"* `name`: tide\n* `description`: {SAYS}\n\nOf boats.\n\n---\n"),
        ("Markdown", f"> name: tide\n> description: {SAYS}\n"),
        ("Markdown", f"Tide\n====\n\n__Name__: **tide**\n\n__Description__: {SAYS}\n"),
        ("Markdown", f"---\n**name**: tide\n**description**: {SAYS}\n---\n"),
        ("Markdown", f"---\nname: tide\n**description**: {SAYS}\n---\n"),
        ("Markdown", f"---\n- **name**: tide\n- **description**: {SAYS}\n---\n"),
        ("JSON", f'```json\n{{"name": "tide", "description": "{SAYS}"}}\n```\n'),
        (
            "JSON",
            f'```json\n{{\n  "v": 1,\n  "name": "tide",\n  "description": "{SAYS}",\n}}\n```\n',
        ),
        ("JSON", f'{{\n  "name": "tide",\n  "description": "{SAYS}"\n}}\n'),
        ("JSON", f'```\n{{"skill": {{"name": "tide", "description": "{SAYS}"}}}}\n```\n'),
        ("tags", f"<name>tide</name>\n<description>{SAYS}</description>\n"),
        ("tags", f"---\n<name>tide</name>\n<description>\n  {SAYS}\n</description>\n---\n"),
        ("tags", f"<skill>\n<name>tide</name>\n<description>{SAYS}</description>\n</skill>\n"),
        ("a comment", f"<!--\nname: tide\ndescription: {SAYS}\n-->\n"),
        ("a comment", f"<!--\n---\nname: tide\ndescription: {SAYS}\n---\n-->\n"),
        ("a comment", f"# Tide\n<!-- name: tide -->\n<!-- description: {SAYS} -->\n"),
        ("a table", f"| name | description |\n| --- | --- |\n| tide | {SAYS} |\n"),
        ("a table", f"| Name | tide |\n|:--|:--|\n| Description | {SAYS} |\n"),
    ],
)
def test_fields_in_another_guise_are_read_and_told(guise, top):
    skill, notes = parse_skill(f"{top}\n{BODY}\n".encode(), "tide")
    assert skill is not None, notes
    assert (skill.name, skill.description) == ("tide", SAYS)
    assert skill.body.endswith(BODY)
    assert "description" not in skill.body.lower()
    assert any(f"its fields are written as {guise}" in note for note in notes)


def test_what_should_be_json_is_read_by_the_keys_that_matter():
    front = "{name: tide, description: Read: tide tables, and: more, license: MIT, tags: [a, b]}"
    skill, notes = parse_skill(md(front), "tide")
    assert (skill.name, skill.description) == ("tide", "Read: tide tables, and: more")
    assert skill.extra == {"license": "MIT", "tags": "[a, b]"}
    assert "written as JSON" in notes[0]


@pytest.mark.parametrize(
    "text",
    [
        f"# Tide\n\n{SAYS}\n\n**Name**: of the boat\n\n**Description**: of it\n",
        f"# Tide\n\n{SAYS}\n\n<name>x</name><description>y</description>\n",
        f'# Tide\n\n{SAYS}\n\n```json\n{{"name": "x", "description": "y"}}\n```\n',
        f"# Tide\n\n<!-- TODO: describe it -->\n\n{SAYS}\n",
        f"<!--\nname: x\n-->\n\n# Tide\n\n{SAYS}\n",
        f"| boat | draught |\n| --- | --- |\n| x | 2 m |\n\n{SAYS}\n",
        f"| trigger | description |\n| --- | --- |\n| tide | sail |\n\n{SAYS}\n",
        f"| name | description |\n| --- | --- |\n| a | b |\n| c | d |\n\n{SAYS}\n",
        f"# Tide\n\n**Note**: x\n\n{SAYS}\n",
    ],
)
def test_what_stands_elsewhere_or_describes_nothing_is_no_field(text):
    skill, notes = parse_skill(text.encode(), "tide")
    assert (skill.name, skill.description) == ("tide", SAYS)
    assert not any("its fields are written as" in note for note in notes)


@pytest.mark.parametrize(
    "front",
    [
        f"name: tide\ndescription: {SAYS}\nmetadata:\n  - name: x\n  - description: y",
        f"name: tide\nitems:\n- description: y\ndescription: {SAYS}\nhint: a: b",
        f"- name: tide\n- description: {SAYS}",
        f"skill:\n  name: tide\n  description: {SAYS}",
    ],
)
def test_lists_of_yaml_are_left_to_yaml(front):
    skill, notes = parse_skill(md(front), "tide")
    assert (skill.name, skill.description) == ("tide", SAYS)
    assert not any("its fields are written as" in note for note in notes)


def test_a_text_with_keys_in_bold_stays_one():
    front = "name: tide\ndescription: Sets: fields.\n  **Name**: of the boat\nlicense: MIT"
    skill, _ = parse_skill(md(front), "tide")
    assert (skill.name, skill.description) == ("tide", "Sets: fields. **Name**: of the boat")


def test_a_front_matter_below_a_comment_with_fields_is_the_one_that_counts():
    text = f"<!--\nname: old\ndescription: old\n-->\n---\nname: tide\ndescription: {SAYS}\n---\nB"
    skill, _ = parse_skill(text.encode(), "tide")
    assert (skill.name, skill.description) == ("tide", SAYS)


def test_guises_without_end_take_no_time():
    start = time.process_time()
    pieces = ("<a>", "**a**: b\n", "{name: ", "| a ", "<!-- a\n", "- a: b\n", '{"a":', " \t", "`")
    for piece in pieces:
        for top in ("", "---\n", "# T\n\n", '{"description": '):
            text = top + piece * (100_000 // len(piece))
            for lines in (text.split("\n"), text.replace(" ", "\n").split("\n")):
                from_guise(lines, [])
                from_comment(lines, [])
            parse_skill(text.encode(), "tide")
    assert time.process_time() - start < 20
