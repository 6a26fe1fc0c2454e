"""Front matter whose faults are read through, and told."""

import time

import pytest
from tests.skills.test_frontmatter import FIELDS, md, parsed, skipped

from skillret.skills.frontmatter import MAX_FILE_BYTES, MAX_FRONT_MATTER, parse_skill


def test_a_key_that_stands_twice_is_told_and_the_last_is_used():
    front = "name: pdf-tools\ndescription: Plans weekly menus.\ndescription: Sends allergen sheets."
    skill, notes = parsed(front)
    assert skill.description == "Sends allergen sheets."
    assert notes == [
        "`description` stands twice in its front matter, of which 'Sends allergen sheets.' is used;"
        " keep one of them"
    ]


def test_two_spellings_of_a_key_are_one():
    skill, notes = parsed("name: pdf-tools\ndescription: Plans menus.\nDescription: Sends sheets.")
    assert skill.description == "Plans menus."
    assert "`description` stands twice in its front matter, of which 'Plans menus.'" in notes[0]


@pytest.mark.parametrize("broken", ["", "\nhint: use when: it rains"])
def test_an_empty_key_takes_nothing_from_an_earlier_one(broken):
    skill, notes = parsed(f"name: pdf-tools\ndescription: Plans menus.\ndescription:{broken}")
    assert skill.description == "Plans menus."
    assert sum("`description` stands twice" in note for note in notes) == 1


def test_keys_of_other_mappings_and_lines_of_a_text_stand_for_themselves():
    inner = "metadata:\n  name: x\n  items:\n    - a: 1\n    - a: 2"
    skill, notes = parsed(f"{FIELDS}\n{inner}")
    assert (skill.name, notes) == ("pdf-tools", [])
    skill, notes = parsed("name: pdf-tools\ndescription: |\n  One.\n  name: two")
    assert (skill.description, notes) == ("One. name: two", [])


def test_conflict_markers_of_git_are_named():
    front = (
        "name: pdf-tools\n<<<<<<< HEAD\ndescription: Plans menus.\n=======\n"
        "description: Sends sheets.\n>>>>>>> other"
    )
    skill, notes = parsed(front)
    assert skill.description == "Sends sheets."
    assert "git's conflict markers stand in its front matter, from line 3 on" in notes[0]
    assert "`description` stands twice" in notes[1]
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("field", "remark"),
    [
        ("disable-model-invocation: treu", "is neither true nor false"),
        ("disable-model-invocation: true,", "was read as true; correct it"),
        ("disable-model-invokation: true", "`disable-model-invokation` was taken for"),
        (" disable-model-invocation: true", "read field by field"),
    ],
)
def test_a_mark_of_the_user_is_read_as_a_person_would(field, remark):
    skill, notes = parsed(f"{FIELDS}\n{field}")
    assert skill.user_only
    assert skill.description == "Reads PDFs."
    assert any(remark in note for note in notes), notes


@pytest.mark.parametrize(
    "field", ["enable-model-invocation: true", "disable-model-invocation:", "disable-user-input: 1"]
)
def test_what_only_looks_like_a_mark_of_the_user_is_none(field):
    skill, notes = parsed(f"{FIELDS}\n{field}")
    assert (skill.user_only, notes) == (False, [])


@pytest.mark.parametrize("long", ["license: " + "x" * 70_000, "items:\n" + "  - a line\n" * 9_000])
def test_of_a_very_long_front_matter_name_and_description_are_read(long):
    front = f"{long}\n{FIELDS}\ndisable-model-invocation: true"
    skill, notes = parsed(front)
    assert (skill.name, skill.description, skill.body) == ("pdf-tools", "Reads PDFs.", "Do it.")
    assert skill.user_only
    (note,) = notes
    assert f"more than {MAX_FRONT_MATTER}: it was read in part" in note


def test_a_very_long_description_is_read_in_part():
    skill, notes = parsed(f"name: pdf-tools\ndescription: {'Reads PDFs. ' * 9_000}")
    assert skill.description.startswith("Reads PDFs. Reads")
    assert len(skill.description) < 5_000
    assert any("it was read in part" in note for note in notes)


def test_a_front_matter_that_ends_behind_the_limit_says_so():
    field = f"license: {'x' * 2 * MAX_FILE_BYTES}"
    skill, notes = parsed(f"{FIELDS}\n{field}")
    assert (skill.name, skill.description) == ("pdf-tools", "Reads PDFs.")
    assert any("does not end within the first 1024 KiB" in note for note in notes)
    assert "does not end within the first 1024 KiB" in skipped(md(f"{field}\n{FIELDS}"))


def test_a_description_behind_a_comment_sign_is_read():
    skill, notes = parsed("name: pdf-tools\ndescription: # Plan weekly menus")
    assert skill.description == "Plan weekly menus"
    assert notes == [
        "`description` begins with `#`, which YAML takes for a comment; it was read all the same:"
        " put it in quotes"
    ]


def test_what_stands_behind_quotes_and_a_number_sign_is_told():
    skill, notes = parsed('name: pdf-tools\ndescription: "Posts" #kitchen which weekly menus')
    assert skill.description == "Posts"
    assert "'#kitchen which weekly menus' behind it was left out" in notes[0]
    skill, notes = parsed("name: pdf-tools\ndescription: 'Posts, #kitchen' # a comment")
    assert (skill.description, notes) == ("Posts, #kitchen", [])


def test_the_parts_of_a_description_do_not_run_into_each_other():
    skill, _ = parsed("name: a\ndescription: {use: Writes invoices, not_for: taxes}")
    assert skill.description == "use: Writes invoices. not_for: taxes"


FORBIDS = "disable-model-invocation: true"
USE = "Use when someone asks about allergens."


@pytest.mark.parametrize(
    "prose",
    [
        USE,
        f"{USE}\n\nAlso for menus.",
        f"**Use when** asked.\n{USE}",
        f"## When to use\n\n{USE}",
        f"{USE}\n\n- menus\n- allergens",
    ],
)
@pytest.mark.parametrize("description", ["Plans menus.", "Plans: menus.", ">\n  Plans menus."])
def test_prose_among_the_fields_belongs_to_the_description(description, prose):
    front = f"name: menus\ndescription: {description}\n\n{prose}\n\nlicense: MIT\n{FORBIDS}"
    skill, notes = parsed(front, "menus")
    assert skill.description.startswith("Plans")
    assert USE in skill.description
    assert skill.user_only
    assert skill.extra["license"] == "MIT"
    assert skill.body == "Do it."
    assert not any("not closed" in note for note in notes)


@pytest.mark.parametrize(
    "body",
    [
        "# Menus\n\nWrite this.\n\n---\n\n## Steps",
        "Plan them.\n\nThen cook.\n\n---\n\nServe.",
        "Plan them, which is\nreactive: menus change.\n\nThen cook.\n\n---\n\nServe.",
        "# Menus\n\n```\n---\nname: x\nlicense: MIT\n---\n```\n",
    ],
)
def test_a_body_with_rules_is_no_front_matter(body):
    data = f"---\nname: menus\ndescription: Plans menus.\n\n{body}\n".encode()
    skill, notes = parse_skill(data, "menus")
    assert (skill.description, skill.body) == ("Plans menus.", body.strip())
    assert notes == ["its front matter is not closed by a line ---"]


def test_a_paragraph_alone_is_the_description_s_but_behind_quotes():
    for description, whole in (("Plans menus.", True), ('"Plans menus."', False)):
        skill, _ = parsed(f"name: menus\ndescription: {description}\n\n{USE}", "menus")
        assert (USE in skill.description) is whole
        assert (USE in skill.body) is not whole


@pytest.mark.parametrize(
    "front",
    [
        f"{FIELDS}\ndisable-model-invocation = true",
        f"{FIELDS}\n{FORBIDS}\ndisable-model-invocation: false",
        f"{FIELDS}\ndisable-model-invocation: false\n{FORBIDS}",
        f"name: pdf-tools\n{FORBIDS}\ndescription: Reads PDFs: all.\ndisable-model-invocation: no",
        f"{FIELDS}\n---\n{FORBIDS}",
        f"{FIELDS}\nmetadata:\n  {FORBIDS}",
        f"name: pdf-tools\ndescription: |\n  Reads PDFs.\n  {FORBIDS}",
        f"{FIELDS}\n\nAnd more.\n\n{FORBIDS}",
    ],
)
def test_what_forbids_models_is_not_lost(front):
    skill, _ = parsed(front)
    assert skill.user_only
    assert skill.body == "Do it."
    assert "=" not in skill.description


def test_a_mark_below_prose_counts_though_no_fence_follows():
    data = f"---\n{FIELDS}\n\nAnd more.\n\n{FORBIDS}\n\n# Steps\n\nDo it.\n".encode()
    assert parse_skill(data, "pdf-tools")[0].user_only


def test_a_mark_that_is_told_of_forbids_nothing():
    skill, _ = parsed(
        "name: flags\ndescription: >\n  Sets\n  disable-model-invocation: true or not."
    )
    assert not skill.user_only


def test_a_byte_order_mark_below_a_comment_does_no_harm():
    data = f"<!-- c -->\n\ufeff---\n{FIELDS}\n---\nDo it.".encode()
    skill, _ = parse_skill(data, "pdf-tools")
    assert (skill.name, skill.description) == ("pdf-tools", "Reads PDFs.")


def test_prose_among_fields_is_read_in_linear_time():
    start = time.process_time()
    for piece in ("Not for x.\n\n", "a: b\n\nc\n", "\n", "---\n", "d: =\n", "# x\n"):
        parse_skill(md(f"{FIELDS}\n\n{piece * (60_000 // len(piece))}"), "pdf-tools")
    assert time.process_time() - start < 10


SAYS = "Read tide tables and plan harbour arrivals."


@pytest.mark.parametrize(
    "text",
    [
        f"Tide tables\n===========\n\n{SAYS}",
        f"Tide tables\n-----------\n{SAYS}",
        f"===========\nTide tables\n===========\n\n{SAYS}",
        f"Tide tables\n~~~~~~~~~~~\n\n{SAYS}",
        f"**Tide tables**\n\n{SAYS}",
        f"Tide tables\n\n{SAYS}",
        f"# Tide\n\n## Description\n\ntide-tables\n\n{SAYS}",
    ],
)
def test_a_title_is_not_the_first_paragraph_however_it_is_set_off(text):
    skill, notes = parse_skill(text.encode(), "tide")
    assert skill is not None, notes
    assert skill.description == SAYS
    assert notes[0] == "it has no front matter: the first line must be ---"


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("Reads all the tables.\n---\n\nNow look at them.", "Reads all the tables. ---"),
        ("Reads all tide tables\nof the harbour\n---", "Reads all tide tables of the harbour ---"),
        ("Sails boats.\n\nNow look at all of them.", None),
        ("Sails boats\n\n- look at all of them", None),
        ("Sails boats\n\nLook", None),
        ("1) Start\n\n2) Open the table and look at it", None),
    ],
)
def test_a_paragraph_that_is_no_title_stays_the_first(text, description):
    skill, notes = parse_skill(text.encode(), "tide")
    assert (skill and skill.description) == description, notes
    skill, _ = parse_skill(f"---\nname: tide\n---\n{text}".encode(), "tide")
    assert skill.description == description or text.startswith(skill.description)


@pytest.mark.parametrize("heading", ["# Tide", "# Tide\n\n## Meta", "Tide\n====", "Tide\n----"])
@pytest.mark.parametrize("below", ["\n## Steps", "---\n\n## Steps", "---\n## Steps"])
def test_fields_below_a_heading_are_the_front_matter(heading, below):
    text = f"{heading}\n\nname: tide\ndescription: {SAYS}\n{below}\n\nLook.\n"
    skill, notes = parse_skill(text.encode(), "tide-folder")
    assert (skill.name, skill.description) == ("tide", SAYS)
    assert "Look." in skill.body
    assert "description" not in skill.body
    assert any("stands above its front matter" in note for note in notes)


@pytest.mark.parametrize(
    "text",
    [
        f"# Tide\n\nname: of the boat\n\n{SAYS}",
        f"# Tide\n\n{SAYS}\n\nname: x\ndescription: y",
    ],
)
def test_other_fields_below_a_heading_are_not(text):
    skill, _ = parse_skill(text.encode(), "tide")
    assert (skill.name, skill.description) == ("tide", SAYS)


FILE = f"---\nname: tide\ndescription: {SAYS}\n---\n\n# B\n\n```sh\nls\n```\n\nDo it."
BLOCK = f"```markdown\n{FILE}\n```"


@pytest.mark.parametrize("above", ["Here is the SKILL.md file:", "Sure!\nThis is the skill."])
@pytest.mark.parametrize("behind", ["", "\n\nThis skill plans arrivals.\n"])
def test_a_file_in_the_answer_of_a_chat_is_read(above, behind):
    skill, notes = parse_skill(f"{above}\n\n{BLOCK}{behind}".encode(), "tide-folder")
    assert (skill.name, skill.description) == ("tide", SAYS)
    assert skill.body.count("```") == 2
    assert any("stands above its front matter" in note for note in notes)


@pytest.mark.parametrize(
    "text",
    [
        f"# Writing skills\n\nA skill looks like this:\n\n{BLOCK}",
        f"A skill is a file that has a front matter:\n\n{BLOCK}\n\n## Steps\n\nWrite it.",
        f"A skill is a file.\n\nIt has a front matter:\n\n{BLOCK}",
        "A skill is a file that has a front matter:\n\n```\n---\nlicense: MIT\n---\n```\n",
    ],
)
def test_a_file_that_shows_another_one_is_not_that(text):
    skill, _ = parse_skill(text.encode(), "writing-skills")
    assert skill is None or (skill.name, skill.description != SAYS) == ("writing-skills", True)
