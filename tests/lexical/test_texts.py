import numpy as np
from tests.conftest import make_skill

from skillret import Index
from skillret.lexical import spelling
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.lexical.grams import gram_reader
from skillret.lexical.texts import lexical_text, read_texts

SKILLS = [
    make_skill("node-charts", "Makes charts. Not for videos.", "# Steps\nUse getUserById in C++."),
    make_skill("schön-é", "Prüft — “alles” → ✅.", "## When not to use\nNever.\n## Then\n检查发票"),
    make_skill("empty", "Empty."),
]


def test_name_description_and_body_are_searched():
    assert lexical_text(make_skill("a", "b", "c")) == "a b c"


def test_texts_are_spelled_and_exclusions_apart():
    texts = read_texts(SKILLS[0])
    assert texts.text.split()[:4] == ["node-charts", "makes", "charts.", "#"]
    assert texts.text.split()[-2:] == ["cpp", "."]
    assert (texts.description, texts.excluded) == ("makes charts.", "not for videos.")
    assert texts.stops == "node-charts Makes charts. Not for videos."


def test_texts_that_were_read_are_indexed_as_their_skills():
    read = [read_texts(skill) for skill in SKILLS]
    ours, theirs = (LexicalIndex(write_lexical(None, enumerate(s))) for s in (read, SKILLS))
    for query in ("charts in c++", "schön 发票", "get user by id", "empty steps"):
        for one, other in zip(ours.search(query, 9), theirs.search(query, 9), strict=True):
            assert len(one)
            np.testing.assert_array_equal(one, other)
    for texts, skill in zip(read, SKILLS, strict=True):
        reader = gram_reader()
        np.testing.assert_array_equal(reader.read_skill(texts), reader.read_skill(skill))


def test_a_build_spells_a_body_once(tmp_path, monkeypatch, encoder):
    spelled = []
    one = spelling._spell
    monkeypatch.setattr(spelling, "_spell", lambda text: spelled.append(text) or one(text))
    body = "Draws the one and only zebra. " * 100
    for index in (
        Index.open(tmp_path / "i.db", create=True, model=encoder),
        Index.in_memory(model=encoder),
    ):
        with index:
            index.update([make_skill("zebras", "Draws zebras.", body)])
            assert len(index.corpus()) == 1
            assert sum(body in text for text in spelled) == 1
            spelled.clear()
