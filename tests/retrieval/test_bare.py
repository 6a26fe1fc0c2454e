import pytest

from skillret.retrieval.bare import BareName


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("IT", "it-helpdesk\nAnswers IT helpdesk tickets."),
        ("IT ticket?", "it-helpdesk\nAnswers IT helpdesk tickets."),
        ("the WHO", "Health data of the World Health Organization (WHO)."),
        ("R", "Statistics in R with the tidyverse."),
        ("C#", "审查C#代码"),
        ("C#.", "Reviews C# code."),
        ("5G", "Plans 5G cells."),
    ],
)
def test_a_name_is_held_as_it_is_written(query, text):
    assert BareName(query).stands_in(text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("IT", "Check it twice."),
        ("IT contracts", "Answers IT helpdesk tickets."),
        ("R", "Plans R&D."),
        ("C", "Reviews C++ and C# code, also C-like ones."),
        ("WHO", "Tells whom to ask, and who."),
    ],
)
def test_other_words_are_not_the_name(query, text):
    assert BareName(query)
    assert not BareName(query).stands_in(text)


@pytest.mark.parametrize(
    "query",
    [
        *("it", "who", "NO", "OK", "Go", "I", "STOP", "Thanks", "how do I tell him of IT"),
        *("IT tickets and letters", "PDF and CSV", "write a service", "?", "A B C D E"),
    ],
)
def test_most_queries_are_no_bare_name(query):
    assert not BareName(query)
