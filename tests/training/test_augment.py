import random
from collections import Counter

import pytest

from skillret.datasets.labelled import LabelledQuery
from skillret.errors import InputError
from skillret.training.augment import SECTION, augment, compose, sections
from skillret.training.recipe import parse_recipe
from skillret.training.sections import DataSection
from skillret.types import Skill

BODY = " ".join(f"w{i}" for i in range(300))
SINGLES = [
    LabelledQuery(f"q{i}", f"Do it: Make thing {i} now.", (f"s{i % 5}",), "here", "short")
    for i in range(40)
]


class FixedSource:
    name, revision = "fixed", "local"

    def skills(self):
        return iter([Skill(f"s{i}", f"n{i}", f"About {i}. Use it.", BODY) for i in range(5)])

    def queries(self):
        long = [
            LabelledQuery(f"l{i}", "A long one.", ("s1", "s2"), "here", "scenario")
            for i in range(10)
        ]
        return iter([*SINGLES, *long])


def test_without_options_the_source_is_left_alone():
    source = FixedSource()
    assert augment(source, DataSection(), 0) is source


def test_kinds_are_repeated_and_thinned_out():
    section = DataSection(repeat=("scenario=3", "sho*=0.5"))
    found = list(augment(FixedSource(), section, 0).queries())
    kinds = Counter(r.kind for r in found)
    assert kinds["scenario"] == 30
    assert 8 < kinds["short"] < 32
    assert len({r.id for r in found}) == len(found)


def test_reading_twice_gives_the_same():
    section = DataSection(repeat=("short=0.5",), composed=7, sections=3)
    source = augment(FixedSource(), section, 4)
    assert list(source.queries()) == list(source.queries())
    assert list(source.skills()) == list(source.skills())
    known = {s.id for s in source.skills()}
    assert all(set(r.gold) <= known for r in source.queries())


def test_composed_requests_hold_each_need_and_its_gold():
    texts = {r.gold: r.text for r in SINGLES}
    for query in compose(SINGLES, 50, random.Random(0)):
        assert len(set(query.gold)) == len(query.gold) in (2, 3)
        assert "Do it: " not in query.text
        assert query.text.lower().count("make thing") == len(query.gold)
    assert texts
    assert list(compose(SINGLES[:2], 5, random.Random(0))) == []


def test_sections_are_parts_of_a_body_asked_for_by_its_description():
    skills = list(FixedSource().skills())
    pairs = list(
        sections(
            lambda: [*skills, Skill("x", "x", "", BODY), Skill("y", "y", "d", "short")],
            9,
            random.Random(0),
        )
    )
    assert {p.id for p, _ in pairs} == {s.id + SECTION for s in skills}
    for part, query in pairs:
        assert part.body in BODY
        assert len(part.body.split()) == 130
        assert part.description == ""
        assert query.gold == (part.id,)
        assert query.text in skills[int(part.id[1])].description


@pytest.mark.parametrize("rule", ["scenario", "scenario=", "=3", "scenario=x", "a=-1"])
def test_a_rule_that_is_none_is_refused(rule):
    with pytest.raises(InputError, match=r"data\.repeat"):
        parse_recipe({"data": {"repeat": [rule]}}, "r")
