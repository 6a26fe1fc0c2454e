"""Skills as a caller gives them to an index."""

from pathlib import Path

import pytest

from skillret import Index, Skill
from skillret.errors import InputError
from skillret.retrieval import Retriever

SKILL = Skill("1", "narwhal", "Feed narwhals.", "Fish.", metadata={"team": "a", "tags": ["x"]})


@pytest.mark.parametrize(
    ("skills", "message"),
    [
        ("x", "skills are to be stored, not a text"),
        ([{"name": "a"}], "number 1 of the skills is of type dict: make a Skill of it"),
        ([SKILL, None], "number 2 of the skills is of type NoneType"),
        ([Skill(1, "a", "b", "c")], "the id of the skill 1 .number 1. is of type int"),
        ([Skill("a", None, "b", "c")], "the name of the skill 'a' .number 1. is of type NoneType"),
        ([Skill("a", "a", b"b", "c")], "the description of the skill 'a' .* of type bytes"),
        ([Skill("a", "a", "b", None)], "the body of the skill 'a' .* of type NoneType"),
        ([Skill("a", "a", "b", "c", path=5)], "the path of the skill 'a' .* of type int"),
        ([Skill("a", "a", "b", "c", shadowed_by=5)], "the shadowed_by of the skill 'a'"),
    ],
)
def test_what_is_no_skill_is_refused_by_place_and_field(skills, message, encoder):
    with Index.in_memory(model=encoder) as index:
        for write in (index.add, index.update):
            with pytest.raises(InputError, match=message):
                write(skills)
        assert list(index.skills()) == []


def test_a_path_may_be_a_path(encoder):
    with Index.in_memory(model=encoder) as index:
        index.add([Skill("a", "a", "b", "c", path=Path("/x/SKILL.md"))])
        assert index.get("a").path == str(Path("/x/SKILL.md"))


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_what_is_read_can_be_changed_without_changing_the_index(kept, encoder, tmp_path):
    place = Index.in_memory(model=encoder)
    if kept == "file":
        place = Index.open(tmp_path / "a.db", create=True, model=encoder)
    with place as index:
        index.add([SKILL])
        retriever = Retriever(index)
        for read in (
            lambda: retriever.search("narwhal")[0],
            lambda: index.get("1"),
            lambda: next(iter(index.skills())),
        ):
            read().metadata["team"] = "b"
            read().metadata["tags"].append("y")
            assert read().metadata == {"team": "a", "tags": ["x"]}
        assert [hit.id for hit in retriever.search("narwhal", where={"team": "a"})] == ["1"]
        assert not retriever.search("narwhal", where={"team": "b"})
