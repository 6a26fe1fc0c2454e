import time

import pytest

from skillret.retrieval.called import calls_in


@pytest.mark.parametrize(
    ("query", "name", "fits"),
    [
        ("/gezeiten", "gezeiten", True),
        ("/gezeiten for Friday", "gezeiten", True),
        ("$gezeiten", "gezeiten", True),
        ("gezeiten", "Gezeiten", True),
        ("use the gezeiten skill", "gezeiten", True),
        ("please run my `gezeiten` skill now", "gezeiten", True),
        ("use the skill called gezeiten.", "gezeiten", True),
        ("/sea:deploy", "sea:deploy", True),
        ("/sea:deploy", "river:deploy", False),
        ("/sea:deploy", "deploy", False),
        ("then sea:deploy it", "sea:deploy", True),
        ("api", "api", True),
        ("api", "api-v2", False),
        ("look at src/api-keys", "api-keys", False),
        ("http://sea:deploy@host", "sea:deploy", False),
        ("don't use csv-tools", "csv-tools", False),
        ("don't use the gezeiten skill", "gezeiten", False),
        ("write a test skill", "test", False),
        ("use this skill to plan", "to", False),
        ("the test failed", "test", False),
        ("use the 潮汐表 skill", "潮汐表", True),
        ("使用潮汐表", "潮汐表", True),
        ("请用潮汐表。", "潮汐表", True),
        ("use 潮汐表", "潮汐表", True),
        ("用潮汐表技能", "潮汐表", True),
        ("用「潮汐表」这个技能看看明天", "潮汐表", True),
        ("請執行潮汐表一下", "潮汐表", True),
        ("潮汐表スキルを使って", "潮汐表", True),
        ("「潮汐表」を使ってください", "潮汐表", True),
        ("潮汐表 스킬을 사용해 줘", "潮汐表", True),
        ("조석표 실행해줘", "조석표", True),
        ("用csv-cleaning处理", "csv-cleaning", True),
        ("csv-cleaningを使って", "csv-cleaning", True),
        ("不要用潮汐表技能", "潮汐表", False),
        ("别使用潮汐表技能", "潮汐表", False),
        ("不用潮汐表", "潮汐表", False),
        ("写一个潮汐表技能", "潮汐表", False),
        ("用潮汐表看看明天", "潮汐表", False),
        ("画一张潮汐表", "潮汐表", False),
        ("潮汐表スキルを書いて", "潮汐表", False),
        ("潮汐表 스킬을 사용하지 마", "潮汐表", False),
        ("不要使用csv-cleaning", "csv-cleaning", False),
        ("csv-cleaningを使わないで", "csv-cleaning", False),
        ("打开src/csv-cleaning文件", "csv-cleaning", False),
    ],
)
def test_a_skill_is_called_by_a_name_that_is_meant_for_one(query, name, fits):
    assert calls_in(query).fit([name]) is fits


@pytest.mark.parametrize(
    ("query", "alone"),
    [
        ("/deploy", "deploy"),
        ("$Deploy, please", "deploy"),
        ("/deploy the app", "deploy"),
        ("deploy-prod", "deploy-prod"),
        ("sea:deploy", "sea:deploy"),
        ("deploy", ""),
        ("use csv-tools", ""),
        ("/photos/kitchen.jpg: what is that", ""),
        ("/", ""),
    ],
)
def test_a_call_asks_for_nothing_else(query, alone):
    assert calls_in(query).alone == alone


def test_names_are_looked_for_in_linear_time():
    start = time.process_time()
    for piece in (
        "use a-b ",
        "a:",
        "use ",
        "use the skill ",
        "a-",
        "/",
        "use a skill",
        "用",
        "用a技能",
        "a-b用",
    ):
        calls_in(piece * (100_000 // len(piece)))
    assert time.process_time() - start < 3
