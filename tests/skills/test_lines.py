import pytest

from skillret.skills.lines import fold_lines, joined


@pytest.mark.parametrize(
    ("lines", "one"),
    [
        (
            "Builds shelves\nNot for ferns\nUse when sanding",
            "Builds shelves. Not for ferns. Use when sanding",
        ),
        ("Builds shelves.\nKeywords: oak", "Builds shelves. Keywords: oak"),
        ("Builds shelves:\n- Use for oak", "Builds shelves: - Use for oak"),
        ("Builds shelves\n\n**Use when** sanding", "Builds shelves. **Use when** sanding"),
        ("Not for:\n1. ferns\n2. palms", "Not for: 1) ferns 2) palms"),
        # Items of a list, where one of them is a statement of its own.
        ("Builds\n- Not for ferns\n- For oak", "Builds. - Not for ferns. - For oak"),
        ("Builds\n- Not for: ferns\n- For: oak", "Builds. - Not for: ferns. - For: oak"),
        ("Builds\n- oak\n- For: fir", "Builds - oak - For: fir"),
        # What is merely wrapped goes on.
        ("Extract tables from\nPDF files into\nExcel", "Extract tables from PDF files into Excel"),
        ("Read it\nnot for long", "Read it not for long"),
        ("Says whether it is\nNot for sale", "Says whether it is Not for sale"),
        ("a\tb  c", "a b c"),
        ("\n\n", ""),
    ],
)
def test_lines_that_are_statements_are_parted(lines, one):
    assert fold_lines(lines) == one


def test_statements_are_joined_by_one_stop():
    assert joined("Builds shelves", "Use for oak") == "Builds shelves. Use for oak"
    assert joined("Builds shelves.", "Use for oak") == "Builds shelves. Use for oak"
    assert joined("", "Use for oak") == joined("Use for oak", "") == "Use for oak"


def test_many_lines_are_folded_in_no_time():
    many = 50_000
    assert fold_lines("Not for x\n" * many) == ". ".join(["Not for x"] * many)
