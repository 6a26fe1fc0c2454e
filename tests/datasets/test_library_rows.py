from tests.conftest import write_skill

from skillret import Library
from skillret.datasets.columns import parse_skill
from skillret.datasets.library_rows import skill_rows


def rows_of(folder):
    library = Library.open(folder)
    return library.skills, skill_rows(library.skills, [root.path for root in library.roots])


def describe(file, lines):
    file.write_text(file.read_text().replace("\n---\n\n", f"\n{lines}\n---\n\n"))


def test_rows_carry_the_metadata_of_their_skills(tmp_path):
    lines = "license: MIT\nmetadata:\n  team: red\n  since: 2024-01-31\n  tags: [a, b]"
    describe(write_skill(tmp_path, "a"), lines)
    write_skill(tmp_path, "b")
    skills, rows = rows_of(tmp_path)
    assert rows[0]["metadata"] == skills[0].metadata
    assert skills[0].metadata == {"team": "red", "since": "2024-01-31", "tags": ["a", "b"]}
    assert rows[0]["license"] == "MIT"
    assert "metadata" not in rows[1]
    for skill, row in zip(skills, rows, strict=True):
        again = parse_skill(row, "here")
        assert again.metadata == skill.metadata
        assert (again.name, again.description, again.body) == (
            skill.name,
            skill.description,
            skill.body,
        )


def test_metadata_that_is_no_object_is_left_out(tmp_path):
    describe(write_skill(tmp_path, "a"), "metadata: just a word")
    skills, rows = rows_of(tmp_path)
    assert skills[0].metadata == {}
    assert parse_skill(rows[0], "here").metadata == {}


def test_two_skills_of_one_name_are_told_apart_by_their_place(tmp_path):
    for folder in ("x", "y"):
        write_skill(tmp_path / folder, "a skill", f"In {folder}.")
    _, rows = rows_of(tmp_path)
    assert len({row["id"] for row in rows}) == 2
    assert all(row["id"].startswith("a-skill@") for row in rows)
    assert [row["source_url"] for row in rows] == ["x/a skill/SKILL.md", "y/a skill/SKILL.md"]
