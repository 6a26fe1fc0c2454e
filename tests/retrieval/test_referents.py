import pytest

from skillret.retrieval.referents import (
    LOG,
    ends_trace,
    kind_of,
    names_material,
    only_thanks,
    with_name,
)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("diff --git a/x b/x", "diff"),
        ("@@ -1,2 +1,2 @@", "diff"),
        ("Index: trunk/x.py", "diff"),
        ("  SELECT a FROM b", "SQL query"),
        ("2026-01-01 10:00:00 ERROR down", LOG),
        ("Traceback (most recent call last):", LOG),
        ("panic: runtime error", LOG),
        ("Dear Ann,", ""),
        ("name,age", ""),
    ],
)
def test_a_line_of_material_tells_what_it_is_called(line, kind):
    assert kind_of(["", line]) == kind


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["--- a/x.tsx", "+++ b/x.tsx", "diff --git a/y.ts b/y.ts"], "TypeScript diff"),
        (["diff --git a/x.c b/x.h"], "C diff"),
        (["+++ b/x.py", "+++ b/y.go"], "diff"),
        (["+++ b/x.py", "+++ b/README.md"], "diff"),
        (["+++ b/notes/x.unknown"], "diff"),
        (["SELECT a FROM b"], "SQL query"),
    ],
)
def test_a_diff_has_the_language_that_all_its_files_have(lines, kind):
    assert kind_of(lines, language=True) == kind
    assert kind_of(lines) == kind.split()[-1] or kind == "SQL query"
    assert names_material(f"is this {kind} ok?")


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ("is this ok?", "is this diff ok?"),
        ("look at this before I push", "look at this diff before I push"),
        ("what broke here?", "what broke here in this diff?"),
        ("put these numbers on slides", "put these numbers on slides"),  # they belong to a noun
        ("get this done by this Friday", "get this done by this Friday"),
        ("is this commit ok?", "is this commit ok?"),
        ("great, this is what I did", "great, this is what I did"),
    ],
)
def test_this_gets_the_name_unless_it_has_one(own, named):
    assert with_name(own, "diff") == named
    assert with_name(own, "") == own
    assert names_material(named) == (named != own)


def test_thanks_ask_for_nothing_unless_something_follows():
    assert only_thanks("thanks, this helped")
    assert not only_thanks("thanks! can you fix this too?")
    assert not only_thanks("fix this, thanks")


def test_the_last_line_of_a_trace_is_nobody_s_word():
    assert ends_trace("KeyError: 'sum'")
    assert not ends_trace("why do I get a KeyError?")
