import re

from skillret.patterns import lazy_pattern


def test_a_pattern_is_compiled_once_and_with_its_flags():
    pattern = lazy_pattern("a", re.IGNORECASE)
    assert pattern().fullmatch("A")
    assert pattern() is pattern()


def test_a_pattern_is_not_compiled_before_it_is_needed():
    lazy_pattern("(")
