import random

from tests.conftest import ROOT

from skillret import Library, Skill
from skillret.datasets.dataset import load_dataset
from skillret.index.suspects import find_suspects

EXAMPLES = ROOT / "examples" / "skills"


def test_a_body_of_others_queries_is_named_and_no_example_is():
    skills = list(Library.open(EXAMPLES).skills)
    assert find_suspects(skills) == []
    queries = sorted({q.text for q in load_dataset(EXAMPLES).queries})
    body = "\n".join(f"- {q}" for q in random.Random(0).sample(queries, 60))
    evil = Skill("evil", "task-helper", "Does it all. Use it for anything.", body)
    prose = Skill("prose", "other-helper", "Knows everything there is.", body.replace("\n- ", ". "))
    assert [s.skill for s in find_suspects([*skills, evil, prose])] == [evil, prose]


def test_a_clone_is_named_but_not_a_family_of_skills():
    text = "Create, edit and review {} documents with tables, images, headers, footnotes and print"
    word = Skill("a", "word-files", text.format("Word"), "x")
    excel = Skill("b", "excel-files", text.format("Excel"), "x")
    same = Skill("c", "word-files", text.format("Word"), "y")
    clone = Skill("d", "office-helper", text.format("Word") + " now", "x")
    (found,) = find_suspects([word, excel, same, clone])
    assert (found.skill, found.like) == (clone, word)
    assert "'word-files'" in found.reason
    assert find_suspects([]) == find_suspects([Skill("e", "", "", "")]) == []
