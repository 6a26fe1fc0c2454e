import time

import pytest

from skillret.skills.frontmatter import parse_skill
from skillret.skills.toml_front import from_toml, is_toml

FIELDS = 'name = "tide"\ndescription = "Plans: the tide."\n'


@pytest.mark.parametrize(
    "text",
    [
        f"+++\n# licence: MIT\n{FIELDS}+++\n",
        f"+++\n[skill]\n{FIELDS}+++\n",
        f"+++\n[skill]\n{FIELDS}\n[skill.metadata]\na = 1\n+++\n",
        "+++\n\"name\" = \"tide\"\n'description' = 'Plans: the tide.'\n+++\n",
        f"```toml\n{FIELDS}```\n",
        f"~~~toml\n{FIELDS}~~~\n",
        f"+++\n{FIELDS}\n[x]\na = 1\n+++\n",
        f"+++\n{FIELDS}broken = = 3\n\n[x]\na = 1\n+++\n",
        f'+++\ntags = [\n  "a",\n]\n{FIELDS}+++\n',
    ],
)
def test_toml_is_read_however_it_is_laid_out(text):
    skill, notes = parse_skill(f"{text}Do it.".encode(), "tide")
    assert skill is not None, notes
    assert (skill.name, skill.description) == ("tide", "Plans: the tide.")
    assert skill.body == "Do it."
    assert not any("not closed" in note for note in notes)


def test_a_table_of_toml_keeps_its_fields():
    text = f'+++\n{FIELDS}\n[metadata]\nauthor = "me"\ndate = 2026-01-31\n+++\nDo it.'
    skill, _ = parse_skill(text.encode(), "tide")
    assert skill.extra == {"metadata": {"author": "me", "date": "2026-01-31"}}


def test_what_forbids_models_is_read_in_toml():
    for where in ("", "[metadata]\n"):
        text = f"+++\n{FIELDS}{where}disable-model-invocation = true\n+++\nDo it."
        assert parse_skill(text.encode(), "tide")[0].user_only


@pytest.mark.parametrize(
    "lines", [["name: tide", "x = 1"], ["a == b"], ["a => b"], ["[link]"], ["# x = 1"], []]
)
def test_other_lines_are_no_toml(lines):
    assert not is_toml(lines)


def test_hostile_toml_raises_nothing_and_takes_no_time():
    start = time.process_time()
    for piece in ("a.", "[", "{a=", "a = [\n", "'''", "x = 1\n"):
        for size in (16_000, 100_000):
            lines = f"a = 1\n{piece * (size // len(piece))}".split("\n")
            assert len(from_toml(lines)) >= len(lines)
    assert time.process_time() - start < 5
