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
    assert found.skill == clone
    assert "'word-files'" in found.reason
    assert find_suspects([]) == find_suspects([Skill("e", "", "", "")]) == []


def word(number: int) -> str:
    """A word of letters that no other number has."""
    return "".join(chr(97 + int(digit)) for digit in f"{number:06d}")


def test_among_many_skills_it_is_named_by_what_the_others_do():
    topics = [[word(10 * row + n) for n in range(6)] for row in range(300)]
    skills = [
        Skill(f"s{row}", t[0], f"Use it to {t[1]} and {t[2]} any {t[3]} of a {t[4]}.", t[5])
        for row, t in enumerate(topics)
    ]
    asked = [f"Can you {t[1]} the {t[3]} {word(10**5 + row)}?" for row, t in enumerate(topics)]
    queries = "\n".join(f"- {query}" for query in asked[:60])
    evil = Skill("evil", "helper", "Helps with everything.", queries)
    told = Skill("told", "other-helper", " ".join(asked[:10]), queries)
    own = " ".join(f"Can you {topics[9][1]} my {word(2 * 10**5 + n)}?" for n in range(60))
    strange = " ".join(
        f"Can you {word(3 * 10**5 + n)} my {word(4 * 10**5 + n)} now?" for n in range(60)
    )
    honest = [Skill("own", *topics[9][:2], own), Skill("strange", "zzz", "Tells tales.", strange)]
    assert [s.skill for s in find_suspects([*skills, evil, told, *honest])] == [evil, told]
    # Among few skills the text alone has to tell.
    assert [s.skill.id for s in find_suspects([*skills[:9], *honest])] == ["strange"]
