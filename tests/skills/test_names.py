from pathlib import Path

from skillret.skills import Root
from skillret.skills.names import known_names, namespace_of

ROOTS = [Root(Path("/home/skills"), "user"), Root(Path("/p/sea/skills"), "plugin:sea")]


def test_a_skill_is_known_by_its_name_its_folders_and_its_plugin():
    assert known_names("tide", ["/home/skills/gezeiten/SKILL.md"], ROOTS) == {"tide", "gezeiten"}
    paths = ["/p/sea/skills/a/SKILL.md", "/home/skills/b/SKILL.md"]
    assert known_names("tide", paths, ROOTS) == {"tide", "a", "b", "sea:tide", "sea:a"}
    assert known_names("tide", [None], ROOTS) == {"tide"}


def test_the_namespace_is_that_of_the_root():
    assert namespace_of("/p/sea/skills/a/SKILL.md", ROOTS) == "sea"
    assert namespace_of("/p/sea/skills-of-mine/a/SKILL.md", ROOTS) == ""
