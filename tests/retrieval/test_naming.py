from skillret.retrieval.naming import LEVELS, MOST_NAMED, Level, sure


def test_only_likely_skills_of_queries_that_need_one_are_named():
    level = Level(need=0.5, score=0.1, share=0.5)
    assert sure([0.8, 0.5, 0.3], 0.9, level) == [0, 1]
    assert sure([0.15, 0.09], 0.9, level) == [0]
    assert sure([0.05], 0.9, level) == []
    assert sure([0.8], 0.4, level) == []
    assert sure([], 0.9, level) == []
    assert len(sure([0.9] * 10, 0.9, level)) == MOST_NAMED


def test_who_is_quieter_names_no_more():
    quiet, normal, eager = (LEVELS[name] for name in ("quiet", "normal", "eager"))
    for less, more in ((quiet, normal), (normal, eager)):
        assert all(a >= b for a, b in zip(less, more, strict=True))
